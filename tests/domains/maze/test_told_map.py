"""Weights in a maze that they have never seen find their way where its map is told, and without it they do not."""

import json

import numpy as np
import pytest

from dfplan.cli.build import with_map
from dfplan.cli.folders import bundled_weights
from dfplan.cli.main import main
from dfplan.domains.find import find_domain, find_drawn
from dfplan.errors import UserError
from dfplan.models.forcing_model import load_forcing_model

LAYOUT = "random:5000"
WEIGHTS = f"weights={bundled_weights() / 'maze2d-large'}"


@pytest.fixture(scope="module")
def domain():
    """That of a layout to tune on."""
    drawn = find_drawn("maze2d", layout=LAYOUT)
    assert drawn is not None
    return find_domain(drawn.env_id)


@pytest.fixture(scope="module")
def model():
    """Weights of another maze."""
    return load_forcing_model(bundled_weights() / "maze2d-large")


def test_the_map_is_where_the_ball_fits(domain, model):
    support = with_map(model, domain, env_name="").support
    centers = support.origin + support.cell * (np.argwhere(support.visited) + 0.5)
    assert not domain.maze.contains_wall(centers).any()
    assert support.contains(domain.maze.free_cells.astype(float)).all()
    assert 0.75 < support.visited.sum() * support.cell**2 / len(domain.maze.free_cells) < 1  # a cell is 1, less a rim


def test_parts_end_on_the_shortest_way(domain, model):
    scorer = with_map(model, domain, env_name="").scorer
    start, goal = (cell.astype(float) for cell in domain.maze.free_cells[[0, -1]])
    way = scorer.surroundings.way(start, goal)
    assert scorer.support.contains(way[1:-1]).all()
    assert scorer.plans_by_parts
    assert not model.scorer.plans_by_parts


def episodes(tmp_path, *words):
    words = ["eval", "env=maze2d", f"layout={LAYOUT}", "goal=random", "n_episodes=3", "seed=5000", *words]
    assert main([*words, "report=false", f"output={tmp_path}"]) == 0
    return json.loads((tmp_path / "results.json").read_text())["metrics"]


@pytest.mark.parametrize("agent", ["trained", "grid"])
def test_who_is_told_the_map_arrives_where_it_never_was(tmp_path, agent):
    assert episodes(tmp_path, WEIGHTS, "planner=map", f"agent={agent}")["success_rate"]["mean"] == 1


@pytest.mark.slow
def test_who_is_not_told_does_not(tmp_path):
    assert episodes(tmp_path, WEIGHTS)["success_rate"]["mean"] < 1


def test_where_nobody_knows_a_map_none_is_told(model):
    with pytest.raises(UserError, match="nobody knows"):
        with_map(model, find_domain("Pendulum-v1"), env_name="Pendulum-v1")
