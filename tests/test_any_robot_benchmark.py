"""The benchmark of any robot: its data are of mixed quality, its figures are the newest of the files."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from dfplan.domains.gymnasium import GymnasiumDomain
from dfplan.domains.scripted.collect import always
from dfplan.domains.scripted.domain import ScriptAgent
from dfplan.evaluation.rollout import evaluate_agent

FOLDER = Path(__file__).parents[1] / "benchmarks" / "any_robot"


@pytest.fixture
def script(monkeypatch):
    """Imports a script of the folder by its name, as its neighbours do."""
    monkeypatch.syspath_prepend(str(FOLDER.parent))
    monkeypatch.syspath_prepend(str(FOLDER))
    yield __import__
    for name in ("demonstrations", "summary", "pointmaze", "records", "worlds", "run"):
        sys.modules.pop(name, None)


def test_hands_are_of_all_qualities_and_the_expert_is_better_than_most(script):
    demonstrations = script("demonstrations")
    robot = demonstrations.ROBOTS["pendulum"]
    data = demonstrations.collect(robot, num_episodes=12, seed=3)
    assert data.observations.shape == (12 * 201, 3)
    assert np.abs(data.actions).max() <= 2
    assert data.truncations.sum() == 12
    returns = demonstrations.returns_of(data)
    domain = GymnasiumDomain(robot.env_id)
    expert = ScriptAgent(always(robot.hand(np.array(robot.weights))), domain.spec.action_bounds)
    found = evaluate_agent(expert, domain.protocol(), num_episodes=6, num_envs=6, seed=0).returns
    assert np.ptp(returns) > 500
    assert found.mean() > -200 > np.median(returns)


def test_the_same_seed_makes_the_same_data(script):
    collect, robots = script("demonstrations").collect, script("demonstrations").ROBOTS
    first, again, other = (collect(robots["pendulum"], num_episodes=1, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.observations, again.observations)
    assert not np.array_equal(first.observations, other.observations)


def test_a_pointmaze_is_shown_as_the_maze2d_of_the_same_walls(script):
    pytest.importorskip("gymnasium_robotics")
    environments = script("pointmaze").PointMazes("PointMaze_Medium-v3")
    env = environments.make()
    observed, _ = env.reset(seed=0, options={"reset_cell": np.array([3, 2]), "goal_cell": np.array([6, 5])})
    np.testing.assert_allclose(environments.observation(observed), [2.8, 1.8, 0, 0], atol=0.26)
    np.testing.assert_allclose(environments.goal(observed), [5.8, 4.8], atol=0.26)
    before = environments.observation(observed)
    for _ in range(8):
        observed = env.step(np.array([0.0, 1.0]))[0]  # along the row, to the right
    moved = environments.observation(observed) - before
    assert moved[1] > 0.05 > np.abs(moved[0])


def test_figures_are_those_of_the_newest_files(script, tmp_path):
    summary = script("summary")
    for date, value in (("2026-01-01", 1.0), ("2026-01-02", 2.0)):
        record = {"date": date, "figures": {"pendulum.bc": {"mean": value}}}
        (tmp_path / f"{date}.json").write_text(json.dumps(record))
    assert summary.summarize(summary.load(tmp_path)) == {"pendulum.bc": {"mean": 2.0}}


def test_the_summary_is_that_of_the_result_files(script, monkeypatch):
    assert script("summary").BENCHMARK.main(["--check"]) == 0
