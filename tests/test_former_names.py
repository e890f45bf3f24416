"""Scripts from before the mazes were a domain still find what they knew."""

import pytest
import torch
from tiny_model import SCORER, tiny_model

from dfplan import types
from dfplan.planner.objectives.predicted_plan import PredictedPlan
from dfplan.realtime import motion


def test_classes_and_functions_are_found_by_their_former_names():
    assert types.PointMass is types.DoubleIntegrator
    assert types.PositionSupport is types.Support
    assert motion.point_mass_motion is motion.integrator_motion


def test_a_model_tells_its_dynamics_by_their_former_name():
    assert tiny_model().point_mass == SCORER.dynamics


def test_an_objective_may_still_ask_for_places():
    observations = torch.rand(3, 5, 4)
    plan = PredictedPlan(
        torch.zeros(3, 2), torch.zeros(3, 2), observations, torch.zeros(3, 1), torch.zeros(1, 1), 0.5, 0.1
    )
    torch.testing.assert_close(plan.positions, observations[..., :2])


@pytest.mark.parametrize("owner", [types, motion, tiny_model()], ids=["types", "motion", "model"])
def test_a_name_that_never_was_is_refused_as_ever(owner):
    with pytest.raises(AttributeError, match="nonsense"):
        _ = owner.nonsense
