"""Windows of small hand-made trajectories, in which every number says which row it is of."""

import numpy as np
import pytest
from tiny_model import tiny_trajectories

from dfplan.data.windows import WindowDataset, WindowMixture
from dfplan.errors import UserError
from dfplan.settings.windows import WindowSettings
from dfplan.types import Trajectories

STEPS, POINTS_EVERY, TOKENS = 4, 2, 3


def _trajectories(lengths, *, segment_ends=()):
    """Trajectories of ``lengths`` rows along the first axis; row ``r`` is at ``(r, 0)`` and acts ``(r, -r)``."""
    rows = sum(lengths)
    number = np.arange(rows, dtype=np.float32)
    ends = np.zeros(rows, dtype=bool)
    ends[list(segment_ends)] = True
    return Trajectories(
        observations=np.stack([number, 0 * number, number / 10, number / 100], axis=1),
        actions=np.stack([number, -number], axis=1),
        starts=np.cumsum([0, *lengths]),
        segment_ends=ends,
        source="a ruler",
    )


def _dataset(trajectories, **changes):
    arguments = {"num_tokens": TOKENS, "aimless_share": 0.0}
    arguments = {name: changes.pop(name, value) for name, value in arguments.items()}
    settings = {"steps_per_token": STEPS, "points_per_token": STEPS // POINTS_EVERY, "segment_goal_share": 0.5}
    return WindowDataset(trajectories, WindowSettings(**{**settings, "held_steps": 0, **changes}), **arguments)


def _window(first, goal, *, lengths=(30,), **changes):
    """The one window at row ``first`` with a goal at ``(goal, 0)``."""
    return _dataset(_trajectories(lengths), **changes).window(np.array([first]), goal=np.array([[goal, 0.0]]))


def test_a_window_reads_its_own_rows():
    batch = _window(7, 100.0)
    assert batch.context[0, 0] == 7
    assert batch.actions[0, :, 0].tolist() == list(range(7, 19))
    assert batch.observations[0, :, 0].tolist() == [9, 11, 13, 15, 17, 19]
    assert batch.actions.shape == (1, 12, 2)
    assert batch.observations.shape == (1, 6, 4)
    assert _dataset(_trajectories([30])).num_steps == 12


def test_rewards_are_the_share_of_steps_at_the_goal():
    # Within 0.5 of row 12 there is row 12 alone; it is step 5 of the window, the first of the second token.
    assert _window(7, 12.0).rewards[0].tolist() == [0.0, 0.25, 0.0]
    assert _window(7, 12.5).rewards[0].tolist() == [0.0, 0.5, 0.0]
    assert _window(7, 11.5).rewards[0].tolist() == [0.25, 0.25, 0.0]
    assert _window(7, 12.0, goal_radius=2.0).rewards[0].tolist() == [0.5, 0.75, 0.0]
    assert _window(7, 7.0).rewards[0].tolist() == [0.0, 0.0, 0.0]  # the context is no step of the window


@pytest.mark.parametrize(
    ("goal", "expected"),
    [
        (100.0, [True, True, True, True]),
        (3.0, [True, True, False, False]),  # reached in the first token
        (7.0, [True, True, True, False]),
        (11.0, [True, True, True, True]),
        (15.0, [True, True, True, True]),
    ],
)
def test_before_goal_ends_one_token_after_the_one_that_reaches_it(goal, expected):
    assert _window(0, goal, num_tokens=4).before_goal[0].tolist() == expected


def test_before_goal_stays_false_though_the_goal_is_left_again():
    assert _window(0, 2.0, num_tokens=6, lengths=(40,)).before_goal[0].tolist() == [True, True] + 4 * [False]


def test_a_held_window_repeats_the_last_steps_of_its_way():
    data = _trajectories([30], segment_ends=[9])
    batch = _dataset(data, held_steps=3).window(np.array([4]), goal=np.array([[9.0, 0.0]]))
    assert batch.actions[0, :, 0].tolist() == [4, 5, 6, 7, 8, 9, 7, 8, 9, 7, 8, 9]
    assert batch.observations[0, :, 0].tolist() == [6, 8, 7, 9, 8, 7]  # every other of rows 5, 6, 7, 8, 9, 7, 8, 9, …
    assert batch.rewards[0].tolist() == [0.0, 0.5, 0.25]
    assert batch.valid.all()


def test_a_held_window_without_an_aim_goes_on_as_the_data_do():
    data = _trajectories([30], segment_ends=[9])
    arguments = {"first": np.array([4, 22]), "goal": np.array([[9.0, 0.0], [29.0, 0.0]])}
    held = _dataset(data, held_steps=3).window(**arguments, aimless=np.array([True, True]))
    plain = _dataset(data).window(**arguments)
    for name in ("actions", "observations", "rewards", "valid", "before_goal"):
        np.testing.assert_array_equal(getattr(held, name), getattr(plain, name))
    assert held.aimless.all()
    assert not plain.aimless.any()


def test_the_share_of_windows_without_an_aim():
    dataset = _dataset(_trajectories([30], segment_ends=[9]), held_steps=3, aimless_share=0.15)
    batch = dataset.sample(20_000, np.random.default_rng(0))
    assert batch.aimless.mean() == pytest.approx(0.15, abs=0.01)
    stays = ~batch.aimless
    assert (batch.observations[stays, -1, 0] <= np.where(batch.context[stays, 0] <= 9, 9, 29)).all()
    assert batch.valid[stays].all()


@pytest.mark.parametrize(("held_steps", "mean_ahead"), [(0, 1 / 2), (3, 2 / 3)])
def test_held_windows_have_more_of_their_way_ahead(held_steps, mean_ahead):
    """The larger of two uniform draws is two thirds of the range on average; one draw is half of it."""
    dataset = _dataset(_trajectories([1000 + STEPS]), held_steps=held_steps, restart_share=0.0)
    begins = dataset.sample(20_000, np.random.default_rng(0)).context[:, 0]
    assert 1 - begins.mean() / 1000 == pytest.approx(mean_ahead, abs=0.01)


def test_a_window_of_a_single_token():
    batch = _window(0, 2.0, num_tokens=1)
    assert batch.before_goal.tolist() == [[True]]
    assert batch.rewards.tolist() == [[0.25]]


@pytest.mark.parametrize(
    ("first", "valid"),
    [
        (7, [True, True, True]),  # ends at row 19, the last
        (8, [True, True, False]),
        (11, [True, True, False]),
        (12, [True, False, False]),
        (15, [True, False, False]),
    ],
)
def test_valid_ends_with_the_trajectory(first, valid):
    batch = _window(first, 0.0, lengths=(20, 20))
    assert batch.valid[0].tolist() == valid
    assert batch.observations[0, :, 0].max() <= 19


def test_no_valid_token_ever_crosses_the_end_of_a_trajectory():
    # Rows number the trajectories: observation and action of a valid step lie in the trajectory of the context.
    lengths = (5, 9, 4, 23, 6, 17)
    data = _trajectories(lengths, segment_ends=(7, 20, 30))
    batch = _dataset(data, num_tokens=5).sample(4000, np.random.default_rng(0))
    trajectory_of = np.repeat(np.arange(len(lengths)), lengths)
    own = trajectory_of[batch.context[:, 0].astype(int)]
    steps_valid = np.repeat(batch.valid, STEPS, axis=1)
    points_valid = np.repeat(batch.valid, STEPS // POINTS_EVERY, axis=1)
    assert (trajectory_of[batch.actions[..., 0].astype(int)] == own[:, None])[steps_valid].all()
    assert (trajectory_of[batch.observations[..., 0].astype(int)] == own[:, None])[points_valid].all()
    assert batch.valid[:, 0].all()
    first = batch.context[:, 0].astype(int)
    last = (data.starts[1:] - 1)[own]
    np.testing.assert_array_equal(batch.valid.sum(axis=1), np.minimum((last - first) // STEPS, 5))
    # Consecutive steps are consecutive rows.
    np.testing.assert_array_equal(
        batch.actions[..., 0][steps_valid], (first[:, None] + np.arange(5 * STEPS))[steps_valid]
    )


def test_every_row_that_has_a_whole_token_after_it_is_drawn_and_no_other():
    data = _trajectories((6, 3, 9))
    batch = _dataset(data, restart_share=0.0).sample(2000, np.random.default_rng(0))
    assert np.unique(batch.context[:, 0]).tolist() == [0, 1, 9, 10, 11, 12, 13]


def test_restarts_begin_within_a_token_of_a_new_goal():
    data = _trajectories((60, 40), segment_ends=(24, 59, 80))
    batch = _dataset(data, restart_share=1.0).sample(2000, np.random.default_rng(0))
    expected = [row + offset for row in (0, 25, 60, 81) for offset in range(STEPS)]
    assert np.unique(batch.context[:, 0]).tolist() == expected


def test_goals_lie_ahead_on_the_way_of_the_same_segment():
    data = _trajectories((50, 50), segment_ends=(19, 39, 69))
    batch = _dataset(data, goal_jitter=0.0, segment_goal_share=0.3).sample(5000, np.random.default_rng(0))
    first, goal = batch.context[:, 0], batch.goal[:, 0]
    end = np.select([first < 19, first < 39, first < 50, first < 69], [19, 39, 49, 69], 99)
    # From the very row of a segment's end, the first step already belongs to the next segment.
    end = np.where(np.isin(first, (19, 39, 69)), first + 1, end)
    assert (goal > first).all()
    assert (goal <= end).all()
    early = first < end - 20
    assert 0.3 < (goal == end)[early].mean() < 0.4  # the share, and 1 in 20 or more of the others
    assert np.unique(goal[first == 45]).tolist() == [46, 47, 48, 49]


def test_segment_goals_alone_are_where_the_collector_was_heading():
    data = _trajectories((50,), segment_ends=(19, 39))
    batch = _dataset(data, goal_jitter=0.0, segment_goal_share=1.0, restart_share=0.0)
    drawn = batch.sample(500, np.random.default_rng(0))
    assert set(np.unique(drawn.goal[:, 0])) == {19, 20, 39, 40, 49}


def test_jitter_moves_goals_by_so_much_per_axis():
    data = _trajectories((50,))
    batch = _dataset(data, goal_jitter=0.2, segment_goal_share=1.0).sample(5000, np.random.default_rng(0))
    moved = batch.goal - [49, 0]
    assert np.abs(moved).max() <= 0.2 + 1e-5
    np.testing.assert_allclose(moved.std(axis=0), 0.2 / np.sqrt(3), rtol=0.05)
    assert batch.goal.dtype == np.float32


def test_the_same_generator_state_gives_the_same_batch():
    dataset = _dataset(_trajectories((60, 40), segment_ends=(24,)))
    one, same, other = (dataset.sample(64, np.random.default_rng(seed)) for seed in (5, 5, 6))
    for name, value in vars(one).items():
        np.testing.assert_array_equal(value, getattr(same, name))
    assert not np.array_equal(one.context, other.context)


def test_trajectories_shorter_than_a_token_are_refused():
    with pytest.raises(UserError, match=r"no trajectory of a ruler is as long as one token \(4 steps\)"):
        _dataset(_trajectories((4, 4, 2)))
    assert len(_dataset(_trajectories((4, 5))).sample(3, np.random.default_rng(0)).context) == 3


def test_a_mixture_draws_both_kinds_as_often_as_promised_and_marks_them():
    planned, collected = _trajectories([30]), _trajectories([300])
    collected.observations[:] += 1000
    mixture = WindowMixture(_dataset(planned), _dataset(collected), share=0.25)
    batch = mixture.sample(4000, np.random.default_rng(0))
    assert batch.dynamics.mean() == pytest.approx(0.25, abs=0.02)
    np.testing.assert_array_equal(batch.dynamics, batch.context[:, 0] >= 1000)
    np.testing.assert_array_equal(batch.dynamics, batch.observations[:, 0, 0] >= 1000)
    again = mixture.sample(4000, np.random.default_rng(0))
    for name in ("context", "goal", "actions", "observations", "rewards", "valid", "before_goal", "dynamics"):
        np.testing.assert_array_equal(getattr(batch, name), getattr(again, name))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_mixture_may_be_of_one_kind(share):
    data = _dataset(_trajectories([30]))
    batch = WindowMixture(data, data, share=share).sample(8, np.random.default_rng(0))
    assert (batch.dynamics == bool(share)).all()
    assert len(batch.actions) == 8


def test_settings_may_be_said_one_by_one():
    data = tiny_trajectories()
    said = WindowDataset(data, steps_per_token=8, steps_per_point=2, num_tokens=3, goal_jitter=0.2)
    assert said.settings == WindowSettings(steps_per_token=8, points_per_token=4, held_steps=0, goal_jitter=0.2)
    one, other = (
        each.sample(4, np.random.default_rng(0)) for each in (said, WindowDataset(data, said.settings, num_tokens=3))
    )
    np.testing.assert_array_equal(one.goal, other.goal)


def test_windows_begin_as_often_as_their_weights_say():
    data = _trajectories([10, 6])
    weights = np.zeros(len(data))
    weights[[2, 11]] = 1, 3  # and where no whole token follows, weights count for nothing
    weights[[9, 15]] = 1000
    dataset = WindowDataset(data, num_tokens=1, steps_per_token=2, restart_share=0.0, start_weights=weights)
    drawn = dataset._draw_starts(4000, np.random.default_rng(0))
    assert set(drawn) == {2, 11}
    assert (drawn == 11).mean() == pytest.approx(0.75, abs=0.03)
    with pytest.raises(UserError, match="all weights are 0"):
        WindowDataset(data, num_tokens=1, steps_per_token=2, start_weights=np.zeros(len(data)))


@pytest.mark.parametrize("ended", [True, False])
def test_beyond_an_end_for_good_windows_stay_and_earn_nothing(ended):
    data = Trajectories(
        observations=np.arange(6, dtype=np.float32)[:, None],
        actions=np.full((6, 1), 0.5, np.float32),
        rewards=np.append(np.ones(5), 0).astype(np.float32),
        terminations=np.arange(6) == (4 if ended else -1),
        starts=np.array([0, 6]),
        segment_ends=np.zeros(6, bool),
        source="falls, or not",
    )
    windows = WindowDataset(data, num_tokens=3, goal_dim=0, steps_per_token=2, steps_per_point=2)
    window = windows.window(np.array([3]), goal=np.zeros((1, 0)))
    assert window.observations[0, :, 0].tolist() == [5, 5, 5]
    assert window.rewards[0].tolist() == [1, 0, 0]
    assert window.valid[0].tolist() == [True, ended, ended]


def test_without_an_observation_after_the_last_action_windows_end_with_the_data():
    data = Trajectories(
        observations=np.arange(4, dtype=np.float32)[:, None],
        actions=np.zeros((4, 1), np.float32),
        rewards=np.ones(4, np.float32),
        terminations=np.arange(4) == 3,
        starts=np.array([0, 4]),
        segment_ends=np.zeros(4, bool),
        source="what came last is not on record",
    )
    windows = WindowDataset(data, num_tokens=3, goal_dim=0, steps_per_token=1, steps_per_point=1)
    assert windows.window(np.array([2]), goal=np.zeros((1, 0))).valid[0].tolist() == [True, False, False]
