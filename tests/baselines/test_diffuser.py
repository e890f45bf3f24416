"""Diffuser as a whole: planner, tracker, training by the loop, bundles."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_model import POINT_MASS

from dfplan.agent import MPCAgent, PlannedActions
from dfplan.baselines.diffuser import (
    DiffuserModel,
    DiffuserPlanner,
    DiffuserTask,
    LimitsNormalizer,
    SegmentWindows,
    StateTracker,
    TemporalUnet,
    is_diffuser,
    load_diffuser,
)
from dfplan.errors import UserError
from dfplan.models.bundle import load_bundle, save_bundle
from dfplan.training import Settings, train
from dfplan.types import Plan, Trajectories

METADATA = {
    "env": "maze2d-umaze",
    "model": {"name": "diffuser", "width": 16, "num_layers": 2, "horizon": 16, "num_levels": 32},
    "action_dim": 2,
    "observation_dim": 4,
    "goal_radius": 0.5,
    "point_mass": vars(POINT_MASS),
}


def tiny_unet() -> TemporalUnet:
    torch.manual_seed(0)
    return TemporalUnet(token_dim=6, width=16, num_layers=2)


def limits() -> LimitsNormalizer:
    return LimitsNormalizer(torch.tensor([-1.0, -1, 0, 0, -5, -5]), torch.tensor([1.0, 1, 5, 5, 5, 5]))


@pytest.fixture(scope="module")
def planner():
    return DiffuserPlanner(
        DiffuserModel(
            unet=tiny_unet().eval().requires_grad_(False),
            normalizer=limits(),
            horizon=16,
            num_levels=8,
            action_dim=2,
            goal_radius=0.5,
            dynamics=POINT_MASS,
            metadata=METADATA,
        )
    )


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


OBSERVATIONS = np.array([[1.0, 1.0, 0.1, 0.0], [3.0, 2.0, 0.0, -0.2], [2.0, 4.0, 0.0, 0.0]])
GOALS = np.array([[4.0, 4.0], [1.0, 1.5], [2.0, 1.0]])


def test_a_plan_ends_at_the_goal_at_rest_and_says_what_it_cost(planner):
    plan = planner.plan(OBSERVATIONS, GOALS, horizon=16, generators=generators(0, 1, 2))
    assert plan.observations.shape == (3, 15, 4)
    assert plan.actions.shape == (3, 15, 2)
    np.testing.assert_allclose(plan.observations[:, -1], np.pad(GOALS, [(0, 0), (0, 2)]), atol=1e-5)
    assert (plan.num_steps == 15).all()
    assert (plan.arrival <= 15).all()
    assert plan.rewards[:, -1].all()
    assert (plan.evaluations == 8).all()
    assert (plan.token_evaluations == 8 * 16).all()
    assert np.abs(plan.actions).max() <= 1


def test_a_plan_depends_on_its_own_seed_alone(planner):
    together = planner.plan(OBSERVATIONS, GOALS, horizon=16, generators=generators(0, 1, 2))
    for row in range(3):
        part = slice(row, row + 1)
        alone = planner.plan(OBSERVATIONS[part], GOALS[part], horizon=16, generators=generators(row))
        np.testing.assert_allclose(alone.observations[0], together.observations[row], atol=1e-4)
    other = planner.plan(OBSERVATIONS, GOALS, horizon=16, generators=generators(5, 6, 7))
    assert np.abs(other.observations - together.observations).max() > 0.1


def test_a_horizon_is_rounded_up_to_what_can_be_halved(planner):
    plan = planner.plan(OBSERVATIONS, GOALS, horizon=19, generators=generators(0, 1, 2))
    assert (plan.num_steps == 19).all()  # 20 rows, the present one included
    with pytest.raises(UserError, match="at least"):
        planner.plan(OBSERVATIONS, GOALS, horizon=1, generators=generators(0, 1, 2))
    with pytest.raises(UserError, match="goals must be finite"):
        planner.plan(OBSERVATIONS, GOALS * np.nan, horizon=16, generators=generators(0, 1, 2))


def plan_of(states: list[list[float]], *, steps_per_point: int = 1) -> Plan:
    observations = np.array([states])
    steps = observations.shape[1] * steps_per_point
    return Plan(
        observations=observations,
        actions=np.zeros((1, steps, 2)),
        rewards=np.zeros((1, steps)),
        arrival=np.array([steps]),
        num_steps=np.array([steps]),
        value=np.zeros(1),
        steps_per_point=steps_per_point,
    )


def test_the_tracker_follows_the_published_law():
    tracker = StateTracker()
    tracker.reset(np.zeros((1, 2)))
    seen = np.array([[1.0, 2.0, 0.3, -0.1]])
    assert (tracker.act(seen) == 0).all()  # without a plan
    tracker.follow(plan_of([[1.1, 2.0, 0.5, 0.0], [1.2, 2.1, 0.4, 0.2]]), indices=np.array([0]), observations=seen)
    np.testing.assert_allclose(tracker.act(seen), [[0.1 + 0.2, 0.0 + 0.1]], atol=1e-6)
    np.testing.assert_allclose(tracker.act(seen), [[0.2 + 0.1, 0.1 + 0.3]], atol=1e-6)
    assert np.isinf(tracker.disagreement(seen)).all()  # the plan is over: its last state, at rest
    np.testing.assert_allclose(tracker.act(seen), [[0.2 - 0.3, 0.1 + 0.1]], atol=1e-6)
    assert (np.abs(tracker.act(seen + 10)) == 1).all()
    tracker.restart(np.array([0]), goals=np.zeros((1, 2)))
    assert (tracker.act(seen) == 0).all()


def test_the_tracker_fills_in_states_between_planned_ones():
    tracker = StateTracker()
    tracker.reset(np.zeros((1, 2)))
    seen = np.zeros((1, 4))
    tracker.follow(plan_of([[0.2, 0.0, 0.4, 0.0]], steps_per_point=2), indices=np.array([0]), observations=seen)
    np.testing.assert_allclose(tracker.act(seen), [[0.1 + 0.2, 0]], atol=1e-6)
    assert tracker.disagreement(seen)[0] == pytest.approx(0.2)
    np.testing.assert_allclose(tracker.act(seen), [[0.2 + 0.4, 0]], atol=1e-6)


@pytest.mark.parametrize("controller", [StateTracker, PlannedActions])
def test_as_an_agent_it_plans_once(planner, controller):
    events = []
    agent = MPCAgent(planner, controller=controller(), replan_every=0, horizon=16, on_plan=events.append)
    agent.reset(seeds=[0, 1, 2], goals=GOALS)
    actions = [agent.act(OBSERVATIONS) for _ in range(20)]
    assert len(events) == 1
    assert events[0].plan.num_steps.tolist() == [15, 15, 15]
    assert np.abs(actions).max() <= 1
    assert {each.shape for each in actions} == {(3, 2)}


def there_and_back(*, num: int = 60, length: int = 20) -> Trajectories:
    """Straight drives through the goal at the origin, out along x or y and back, at several speeds."""
    generator, rows = np.random.default_rng(0), []
    for index in range(num):
        axis, far = index % 2, generator.uniform(1.0, 2.0)
        out = np.concatenate([np.linspace(0, far, length), np.linspace(far, 0, length)])
        position = np.zeros((len(out), 2))
        position[:, axis] = out
        rows.append(position)
    positions = np.concatenate(rows)
    velocities = np.diff(positions, axis=0, append=positions[-1:])
    actions = np.diff(velocities, axis=0, append=velocities[-1:])
    return Trajectories(
        observations=np.concatenate([positions, velocities], axis=1).astype(np.float32),
        actions=actions.astype(np.float32),
        starts=np.array([0, len(positions)]),
        segment_ends=np.zeros(len(positions), bool),
        source="straight drives",
    )


def task_on(windows: SegmentWindows) -> DiffuserTask:
    return DiffuserTask(
        unet=tiny_unet(),
        normalizer=windows.normalizer(),
        num_levels=32,
        learning_rate=2e-3,
        metadata=METADATA,
    )


def test_clamped_ends_cost_nothing_and_the_rest_counts():
    windows = SegmentWindows(there_and_back(num=4), goal=np.zeros(2), goal_radius=0.3, horizon=16)
    task = task_on(windows)
    batch = windows.sample(8, np.random.default_rng(0))
    task.predict_clean = lambda noisy, levels: noisy * 0 + 5
    loss, found = task.training_step(batch, generator=torch.Generator().manual_seed(0))
    clean = task.normalizer.tokens(torch.from_numpy(np.concatenate([batch.actions, batch.observations], axis=-1)))
    error = (clean - 5).square()
    error[:, [0, -1], 2:] = 0
    torch.testing.assert_close(loss, error.mean())
    torch.testing.assert_close(found["observation_loss"], error[..., 2:].mean())


@pytest.mark.slow
def test_it_learns_straight_lines_and_its_bundle_plans_them(tmp_path):
    data = there_and_back()
    windows = SegmentWindows(data, goal=np.zeros(2), goal_radius=0.3, horizon=16)
    settings = Settings(num_steps=250, batch_size=32, seed=0, warmup_steps=0, decay="constant", device="cpu")
    settings = replace(settings, gradient_clip=None, ema_decay=0.99)
    result = train(task_on(windows), windows, settings, run_folder=tmp_path / "run", progress=False)
    assert result.metrics["loss"] < 0.05
    assert is_diffuser(tmp_path / "run" / "model")
    planner = DiffuserPlanner(load_diffuser(tmp_path / "run" / "model"))
    starts = np.array([[1.5, 0.0, -0.1, 0.0], [0.0, 1.5, 0.0, -0.1]])
    plan = planner.plan(starts, np.array([[0.4, 0.0], [0.0, 0.4]]), horizon=16, generators=generators(0, 1))
    along = np.stack([plan.observations[0, :, 0], plan.observations[1, :, 1]])
    across = np.stack([plan.observations[0, :, 1], plan.observations[1, :, 0]])
    assert np.abs(across).max() < 0.25
    assert np.abs(along - np.linspace(1.5, 0.4, 16)[1:]).mean() < 0.25


def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path):
    windows = SegmentWindows(there_and_back(num=4), goal=np.zeros(2), goal_radius=0.3, horizon=16)
    long = Settings(num_steps=4, batch_size=4, seed=0, decay="constant", device="cpu")
    train(task_on(windows), windows, long, run_folder=tmp_path / "whole", progress=False)
    train(task_on(windows), windows, replace(long, num_steps=2), run_folder=tmp_path / "parts", progress=False)
    train(task_on(windows), windows, long, run_folder=tmp_path / "parts", resume=True, progress=False)
    whole, parts = (load_bundle(tmp_path / name / "model")[0] for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


@pytest.fixture
def bundle(tmp_path):
    windows = SegmentWindows(there_and_back(num=4), goal=np.zeros(2), goal_radius=0.3, horizon=16)
    task_on(windows).export(tmp_path / "model")
    return tmp_path / "model"


def test_a_bundle_holds_all_that_planning_needs(bundle):
    model = load_diffuser(bundle)
    assert (model.horizon, model.num_levels, model.observation_dim, model.goal_radius) == (16, 32, 4, 0.5)
    assert model.dynamics == POINT_MASS
    expected = tiny_unet()
    assert all(torch.equal(mine, its) for mine, its in zip(model.unet.parameters(), expected.parameters(), strict=True))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"width": 10**9}, "width must be a whole number"),
        ({"width": 24}, "tensors are not those"),
        ({"num_layers": 3}, "tensors are not those"),
        ({"num_levels": 10**7}, "num_levels must be"),
        ({"horizon": True}, "horizon must be"),
        ({"width": 12}, "multiple of 8"),
    ],
)
def test_a_description_that_is_not_of_its_tensors_is_refused(bundle, change, found):
    tensors, metadata = load_bundle(bundle)
    save_bundle(bundle, tensors, metadata | {"model": metadata["model"] | change})
    with pytest.raises(UserError, match=found):
        load_diffuser(bundle)


def test_weights_that_are_not_finite_or_another_model_are_refused(bundle):
    tensors, metadata = load_bundle(bundle)
    name = next(iter(tensors))
    save_bundle(bundle, tensors | {name: tensors[name] * torch.nan}, metadata)
    with pytest.raises(UserError, match="not finite"):
        load_diffuser(bundle)
    save_bundle(bundle, tensors, json.loads("{}"))
    assert not is_diffuser(bundle)
    with pytest.raises(UserError, match="does not describe a Diffuser"):
        load_diffuser(bundle)
