"""Guided plans are those of the tilted distribution, known in closed form where plans are Gaussian."""

import math

import pytest
import torch
from tiny_model import LAYOUT, tiny_denoiser, tiny_model

from dfplan.diffusion import Parameterization, Schedule, pyramid_matrix
from dfplan.models.denoiser import Denoiser, DenoiserState
from dfplan.models.token_model import TokenModel
from dfplan.planner.guidance import NUM_TRIALS, Guidance, predict_guided, share_to_go
from dfplan.planner.objectives import PredictedPlan, goal_distance
from dfplan.planner.sampler import Sampling, sample_tokens
from dfplan.tokens import NUM_PREFIX_TOKENS, Normalizer

TOKENS = 4
FIRST_POSITION = LAYOUT.num_action_slots + 1
MEAN, VARIANCE = 0.3, 0.5


class GaussianDenoiser(Denoiser):
    """Knows the answer where every number of a token is Gaussian on its own, with one mean and one variance."""

    def __init__(self, parameterization, *, mean=MEAN, variance=VARIANCE):
        super().__init__()
        self.token_dim = LAYOUT.token_dim
        self.parameterization, self.mean, self.variance = parameterization, mean, variance
        self.calls = []

    def forward(self, noisy, levels, state=None):
        self.calls.append(noisy.shape)
        alpha, sigma = self.parameterization.schedule(LAYOUT.per_slot(levels))
        gain = alpha * self.variance / (alpha.square() * self.variance + sigma.square())
        clean = self.mean + gain * (noisy - alpha * self.mean)
        seen = noisy if state is None else torch.cat([state.layers[0], noisy], dim=1)
        return clean, DenoiserState((seen,))


def identity():
    return Normalizer.blank(action_dim=LAYOUT.action_dim, observation_dim=LAYOUT.observation_dim)


def guidance(objective, *, batch, **options):
    places = torch.zeros(batch, LAYOUT.goal_dim)
    options = {"normalizer": identity(), "goal_radius": 1.0, "seconds_per_point": 1.0} | options
    return Guidance(objective, **({"starts": places, "goals": places} | options))


