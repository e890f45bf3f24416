"""Whatever is given to a public name instead of what it takes is refused in one line that says what it takes."""

import re
import warnings

import gymnasium
import numpy as np
import pytest
import torch
from tiny_model import POINT_MASS, tiny_model

import dfplan
from dfplan.agent import InferenceDelay
from dfplan.data.formats import write
from dfplan.data.formats.layout import checked
from dfplan.domains.gymnasium import GymnasiumDomain
from dfplan.errors import UserError
from dfplan.models.denoiser import Denoiser
from dfplan.planner import GuidanceSettings, TreePlanner

WRONG = {"None": None, "empty": [], "text": "x", "number": 3, "NaN": float("nan"), "dict": {}, "object": object()}
WRONG["table"] = np.full((40, 3), 2.5)  # which takes many lines to be shown
OBSERVATION, GOAL, ACTIONS = np.array([[1.0, 1, 0, 0]]), np.array([[3.0, 1]]), np.zeros((1, 4, 2))
ROWS = {"observations": np.zeros((4, 3)), "actions": np.zeros((4, 1)), "starts": np.array([0, 4])}


def _generators():
    return [torch.Generator().manual_seed(0)]


def _planner():
    return dfplan.Planner(tiny_model(), settings=dfplan.PlannerSettings(num_candidates=2))


def _plan(**given):
    how = {"horizon": 8, "generators": _generators(), "goals": GOAL, **given}
    return _planner().plan(how.pop("observations", OBSERVATION), how.pop("goals"), **how)


def _update(**given):
    belief = _planner().believe(OBSERVATION, GOAL)
    how = {"belief": belief, "actions": np.zeros((1, 4, 2)), "observations": np.ones((1, 2, 4)), **given}
    return _planner().update(how.pop("belief"), **how)


def _agent(planner=None, **given):
    how = {"controller": dfplan.PlannedActions(2), "replan_every": 16, "horizon": 32, **given}
    agent = dfplan.MPCAgent(_planner() if planner is None else planner, **how)
    agent.reset(seeds=[0], goals=GOAL)
    return agent


def _trajectories(**given):
    rows = {**ROWS, "segment_ends": np.zeros(4, bool), "source": "mine", **given}
    return checked(dfplan.Trajectories(**rows))


