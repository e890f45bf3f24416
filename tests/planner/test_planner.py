"""Plans of a model that knows straight lines, and of random networks where only the bookkeeping matters."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_model import DENOISERS, LAYOUT, POINT_MASS, line_model, tiny_denoiser, tiny_model

from dfplan.errors import UserError
from dfplan.models.denoiser import Denoiser
from dfplan.planner import GuidanceSettings, Planner, PlannerSettings
from dfplan.planner.constraints import Constraints

STATES = np.array([[1.0, 1.0, 0.0, 0.0], [1.0, 2.0, 0.5, 0.0], [2.0, 1.0, 0.0, -0.5]])
# Hit by full speed from STATES after 30.4, 50.4 and 0 steps.
GOALS = np.array([[1.0, 3.02], [4.02, 2.0], [2.0, 1.2]])


GUIDED = {"guidance": GuidanceSettings(distance=0.5, time=5.0, stay=0.5, reward=0.5)}


class RecordingDenoiser(Denoiser):
    """Passes everything on to another denoiser and keeps what it was asked."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self.token_dim = inner.token_dim
        self.calls = []

    def forward(self, noisy, levels, state=None):
        self.calls.append((noisy.clone(), levels.clone(), state))
        return self.inner(noisy, levels, state)


def _generators(count, *, first=0):
    return [torch.Generator().manual_seed(100 + first + index) for index in range(count)]


def _planner(model=None, **settings):
    return Planner(model or line_model(), settings=PlannerSettings(**({"num_candidates": 3} | settings)))


def _plan(planner, *, horizon=40, states=STATES, goals=GOALS, **options):
    return planner.plan(states, goals, horizon=horizon, generators=_generators(len(states)), **options)


