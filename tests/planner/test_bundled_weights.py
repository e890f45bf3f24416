"""What the bundled weights know: what actions lead to, and ways to goals that keep clear of walls."""

from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch

import dfplan
from dfplan.models.forcing_model import load_forcing_model
from dfplan.planner import Planner, PlannerSettings

# One bundle a maze; a second network for a maze has a name of its own and is not held to this.
BUNDLES = sorted(path.parent for path in (Path(dfplan.__file__).parent / "weights").glob("*/model.json"))
WEIGHTS = [folder for folder in BUNDLES if folder.name in ("maze2d-umaze", "maze2d-medium", "maze2d-large")]
COUNT = 24

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=WEIGHTS, ids=lambda folder: folder.name)
def folder(request):
    return request.param


@pytest.fixture(scope="module")
def planner(folder):
    return Planner(load_forcing_model(folder), settings=PlannerSettings())


@pytest.fixture
def env(folder):
    made = gymnasium.make(f"dfplan_envs:{folder.name}-v1", goal="random")
    yield made
    made.close()


def _generators():
    return [torch.Generator().manual_seed(seed) for seed in range(COUNT)]


@pytest.mark.parametrize(("driven_by", "error", "other_way"), [("plan", 0.25, 0.25), ("chance", 0.75, 0.5)])
def test_actions_lead_where_the_simulator_says(planner, env, driven_by, error, other_way, request):
    """Errors as shares of the way driven, and of the error when the opposite actions are given.

    No planner drives by chance, so that what is known of that is little.
    """
    situations = [env.reset(seed=seed) for seed in range(COUNT)]
    states, goals = np.stack([state for state, _ in situations]), np.stack([info["goal"] for _, info in situations])
    steps = 2 * planner.model.layout.steps_per_token
    if driven_by == "plan":
        actions = planner.plan(states, goals, horizon=steps, generators=_generators()).actions[:, :steps]
    else:
        held = np.random.default_rng(0).uniform(-1, 1, size=(COUNT, 4, 2))
        actions = np.repeat(held, steps // 4, axis=1).astype(np.float32)
    ends = np.stack([_drive(env, seed=seed, actions=actions[seed]) for seed in range(COUNT)])

    def distance(given):
        predicted = planner.predict(states, given, generators=_generators())[:, -1]
        return float(np.linalg.norm((predicted - ends)[:, :2], axis=1).mean())

    if (driven_by, planner.model.metadata["env"]) == ("chance", "maze2d-umaze"):
        request.applymarker(pytest.mark.xfail(strict=True, reason="error 0.91 of the way, 0.54 of the other way"))
    driven = float(np.linalg.norm((states - ends)[:, :2], axis=1).mean())
    assert distance(actions) < error * driven
    assert distance(actions) < other_way * distance(-actions)


def _drive(env, *, seed, actions):
    env.reset(seed=seed)
    return [env.step(action)[0] for action in actions][-1]


def test_plans_arrive_and_keep_clear_of_walls(planner, env):
    situations = [env.reset(seed=seed) for seed in range(COUNT)]
    states, goals = np.stack([state for state, _ in situations]), np.stack([info["goal"] for _, info in situations])
    plan = planner.plan(states, goals, horizon=2 * planner.window_steps, generators=_generators())
    maze = env.get_wrapper_attr("maze")
    assert (plan.arrival <= plan.num_steps).mean() > 0.9
    shares = []
    for row in range(COUNT):
        points = plan.observations[row, : int(plan.arrival[row]) // plan.steps_per_point, :2]
        if len(points):
            shares.append(float(maze.contains_wall(points.astype(np.float64)).mean()))
    assert np.mean(shares) < 0.05


def _jumps(planner, env, *, window_tokens, count):
    """Way between neighbouring points that their velocities do not explain, ``[plans, points]``, and where they are.

    Masks of the points that are planned and begin a window, begin another token, and begin neither.
    """
    layout, mass = planner.model.layout, planner.model.dynamics
    chained = Planner(planner.model, settings=PlannerSettings(window_tokens=window_tokens, num_candidates=4))
    situations = [env.reset(seed=seed) for seed in range(count)]
    states, goals = np.stack([state for state, _ in situations]), np.stack([info["goal"] for _, info in situations])
    generators = [torch.Generator().manual_seed(seed) for seed in range(count)]
    plan = chained.plan(states, goals, horizon=planner.window_steps, generators=generators)
    knots = np.concatenate([states[:, None], plan.observations], axis=1)
    seconds = mass.step * plan.steps_per_point
    by_velocity = seconds * (knots[:, 1:, 2:] + knots[:, :-1, 2:]) / 2
    jump = np.abs(np.diff(knots[..., :2], axis=1) - by_velocity).max(axis=-1)
    point = np.arange(jump.shape[1])
    planned = point * plan.steps_per_point < plan.num_steps[:, None]
    begins_token = (point > 0) & (point % layout.points_per_token == 0)
    begins_window = begins_token & (point % (window_tokens * layout.points_per_token) == 0)
    return jump, planned & begins_window, planned & begins_token & ~begins_window, planned & ~begins_token


def test_where_windows_meet_positions_jump_little_more_than_elsewhere(planner, env, request):
    jump, seam, token, within = _jumps(planner, env, window_tokens=2, count=COUNT)
    assert seam.any()
    assert jump[seam].mean() < 0.1  # of a cell
    known = {"maze2d-large": 1.64}
    if ratio := known.get(planner.model.metadata["env"]):
        request.applymarker(pytest.mark.xfail(strict=True, reason=f"{ratio} times as far"))
    assert jump[seam].mean() < 1.5 * jump[token | within].mean()


def test_windows_meet_as_tokens_do(planner, env):
    # A token's points are made together and fit each other three times as well; the window has no part in that.
    jump, seam, token, _ = _jumps(planner, env, window_tokens=2, count=100)
    assert seam.sum() > 50
    assert jump[seam].mean() < 1.1 * jump[token].mean()