# What is given, how, and which of the wrong things are right there.
TAKES = {
    "Planner(model)": (lambda it: dfplan.Planner(it, settings=dfplan.PlannerSettings()), ()),
    "Planner(settings)": (lambda it: dfplan.Planner(tiny_model(), settings=it), ()),
    "Planner(objective)": (
        lambda it: dfplan.Planner(tiny_model(), settings=dfplan.PlannerSettings(), objective=it),
        ("None",),
    ),
    "Planner(constraints)": (
        lambda it: dfplan.Planner(tiny_model(), settings=dfplan.PlannerSettings(), constraints=it),
        ("empty",),
    ),
    "plan(observations)": (lambda it: _plan(observations=it), ()),
    "plan(goals)": (lambda it: _plan(goals=it), ("None",)),
    "plan(horizon)": (lambda it: _plan(horizon=it), ("number",)),
    "plan(generators)": (lambda it: _plan(generators=it), ()),
    "plan(generators) in a list": (lambda it: _plan(generators=[it]), ()),
    "plan(committed)": (lambda it: _plan(committed=it), ("None",)),
    "plan(committed) in a list": (lambda it: _plan(committed=[it]), ()),
    "plan(passed)": (lambda it: _plan(passed=it), ("None",)),
    "plan_from(belief)": (lambda it: _planner().plan_from(it, horizon=8, generators=_generators()), ()),
    "believe(observations)": (lambda it: _planner().believe(it), ()),
    "believe(levels)": (lambda it: _planner().believe(OBSERVATION, levels=it), ("None",)),
    "update(belief)": (lambda it: _update(belief=it), ()),
    "update(actions)": (lambda it: _update(actions=it), ()),
    "update(observations)": (lambda it: _update(observations=it), ()),
    "predict(observations)": (lambda it: _planner().predict(it, ACTIONS, generators=_generators()), ()),
    "predict(actions)": (lambda it: _planner().predict(OBSERVATION, it, generators=_generators()), ()),
    "predict(generators)": (lambda it: _planner().predict(OBSERVATION, ACTIONS, generators=it), ()),
    "model.to": (lambda it: tiny_model().to(it), ()),
    "PlannerSettings(guidance)": (lambda it: dfplan.PlannerSettings(guidance=it), ()),
    "PlannerSettings(matrix)": (lambda it: dfplan.PlannerSettings(matrix=it), ()),
    "GuidanceSettings(waypoints)": (lambda it: GuidanceSettings(waypoints=it), ("empty", "table")),
    "GuidanceSettings(distance_field)": (lambda it: GuidanceSettings(distance_field=it), ("None",)),
    "Constraints(keep_out)": (lambda it: dfplan.Constraints(keep_out=it), ("empty", "table")),
    "Constraints(in_order)": (lambda it: dfplan.Constraints(in_order=it), ()),
    "Constraints(functions)": (lambda it: dfplan.Constraints(functions=it), ("empty",)),
    "load": (dfplan.load, ()),
    "read": (dfplan.read, ()),
    "push_to_hub": (lambda it: dfplan.push_to_hub("maze2d-large", it), ()),
    "train(data)": (lambda it: dfplan.train(it, env="Pendulum-v1"), ()),
    "Agent(model)": (lambda it: dfplan.Agent(it, gymnasium.make("Pendulum-v1")), ()),
    "Agent(env)": (lambda it: dfplan.Agent(tiny_model(), it), ()),
    "PlannedActions": (dfplan.PlannedActions, ("number",)),
    "ShootingTracker": (lambda it: dfplan.ShootingTracker(it, goal_radius=0.5), ()),
    "MPCAgent(planner)": (lambda it: _agent(it), ("None",)),  # which stands for a planner here
    "MPCAgent(controller)": (lambda it: _agent(controller=it), ()),
    "MPCAgent(replan_every)": (lambda it: _agent(replan_every=it), ("number",)),
    "MPCAgent(replan_when)": (lambda it: _agent(replan_when=it), ("None", "number")),
    "MPCAgent(episode_steps)": (lambda it: _agent(episode_steps=it), ("None", "number")),
    "MPCAgent(on_plan)": (lambda it: _agent(on_plan=it), ("None",)),
    "MPCAgent(delay)": (lambda it: _agent(delay=it), ()),
    "reset(seeds)": (lambda it: _agent().reset(seeds=it, goals=GOAL), ()),
    "reset(goals)": (lambda it: _agent().reset(seeds=[0], goals=it), ("None",)),
    "predict(episode_start)": (lambda it: _agent().predict(OBSERVATION, episode_start=it), ("None", "number")),
    "InferenceDelay": (InferenceDelay, ("number",)),
    "TreePlanner(tree)": (
        lambda it: TreePlanner(tiny_model(), settings=dfplan.PlannerSettings(), max_nodes=4, tree=it),
        ("None",),
    ),
    "TreePlanner(max_nodes)": (
        lambda it: TreePlanner(tiny_model(), settings=dfplan.PlannerSettings(), max_nodes=it),
        ("number",),
    ),
    "ShootingTracker(goal_radius)": (lambda it: dfplan.ShootingTracker(POINT_MASS, goal_radius=it), ("number",)),
    "ShootingTracker(support)": (
        lambda it: dfplan.ShootingTracker(POINT_MASS, goal_radius=0.5, support=it),
        ("None",),
    ),
    "ShootingTracker(constraints)": (
        lambda it: dfplan.ShootingTracker(POINT_MASS, goal_radius=0.5, constraints=it),
        ("None",),
    ),
    "train(options)": (lambda it: dfplan.train("nowhere.hdf5", env="Pendulum-v1", options=it), ()),
    "write(data)": (lambda it: write(it, "unwritten.hdf5"), ()),
    "GymnasiumDomain": (GymnasiumDomain, ()),
    "restart": (lambda it: _agent().restart(it), ("empty",)),
    "finish": (lambda it: _agent().finish(it), ("empty",)),
    "act": (lambda it: _agent().act(it), ()),
    "act(levels)": (lambda it: _agent().act(OBSERVATION, levels=it), ("None",)),
    "Trajectories(observations)": (lambda it: _trajectories(observations=it), ()),
    "Trajectories(starts)": (lambda it: _trajectories(starts=it), ()),
    "Trajectories(source)": (lambda it: _trajectories(source=it), ("text",)),
    "Trajectories(rewards)": (lambda it: _trajectories(rewards=it), ("None",)),
    "Trajectories(last_actions)": (lambda it: _trajectories(last_actions=it), ()),
    "Trajectories(action_bounds)": (lambda it: _trajectories(action_bounds=it), ("None",)),
    "Trajectories(step_seconds)": (lambda it: _trajectories(step_seconds=it), ("None", "number")),
    "Trajectories(observation_names)": (lambda it: _trajectories(observation_names=it), ("empty",)),
    "Trajectories(pictures)": (lambda it: _trajectories(pictures=it), ("None", "dict")),
}


