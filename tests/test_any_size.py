"""Nothing in the core knows the sizes of a maze: train, plan, act, search and export at those of other robots.

Sizes are of an observation, an action and a goal: a point mass, a 3-D one, Meta-World's, HalfCheetah's, PushT's without
its goal, and observations alone.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_model import tiny_windows

from dfplan.agent import MPCAgent, PlannedActions
from dfplan.errors import UserError
from dfplan.models.forcing_model import ForcingModel, build_denoiser, load_forcing_model
from dfplan.planner import Planner, PlannerSettings, TreePlanner
from dfplan.scorers import GoalScorer, ReturnScorer, fit_value
from dfplan.settings.diffusion import DiffusionSettings
from dfplan.settings.training import OptimizerSettings
from dfplan.tokens import Normalizer, TokenLayout
from dfplan.training import Settings, train
from dfplan.training.forcing import ForcingTask
from dfplan.types import Trajectories

SIZES = [(4, 2, 2), (6, 3, 3), (39, 4, 3), (17, 6, 0), (5, 2, 0), (3, 0, 0)]
LOW, HIGH = 1.5, 3.0  # of actions: whoever clips to ±1 is found out
BATCH, HORIZON, NUM_TOKENS = 3, 8, 4


def trajectories(observation_dim: int, action_dim: int, *, num: int = 6, num_steps: int = 30) -> Trajectories:
    """States that drift as actions push them, and rewards for being near 0."""
    generator = np.random.default_rng(0)
    actions = generator.uniform(LOW, HIGH, size=(num, num_steps + 1, action_dim)).astype(np.float32)
    pushes = generator.normal(size=(action_dim, observation_dim))
    noise = generator.normal(size=(num, num_steps + 1, observation_dim))
    states = np.cumsum(0.1 * (actions @ pushes) + noise, axis=1).astype(np.float32)
    rows = num * (num_steps + 1)
    return Trajectories(
        observations=states.reshape(rows, observation_dim),
        actions=actions.reshape(rows, action_dim),
        starts=np.arange(num + 1) * (num_steps + 1),
        segment_ends=np.zeros(rows, bool),
        source="a drift",
        rewards=-100 - np.square(states).mean(axis=-1).reshape(rows).astype(np.float32),
    )


def scorer_for(data: Trajectories, *, goal_dim: int) -> GoalScorer | ReturnScorer:
    return GoalScorer(0.5) if goal_dim else ReturnScorer(0.9, fit_value(data, discount=0.9))


@pytest.fixture(scope="module", params=SIZES, ids=str)
def folder(request, tmp_path_factory) -> Path:
    """A bundle of a network that was trained for three steps."""
    observation_dim, action_dim, goal_dim = request.param
    data = trajectories(observation_dim, action_dim)
    layout = TokenLayout(4, 2, action_dim=action_dim, observation_dim=observation_dim, goal_dim=goal_dim)
    windows = tiny_windows(data, num_tokens=NUM_TOKENS, goal_dim=goal_dim)
    torch.manual_seed(0)
    sizes = {"width": 16, "num_layers": 1}
    task = ForcingTask(
        denoiser=build_denoiser("transformer", layout=layout, **sizes),
        layout=layout,
        normalizer=Normalizer.fit(data, rewards_recorded=not goal_dim),
        diffusion=DiffusionSettings(prediction="velocity", schedule="linear", action_weight=1.0, after_goal_weight=1.0),
        optimizer=OptimizerSettings(learning_rate=1e-3, matrix_learning_rate=1e-3, weight_decay=0.0),
        scorer=scorer_for(data, goal_dim=goal_dim),
        validation=None,
        metadata={
            "env": "none",
            "model": {"name": "transformer", **sizes},
            "num_tokens": NUM_TOKENS,
            "action_bounds": {"low": [LOW] * action_dim, "high": [HIGH] * action_dim},
        },
    )
    run = tmp_path_factory.mktemp("sizes") / "run"
    settings = Settings(batch_size=8, num_steps=3, seed=0, device="cpu", decay="constant")
    train(task, windows, settings, run_folder=run, progress=False)
    return run / "model"


@pytest.fixture(scope="module")
def model(folder) -> ForcingModel:
    return load_forcing_model(folder)


def asked(model: ForcingModel) -> dict:
    layout = model.layout
    generator = np.random.default_rng(1)
    return {
        "observations": generator.normal(size=(BATCH, layout.observation_dim)).astype(np.float32),
        "goals": generator.normal(size=(BATCH, layout.goal_dim)).astype(np.float32),
    }


def generators() -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in range(BATCH)]


def check(plan, model: ForcingModel) -> None:
    assert plan.actions.shape == (BATCH, HORIZON, model.layout.action_dim)
    assert plan.observations.shape == (BATCH, HORIZON // 2, model.layout.observation_dim)
    assert ((plan.actions >= LOW) & (plan.actions <= HIGH)).all()
    assert np.isfinite(plan.value).all()


@pytest.mark.parametrize(
    "changes", [{}, {"roll_out": True, "spread": 0.5, "temperature": 0.1}], ids=["best", "mean of roll-outs"]
)
def test_plans_have_the_sizes_and_bounds_of_the_robot(model, changes):
    planner = Planner(model, settings=PlannerSettings(num_candidates=4, **changes))
    plan = planner.plan(**asked(model), horizon=HORIZON, generators=generators())
    check(plan, model)
    again = planner.plan(**asked(model), horizon=HORIZON, generators=generators())
    np.testing.assert_array_equal(plan.actions, again.actions)


def test_the_reward_of_a_token_is_that_of_the_data_where_there_are_no_goals(model):
    plan = Planner(model, settings=PlannerSettings(num_candidates=2)).plan(
        **asked(model), horizon=HORIZON, generators=generators()
    )
    rewards_recorded = not model.layout.goal_dim
    assert (plan.rewards.mean() < -50) == rewards_recorded


def test_an_agent_acts_within_its_bounds_with_goals_or_without(model):
    planner = Planner(model, settings=PlannerSettings(num_candidates=2))
    agent = MPCAgent(planner, controller=PlannedActions(model.layout.action_dim), replan_every=2, horizon=HORIZON)
    given = asked(model)
    agent.reset(seeds=range(BATCH), **({"goals": given["goals"]} if model.layout.goal_dim else {}))
    for _ in range(3):
        actions = agent.act(given["observations"])
        assert actions.shape == (BATCH, model.layout.action_dim)
        assert ((actions >= LOW) & (actions <= HIGH)).all()


def test_a_tree_finds_plans_at_least_as_good_as_its_first_ones(model):
    settings = PlannerSettings(num_candidates=3, early_stop_fraction=1.0)
    first, grown = (TreePlanner(model, settings=settings, max_nodes=nodes) for nodes in (3, 9))
    plans = [each.plan(**asked(model), horizon=HORIZON, generators=generators()) for each in (first, grown)]
    check(plans[1], model)
    assert (plans[1].value >= plans[0].value).all()


def test_the_world_model_predicts_states_of_the_robot(model):
    actions = np.full((BATCH, HORIZON, model.layout.action_dim), 2.0)
    states = Planner(model, settings=PlannerSettings()).predict(
        asked(model)["observations"], actions, generators=generators()
    )
    assert states.shape == (BATCH, HORIZON // 2, model.layout.observation_dim)
    assert np.isfinite(states).all()


def test_what_needs_dynamics_says_so(model):
    with pytest.raises(UserError, match="know neither how actions move the robot"):
        _ = model.support
    with pytest.raises(UserError, match="constraints need both: use weights that do"):
        Planner(model, settings=PlannerSettings(), constraints=[lambda positions: 1.0])


@pytest.mark.slow
def test_an_export_plans_with_the_sizes_and_bounds_of_the_robot(model, tmp_path):
    pytest.importorskip("onnxruntime")
    from dfplan.export.denoise_step import export_planner
    from dfplan.export.onnx_planner import OnnxPlanner

    export_planner(model, tmp_path, settings=PlannerSettings(num_candidates=2), description={})
    planner = OnnxPlanner(tmp_path)
    noise = planner.draw_noise([np.random.default_rng(seed) for seed in range(BATCH)], horizon=HORIZON)
    check(planner.plan(**asked(model), horizon=HORIZON, noise=noise), model)
