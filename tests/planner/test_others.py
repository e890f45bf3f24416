"""Plans among others: judged by all sampled futures at every step, the least of steps and risk."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_model import tiny_model

from dfplan.errors import UserError
from dfplan.planner import Planner, PlannerSettings
from dfplan.planner.others import FORESEEING, MovingDiscs, PlannerAmongOthers
from dfplan.scorers import GoalScorer

STEPS = np.arange(1, 11)
EAST = np.stack([STEPS, np.zeros(10)], axis=1).astype(float)  # from the origin, a unit a step


def discs(*futures, **how):
    """Discs of radius 0.5; each of the futures is of another one."""
    return MovingDiscs(np.array(futures), 0.5, **how)


def risk(moving, places, steps=10):
    return moving.risks(places[None], np.array([steps]))[0]


def test_a_disc_is_kept_out_of_when_it_is_there_and_not_after():
    crossing = np.stack([np.full(10, 5.0), 5.0 - STEPS], axis=1)  # at (5, 0) in step 5
    later = np.stack([np.full(10, 5.0), 8.0 - STEPS], axis=1)  # in step 8
    assert risk(discs([crossing]), EAST) == 1
    assert risk(discs([later]), EAST) == 0
    assert risk(discs([crossing]), EAST, steps=4) == 0  # the plan is over before


def test_risk_is_the_share_of_futures_and_of_several_that_of_any():
    meets, away = EAST.copy(), EAST + np.array([0.0, 9.0])
    half = discs([meets, away])
    assert risk(half, EAST) == 0.5
    assert risk(discs([meets, away], [meets, away]), EAST) == pytest.approx(0.75)
    assert risk(discs([away, away]), EAST) == 0
    assert half(np.concatenate([[[0.0, 0.0]], EAST])) == -0.5  # a judgement, as constraints take it
    assert discs([meets, away], allowed=0.5)(np.concatenate([[[0.0, 0.0]], EAST])) == 0


def test_near_misses_count_in_part_and_what_is_far_ahead_counts_less():
    beside = EAST + np.array([0.0, 0.6])
    assert risk(discs([beside]), EAST) == 0
    assert risk(discs([beside], margin=0.2), EAST) == pytest.approx(0.5)
    late = EAST + np.array([0.0, 9.0])
    late[7] = EAST[7]
    assert risk(discs([late], patience=8.0), EAST) == pytest.approx(np.exp(-1))


def planner():
    """One of random weights, whose plans go anywhere near; the goal alone says how good they are."""
    model = replace(tiny_model(), scorer=GoalScorer(0.5))
    return Planner(model, settings=PlannerSettings(num_candidates=4, halve_after=None))


def value(foresee, other, *, radius):
    """What a plan is worth that was chosen beside somebody in a state."""
    among = PlannerAmongOthers(planner(), num_others=1, radius=radius, foresee=foresee, patience=1e9)
    seen, goal = np.array([[3.0, 3.0, 0.0, 0.0, *other]]), np.array([[4.0, 4.0]])
    plan = among.plan(seen, goal, horizon=20, generators=[torch.Generator().manual_seed(0)])
    assert plan.actions.shape == (1, 20, 2)
    assert (np.abs(plan.actions) <= 1).all()
    return plan.value[0]


@pytest.mark.parametrize("foresee", FORESEEING)
def test_a_touch_costs_what_it_is_said_to_where_it_is_foreseen(foresee):
    there = (4.0, 3.0, 0.0, 0.0)
    apart = value(foresee, there, radius=0.0) - value(foresee, there, radius=50.0)
    assert apart == pytest.approx(0 if foresee == "unseen" else 300, abs=1e-6)


def test_velocities_lead_on_only_where_they_are_believed():
    coming = (3.0, 103.0, 0.0, -100.0)  # at the start in one step
    values = {each: value(each, coming, radius=20.0) for each in ("constant velocity", "standing")}
    assert values["constant velocity"] < values["standing"] - 299


def test_each_environment_follows_from_its_own_generator_alone():
    among = PlannerAmongOthers(planner(), num_others=1, radius=0.5)
    seen = np.array([[3.0, 3.0, 0.0, 0.0, 4.0, 3.0, 0.0, 0.0], [2.0, 3.0, 0.0, 0.0, 1.0, 3.0, 0.0, 0.0]])
    goals = np.array([[4.0, 4.0], [4.0, 2.0]])
    both = among.plan(seen, goals, horizon=20, generators=[torch.Generator().manual_seed(each) for each in (1, 2)])
    alone = among.plan(seen[1:], goals[1:], horizon=20, generators=[torch.Generator().manual_seed(2)])
    np.testing.assert_allclose(both.actions[1], alone.actions[0], atol=1e-5)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(UserError, match="foresee must be one of model"):
        PlannerAmongOthers(planner(), num_others=1, radius=0.5, foresee="crystal ball")
    with pytest.raises(UserError, match="num_others"):
        PlannerAmongOthers(planner(), num_others=0, radius=0.5)
    among = PlannerAmongOthers(planner(), num_others=2, radius=0.5)
    with pytest.raises(UserError, match="observations must have shape"):
        among.plan(np.zeros((1, 8)), np.zeros((1, 2)), horizon=8, generators=[torch.Generator()])