@pytest.mark.parametrize("name", TAKES)
def test_what_is_not_taken_is_refused_in_one_line(name):
    call, right = TAKES[name]
    for each, it in WRONG.items():
        if each in right:
            call(it)
            continue
        with pytest.raises(UserError) as refused:
            call(it)
        assert len(str(refused.value).splitlines()) == 1, (name, each)


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(UserError, match="generators must be a list of CPU generators, one per environment"):
        _plan(observations=np.zeros((0, 4)), goals=np.zeros((0, 2)), generators=[])


def test_generators_of_numpy_are_refused():
    with pytest.raises(UserError, match=re.escape("such as [torch.Generator().manual_seed(0)]; got [Generator(PCG64)")):
        _plan(generators=[np.random.default_rng(0)])


def test_a_model_says_what_plans_with_it():
    with pytest.raises(AttributeError, match=r"dfplan.Planner\(model, .* dfplan.Agent\(model, env\) acts"):
        tiny_model().predict(None)


class Broken(Denoiser):
    token_dim = tiny_model().layout.token_dim

    def forward(self, noisy, levels, state=None):
        return torch.nn.functional.linear(noisy, torch.zeros(3, 3)), state


class Narrow(Broken):
    def forward(self, noisy, levels, state=None):
        return noisy[..., 1:], state


def test_a_denoiser_of_ones_own_that_raises_is_told_with_its_line():
    planner = dfplan.Planner(tiny_model(Broken()), settings=dfplan.PlannerSettings())
    said = r"the denoiser Broken raised RuntimeError: .* \(test_wrong_arguments.py, line \d+\); mend it there"
    with pytest.raises(UserError, match=said):
        planner.plan(OBSERVATION, GOAL, horizon=8, generators=_generators())


def test_a_denoiser_of_ones_own_that_answers_something_else_is_refused():
    planner = dfplan.Planner(tiny_model(Narrow()), settings=dfplan.PlannerSettings())
    with pytest.raises(UserError, match=r"the denoiser Narrow must answer with a prediction \[\d+, \d+, \d+\]"):
        planner.plan(OBSERVATION, GOAL, horizon=8, generators=_generators())


def test_weights_of_another_environment_are_warned_of():
    import dfplan_envs  # noqa: F401 - its environments by their ids

    model, env = dfplan.load("maze2d-umaze"), gymnasium.make("maze2d-medium-v1")
    with pytest.warns(UserWarning, match="the weights were trained in maze2d-umaze-v1, not in maze2d-medium-v1"):
        dfplan.Agent(model, env)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        dfplan.Agent(model, gymnasium.make("maze2d-umaze-v1"))


def test_an_agent_of_an_environment_of_pictures_says_how_to_go_on():
    import dfplan_envs  # noqa: F401 - its environments by their ids

    with pytest.raises(
        UserError, match=r"give its weights to `dfplan eval env=pixelmaze-large-v1 weights=.*PixelAgent"
    ):
        dfplan.Agent(tiny_model(), gymnasium.make("pixelmaze-large-v1"))
