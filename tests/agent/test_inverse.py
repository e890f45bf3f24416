"""Inverse dynamics: exact where the motion is simple, and the controller that asks them."""

import numpy as np
import pytest
import torch

from dfplan.agent import InverseControl
from dfplan.errors import UserError
from dfplan.models.bundle import load_bundle, save_bundle
from dfplan.models.inverse_dynamics import (
    InverseDynamics,
    MotionInverseDynamics,
    load_inverse_dynamics,
    save_inverse_dynamics,
)
from dfplan.settings.training import Rates
from dfplan.training.inverse_dynamics import InverseDynamicsTask, ObservationPairs, look_at
from dfplan.types import Bounds, Plan, Trajectories

BOUNDS = Bounds(np.array([-1.0, -1.0]), np.array([1.0, 2.0]))


class Remembering:
    """Answers with zeros and remembers what it was asked."""

    most_steps = 16

    def actions(self, observations, later, steps):
        self.asked = (observations.copy(), later.copy(), steps.copy())
        return np.full((len(observations), 2), 3.0)


def plan(points):
    points = np.array(points, np.float32)[None]
    return Plan(
        observations=points,
        actions=np.zeros((1, 8 * points.shape[1], 2), np.float32),
        rewards=np.zeros((1, 1)),
        arrival=np.array([99]),
        num_steps=np.array([8 * points.shape[1]]),
        value=np.zeros(1),
        steps_per_point=8,
    )


def test_it_steers_to_the_point_that_is_due_not_too_soon():
    inverse = Remembering()
    controller = InverseControl(inverse, bounds=BOUNDS, least_steps=4)
    controller.reset(np.zeros((1, 2)))
    now = np.zeros((1, 4))
    controller.follow(plan([[1, 0, 0, 0], [2, 0, 0, 0]]), indices=np.array([0]), observations=now)
    asked = []
    for _ in range(20):
        actions = controller.act(now)
        asked.append((float(inverse.asked[1][0, 0]), float(inverse.asked[2][0])))
    assert asked[0] == (1, 8)
    assert asked[4] == (1, 4)
    assert asked[5] == (2, 11)
    assert asked[12] == (2, 4)
    assert [point for point, _ in asked[13:]] == [2] * 7  # past the end: the last point
    np.testing.assert_array_equal(actions, [[1, 2]])  # clipped


def test_without_a_plan_it_steers_to_where_it_is():
    inverse = Remembering()
    controller = InverseControl(inverse, bounds=BOUNDS, least_steps=4)
    controller.reset(np.zeros((2, 2)))
    here = np.array([[1.0, 2, 0, 0], [3, 4, 0, 0]])
    controller.act(here)
    np.testing.assert_array_equal(inverse.asked[1], here)


def test_disagreement_is_the_distance_from_the_plan_now():
    controller = InverseControl(Remembering(), bounds=BOUNDS, least_steps=4)
    controller.reset(np.zeros((1, 2)))
    controller.follow(plan([[8, 0, 0, 0]]), indices=np.array([0]), observations=np.zeros((1, 4)))
    assert controller.disagreement(np.zeros((1, 4)))[0] == pytest.approx(0)
    for _ in range(4):
        controller.act(np.zeros((1, 4)))
    assert controller.disagreement(np.array([[4.0, 3, 0, 0]]))[0] == pytest.approx(3)
    for _ in range(5):
        controller.act(np.zeros((1, 4)))
    assert controller.disagreement(np.zeros((1, 4)))[0] == np.inf
    controller.restart(np.array([0]), np.zeros((1, 2)))
    assert controller.disagreement(np.zeros((1, 4)))[0] == np.inf


