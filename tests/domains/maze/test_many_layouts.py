"""Many random layouts to train in: a trajectory each, in its own walls, and none of a layout that is held out."""

import json
from contextlib import nullcontext

import numpy as np
import pytest

from dfplan.cli.main import main
from dfplan.domains.find import find_domain, find_drawn
from dfplan.domains.maze.environment import load_maze
from dfplan.domains.maze.layouts import id_of
from dfplan.domains.maze.many_layouts import many_layouts
from dfplan.domains.maze.random_layouts import random_layout
from dfplan.errors import UserError
from dfplan.models.bundle import load_bundle
from dfplan.settings.resynthesis import ResynthesisSettings

SEEDS = (3, 4, 5)


@pytest.fixture(scope="module")
def domain():
    """That of three layouts."""
    drawn = find_drawn("maze2d", layout="random:3-5")
    assert drawn is not None
    return find_domain(drawn.env_id)


@pytest.fixture(scope="module")
def path(domain, tmp_path_factory):
    """A file of its data, few."""
    path = tmp_path_factory.mktemp("many") / "many.hdf5"
    domain.generate(path, num_steps=12_000, on_progress=lambda done, total: None, say=print)
    return path


@pytest.fixture(scope="module")
def data(domain, path):
    """The same, read."""
    return domain.load(str(path), say=print, cache_folder=path.parent, bar=lambda what: nullcontext())


def test_every_layout_has_a_trajectory_within_its_own_walls(data):
    assert np.diff(data.starts).tolist() == [4000] * len(SEEDS)
    for number, seed in enumerate(SEEDS):
        maze = load_maze(id_of(random_layout(seed)))
        places = data.observations[data.starts[number] : data.starts[number + 1], :2]
        assert not maze.contains_wall(places).any()


def test_what_is_driven_anew_stays_where_one_of_the_layouts_was_visited(domain, data):
    scorer = domain.fit_scorer(data)
    settings = ResynthesisSettings(num_steps=3000)
    driven = domain.resynthesise(data, settings, scorer=scorer, seed=0, on_progress=lambda done, total: None)
    mazes = [load_maze(id_of(random_layout(seed))) for seed in SEEDS]
    for first, last in zip(driven.starts[:-1], driven.starts[1:], strict=True):
        places = driven.observations[first:last, :2]
        assert min(maze.contains_wall(places).mean() for maze in mazes) < 0.01


def test_layouts_that_are_held_out_are_not_trained_on():
    for name in ("random:9990-10010", "random-huge:0-3", "random:5-3"):
        with pytest.raises(UserError):
            many_layouts(name)
    assert many_layouts("random:7") is None
    assert many_layouts("my_maze.txt") is None


def test_evaluation_is_in_one_layout_at_a_time(domain):
    with pytest.raises(UserError, match="evaluate in one maze"):
        domain.protocol(goal="random")


def test_what_is_trained_in_many_plans_in_another_that_it_is_told(path, tmp_path):
    run, tiny = tmp_path / "run", ["training.num_steps=2", "training.compiled=false", "model.width=16", "threads=1"]
    words = ["env=maze2d", "layout=random:3-5", f"data={path}", "resynthesis.num_steps=3000", f"output={run}"]
    assert main(["train", *words, *tiny]) == 0
    assert load_bundle(run / "model")[1]["env"] == "maze2d-random-medium-3-5"
    words = ["env=maze2d", "layout=random:5000", f"weights={run}", "planner=map", "goal=random", "n_episodes=2"]
    assert main(["eval", *words, "seed=5000", "report=false", f"output={tmp_path / 'out'}"]) == 0
    record = json.loads((tmp_path / "out" / "results.json").read_text())
    assert record["metrics"]["success_rate"]["mean"] == 1  # by the map alone: these weights know nothing
