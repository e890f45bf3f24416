"""Computing only what moves, from a cache, with sequences leaving early, changes no number that is part of a plan."""

import itertools

import pytest
import torch
from tiny_model import DENOISERS, LAYOUT, tiny_denoiser, tiny_model

from dfplan.diffusion import Parameterization, Schedule, pyramid_matrix, reverse_step
from dfplan.models.token_model import TokenModel
from dfplan.planner.guidance import Guidance, predict_guided
from dfplan.planner.objectives import goal_distance
from dfplan.planner.sampler import Sampling, sample_tokens
from dfplan.tokens import NUM_PREFIX_TOKENS

BATCH, TOKENS, LEVELS = 3, 6, 4
SLOPES = (0.0, 0.5, 1.0, 1.5, 2.0, 4.0, 5.5)
VELOCITY = Parameterization("velocity", Schedule("linear"))


@pytest.fixture
def prefix():
    """Goal and context tokens, clean."""
    return torch.randn(BATCH, NUM_PREFIX_TOKENS, LAYOUT.token_dim, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def noisy():
    return torch.randn(BATCH, TOKENS, LAYOUT.token_dim, generator=torch.Generator().manual_seed(2))


def _noise(seed=3):
    """Draws for every sequence from a generator of its own, as the planner does."""
    generators = [torch.Generator().manual_seed(seed + row) for row in range(BATCH)]

    def draw(rows):
        return torch.stack([torch.randn(TOKENS, LAYOUT.token_dim, generator=generators[row]) for row in rows])

    return draw


def _sample(denoiser, prefix, noisy, sampling, *, parameterization=VELOCITY, **options):
    with torch.no_grad():
        state = denoiser(prefix, torch.zeros(len(prefix), NUM_PREFIX_TOKENS, 2))[1]
        denoised = sample_tokens(
            TokenModel(denoiser, LAYOUT, parameterization),
            noisy,
            state=state,
            sampling=sampling,
            noise=_noise() if sampling.eta else None,
            **options,
        )
    return denoised.tokens, denoised.lengths


def _sample_naively(denoiser, prefix, noisy, sampling, *, parameterization=VELOCITY):
    """The loop one would write first: at every row, the whole sequence from the start."""
    tokens, matrix, draw = noisy.clone(), sampling.matrix, _noise()
    if sampling.known_actions is not None:
        tokens[..., : LAYOUT.num_action_slots] = sampling.known_actions
    for row, next_row in itertools.pairwise(matrix):
        now, after = (each.expand(BATCH, -1) for each in (row, next_row))
        levels = [torch.stack([each, each], dim=-1) / sampling.num_levels for each in (now, after)]
        if sampling.known_actions is not None:
            levels = [each * torch.tensor([0.0, 1.0]) for each in levels]
        level, next_level = (LAYOUT.per_slot(each) for each in levels)
        whole_levels = torch.cat([torch.zeros(BATCH, NUM_PREFIX_TOKENS, 2), levels[0]], dim=1)
        prediction = denoiser(torch.cat([prefix, tokens], dim=1), whole_levels)[0][:, NUM_PREFIX_TOKENS:]
        clean = parameterization.to_clean(prediction, tokens, level=level)
        if sampling.guidance is not None:
            clean = predict_guided(
                TokenModel(denoiser, LAYOUT, parameterization),
                tokens,
                levels=levels[0],
                num_finished=0,
                num_current=TOKENS,
                state=denoiser(prefix, torch.zeros(BATCH, NUM_PREFIX_TOKENS, 2))[1],
                rows=torch.arange(BATCH),
                guidance=sampling.guidance,
            ).clean
        tokens = reverse_step(
            tokens,
            clean,
            level=level,
            next_level=next_level,
            schedule=parameterization.schedule,
            eta=sampling.eta,
            noise=draw(range(BATCH)) if sampling.eta else None,
        )
    return tokens


def _guidance(rows=slice(None), **changes):
    """Pulls every sequence to a place of its own."""
    goals = torch.tensor([[1.0, 1.0], [3.0, 1.0], [2.0, 4.0]])[rows]
    options = {"starts": torch.zeros_like(goals), "goals": goals, "normalizer": tiny_model().normalizer}
    options |= {"goal_radius": 0.5, "seconds_per_point": 0.02, "strength": 5.0}
    return Guidance(goal_distance, **(options | changes))


def _counting(denoiser):
    """The denoiser, writing down the shape of what it is given."""
    forward, denoiser.shapes = denoiser.forward, []

    def counted(noisy, levels, state=None):
        denoiser.shapes.append(noisy.shape)
        return forward(noisy, levels, state)

    denoiser.forward = counted
    return denoiser


def _sampling(slope=1.0, **changes):
    matrix = pyramid_matrix(TOKENS, num_levels=LEVELS, offset=slope)
    return Sampling(**({"matrix": matrix, "num_levels": LEVELS} | changes))


def _close(found, expected):
    scale = float(expected.abs().max())
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * max(1.0, scale))


