"""Scorers of robots that are no point mass: by goals, by rewards, and by what is still to be earned."""

from dataclasses import replace

import numpy as np
import pytest

from dfplan.domain import Proposals
from dfplan.planner.choice import shares_of
from dfplan.scorers import GoalScorer, ReturnScorer, fit_value, read_scorer
from dfplan.types import Trajectories


def proposals(states, *, rewards=None, goals=None, num_steps=None, steps_per_token=2):
    states = np.asarray(states, np.float32)
    plans, points = states.shape[:2]
    return Proposals(
        starts=states[:, 0] * 0,
        states=states,
        rewards=np.zeros((plans, points)) if rewards is None else np.asarray(rewards),
        goals=np.zeros((plans, 0)) if goals is None else np.asarray(goals),
        num_steps=np.full(plans, points * steps_per_token) if num_steps is None else np.array(num_steps),
        steps_per_point=steps_per_token,
        steps_per_token=steps_per_token,
    )


def walk(*, truncated: bool, num: int = 40, num_steps: int = 30, discount: float = 0.9) -> Trajectories:
    """States that stay what they are and earn themselves at every step."""
    level = np.repeat(np.linspace(-1, 1, num), num_steps + 1).astype(np.float32)
    ends = np.zeros(len(level), bool)
    ends[num_steps - 1 :: num_steps + 1] = True
    rewards = level.copy()
    rewards[num_steps :: num_steps + 1] = 0
    return Trajectories(
        observations=np.stack([level, np.zeros_like(level)], axis=1),
        actions=np.zeros((len(level), 1), np.float32),
        starts=np.arange(num + 1) * (num_steps + 1),
        segment_ends=np.zeros(len(level), bool),
        source="a walk",
        rewards=rewards,
        terminations=ends & (not truncated),
        truncations=ends & truncated,
    )


def test_the_return_is_discounted_step_by_step_and_counts_what_is_planned():
    scorer = ReturnScorer(discount=0.5)
    states = np.zeros((2, 2, 3))
    plans = proposals(states, rewards=[[1.0, 8.0], [1.0, 8.0]], num_steps=[4, 2])
    score = scorer.score(plans)
    # Steps 0 and 1 earn 1, steps 2 and 3 earn 8: 1 + 1/2 + 8/4 + 8/8.
    np.testing.assert_allclose(score.value, [4.5, 1.5])
    assert score.arrival.tolist() == [5, 3]
    assert not scorer.finished(states, plans.goals).any()


def test_an_episode_that_was_cut_off_would_have_gone_on_and_one_that_ended_would_not():
    state = np.array([0.8, 0.0])
    cut, ended = (fit_value(walk(truncated=truncated), discount=0.9) for truncated in (True, False))
    assert cut(state) == pytest.approx(0.8 / (1 - 0.9), rel=0.02)
    assert ended(state) < 0.9 * cut(state)


def test_the_value_at_the_end_decides_between_plans_that_earn_the_same():
    value = fit_value(walk(truncated=True), discount=0.9)
    scorer = ReturnScorer(discount=0.9, value=value)
    good, bad = np.full((2, 2), [0.5, 0.0]), np.full((2, 2), [-0.5, 0.0])
    assert np.diff(scorer.score(proposals([good, bad])).value) < -1
    # Of a plan that ends earlier, where it ends counts.
    ends_well = np.stack([good[0], bad[1]])
    assert np.diff(scorer.score(proposals([ends_well, ends_well], num_steps=[2, 4])).value) < -1


def test_with_goals_early_is_better_than_late_and_staying_better_than_passing_by():
    scorer, goal = GoalScorer(goal_radius=0.1), np.array([[1.0, 0.0]] * 4)
    line = (
        [[0.0, 9], [1.0, 9], [1.0, 9]],
        [[0.0, 9], [0.0, 9], [1.0, 9]],
        [[0.0, 9], [1.0, 9], [3.0, 9]],
        [[0.0, 9]] * 3,
    )
    states = np.stack([np.array([(place, 0.0, other) for place, other in path]) for path in line])
    score = scorer.score(proposals(states, goals=goal))
    assert score.arrival.tolist() == [4, 6, 4, 7]
    assert np.argsort(-score.value).tolist() == [0, 2, 1, 3]


