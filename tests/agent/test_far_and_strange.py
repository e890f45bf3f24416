"""What is far from the data or no number is refused; all else gives actions that are finite and in their space."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_model import DENOISERS, POINT_MASS, SUPPORT, line_model, tiny_denoiser, tiny_model

from dfplan.agent import GoalPolicy, MPCAgent, PlannedActions, ShootingTracker
from dfplan.baselines.diffuser.model import DiffuserModel
from dfplan.baselines.diffuser.planner import DiffuserPlanner
from dfplan.baselines.diffuser.temporal_unet import TemporalUnet
from dfplan.baselines.diffuser.tracker import StateTracker
from dfplan.baselines.diffuser.windows import LimitsNormalizer
from dfplan.domains.maze.grid import GridPlanner
from dfplan.domains.maze.protocol import MazeProtocol
from dfplan.errors import UserError
from dfplan.evaluation.rollout import evaluate_agent
from dfplan.planner import Planner, PlannerSettings
from dfplan.scorers import ReturnScorer
from dfplan.tokens import TokenLayout
from dfplan.types import Bounds, Plan

GOAL, STATE = np.array([5.0, 1.0]), np.array([1.0, 2.0, 0.5, -0.5])
SIZES = [9.9, 14.0, 30.0, 1e3, 1e6, 1e12, 1e18, 1e19, 1e30, 1e38, 1e39, 1e160, 1e308, np.finfo(np.float64).max]
SETTINGS = PlannerSettings(num_candidates=2)


def shooting():
    return ShootingTracker(POINT_MASS, goal_radius=0.5)


def diffuser():
    torch.manual_seed(0)
    normalizer = LimitsNormalizer(-torch.ones(6), torch.tensor([1.0, 1.0, 9.0, 9.0, 5.0, 5.0]))
    model = DiffuserModel(
        unet=TemporalUnet(token_dim=6, width=8, num_layers=2).eval(),
        normalizer=normalizer,
        horizon=16,
        num_levels=4,
        action_dim=2,
        goal_radius=0.5,
        dynamics=POINT_MASS,
        metadata={},
    )
    return MPCAgent(DiffuserPlanner(model), controller=StateTracker(), replan_every=4, horizon=16)


def planned(controller, name=None):
    model = line_model() if name is None else tiny_model(tiny_denoiser(name))
    return MPCAgent(Planner(model, settings=SETTINGS), controller=controller, replan_every=4, horizon=16)


def grid():
    planner = GridPlanner(SUPPORT, dynamics=POINT_MASS, goal_radius=0.5)
    return MPCAgent(planner, controller=shooting(), replan_every=4, horizon=16)


AGENTS = {
    "actions": lambda: planned(PlannedActions()),
    "shooting": lambda: planned(shooting()),
    **{f"actions of a {name}": lambda name=name: planned(PlannedActions(), name) for name in DENOISERS},
    **{f"shooting of a {name}": lambda name=name: planned(shooting(), name) for name in DENOISERS},
    "diffuser": diffuser,
    "grid": grid,
}


def far(row, size):
    """Rows like this one with one or all numbers far away."""
    for index in range(len(row)):
        for sign in (-1, 1):
            moved = row.astype(np.float64).copy()
            moved[index] = sign * size
            yield moved
    yield np.full(len(row), size)


def _lies(row, bounds):
    return ((row >= bounds.low) & (row <= bounds.high)).all()


@pytest.mark.parametrize("name", AGENTS)
def test_near_the_data_is_its_range_with_half_of_it_on_either_side(name):
    reach = AGENTS[name]().planner.reach
    low, high = ([-1, -1], [9, 9]) if name == "diffuser" else ([0, 0], [10, 10])
    width, fastest = np.subtract(high, low), 5.0
    np.testing.assert_allclose(reach.goals.low, low - width / 2)
    np.testing.assert_allclose(reach.goals.high, high + width / 2)
    np.testing.assert_allclose(reach.observations.high[:2], reach.goals.high)
    assert (reach.observations.high[2:] <= 2 * fastest).all()
    assert (reach.observations.high[2:] > fastest).all()


@pytest.mark.parametrize("name", DENOISERS)
def test_an_agent_that_clips_goes_on_from_the_edge_of_the_data_and_counts(name):
    planner = Planner(tiny_model(tiny_denoiser(name)), settings=SETTINGS)
    sizes = {"controller": PlannedActions(), "replan_every": 1, "horizon": 16}
    clipping, told = MPCAgent(planner, clips=True, **sizes), MPCAgent(planner, **sizes)
    for agent in (clipping, told):
        agent.reset(seeds=[0, 1], goals=np.stack([GOAL, GOAL]))
    seen = np.stack([STATE, [1e30, 2.0, 0.5, -0.5]])
    edge = np.clip(seen, planner.reach.observations.low, planner.reach.observations.high)
    np.testing.assert_array_equal(clipping.act(seen), told.act(edge))
    assert clipping.num_clipped == 1
    clipping.finish(np.array([1]))
    clipping.act(seen)
    assert clipping.num_clipped == 1  # of an episode that is over, nothing is planned
    with pytest.raises(UserError, match="must be finite"):
        clipping.act(np.full((2, 4), np.nan))


@pytest.mark.parametrize("std", np.linspace(0.9, 1.1, 21))
def test_what_is_clipped_in_single_precision_is_not_rounded_beyond_the_edge(std):
    model = replace(tiny_model(), scorer=ReturnScorer())
    model.normalizer.observation_std.mul_(std)
    planner = Planner(model, settings=SETTINGS)
    agent = MPCAgent(planner, controller=PlannedActions(), replan_every=1, horizon=16, clips=True)
    agent.reset(seeds=[0], goals=GOAL[None])
    for far in (-1e30, 1e30):
        assert np.isfinite(agent.act(np.full((1, 4), far, np.float32))).all()


def test_an_evaluation_counts_what_its_agent_clips_from_when_it_began():
    model = tiny_model()  # of a square from 0 to 10: in the large maze it is asked for goals of its own, and never far
    agent = MPCAgent(
        Planner(model, settings=SETTINGS), controller=PlannedActions(), replan_every=64, horizon=16, clips=True
    )
    agent.num_clipped = 7
    protocol = MazeProtocol("maze2d-large-v1")
    how = {"num_episodes": 2, "num_envs": 2, "seed": 0}
    protocol.most_steps = 3
    assert evaluate_agent(agent, protocol, **how).outside_data == 0
    agent._reach = replace(agent._reach, observations=Bounds(np.zeros(4), np.full(4, 0.1)))
    assert evaluate_agent(agent, protocol, **how).outside_data == 6


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", AGENTS)
def test_actions_are_finite_and_inside_or_what_is_shown_is_refused(name, size):
    agent = AGENTS[name]()
    reach = agent.planner.reach
    for goal in far(GOAL, size):
        for state in (STATE, *far(STATE, size)):
            is_near = _lies(goal, reach.goals) and _lies(state, reach.observations)
            refused = nullcontext() if is_near else pytest.raises(UserError, match="must be near the data, between")
            with refused:
                agent.reset(seeds=[0], goals=goal[None])
                actions = np.concatenate([agent.act(state[None]) for _ in range(2)])
                assert np.isfinite(actions).all()
                assert (np.abs(actions) <= 1).all()


@pytest.mark.parametrize("name", AGENTS)
def test_a_refused_goal_or_observation_changes_nothing(name):
    agent = AGENTS[name]()
    agent.reset(seeds=[0], goals=GOAL[None])
    expected = [agent.act(STATE[None]) for _ in range(3)]
    agent.reset(seeds=[0], goals=GOAL[None])
    actions = []
    for _ in range(3):
        for refused in (lambda: agent.reset(seeds=[0], goals=GOAL[None] * 1e30), lambda: agent.act(STATE[None] * 1e30)):
            with pytest.raises(UserError):
                refused()
        actions.append(agent.act(STATE[None]))
    np.testing.assert_array_equal(actions, expected)


STRANGE = {
    "nan": np.full((1, 4), np.nan),
    "infinite": np.full((1, 4), -np.inf),
    "masked": np.ma.array(STATE[None], mask=[[0, 1, 0, 0]]),
    "not masked": np.ma.array(STATE[None]),
    "texts": np.array([["1", "2", "3", "4"]]),
    "objects": STATE[None].astype(object),
    "complex": STATE[None].astype(complex),
    "bools": STATE[None] > 0,
    "dates": np.zeros((1, 4), "M8[s]"),
    "a row": STATE,
    "too wide": np.zeros((1, 5)),
    "too narrow": np.zeros((1, 1)),
    "a volume": np.zeros((1, 4, 1)),
    "ragged": [[1.0, 2.0, 3.0]],
    "nones": [[None] * 4],
    "huge": [[10**400] * 4],
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_no_row_of_numbers_is_refused(name):
    strange = STRANGE[name]
    agent = AGENTS["shooting"]()
    agent.reset(seeds=[0], goals=GOAL[None])
    with pytest.raises(UserError):
        agent.act(strange)
    is_rows = isinstance(strange, np.ndarray) and strange.ndim == 2 and name != "too wide"
    goals = strange[:, :2] if is_rows else strange
    with pytest.raises(UserError):
        agent.reset(seeds=[0] * len(goals), goals=goals)
    planner, generators = agent.planner, [torch.Generator()]
    with pytest.raises(UserError):
        planner.plan(strange, GOAL[None], horizon=4, generators=generators)
    with pytest.raises(UserError):
        planner.plan(STATE[None], goals, horizon=4, generators=generators)
    policy = GoalPolicy(agent, seed=0)
    for shown in ({"observation": strange, "desired_goal": GOAL}, {"observation": STATE, "desired_goal": goals}):
        if name not in ("a row", "too wide"):
            with pytest.raises(UserError):
                policy.predict(shown)


@pytest.mark.parametrize("size", SIZES[2:])
def test_a_policy_and_a_memory_refuse_what_is_far(size):
    with pytest.raises(UserError, match="must be near the data"):
        GoalPolicy(AGENTS["shooting"](), seed=0).predict({"observation": STATE, "desired_goal": np.full(2, size)})
    with pytest.raises(UserError, match="must be near the data"):
        GoalPolicy(AGENTS["shooting"](), seed=0).predict({"observation": np.full(4, -size), "desired_goal": GOAL})


def test_lists_are_as_good_as_arrays():
    agent = AGENTS["shooting"]()
    agent.reset(seeds=[0], goals=[GOAL.tolist()])
    from_lists = agent.act([STATE.tolist()])
    agent.reset(seeds=[0], goals=[GOAL])
    np.testing.assert_array_equal(agent.act([STATE]), from_lists)


class Spoiled:
    """Makes plans that are not finite, or go too far."""

    observation_dim, goal_dim = 4, 2

    def __init__(self, *, actions=0.0, states=0.0):
        self.actions, self.states = actions, states

    def plan(self, observations, goals, *, horizon, generators, previous=None):
        count = len(goals)
        return Plan(
            observations=np.full((count, 4, 4), self.states),
            actions=np.full((count, 8, 2), self.actions, np.float32),
            rewards=np.zeros((count, 2)),
            arrival=np.full(count, 9),
            num_steps=np.full(count, 8),
            value=np.zeros(count),
            steps_per_point=2,
        )


@pytest.mark.parametrize("controller", [PlannedActions(), shooting()])
@pytest.mark.parametrize("spoiled", [{"actions": np.nan}, {"actions": np.inf}, {"states": np.nan}, {"states": -np.inf}])
def test_a_plan_that_is_not_finite_is_refused(controller, spoiled):
    agent = MPCAgent(Spoiled(**spoiled), controller=controller, replan_every=4, horizon=8)
    agent.reset(seeds=[0], goals=GOAL[None])
    with pytest.raises(UserError, match="the plan is not finite"):
        agent.act(STATE[None])


def test_a_plan_across_the_world_is_refused_before_it_takes_all_memory():
    agent = MPCAgent(Spoiled(states=1e12), controller=shooting(), replan_every=4, horizon=8)
    agent.reset(seeds=[0], goals=GOAL[None])
    with pytest.raises(UserError, match="a planned path"):
        agent.act(STATE[None])


def test_actions_beyond_the_space_are_clipped():
    agent = MPCAgent(Spoiled(actions=3.0), controller=PlannedActions(), replan_every=4, horizon=8)
    agent.reset(seeds=[0], goals=GOAL[None])
    assert agent.act(STATE[None]).tolist() == [[1.0, 1.0]]


def test_a_memory_refuses_what_is_far():
    layout = TokenLayout(4, 1, action_dim=2, observation_dim=4, goal_dim=2)
    model = replace(tiny_model(tiny_denoiser(layout=layout)), layout=layout)
    planner = Planner(model, settings=replace(SETTINGS, history=None))
    for strange in (STATE[None] * 1e30, np.ma.array(STATE[None], mask=[[1, 0, 0, 0]])):
        with pytest.raises(UserError):
            planner.believe(strange, levels=np.zeros(1))


def test_what_is_said_to_be_noise_may_lie_off_the_data_but_not_anywhere():
    layout = TokenLayout(4, 1, action_dim=2, observation_dim=4, goal_dim=2)
    model = replace(tiny_model(tiny_denoiser(layout=layout)), layout=layout)
    planner = Planner(model, settings=SETTINGS)
    near, far = planner.observation_bounds(None), planner.observation_bounds(np.ones(1))
    off = ((near.high + far.high[0]) / 2)[None]
    assert (off > near.high).any()
    agent = MPCAgent(planner, controller=PlannedActions(), replan_every=4, horizon=8)
    for level in (None, np.zeros(1)):
        agent.reset(seeds=[0], goals=GOAL[None])
        with pytest.raises(UserError, match="near the data"):
            agent.act(off, levels=level)
    agent.reset(seeds=[0], goals=GOAL[None])
    assert np.isfinite(agent.act(off, levels=np.ones(1))).all()
    for level in (1e-3, 1.0):
        agent.reset(seeds=[0], goals=GOAL[None])
        with pytest.raises(UserError, match="near the data"):
            agent.act(STATE[None] * 1e30, levels=np.full(1, level))