def test_levels_are_spaced_as_asked():
    sampling = _sampling(matrix=torch.arange(LEVELS + 1)[None], rho=2.0)
    levels = sampling.real_levels(0, torch.arange(1), slice(0, LEVELS + 1))
    assert levels[0].tolist() == [[level, level] for level in (0, 1 / 16, 1 / 4, 9 / 16, 1)]


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_a_denoiser_that_is_not_causal_is_shown_every_token_at_every_row(prefix, noisy, slope, eta):
    denoiser, sampling = tiny_denoiser(causal=False), _sampling(slope, eta=eta)
    _close(_sample(denoiser, prefix, noisy, sampling)[0], _sample_naively(denoiser, prefix, noisy, sampling))


@pytest.mark.parametrize("name", DENOISERS)
@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_cached_equals_naive(name, slope, eta, prefix, noisy):
    denoiser, sampling = tiny_denoiser(name), _sampling(slope, eta=eta)
    tokens, lengths = _sample(denoiser, prefix, noisy, sampling)
    _close(tokens, _sample_naively(denoiser, prefix, noisy, sampling))
    assert lengths.tolist() == BATCH * [TOKENS]
    elsewhere, _ = _sample(denoiser, prefix + 0.1, noisy, sampling)
    assert (elsewhere - tokens).abs().amax(dim=(0, 2)).min() > 1e-3  # or else the comparison says nothing of the cache


@pytest.mark.parametrize(
    ("kind", "schedule"), [("clean", "linear"), ("clean", "cosine"), ("velocity", "cosine"), ("velocity", "ddpm")]
)
def test_cached_equals_naive_for_every_kind_of_prediction(kind, schedule, prefix, noisy):
    denoiser, parameterization = tiny_denoiser(), Parameterization(kind, Schedule(schedule))
    tokens, _ = _sample(denoiser, prefix, noisy, _sampling(), parameterization=parameterization)
    _close(tokens, _sample_naively(denoiser, prefix, noisy, _sampling(), parameterization=parameterization))


@pytest.mark.parametrize("name", DENOISERS)
@pytest.mark.parametrize("slope", [0.0, 1.0, 4.0])
def test_cached_equals_naive_with_guidance(name, slope, prefix, noisy):
    denoiser, sampling = tiny_denoiser(name), _sampling(slope, guidance=_guidance())
    tokens, _ = _sample(denoiser, prefix, noisy, sampling)
    _close(tokens, _sample_naively(denoiser, prefix, noisy, sampling))
    unguided, _ = _sample(denoiser, prefix, noisy, _sampling(slope))
    assert (tokens - unguided).abs().max() > 1e-3


