"""Ways spliced of pieces: longer than any that was gone, direct, and made of steps that were made."""

from itertools import pairwise

import numpy as np
import pytest

from dfplan.domains.ogbench.domain import CELL, without_leaps
from dfplan.domains.ogbench.grid import STEP, GridPlanner
from dfplan.domains.ogbench.splice import splice
from dfplan.errors import UserError
from dfplan.scorers.support import measure_support
from dfplan.types import Trajectories

HOLD = 10
STEPS = 60  # of an episode: it never comes from one arm to the end of the other


def episodes(*, count=400, seed=0):
    """Walks in an L of two corridors, each 20 long and 2 wide, up and down along one of them or round its corner."""
    generator, places, actions = np.random.default_rng(seed), [], []
    for _ in range(count):
        along, direction = generator.uniform(0, 40), generator.choice([-1.0, 1.0])
        aside = generator.uniform(0.2, 1.8)
        for step in range(STEPS):
            now = np.clip(along + direction * STEP * step, 0, 40)
            places.append([now, aside] if now < 20 else [20 - aside, now - 20 + aside])
            unit = np.array([1.0, 0.0] if now < 20 else [0.0, 1.0])
            actions.append(direction * unit + 0.01 * generator.standard_normal(2))
    rows = count * STEPS
    return Trajectories(
        observations=np.array(places, np.float32),
        actions=np.array(actions, np.float32),
        starts=np.arange(count + 1) * STEPS,
        segment_ends=np.zeros(rows, bool),
        source="an L",
        last_actions=True,
    )


@pytest.fixture(scope="module")
def spliced():
    data = episodes()
    support = measure_support(data, cell=CELL)
    return data, support, splice(data, support, num_steps=20_000, seed=1, within=0.5, hold=HOLD)


def test_ways_are_longer_than_any_episode_and_every_row_is_one_of_the_data(spliced):
    data, _, made = spliced
    ends = np.flatnonzero(made.segment_ends)
    assert len(made) >= 20_000
    assert np.diff(ends).max() > 2 * STEPS
    walked = (made.actions != 0).any(axis=1)
    rows = {tuple(each) for each in np.concatenate([data.observations, data.actions], axis=1).tolist()}
    assert all(
        tuple(each) in rows for each in np.concatenate([made.observations, made.actions], axis=1)[walked][::97].tolist()
    )


def test_at_the_end_of_a_way_it_stands_still(spliced):
    _, _, made = spliced
    for end in np.flatnonzero(made.segment_ends)[:50]:
        assert (made.actions[end - HOLD : end + 1] == 0).all()
        np.testing.assert_array_equal(made.observations[end - HOLD : end], made.observations[end - HOLD + 1 : end + 1])


def test_ways_are_direct_and_go_on_where_the_last_has_ended(spliced):
    _, _, made = spliced
    inside = np.ones(len(made), bool)
    inside[made.starts[1:] - 1] = False
    steps = np.linalg.norm(np.diff(made.observations, axis=0), axis=1)[inside[:-1]]
    assert np.quantile(steps, 0.95) < 2 * STEP
    assert steps.max() < 4 * CELL
    # Along the L, of which every way is a stretch: few steps lead back.
    place = np.where(made.observations[:, 0] < 18, made.observations[:, 0], 20 + made.observations[:, 1])
    ends = np.flatnonzero(made.segment_ends)
    ways = [place[first : last + 1] for first, last in pairwise(ends) if last - first > 30]
    share = [np.abs(way[-1] - way[0]) / np.abs(np.diff(way)).sum() for way in ways]
    assert np.median(share) > 0.8


def test_what_is_drawn_follows_from_the_seed(spliced):
    data, support, made = spliced
    again = splice(data, support, num_steps=20_000, seed=1, within=0.5, hold=HOLD)
    np.testing.assert_array_equal(made.observations, again.observations)
    other = splice(data, support, num_steps=2_000, seed=2, within=0.5)
    assert not np.array_equal(made.observations[:1000], other.observations[:1000])


def test_too_little_is_refused():
    data = episodes(count=2)
    nothing = measure_support(data, cell=CELL, least_visits=1000)
    with pytest.raises(UserError, match="spliced"):
        splice(data, nothing, num_steps=1000, seed=0, within=0.5)


def test_episodes_are_cut_where_a_teleporter_was_which_nobody_is_left_in():
    places = np.tile(np.linspace(0, 6, 30, dtype=np.float32)[:, None], (3, 2))
    places[1:10] += 50  # after its first row the first episode is elsewhere, and comes back with row 10
    data = Trajectories(places, np.zeros((90, 2), np.float32), np.arange(4) * 30, np.zeros(90, bool), source="a walk")
    told = []
    found = without_leaps(data, say=told.append)
    assert found.starts.tolist() == [0, 8, 28, 58, 88]
    np.testing.assert_array_equal(found.observations, np.delete(places, [0, 9], axis=0))
    assert "cut at 2 steps" in told[0]


def test_the_grid_plans_actions_that_walk_to_the_goal_over_what_was_visited():
    support = measure_support(episodes(), cell=CELL)
    planner = GridPlanner(support, goal_radius=1.0, margin=0.3)
    start, goal = np.array([[1.0, 1.0]]), np.array([[19.0, 18.0]])
    plan = planner.plan(start, goal, horizon=1000, generators=[None])
    walked = start + STEP * np.cumsum(plan.actions[0], axis=0)
    np.testing.assert_allclose(walked, plan.observations[0], atol=1e-4)
    assert np.linalg.norm(walked[-1] - goal[0]) < 1e-3
    assert np.abs(plan.actions).max() <= 1 + 1e-6
    assert support.contains(walked).mean() > 0.95
    assert plan.arrival[0] <= plan.num_steps[0] < 1.3 * 36 / STEP
    short = planner.plan(start, goal, horizon=7, generators=[None])
    assert short.num_steps.tolist() == [7]
    assert short.arrival.tolist() == [8]
