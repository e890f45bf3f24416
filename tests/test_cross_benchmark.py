"""The smallest stitching: nobody turned at the crossing, and who forgets where it came from does."""

import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def crossing(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS / "cross"))
    import crossing

    yield crossing
    del sys.modules["crossing"]


def _drive(env, *, seed, by):
    """Whether an episode that walks straight to each of the places in turn, half of the steps each, is a success."""
    seen, _ = env.reset(seed=seed)
    for place in by(seen["desired_goal"]):
        for left in range(16, 0, -1):
            seen, _, _, _, info = env.step((place - seen["observation"]) / left / 0.1)
    return info["is_success"]


def test_ways_go_straight_on_and_a_turn_alone_is_a_success(crossing):
    data = crossing.straight_ways(50, seed=0)
    ways = data.observations.reshape(50, -1, 2)
    assert np.linalg.norm(ways[:, -1] + ways[:, 0], axis=1).max() < 0.2  # opposite corners
    assert np.linalg.norm(ways[:, 16], axis=1).max() < 0.3  # over the middle
    np.testing.assert_allclose(np.diff(ways, axis=1), 0.1 * data.actions.reshape(50, -1, 2)[:, :-1], atol=1e-6)
    env = crossing.Crossing()
    middle = np.zeros(2)
    assert _drive(env, seed=0, by=lambda goal: (middle, goal))
    assert not _drive(env, seed=0, by=lambda goal: (middle, -middle + [1, -goal[1]]))  # straight on
    assert not _drive(env, seed=0, by=lambda goal: ([0, goal[1]], goal))  # along the edge


@pytest.mark.slow
def test_plans_turn_without_memory_and_not_with_it(crossing, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.delitem(sys.modules, "run", raising=False)
    import run

    options = run.TRAINED
    data = crossing.straight_ways(run.WAYS, seed=0)
    run.dfplan.train(data, env=run.ENV, seed=0, output=tmp_path / "planner", options=options)
    asked = (f"env={run.ENV}", "n_episodes=50", "seed=5000")
    found = {
        name: run.share([*run.PLAYED, *run.ROWS[name], *asked], [tmp_path / "planner"])["success"]["mean"]
        for name in ("no_memory", "memory")
    }
    sys.modules.pop("run")
    assert found["no_memory"] >= 0.9, found
    assert found["memory"] <= 0.05, found