@pytest.mark.parametrize("name", DENOISERS)
@pytest.mark.parametrize("slope", [0.0, 1.0, 4.0])
def test_given_actions_stay_as_they_are(name, slope, prefix, noisy):
    actions = torch.randn(BATCH, TOKENS, LAYOUT.num_action_slots, generator=torch.Generator().manual_seed(4))
    denoiser, sampling = tiny_denoiser(name), _sampling(slope, known_actions=actions)
    tokens, _ = _sample(denoiser, prefix, noisy, sampling)
    assert torch.equal(tokens[..., : LAYOUT.num_action_slots], actions)
    _close(tokens, _sample_naively(denoiser, prefix, noisy, sampling))


def test_a_custom_matrix_may_let_later_tokens_lead(prefix, noisy):
    matrix = torch.tensor([6 * [4], [4, 4, 4, 2, 4, 4], [4, 4, 4, 2, 4, 4], [3, 0, 4, 0, 1, 4], 6 * [0]])
    denoiser, sampling = tiny_denoiser(), _sampling(matrix=matrix)
    _close(_sample(denoiser, prefix, noisy, sampling)[0], _sample_naively(denoiser, prefix, noisy, sampling))


def test_noise_given_is_not_changed(prefix, noisy):
    before = noisy.clone()
    _sample(tiny_denoiser(), prefix, noisy, _sampling())
    assert torch.equal(noisy, before)


@pytest.mark.parametrize("name", DENOISERS)
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_a_sequence_that_leaves_early_keeps_what_it_would_have_had(name, eta, prefix, noisy):
    denoiser, sampling = tiny_denoiser(name), _sampling(2.0, eta=eta)
    whole, _ = _sample(denoiser, prefix, noisy, sampling)
    wanted = torch.tensor([3, TOKENS, 1])
    calls = []

    def is_done(tokens, rows):
        calls.append((tokens.shape[1], rows.tolist()))
        return tokens.shape[1] >= wanted[rows]

    tokens, lengths = _sample(denoiser, prefix, noisy, sampling, is_done=is_done)
    assert lengths.tolist() == wanted.tolist()
    for row, length in enumerate(wanted.tolist()):
        _close(tokens[row, :length], whole[row, :length])
    assert calls == [(1, [0, 1, 2]), (2, [0, 1]), (3, [0, 1]), (4, [1]), (5, [1]), (6, [1])]


def test_finished_tokens_are_shown_as_they_stay(prefix, noisy):
    shown = []

    def is_done(tokens, rows):
        shown.append(tokens.clone())
        return torch.zeros(len(rows), dtype=torch.bool)

    tokens, lengths = _sample(tiny_denoiser(), prefix, noisy, _sampling(), is_done=is_done)
    assert [each.shape[1] for each in shown] == [1, 2, 3, 4, 5, 6]
    for each in shown:
        assert torch.equal(each, tokens[:, : each.shape[1]])
    assert lengths.tolist() == BATCH * [TOKENS]


def test_all_leaving_ends_the_work(prefix, noisy):
    rows_seen = []
    tokens, lengths = _sample(
        tiny_denoiser(),
        prefix,
        noisy,
        _sampling(4.0),
        is_done=lambda tokens, rows: torch.ones(len(rows), dtype=torch.bool),
        on_row=lambda row, _: rows_seen.append(row),
    )
    assert lengths.tolist() == BATCH * [1]
    assert rows_seen == [1, 2, 3, 4]
    assert torch.equal(tokens[:, 1:], noisy[:, 1:])


@pytest.mark.parametrize("slope", [0.0, 1.0])
def test_every_row_is_reported_and_the_last_is_the_result(slope, prefix, noisy):
    reported = []
    tokens, _ = _sample(
        tiny_denoiser(), prefix, noisy, _sampling(slope), on_row=lambda row, now: reported.append((row, now))
    )
    assert [row for row, _ in reported] == list(range(1, len(_sampling(slope).matrix)))
    assert torch.equal(reported[-1][1], tokens)
    assert not torch.equal(reported[0][1], tokens)


