"""The scorer of what moves in a plane: arriving counts, and what leaves the visited places is doubted."""

from dataclasses import replace

import numpy as np
import pytest

from dfplan.domain import Proposals
from dfplan.scorers import VisitedScorer, read_scorer
from dfplan.types import Support

CORRIDOR = Support(np.ones((20, 2), bool), origin=np.zeros(2), cell=0.5)  # 10 long, 1 wide
SCORER = VisitedScorer(0.5, CORRIDOR)


def along(*knots, points=10):
    """Plans of ``points`` of two steps between knots."""
    return np.stack([np.linspace(0, 1, points + 1)[1:, None] * (b - a) + a for a, b in knots])


def proposals(states, goal):
    return Proposals(
        starts=np.tile([0.0, 0.5], (len(states), 1)),
        states=states,
        rewards=np.zeros(states.shape[:2]),
        goals=np.tile(goal, (len(states), 1)),
        num_steps=np.full(len(states), 2 * states.shape[1]),
        steps_per_point=2,
        steps_per_token=2,
    )


def test_of_those_that_arrive_the_first_is_best_and_leaving_visited_places_costs():
    start, goal = np.array([0.0, 0.5]), np.array([8.0, 0.5])
    states = along((start, goal * [1.25, 1]), (start, goal), (start, goal * [0.5, 1]))
    outside = states[:1].copy()
    outside[0, 1:3, 1] = 3.0  # as soon as the first, for a part of it out of the corridor
    states = np.concatenate([states, outside])
    score = SCORER.score(proposals(states, goal))
    assert score.arrival.tolist()[:2] == [15, 19]
    assert score.arrival[2] == 21  # never
    assert np.argsort(-score.value).tolist() == [0, 1, 2, 3]


def test_a_plan_is_over_at_its_goal_and_the_map_says_what_is_familiar():
    places = np.array([[[7.4, 0.5], [7.6, 0.5]]])
    assert SCORER.finished(places, np.array([[8.0, 0.5]])).tolist() == [[False, True]]
    assert SCORER.is_familiar(np.array([[1.0, 0.5], [1.0, 1.5]])).tolist() == [True, False]


def test_it_travels_in_a_bundle_and_what_makes_no_sense_is_refused():
    described, arrays = replace(SCORER, ood_penalty=1.0).describe()
    found = read_scorer({"scorer": "visited", **described}, arrays)
    assert isinstance(found, VisitedScorer)
    np.testing.assert_array_equal(found.support.visited, CORRIDOR.visited)
    assert (found.goal_radius, found.support.cell) == (0.5, 0.5)
    with pytest.raises(ValueError, match="no place"):
        replace(SCORER, support=replace(CORRIDOR, visited=np.zeros((3, 3), bool))).check(np.zeros(2), np.ones(2))
    assert SCORER.with_penalties({"ood_penalty": 7.0, "consistency_penalty": 1.0}).ood_penalty == 7.0


def test_places_far_from_the_map_are_out_of_reach():
    reach = SCORER.reach(np.array([5.0, 0.5]), np.array([3.0, 0.3]), goal_dim=2, margin=0.1)
    np.testing.assert_allclose(reach.goals.high, [11.0, 1.1])