@pytest.mark.parametrize("with_value", [True, False])
def test_a_scorer_is_itself_again_after_a_bundle(with_value):
    value = fit_value(walk(truncated=True), discount=0.9) if with_value else None
    states = np.random.default_rng(0).uniform(-1, 1, size=(3, 4, 2))
    for scorer, goals in ((ReturnScorer(0.9, value), None), (GoalScorer(0.3), np.zeros((3, 1)))):
        described, arrays = scorer.describe()
        loaded = read_scorer({"scorer": scorer.kind, **described}, arrays)
        plans = proposals(states, goals=goals)
        np.testing.assert_allclose(loaded.score(plans).value, scorer.score(plans).value, rtol=1e-4, atol=1e-4)
        loaded.check(np.zeros(2), np.ones(2))


@pytest.mark.parametrize(
    ("description", "complaint"),
    [
        ({"scorer": "magic"}, "choose one of point_mass, goal, return"),
        ({"scorer": "goal", "goal_radius": -1}, "above 0"),
        ({"scorer": "return", "discount": "all"}, "above 0"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(description, complaint):
    with pytest.raises(ValueError, match=complaint):
        read_scorer(description, {})


def test_a_value_of_other_observations_is_refused():
    value = fit_value(walk(truncated=True), discount=0.9)
    with pytest.raises(ValueError, match="value is of 2 numbers, observations have 3"):
        ReturnScorer(0.9, value).check(np.zeros(3), np.ones(3))
    arrays = ReturnScorer(0.9, replace(value, phases=value.phases[1:])).describe()[1]
    with pytest.raises(ValueError, match="phases of the value must have shape"):
        read_scorer({"scorer": "return", "discount": 0.9}, arrays)


def test_the_mean_of_candidates_leans_to_the_good_ones_and_leaves_other_lengths_out():
    value, num_steps = np.array([0.0, 1.0, 1.0, 5.0, 5.0, 5.0]), np.array([4, 4, 2, 4, 4, 4])
    shares = shares_of(value, num_steps, best=np.array([1, 3]), temperature=1.0)
    ratio = np.exp(-1 / np.array([0.0, 1.0, 1.0]).std())
    np.testing.assert_allclose(shares[0], [ratio / (1 + ratio), 1 / (1 + ratio), 0], rtol=1e-5)
    np.testing.assert_allclose(shares[1], 1 / 3, rtol=1e-5)


def test_plans_that_a_model_cannot_tell_apart_count_alike():
    """None comes near its goal within the plan: what differs are millimetres, and the oddest is not the best."""
    start, goal, scorer = np.zeros((16, 3)), np.full((16, 3), 0.5), GoalScorer(goal_radius=0.05)
    ahead = np.random.default_rng(0).normal(0, 0.002, size=(16, 8, 3))

    def shares(states):
        plans = Proposals(start, states, np.zeros((16, 4)), goal, np.full(16, 8), steps_per_point=1, steps_per_token=2)
        score = scorer.score(plans)
        best = np.array([score.value.argmax()])
        return shares_of(score.value, plans.num_steps, best=best, temperature=0.1, resolution=score.resolution)[0]

    np.testing.assert_allclose(shares(ahead), 1 / 16, rtol=0.1)
    arrives = ahead.copy()
    arrives[3] += 0.5 * np.linspace(0, 1, 8)[:, None]
    assert shares(arrives)[3] > 0.9


def test_a_plan_may_be_over_where_it_arrives():
    states, goals = np.array([[[0.0, 9.0], [0.95, 9.0]]]), np.array([[1.0]])
    scorer = GoalScorer(goal_radius=0.1, ends=True)
    assert scorer.finished(states, goals).tolist() == [[False, True]]
    assert not GoalScorer(goal_radius=0.1).finished(states, goals).any()
    described, arrays = scorer.describe()
    assert GoalScorer.from_description(described, arrays) == scorer
    assert GoalScorer.from_description({"goal_radius": 0.1}, {}) == GoalScorer(0.1)