def drifting(rows=3000):
    """A point mass without friction under random actions that last 16 steps, in two trajectories."""
    generator = np.random.default_rng(0)
    actions = np.repeat(generator.uniform(-1, 1, size=(-(-rows // 16), 2)), 16, axis=0)[:rows]
    speeds = np.cumsum(0.2 * actions, axis=0) - 0.2 * actions
    positions = np.cumsum(0.01 * (speeds + 0.2 * actions), axis=0) - 0.01 * (speeds + 0.2 * actions)
    return Trajectories(
        observations=np.concatenate([positions, speeds], axis=1).astype(np.float32),
        actions=actions.astype(np.float32),
        starts=np.array([0, rows // 3, rows]),
        segment_ends=np.zeros(rows, bool),
        source="drifting",
    )


def test_pairs_lie_within_a_trajectory_and_as_far_apart_as_they_say():
    data = drifting()
    batch = ObservationPairs(data, most_steps=16).sample(2000, np.random.default_rng(1))
    rows = {tuple(row): index for index, row in enumerate(data.observations.tolist())}
    first = np.array([rows[tuple(row)] for row in batch["observations"].tolist()])
    last = np.array([rows[tuple(row)] for row in batch["later"].tolist()])
    np.testing.assert_array_equal(last - first, batch["steps"])
    np.testing.assert_array_equal(batch["actions"], data.actions[first])
    assert batch["steps"].min() >= 1
    assert not ((first < 1000) & (last >= 1000)).any()


def test_it_does_not_matter_where_in_the_maze():
    inverse = MotionInverseDynamics(goal_dim=2, action_dim=2, most_steps=16, width=128)
    here, later, steps = torch.randn(5, 4), torch.randn(5, 4), torch.full((5,), 4.0)
    shift = torch.tensor([3.0, -2.0, 0.0, 0.0])
    torch.testing.assert_close(
        inverse(here + shift, later + shift, steps), inverse(here, later, steps), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize(
    "inverse",
    [
        InverseDynamics(observation_dim=4, action_dim=3, width=16, most_steps=8),
        MotionInverseDynamics(goal_dim=2, action_dim=2, width=16, most_steps=8),
    ],
)
def test_a_bundle_gives_the_same_actions(inverse, tmp_path):
    save_inverse_dynamics(tmp_path, inverse, {"env": "here"})
    again = load_inverse_dynamics(tmp_path)
    asked = (torch.randn(3, 4), torch.randn(3, 4), torch.ones(3))
    assert torch.equal(again(*asked), inverse(*asked))


@pytest.mark.parametrize(
    "change", [{"width": 10**9}, {"most_steps": 10**9}, {"depth": 3}, {"goal_dim": 2}, {"action_dim": "2"}]
)
def test_a_description_that_its_tensors_contradict_is_refused(change, tmp_path):
    save_inverse_dynamics(tmp_path, InverseDynamics(observation_dim=4, action_dim=2, width=16), {})
    tensors, metadata = load_bundle(tmp_path)
    metadata["inverse_dynamics"] |= change
    save_bundle(tmp_path, tensors, metadata)
    with pytest.raises(UserError, match="inverse dynamics"):
        load_inverse_dynamics(tmp_path)


def test_it_learns_actions_of_any_units_from_observations_of_any_number():
    generator = np.random.default_rng(0)
    actions = generator.uniform(-40, 60, size=(2000, 2))
    moved = np.cumsum(np.concatenate([np.zeros((1, 2)), actions[:-1]]), axis=0)
    turned = moved @ generator.normal(size=(2, 5)) / 1000  # five numbers that follow from two
    data = Trajectories(
        observations=np.concatenate([turned, np.full((2000, 1), 7.0)], axis=1).astype(np.float32),  # one never changes
        actions=actions.astype(np.float32),
        starts=np.array([0, 1000, 2000]),
        segment_ends=np.zeros(2000, bool),
        source="sums",
    )
    torch.manual_seed(0)
    inverse, pairs = (
        InverseDynamics(observation_dim=6, action_dim=2, most_steps=1),
        ObservationPairs(data, most_steps=1),
    )
    look_at(inverse, data)
    task = InverseDynamicsTask(inverse, rates=Rates(learning_rate=1e-3, weight_decay=0.0), held_out=pairs, metadata={})
    optimizer = task.configure_optimizers()[0]
    for _ in range(300):
        batch = {name: torch.from_numpy(each) for name, each in pairs.sample(256, generator).items()}
        optimizer.zero_grad()
        task.training_step(batch, generator=torch.Generator())[0].backward()
        optimizer.step()
    assert task.validate(task.modules, seed=0)["r2"] > 0.98