def _assert_same(found, row, alone):
    """Row ``row`` of a batch of plans is the plan made alone, up to where it ends."""
    steps = int(alone.num_steps[0])
    assert found.num_steps[row] == steps
    assert found.arrival[row] == alone.arrival[0]
    assert found.value[row] == pytest.approx(alone.value[0], rel=1e-4)
    for name, length in (
        ("actions", steps),
        ("observations", steps // LAYOUT.steps_per_point),
        ("rewards", steps // LAYOUT.steps_per_token),
    ):
        mine, expected = (getattr(each, name) for each in (found, alone))
        np.testing.assert_allclose(mine[row, :length], expected[0, :length], rtol=0, atol=1e-4)


def test_a_plan_in_environment_units():
    # 2.02 along the second axis to the goal, 1.52 to the disc around it, at 0.05 a step.
    plan = _plan(_planner(), states=STATES[:1], goals=GOALS[:1])
    assert plan.arrival.tolist() == [31]
    assert plan.num_steps.tolist() == [32]  # the token in which it arrives is finished, later ones are left undone
    assert plan.steps_per_point == LAYOUT.steps_per_point == 2
    along = 1 + 0.05 * np.arange(2, 33, 2)
    np.testing.assert_allclose(plan.observations[0, :, 0], 1, atol=1e-4)
    np.testing.assert_allclose(plan.observations[0, :, 1], along, atol=1e-4)
    np.testing.assert_allclose(plan.observations[0, :, 3], 5, atol=1e-4)
    np.testing.assert_allclose(plan.actions[0], np.tile([0.0, 1.0], (32, 1)), atol=1e-4)
    assert plan.actions.dtype == np.float32
    np.testing.assert_allclose(plan.rewards, np.zeros((1, 8)), atol=1e-5)


def test_arrays_reach_to_the_longest_plan_of_the_batch():
    plan = _plan(_planner(), horizon=60)
    assert plan.arrival.tolist() == [31, 51, 1]
    assert plan.num_steps.tolist() == [32, 52, 4]
    assert plan.actions.shape == (3, 52, 2)
    assert plan.observations.shape == (3, 26, 4)
    assert plan.rewards.shape == (3, 13)


def test_a_plan_that_does_not_arrive_says_so():
    plan = _plan(_planner(), horizon=10)
    assert plan.num_steps.tolist() == [12, 12, 4]  # rounded up to whole tokens
    assert plan.arrival.tolist() == [13, 13, 1]


def test_actions_are_clipped_to_the_action_space():
    plan = _plan(_planner(line_model(spread=0.9), eta=1.0))
    assert np.abs(plan.actions).max() <= 1


def test_the_smaller_the_noise_that_plans_begin_as_the_nearer_they_are_to_each_other():
    def deviation(scale):
        planner = _planner(line_model(spread=0.2), num_candidates=1, noise_scale=scale)
        plan = _plan(planner, horizon=4, states=STATES[[0] * 50], goals=GOALS[[0] * 50])
        return plan.observations[:, 0, :2].std(axis=0)

    assert (deviation(1.0) > 0.01).all()
    np.testing.assert_allclose(deviation(0.5), deviation(1.0) / 2, rtol=0.05)
    np.testing.assert_allclose(deviation(0.0), 0, atol=1e-6)


def test_policy_mode_plans_a_single_token():
    plan = _plan(_planner(), horizon=1)
    assert plan.actions.shape == (3, LAYOUT.steps_per_token, 2)
    np.testing.assert_allclose(plan.actions[0, 0], [0, 1], atol=1e-4)


@pytest.mark.parametrize("window_tokens", [1, 3, 5])
def test_windows_chain_into_one_plan(window_tokens):
    whole = _plan(_planner(), horizon=60)
    chained = _plan(_planner(window_tokens=window_tokens), horizon=60)
    assert chained.arrival.tolist() == whole.arrival.tolist()
    # A chained plan ends with the window in which enough candidates arrive or before.
    for row, steps in enumerate(whole.num_steps):
        assert chained.num_steps[row] == steps
        np.testing.assert_allclose(chained.actions[row, :steps], whole.actions[row, :steps], atol=1e-4)


@pytest.mark.parametrize(("horizon", "num_tokens"), [(1, 1), (LAYOUT.steps_per_token, 1), (60, 15), (80, 20)])
@pytest.mark.parametrize("name", DENOISERS)
def test_one_set_of_weights_plans_any_horizon_the_same_way_each_time(name, horizon, num_tokens):
    planner = _planner(tiny_model(tiny_denoiser(name), num_tokens=5), early_stop_fraction=1.0)  # up to 4 windows
    far = GOALS + 10
    together, again = (_plan(planner, horizon=horizon, goals=far) for _ in range(2))
    assert together.num_steps.tolist() == [num_tokens * LAYOUT.steps_per_token] * 3
    np.testing.assert_array_equal(together.actions, again.actions)
    np.testing.assert_array_equal(together.observations, again.observations)
    for row in range(len(STATES)):
        own = _generators(1, first=row)
        alone = planner.plan(STATES[row, None], far[row, None], horizon=horizon, generators=own)
        _assert_same(together, row, alone)


def test_a_horizon_beyond_the_training_window_chains_windows():
    recorder = RecordingDenoiser(line_model().denoiser)
    model = tiny_model(recorder, prediction="clean", num_tokens=5)
    plan = _plan(_planner(model), horizon=60)
    assert plan.arrival.tolist() == [31, 51, 1]
    assert max(call[0].shape[1] for call in recorder.calls) <= 5


@pytest.mark.parametrize("name", DENOISERS)
@pytest.mark.parametrize("settings", [{}, {"eta": 1.0}, GUIDED])
def test_a_batch_is_the_plans_made_one_by_one(name, settings):
    planner = _planner(tiny_model(tiny_denoiser(name)), early_stop_fraction=0.3, **settings)
    together = _plan(planner)
    for row in range(len(STATES)):
        alone = planner.plan(STATES[row, None], GOALS[row, None], horizon=40, generators=_generators(1, first=row))
        _assert_same(together, row, alone)


def test_a_plan_says_how_many_evaluations_it_took():
    plan = _plan(_planner(num_levels=4, pyramid_offset=4.0))
    # 31, 51 (40 at most) and 1 steps to the goal are 8, 10 and 1 tokens, each denoised in four calls: the first two of
    # three candidates, the others of the two that are left.
    assert plan.evaluations.tolist() == [3 * 4 * min(tokens, 2) + 2 * 4 * max(tokens - 2, 0) for tokens in (8, 10, 1)]
    assert plan.token_evaluations.tolist() == [3 * 9 + 2 * 5 * 6, 3 * 9 + 2 * 5 * 8, 3 * 4]
    whole = _plan(_planner(num_levels=4, pyramid_offset=4.0, halve_after=None))
    assert whole.evaluations.tolist() == [3 * 4 * num_tokens for num_tokens in (8, 10, 1)]
    assert whole.token_evaluations.tolist() == [3 * (5 * num_tokens - 1) for num_tokens in (8, 10, 1)]


def test_environments_that_end_early_leave_the_others_as_they_are():
    planner = _planner(line_model(spread=0.3), eta=1.0, early_stop_fraction=0.6, window_tokens=4)
    together = _plan(planner, horizon=80)
    assert len(set(together.num_steps.tolist())) == 3
    for row in range(len(STATES)):
        alone = planner.plan(STATES[row, None], GOALS[row, None], horizon=80, generators=_generators(1, first=row))
        _assert_same(together, row, alone)


def test_the_same_seeds_give_the_same_plan_and_others_another():
    planner = _planner(tiny_model())
    first, again = (_plan(planner) for _ in range(2))
    for name in ("observations", "actions", "rewards", "arrival", "num_steps", "value"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    other = planner.plan(STATES, GOALS, horizon=40, generators=_generators(3, first=50))
    assert not np.array_equal(first.observations, other.observations)


def test_a_generator_moves_on_from_plan_to_plan():
    planner, generators = _planner(tiny_model()), _generators(3)
    first, second = (planner.plan(STATES, GOALS, horizon=8, generators=generators) for _ in range(2))
    assert not np.array_equal(first.observations, second.observations)


def test_the_first_to_arrive_is_chosen():
    # With many candidates around the straight line, the chosen one arrives no later than any plan made alone.
    model = line_model(spread=0.4)
    settings = {"early_stop_fraction": 1.0, "consistency_penalty": 0.0, "ood_penalty": 0.0}
    best = _plan(_planner(model, num_candidates=16, **settings))
    single = [
        _planner(model, num_candidates=1, **settings).plan(
            STATES, GOALS, horizon=40, generators=_generators(3, first=k)
        )
        for k in range(5)
    ]
    assert (best.arrival <= np.min([plan.arrival for plan in single], axis=0) + 2).all()
    assert (best.value >= np.mean([plan.value for plan in single], axis=0)).all()


@pytest.mark.parametrize("settings", [{"temperature": 0.5}, {"roll_out": True}])
def test_all_candidates_are_made_whole_where_they_are_not_chosen_by_what_is_denoised(settings):
    settings = {**settings, "early_stop_fraction": 1.0}
    plans = [_plan(_planner(line_model(), halve_after=after, **settings)) for after in (None, 1)]
    assert plans[0].evaluations.tolist() == plans[1].evaluations.tolist()


def test_of_half_the_candidates_hardly_a_later_one_is_chosen():
    settings = {"early_stop_fraction": 1.0, "num_candidates": 16, "num_levels": 2}
    whole, half = (_plan(_planner(line_model(spread=0.4), halve_after=after, **settings)) for after in (None, 1))
    assert (half.evaluations < 0.7 * whole.evaluations).all()
    assert (half.arrival <= 1.2 * whole.arrival).all()


def test_without_arrival_the_nearest_is_chosen():
    model = line_model(spread=0.4)
    settings = {"consistency_penalty": 0.0, "ood_penalty": 0.0}
    best = _plan(_planner(model, num_candidates=16, **settings), horizon=8)
    mean = _plan(_planner(line_model(), **settings), horizon=8)
    distance = [np.linalg.norm(plan.observations[1, :, :2] - GOALS[1], axis=-1).min() for plan in (best, mean)]
    assert distance[0] < distance[1]


def test_denoising_history_ends_in_the_plan():
    planner = _planner(line_model(spread=0.5), num_levels=4, pyramid_offset=1.0, window_tokens=10)
    plan = _plan(planner, horizon=40, record_history=True)
    assert plan.history.shape == (4 + 9, 3, 20, 4)
    assert plan.num_steps.tolist() == [40, 40, 40]  # to be shown whole, nothing is left undone
    np.testing.assert_array_equal(plan.history[-1], plan.observations)
    moved = np.abs(np.diff(plan.history, axis=0)).max(axis=(1, 2, 3))
    assert (moved > 0).all()
    assert _plan(planner).history is None


@pytest.mark.parametrize("level", [0.0, 0.3])
def test_goal_and_context_are_presented_as_set(level):
    model = line_model()
    recorder = RecordingDenoiser(model.denoiser)
    model = tiny_model(recorder, prediction="clean", num_tokens=20)
    _plan(_planner(model, num_candidates=1, stabilization_level=level))
    noisy, levels, state = recorder.calls[0]
    assert state is None
    assert torch.allclose(levels, torch.tensor([0.0, level])[:, None].expand(3, 2, 2))
    prefix = noisy[:, :, -LAYOUT.observation_dim :]
    goals = model.normalizer.observations_back(prefix[:, 0, :2]).numpy()
    np.testing.assert_allclose(goals, GOALS, atol=1e-5)
    np.testing.assert_allclose(
        prefix[:, 1], (1 - level) * model.normalizer.observations(torch.tensor(STATES).float()), atol=1e-5
    )


def _mean_distance(*, scale, start=1.0):
    model = line_model(spread=0.5, seeks_goal=False, num_tokens=4)
    planner = _planner(
        model, num_candidates=1, guidance=GuidanceSettings(distance=scale), num_levels=8, pyramid_offset=1.0
    )
    states = np.array([[start, 1.0, 0.0, 0.0]])
    plan = planner.plan(states, np.array([[4.0, 4.0]]), horizon=16, generators=_generators(1))
    return float(np.linalg.norm(plan.observations[0, :, :2] - [4, 4], axis=-1).mean())


def test_distance_guidance_moves_plans_nearer_the_more_it_weighs():
    distances = [_mean_distance(scale=scale) for scale in (0.0, 1.0, 2.0, 4.0, 8.0)]
    assert (np.diff(distances) < -0.01).all()


def test_return_guidance_raises_the_predicted_return_the_more_it_weighs():
    model = line_model(spread=0.5, seeks_goal=False, num_tokens=4)
    returns = []
    for scale in (0.0, 1.0, 2.0, 4.0):
        planner = _planner(model, num_candidates=1, guidance=GuidanceSettings(reward=scale), num_levels=8)
        plan = _plan(planner, horizon=16, states=STATES[:1], goals=np.array([[4.0, 4.0]]))
        returns.append(float(plan.rewards.mean()))
    assert (np.diff(returns) > 0.001).all()


@pytest.mark.parametrize("name", DENOISERS)
@pytest.mark.parametrize("window_tokens", [0, 2])
def test_prediction_reads_the_given_actions_and_never_writes_them(name, window_tokens):
    model = tiny_model(RecordingDenoiser(tiny_denoiser(name)))
    planner = _planner(model, window_tokens=window_tokens)
    actions = np.random.default_rng(0).uniform(-1, 1, size=(3, 20, 2))
    points = planner.predict(STATES, actions, generators=_generators(3))
    assert points.shape == (3, 10, 4)
    known = model.normalizer.actions(torch.tensor(actions).float()).view(3, 5, -1)
    start = 0
    for noisy, levels, state in model.denoiser.calls:
        if state is None:  # goal and context; the goal is hidden
            start = 0 if noisy is model.denoiser.calls[0][0] else start + planner.window_tokens
            assert (levels[:, 0] == 1).all()
            continue
        first = start + state.num_tokens - 2
        assert (levels[..., 0] == 0).all()
        assert torch.equal(noisy[..., : LAYOUT.num_action_slots], known[:, first : first + noisy.shape[1]])


@pytest.mark.parametrize("name", DENOISERS)
def test_later_actions_change_no_earlier_prediction(name):
    planner = _planner(tiny_model(tiny_denoiser(name)))
    actions = np.random.default_rng(0).uniform(-1, 1, size=(3, 20, 2))
    changed = actions.copy()
    changed[:, 12:] *= -1
    before, after = (planner.predict(STATES, each, generators=_generators(3)) for each in (actions, changed))
    np.testing.assert_allclose(after[:, :6], before[:, :6], atol=1e-5)
    assert np.abs(after[:, 6:] - before[:, 6:]).max() > 1e-3


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"observations": STATES[:, :3]}, r"observations must have shape \(3, 4\).*got \[3, 3\]"),
        ({"observations": STATES[0]}, r"observations must have shape \(3, 4\).*got \[4\]"),
        ({"observations": STATES * np.nan}, "observations must be finite; row 0 is not"),
        ({"goals": GOALS[:2]}, r"goals must have shape \(3, 2\), one row per environment; got \[2, 2\]"),
        ({"goals": GOALS * [[1], [1], [np.inf]]}, "goals must be finite; row 2 is not"),
        ({"horizon": 0}, "horizon must be a whole number from 1; got 0"),
        ({"generators": _generators(2)}, r"observations must have shape \(2, 4\)"),
    ],
)
def test_what_cannot_be_planned_is_refused(change, complaint):
    arguments = {"observations": STATES, "goals": GOALS, "horizon": 8, "generators": _generators(3)} | change
    with pytest.raises(UserError, match=complaint):
        _planner().plan(arguments.pop("observations"), arguments.pop("goals"), **arguments)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"actions": np.zeros((3, 6, 2))}, r"steps a multiple of 4; got \[3, 6, 2\]"),
        ({"actions": np.zeros((3, 0, 2))}, r"got \[3, 0, 2\]"),
        ({"actions": np.zeros((3, 8))}, r"got \[3, 8\]"),
        ({"actions": np.zeros((6, 8, 2))}, r"actions must be \(3, steps, 2\).*got \[6, 8, 2\]"),
        ({"actions": np.zeros((3, 4, 4))}, r"actions must be \(3, steps, 2\).*got \[3, 4, 4\]"),
        ({"actions": np.full((3, 8, 2), np.nan)}, "actions must be finite"),
        ({"observations": STATES[0]}, r"observations must have shape \(3, 4\).*got \[4\]"),
        ({"observations": STATES * np.nan}, "observations must be finite; row 0 is not"),
    ],
)
def test_what_cannot_be_predicted_is_refused(change, complaint):
    arguments = {"observations": STATES, "actions": np.zeros((3, 8, 2))} | change
    with pytest.raises(UserError, match=complaint):
        _planner().predict(arguments["observations"], arguments["actions"], generators=_generators(3))


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"num_levels": 0}, "num_levels must be at least 1; got 0"),
        ({"num_candidates": 0}, "num_candidates must be at least 1; got 0"),
        ({"early_stop_fraction": 1.5}, "early_stop_fraction must be at most 1; got 1.5"),
        ({"eta": -0.1}, "eta must be at least 0; got -0.1"),
        ({"eta": float("nan")}, "eta must be a finite number; got nan"),
        ({"pyramid_offset": float("inf")}, "pyramid_offset must be a finite number; got inf"),
        ({"cfg_scale": -1}, "cfg_scale must be at least 0"),
        ({"window_tokens": -1}, "window_tokens must be at least 0"),
        ({"rho": 0.0}, "rho must be above 0; got 0.0"),
        ({"budget_ms": 0}, "budget_ms must be above 0; got 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, complaint):
    with pytest.raises(UserError, match=complaint):
        PlannerSettings(**settings)


@pytest.mark.parametrize("window_tokens", [1, 4, 20])
def test_when_the_budget_is_spent_plans_end_with_what_is_finished(window_tokens):
    settings = {"num_levels": 4, "pyramid_offset": 2.0, "window_tokens": window_tokens}
    far = GOALS + 10
    whole = _plan(_planner(**settings), goals=far)
    cut = _plan(_planner(budget_ms=1e-6, **settings), goals=far)
    ample = _plan(_planner(budget_ms=1e6, **settings), goals=far)
    assert whole.num_steps.tolist() == [40, 40, 40]
    assert cut.num_steps.tolist() == [LAYOUT.steps_per_token] * 3  # the first token is always finished
    assert cut.arrival.tolist() == [LAYOUT.steps_per_token + 1] * 3
    np.testing.assert_allclose(cut.actions, whole.actions[:, : LAYOUT.steps_per_token], atol=1e-4)
    np.testing.assert_array_equal(ample.actions, whole.actions)


def test_a_budget_is_for_each_plan(monkeypatch):
    """A clock that a look at it advances: three plans together have three times the looks of one."""
    lengths = {}
    for count in (1, 3):
        now = iter(range(10_000))
        clock = SimpleNamespace(perf_counter=lambda now=now: next(now))
        for module in ("planner", "window_denoiser"):  # theirs alone
            monkeypatch.setattr(f"dfplan.planner.{module}.time", clock)
        goals = np.tile(GOALS[:1] + 10, (count, 1))
        plan = _plan(_planner(budget_ms=2000.0, pyramid_offset=2.0), states=np.zeros((count, 4)), goals=goals)
        lengths[count] = plan.num_steps[0] // LAYOUT.steps_per_token
    assert lengths == {1: 2, 3: 6}


def test_full_speed_is_what_the_point_mass_can_do():
    # Guards the stub above: its plans are believable, so that no penalty touches them.
    plan = _plan(_planner(consistency_penalty=100.0), states=np.array([[1.0, 1.0, 0.0, 5.0]]), goals=GOALS[:1])
    assert plan.value[0] == pytest.approx(-31.5, abs=0.5)
    assert POINT_MASS.max_speed == 5.0


@pytest.mark.parametrize("name", DENOISERS)
@pytest.mark.parametrize("settings", [{}, {"eta": 1.0}])
def test_a_plan_begins_with_the_actions_it_is_committed_to(name, settings):
    planner = Planner(tiny_model(tiny_denoiser(name)), settings=PlannerSettings(num_candidates=3, **settings))
    states, goals = np.array([[1.0, 1.0, 0, 0], [2.0, 1.0, 0, 0], [3, 3, 0, 0]]), np.full((3, 2), 14.0)
    # 0, 6 (a token and a half) and 25 steps (beyond the first window of 5 tokens of 4 steps).
    committed = [np.random.default_rng(length).uniform(-1, 1, size=(length, 2)) for length in (0, 6, 25)]

    def plan(rows, **options):
        generators = [torch.Generator().manual_seed(row) for row in rows]
        return planner.plan(states[rows], goals[rows], horizon=40, generators=generators, **options)

    free = plan([0, 1, 2])
    bound = plan([0, 1, 2], committed=committed)
    for row, actions in enumerate(committed):
        np.testing.assert_allclose(bound.actions[row, : len(actions)], actions, atol=1e-6)
        alone = plan([row], committed=[actions])
        np.testing.assert_allclose(alone.actions[0], bound.actions[row], atol=1e-3)
    np.testing.assert_allclose(bound.actions[0], free.actions[0], atol=1e-5)
    assert np.abs(bound.observations[1] - free.observations[1]).max() > 1e-3  # the states know of it


@pytest.mark.parametrize("committed", [np.zeros((3, 1)), np.zeros(3), np.full((2, 2), np.nan)])
def test_commitments_that_make_no_sense_are_refused(committed):
    with pytest.raises(UserError, match="committed must"):
        Planner(tiny_model(), settings=PlannerSettings()).plan(
            np.zeros((1, 4)), np.zeros((1, 2)), horizon=8, generators=[torch.Generator()], committed=[committed]
        )


@pytest.mark.parametrize(("matrix", "slope"), [("full-sequence", 0.0), ("autoregressive", 3.0)])
def test_named_matrices_are_slopes(matrix, slope):
    plans = [
        Planner(tiny_model(), settings=PlannerSettings(num_candidates=2, **settings)).plan(
            STATES, GOALS, horizon=20, generators=_generators(3)
        )
        for settings in ({"matrix": matrix}, {"pyramid_offset": slope})
    ]
    np.testing.assert_array_equal(plans[0].actions, plans[1].actions)


def test_a_matrix_of_ones_own_is_followed_row_by_row():
    """The last token first: as the plan's history shows, the others are still noise while it is finished."""

    def backwards(num_tokens):
        rows = torch.arange(num_tokens + 1)
        return (rows[:, None] < num_tokens - torch.arange(num_tokens)).long()

    model = tiny_model(tiny_denoiser(causal=False))
    planner = Planner(model, settings=PlannerSettings(num_candidates=1, num_levels=1, matrix=backwards))
    plan = planner.plan(STATES, GOALS, horizon=20, generators=_generators(3), record_history=True)
    history = plan.history.reshape(5, 3, 5, 2, 4)  # rows, batch, tokens, points, state
    moved = [np.flatnonzero((history[row] != history[row + 1]).any(axis=(0, 2, 3))).tolist() for row in range(4)]
    assert moved == [[3], [2], [1], [0]]


def test_a_matrix_that_no_sampler_can_follow_is_refused():
    def plan(matrix):
        planner = Planner(tiny_model(), settings=PlannerSettings(num_candidates=1, num_levels=2, matrix=matrix))
        planner.plan(STATES, GOALS, horizon=20, generators=_generators(3))

    with pytest.raises(UserError, match="starts in noise"):
        plan(lambda num_tokens: torch.zeros(3, num_tokens, dtype=torch.int64))
    with pytest.raises(UserError, match="matrix made 2 columns for 5 tokens"):
        plan(lambda num_tokens: torch.tensor([[2, 2], [0, 0]]))
    with pytest.raises(UserError, match="unknown matrix 'up'; choose one of pyramid, full-sequence, autoregressive"):
        PlannerSettings(matrix="up")


OBJECTIVES = {
    "a name": ("smoothness", "an objective is a function of a batch of plans"),
    "none": (lambda plan: None, "got NoneType"),
    "a number": (lambda plan: 1.0, "got float"),
    "one for all": (lambda plan: plan.path.sum(), r"got shape \[\]"),
    "one a point": (lambda plan: plan.path.sum(dim=2), r"got shape \[\d+, \d+\]"),
    "a constant": (lambda plan: torch.zeros(len(plan.path)), "does not depend on the plan"),
    "whole numbers": (lambda plan: plan.path.detach().sum(dim=(1, 2)).long(), "does not depend on the plan"),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_an_objective_that_is_none_is_refused(name):
    objective, said = OBJECTIVES[name]
    with pytest.raises(UserError, match=said):
        _plan(Planner(line_model(), settings=PlannerSettings(num_candidates=2), objective=objective))


@pytest.mark.parametrize("place", [(1e30, 1.0), (1.0, 1.0, 1.0)])
def test_a_way_point_lies_near_the_data(place):
    guided = GuidanceSettings(method="chosen")
    with pytest.raises(UserError, match="waypoints must"):
        Planner(line_model(), settings=PlannerSettings(guidance=guided), constraints=[Constraints(waypoints=[place])])
