"""An agent in a loop: what it passed, what its plan breaks, what it broke."""

import numpy as np
from tiny_model import POINT_MASS, line_model

from dfplan.agent import MPCAgent, PlannedActions, ShootingTracker
from dfplan.domains.maze.repair import step_of
from dfplan.planner import GuidanceSettings, Planner, PlannerSettings
from dfplan.planner.constraints import Constraints
from dfplan.planner.obligations import Obligations

START, GOAL = np.array([[2.0, 2.0, 0.0, 0.0]]), np.array([[2.0, 8.0]])


def drive(controller, *, num_steps=500, **guidance):
    settings = PlannerSettings(num_candidates=2, guidance=GuidanceSettings(**guidance))
    planner, plans = Planner(line_model(num_tokens=80), settings=settings), []
    if controller is ShootingTracker:
        driver = ShootingTracker(POINT_MASS, goal_radius=0.5, constraints=planner.constraints)
    else:
        driver = PlannedActions()
    agent = MPCAgent(planner, controller=driver, replan_every=8, horizon=800, on_plan=plans.append)
    agent.reset(seeds=[0], goals=GOAL)
    state, visited = START, [START[0]]
    for _ in range(num_steps):
        state = step_of(state, agent.act(state).astype(np.float64), dynamics=POINT_MASS)
        visited.append(state[0])
    agent.act(state)
    return np.stack(visited), agent, plans


def test_both_controllers_keep_everything_and_the_agent_says_so():
    for controller in (ShootingTracker, PlannedActions):
        visited, agent, _ = drive(controller, keep_out=[[2.1, 5, 0.6]], waypoints=[[5, 4]], max_speed=4)
        assert (np.linalg.norm(visited[:, :2] - [2.1, 5], axis=1) >= 0.6).all()
        assert (np.linalg.norm(visited[:, :2] - [5, 4], axis=1) <= 0.5).any()
        assert (np.linalg.norm(visited[:, 2:], axis=1) <= 4.0).all()
        assert (np.linalg.norm(visited[:, :2] - GOAL[0], axis=1) <= 0.5).any()
        assert agent.info["broken_by_plan"] == ((),)
        assert agent.info["broken_by_driving"] == ((),)
        assert agent.info["waypoints_left"].tolist() == [0]


def test_a_plan_that_keeps_everything_is_not_replaced_for_its_age():
    _, _, plans = drive(ShootingTracker, waypoints=[[5, 4]])
    assert len(plans) < 5


def test_a_plan_that_breaks_something_is_flagged():
    _, agent, _ = drive(ShootingTracker, num_steps=3, waypoints=[[50, 50]], rounds=1)
    assert agent.info["broken_by_plan"] == (("waypoints",),)
    assert agent.info["waypoints_left"].tolist() == [1]


def test_nothing_to_keep_is_nothing_to_say():
    _, agent, _ = drive(ShootingTracker, num_steps=3)
    assert agent.info == {}


def test_what_is_driven_is_watched_step_by_step():
    watched = Obligations(
        Constraints(keep_out=[[1, 0, 0.2]], waypoints=[[0, 0], [2, 0]], in_order=True, max_speed=5),
        radius=0.1,
        seconds_per_step=0.1,
    )
    watched.reset(2)
    for position in ([0, 0], [0.5, 0], [1, 0], [2, 0]):
        watched.observe(np.array([position, [0.0, 0.0]]))
    assert watched.info["broken_by_driving"] == (("keep_out", "max_speed"), ())
    assert watched.info["waypoints_left"].tolist() == [0, 1]
    watched.restart(np.array([0]))
    watched.observe(np.array([[2.0, 0.0], [0.0, 0.0]]))
    assert watched.info["broken_by_driving"] == ((), ())
    assert watched.info["waypoints_left"].tolist() == [2, 1]  # in order, the second does not count yet