def test_guidance_moves_each_sequence_alone(prefix, noisy):
    together, _ = _sample(tiny_denoiser(), prefix, noisy, _sampling(guidance=_guidance()))
    for row in range(BATCH):
        alone, _ = _sample(
            tiny_denoiser(), prefix[row, None], noisy[row, None], _sampling(guidance=_guidance(slice(row, row + 1)))
        )
        _close(alone[0], together[row])


@pytest.mark.parametrize("name", DENOISERS)
@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("guided", [False, True])
def test_parts_are_the_whole_bit_for_bit(name, slope, guided, prefix, noisy):
    denoiser = tiny_denoiser(name)
    sampling = _sampling(slope, eta=0.0 if guided else 1.0, guidance=_guidance() if guided else None)
    model = TokenModel(denoiser, LAYOUT, VELOCITY)
    shared = {"sampling": sampling}
    with torch.no_grad():
        state = denoiser(prefix, torch.zeros(BATCH, NUM_PREFIX_TOKENS, 2))[1]
        whole = sample_tokens(model, noisy, state=state, noise=_noise(), **shared)
        for row in range(1, len(sampling.matrix) - 1):
            draw = _noise()
            first = sample_tokens(model, noisy, state=state, last_row=row, noise=draw, **shared)
            second = sample_tokens(model, first.tokens, state=first.state, first_row=first.row, noise=draw, **shared)
            assert (first.row, second.row) == (row, len(sampling.matrix) - 1)
            assert first.lengths.tolist() == BATCH * [int((sampling.matrix[row] == 0).sum())]
            assert torch.equal(second.tokens, whole.tokens)
            assert torch.equal(second.lengths, whole.lengths)
            assert torch.equal(first.evaluations + second.evaluations, whole.evaluations)
            assert torch.equal(first.token_evaluations + second.token_evaluations, whole.token_evaluations)


def test_a_branch_goes_on_as_the_plan_it_came_from(prefix, noisy):
    denoiser, shared = tiny_denoiser(), {"sampling": _sampling(2.0)}
    model = TokenModel(denoiser, LAYOUT, VELOCITY)
    with torch.no_grad():
        state = denoiser(prefix, torch.zeros(BATCH, NUM_PREFIX_TOKENS, 2))[1]
        whole = sample_tokens(model, noisy, state=state, **shared)
        half = sample_tokens(model, noisy, state=state, last_row=7, **shared)
        parents = torch.tensor([2, 2, 0])
        branches = sample_tokens(
            model, half.tokens[parents], state=half.state.select(parents), first_row=half.row, **shared
        )
    _close(branches.tokens, whole.tokens[parents])


def test_evaluations_are_counted_by_hand(prefix, noisy):
    counting = _counting(tiny_denoiser())
    model = TokenModel(counting, LAYOUT, VELOCITY)
    with torch.no_grad():
        state = counting(prefix, torch.zeros(BATCH, NUM_PREFIX_TOKENS, 2))[1]
        counting.shapes.clear()
        denoised = sample_tokens(model, noisy, state=state, sampling=_sampling(4.0))
        # One token after the other: four levels each, and a finished token once more to enter the cache.
        assert denoised.evaluations.tolist() == BATCH * [4 * TOKENS]
        assert denoised.token_evaluations.tolist() == BATCH * [4 * TOKENS + TOKENS - 1]
        assert sum(shape[1] for shape in counting.shapes) == 4 * TOKENS + TOKENS - 1
        wanted = torch.tensor([3, TOKENS, 1])
        left = sample_tokens(
            model,
            noisy,
            state=state,
            sampling=_sampling(4.0),
            is_done=lambda tokens, rows: tokens.shape[1] >= wanted[rows],
        )
    assert left.evaluations.tolist() == (4 * wanted).tolist()
    assert left.token_evaluations.tolist() == (5 * wanted - 1).tolist()
    assert left.state.layers[0].shape[0] == 0