def guided_mean(objective, *, num_levels, schedule="linear", slope=1.0, batch=2, denoiser=None, **options):
    """Mean of the guided samples. The noise comes in pairs of opposite sign, so their mean is that of all samples."""
    parameterization = Parameterization("clean", Schedule(schedule))
    half = torch.randn(batch // 2, TOKENS, LAYOUT.token_dim, generator=torch.Generator().manual_seed(0))
    noisy = torch.cat([half, -half])
    denoiser = denoiser or GaussianDenoiser(parameterization)
    prefix = torch.zeros(batch, NUM_PREFIX_TOKENS, LAYOUT.token_dim)
    with torch.no_grad():
        state = denoiser(prefix, torch.zeros(batch, NUM_PREFIX_TOKENS, 2))[1]
        tokens = sample_tokens(
            TokenModel(denoiser, LAYOUT, parameterization),
            noisy,
            state=state,
            sampling=Sampling(
                matrix=pyramid_matrix(TOKENS, num_levels=num_levels, offset=slope),
                num_levels=num_levels,
                guidance=guidance(objective, batch=batch, **options),
            ),
            noise=_noise(),
        ).tokens
    return tokens.mean(dim=0)


def _noise():
    generator = torch.Generator().manual_seed(1)
    return lambda rows: torch.randn(len(rows), TOKENS, LAYOUT.token_dim, generator=generator)


def along_x(plan: PredictedPlan):
    """A linear objective: the sum of the planned first coordinates."""
    return plan.positions[..., 0].sum(dim=1)


def near_two(plan: PredictedPlan):
    """A quadratic objective: half the squared distance of the planned first coordinates to 2."""
    return -(plan.positions[..., 0] - 2).square().sum(dim=1) / 2


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("num_levels", [1, 2, 5, 10, 40])
@pytest.mark.parametrize("slope", [0.0, 1.0, 5.0])
def test_a_linear_objective_moves_the_mean_by_strength_times_variance_for_any_number_of_levels(
    schedule, num_levels, slope
):
    # p(x) exp(s x) is Gaussian with mean + s * variance. (What is left is that pure noise is shown at level 0.9.)
    mean = guided_mean(along_x, num_levels=num_levels, schedule=schedule, slope=slope, strength=3.0)
    expected = torch.full((TOKENS, 2), MEAN + 3.0 * VARIANCE)
    torch.testing.assert_close(mean[:, FIRST_POSITION :: LAYOUT.observation_dim], expected, rtol=0.02, atol=0)
    unguided = torch.full((TOKENS, LAYOUT.num_action_slots), MEAN)
    torch.testing.assert_close(mean[:, : LAYOUT.num_action_slots], unguided, rtol=0.03, atol=0)


@pytest.mark.parametrize("strength", [0.1, 1.0, 10.0, 1000.0])
@pytest.mark.parametrize("num_levels", [1, 5, 40])
def test_a_quadratic_objective_moves_the_mean_to_the_tilted_one_and_never_beyond(num_levels, strength):
    # p(x) exp(-s (x - 2)² / 2) is Gaussian with mean (mean / variance + 2 s) / (1 / variance + s).
    mean = guided_mean(near_two, num_levels=num_levels, slope=0.0, strength=strength)
    expected = (MEAN / VARIANCE + 2 * strength) / (1 / VARIANCE + strength)
    found = mean[:, FIRST_POSITION :: LAYOUT.observation_dim]
    torch.testing.assert_close(found, torch.full_like(found, expected), rtol=0.01, atol=0)


@pytest.mark.parametrize("strength", [1.0, 30.0, 1e4])
def test_strength_that_overshoots_elsewhere_ends_at_the_goal_here(strength):
    def distance(plan):
        return -(plan.positions[..., 0] - 2).abs().sum(dim=1)

    found = guided_mean(distance, num_levels=5, slope=0.0, strength=strength)[:, FIRST_POSITION]
    assert (found > MEAN + 0.1).all()
    assert (found < 2.2).all()


def test_a_batch_of_one_and_of_many_move_alike():
    denoiser, parameterization = tiny_denoiser(), Parameterization("velocity", Schedule("linear"))
    noisy = torch.randn(64, TOKENS, LAYOUT.token_dim, generator=torch.Generator().manual_seed(0))
    starts, goals = torch.zeros(64, 2), torch.rand(64, 2, generator=torch.Generator().manual_seed(2)) * 4
    strength = torch.linspace(0, 10, 64)

    def sample(rows):
        with torch.no_grad():
            prefix = torch.zeros(len(rows), NUM_PREFIX_TOKENS, LAYOUT.token_dim)
            return sample_tokens(
                TokenModel(denoiser, LAYOUT, parameterization),
                noisy[rows],
                state=denoiser(prefix, torch.zeros(len(rows), NUM_PREFIX_TOKENS, 2))[1],
                sampling=Sampling(
                    matrix=pyramid_matrix(TOKENS, num_levels=5, offset=2.0),
                    num_levels=5,
                    guidance=guidance(
                        goal_distance,
                        batch=64,
                        starts=starts[rows],
                        goals=goals[rows],
                        strength=strength[rows],
                        normalizer=tiny_model().normalizer,
                    ),
                ),
            ).tokens

    together = sample(torch.arange(64))
    for row in (0, 1, 31, 63):
        torch.testing.assert_close(sample(torch.tensor([row]))[0], together[row], rtol=0, atol=1e-4)


def test_the_unit_of_length_does_not_matter():
    def plan_in(unit):
        normalizer = Normalizer(
            action_mean=torch.zeros(2),
            action_std=torch.ones(2),
            observation_mean=unit * torch.tensor([3.0, 3.0, 0.0, 0.0]),
            observation_std=unit * torch.tensor([1.5, 1.5, 2.0, 2.0]),
        )
        return guided_mean(
            goal_distance,
            num_levels=5,
            normalizer=normalizer,
            goal_radius=unit * 0.5,
            goals=unit * torch.tensor([[1.0, 5.0], [1.0, 5.0]]),
            strength=8.0,
        )

    torch.testing.assert_close(plan_in(100.0), plan_in(1.0), rtol=1e-4, atol=1e-4)


def test_the_scale_that_the_model_was_trained_at_does_not_matter():
    # The same Gaussian in environment units, once normalised to variance 0.5 and once to 0.125.
    def moved_by(std):
        normalizer = identity()
        normalizer.observation_std = torch.full((LAYOUT.observation_dim,), std)
        denoiser = GaussianDenoiser(
            Parameterization("clean", Schedule("linear")), mean=0.3 / std, variance=VARIANCE / std**2
        )
        mean = guided_mean(along_x, num_levels=20, denoiser=denoiser, normalizer=normalizer, strength=3.0)
        return std * mean[:, FIRST_POSITION]

    torch.testing.assert_close(moved_by(2.0), moved_by(1.0), rtol=0.02, atol=0)


def test_tokens_are_guided_between_two_levels_only():
    # At one level a token: the tokens at 0.75 and 0.5 are in between, those at 0.25 and 1 (shown at 0.9) are not.
    parameterization = Parameterization("clean", Schedule("linear"))
    denoiser, noisy = GaussianDenoiser(parameterization), torch.zeros(1, TOKENS, LAYOUT.token_dim)
    levels = torch.tensor([[0.25, 0.5, 0.75, 1.0]])[..., None].expand(1, TOKENS, 2)
    shared = {"levels": levels, "num_finished": 0, "num_current": TOKENS, "rows": torch.arange(1)}
    state = denoiser(torch.zeros(1, NUM_PREFIX_TOKENS, LAYOUT.token_dim), torch.zeros(1, NUM_PREFIX_TOKENS, 2))[1]
    guided, unguided = (
        predict_guided(
            TokenModel(denoiser, LAYOUT, parameterization),
            noisy,
            state=state,
            guidance=guidance(along_x, batch=1, lowest_level=0.5, highest_level=0.8, strength=strength),
            **shared,
        ).clean
        for strength in (1.0, 0.0)
    )
    assert (guided != unguided).any(dim=2).tolist() == [[False, True, True, False]]


def test_no_strength_is_no_guidance():
    guided = guided_mean(along_x, num_levels=5, strength=0.0)
    torch.testing.assert_close(guided, torch.full_like(guided, MEAN), rtol=0.02, atol=0)


@pytest.mark.parametrize(
    ("slope", "root"),
    [
        (lambda share: torch.full_like(share, 2.0), 1.0),  # as steep everywhere: all the way
        (lambda share: 2.0 - 6.0 * share, 0.25),
        (lambda share: 2.0 + share, 1.0),  # steeper and steeper: no farther than all the way
        (lambda share: -2.0 + share, 0.0),  # downhill
        (lambda share: torch.where(share < 0.01, 2.0, -2.0), 0.01),
        (lambda share: 2.0 * torch.exp(-50 * share), 0.0415),
        (lambda share: torch.zeros_like(share), 0.0),
    ],
)
def test_how_far_to_go(slope, root):
    found = share_to_go(slope, at_start=slope(torch.zeros(3)))
    torch.testing.assert_close(found, torch.full((3,), root), rtol=0.5, atol=1e-6)


def illinois(slope, *, trials):
    """The method for one number: regula falsi; an end that stays twice is believed half (Dowell and Jarratt, 1971)."""
    start = slope(0.0)
    low, high, above, below, moved = 0.0, 1.0, start, slope(1.0) - start, None
    for _ in range(trials):
        share = low + (high - low) * above / (above - below)
        found = slope(share) - share * start
        if found > 0:
            low, above = share, found
            below = below / 2 if moved == "low" else below
            moved = "low"
        else:
            high, below = share, found
            above = above / 2 if moved == "high" else above
            moved = "high"
    return share


@pytest.mark.parametrize("steep", [-50.0, -5.0, -0.5, 0.5, 0.9])
def test_trials_are_those_of_illinois_method(steep):
    # Convex slopes keep the lower end, concave ones the higher; a bend in the middle changes from one to the other.
    for bend in (lambda x: x, lambda x: x**3, lambda x: math.tanh(4 * (x - 0.3)) - math.tanh(-1.2)):

        def slope(x, bend=bend):
            return 2 * math.exp(steep * bend(x)) if steep < 0 else 2 - 2 * bend(x) / (1 - steep)

        found = share_to_go(lambda share: torch.tensor([slope(float(share))]), at_start=torch.tensor([slope(0.0)]))
        expected = illinois(slope, trials=NUM_TRIALS)
        torch.testing.assert_close(found, torch.tensor([expected]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("num_futures", [1, 4])
def test_futures_do_not_change_where_a_linear_objective_leads(num_futures):
    mean = guided_mean(along_x, num_levels=5, slope=5.0, strength=3.0, num_futures=num_futures, batch=4)
    expected = torch.full((TOKENS,), MEAN + 3.0 * VARIANCE)
    torch.testing.assert_close(mean[:, FIRST_POSITION], expected, rtol=0.01, atol=0)


def test_futures_cost_a_batch_and_share_what_came_before():
    denoiser = GaussianDenoiser(Parameterization("clean", Schedule("linear")))
    guided_mean(along_x, num_levels=1, slope=1.0, num_futures=3, denoiser=denoiser)
    # One token after the other: the window with its future, then three futures of each of the two sequences.
    shapes = [tuple(shape[:2]) for shape in denoiser.calls[1:]]
    assert shapes == [(2, 4), (6, 3), (2, 4), (6, 2), (2, 3), (6, 1), (2, 2)]


def test_futures_are_counted():
    denoiser = GaussianDenoiser(Parameterization("clean", Schedule("linear")))
    noisy = torch.zeros(2, TOKENS, LAYOUT.token_dim)
    sampling = Sampling(
        matrix=pyramid_matrix(TOKENS, num_levels=1, offset=1.0),
        num_levels=1,
        guidance=guidance(along_x, batch=2, num_futures=3),
    )
    with torch.no_grad():
        state = denoiser(torch.zeros(2, NUM_PREFIX_TOKENS, LAYOUT.token_dim), torch.zeros(2, NUM_PREFIX_TOKENS, 2))[1]
        denoised = sample_tokens(
            TokenModel(denoiser, LAYOUT, denoiser.parameterization),
            noisy,
            state=state,
            sampling=sampling,
            noise=_noise(),
        )
    assert denoised.evaluations.tolist() == [4 + 3 * 3] * 2
    assert denoised.token_evaluations.tolist() == [(4 + 4 + 3 + 2) + 3 * (3 + 2 + 1)] * 2


def test_the_objective_sees_as_far_as_it_is_let():
    seen = []

    def recording(plan):
        seen.append(plan.positions.shape[1])
        return along_x(plan)

    guided_mean(recording, num_levels=1, slope=1.0, lookahead=1)
    points = LAYOUT.points_per_token
    assert sorted(set(seen)) == [2 * points, 3 * points, 4 * points]


def test_futures_differ_where_the_mean_does_not():
    # The mean of a symmetric future is 0 and so is the gradient of its square; its futures are not at 0.
    def spread(plan):
        return plan.positions[:, -1, 0].abs()

    values = []
    for num_futures in (0, 8):

        def recording(plan):
            values[-1].append(spread(plan).mean().item())
            return spread(plan)

        values.append([])
        guided_mean(recording, num_levels=5, slope=5.0, num_futures=num_futures, strength=0.0, denoiser=_centred())
    assert values[1][0] > values[0][0] + 0.1


def test_futures_are_averaged():
    # The objective is linear in the first token, as steep as the last token lies far: over futures, the mean counts.
    parameterization, level, strength = Parameterization("clean", Schedule("linear")), 0.5, 0.7
    denoiser, noisy = GaussianDenoiser(parameterization), torch.zeros(1, TOKENS, LAYOUT.token_dim)
    futures = []

    def first_times_last(plan):
        futures.append(plan.positions[:, -1, 0].detach())
        return plan.positions[:, 0, 0] * futures[-1]

    clean = predict_guided(
        TokenModel(denoiser, LAYOUT, parameterization),
        noisy,
        levels=torch.tensor([level] + (TOKENS - 1) * [1.0])[None, :, None].expand(1, TOKENS, 2),
        num_finished=0,
        num_current=1,
        state=denoiser(torch.zeros(1, NUM_PREFIX_TOKENS, LAYOUT.token_dim), torch.zeros(1, NUM_PREFIX_TOKENS, 2))[1],
        rows=torch.arange(1),
        guidance=guidance(first_times_last, batch=1, num_futures=5, strength=strength),
        noise=_noise(),
    ).clean
    alpha, sigma = parameterization.schedule(torch.tensor(level))
    variance = VARIANCE * sigma**2 / (alpha**2 * VARIANCE + sigma**2)  # of the clean value, given the noisy one
    unguided = MEAN - alpha**2 * VARIANCE * MEAN / (alpha**2 * VARIANCE + sigma**2)
    assert futures[0].std() > 0.1
    expected = unguided + strength * variance * futures[0].mean()
    torch.testing.assert_close(clean[0, 0, FIRST_POSITION], expected, rtol=1e-4, atol=0)


def _centred():
    return GaussianDenoiser(Parameterization("clean", Schedule("linear")), mean=0.0)


def test_futures_of_sequences_stay_apart():
    denoiser, parameterization = tiny_denoiser(), Parameterization("velocity", Schedule("linear"))
    generator = torch.Generator().manual_seed(0)
    noisy = torch.randn(2, TOKENS, LAYOUT.token_dim, generator=generator)
    futures = torch.randn(2, TOKENS, LAYOUT.token_dim, generator=generator)

    def sample(rows):
        prefix = torch.zeros(len(rows), NUM_PREFIX_TOKENS, LAYOUT.token_dim)
        with torch.no_grad():
            return sample_tokens(
                TokenModel(denoiser, LAYOUT, parameterization),
                noisy[rows],
                state=denoiser(prefix, torch.zeros(len(rows), NUM_PREFIX_TOKENS, 2))[1],
                sampling=Sampling(
                    matrix=pyramid_matrix(TOKENS, num_levels=4, offset=2.0),
                    num_levels=4,
                    guidance=guidance(goal_distance, batch=len(rows), num_futures=2, strength=5.0),
                ),
                noise=lambda present: futures[rows][present],
            ).tokens

    together = sample(torch.arange(2))
    for row in range(2):
        torch.testing.assert_close(sample(torch.tensor([row]))[0], together[row], rtol=0, atol=1e-5)


def test_the_objective_sees_what_was_planned_before_the_window():
    seen = []

    def recording(plan):
        seen.append((plan.positions.detach(), plan.levels))
        return along_x(plan)

    before = torch.randn(2, 3, LAYOUT.token_dim, generator=torch.Generator().manual_seed(0))
    alone = guided_mean(recording, num_levels=1, slope=1.0, strength=3.0)
    shapes = [positions.shape[1] for positions, _ in seen]
    seen.clear()
    after = guided_mean(recording, num_levels=1, slope=1.0, strength=3.0, before=before)
    torch.testing.assert_close(after, alone)  # a linear objective does not care
    planned = LAYOUT.unpack(before)[2][..., : LAYOUT.goal_dim]
    for (positions, levels), points in zip(seen, shapes, strict=True):
        assert positions.shape[1] == points + planned.shape[1]
        torch.testing.assert_close(positions[:, : planned.shape[1]], planned.expand(len(positions), -1, -1))
        assert (levels[:, :3] == 0).all()
