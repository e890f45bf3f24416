"""Random mazes are connected and closed, follow from their seed, and none that is held out is learned from."""

import numpy as np
import pytest

from dfplan.cli.main import main
from dfplan.data.d4rl_file import read_metadata
from dfplan.domains.find import find_drawn
from dfplan.domains.maze.environment import load_maze
from dfplan.domains.maze.layouts import check_layout, layout_of, longest_way
from dfplan.domains.maze.random_layouts import HELD_OUT, SIZES, is_held_out, random_layout
from dfplan.errors import UserError

SEEDS = range(60)


def walls_of(rows):
    return np.array([list(row) for row in rows]) == "#"


@pytest.fixture(scope="module", params=sorted(SIZES))
def drawn(request):
    """A size, layouts to learn from, and layouts that are held out."""
    size = request.param
    held_out = [random_layout(HELD_OUT + seed, size=size, held_out=True) for seed in SEEDS]
    return size, [random_layout(seed, size=size) for seed in SEEDS], held_out


def test_every_layout_is_a_maze_of_d4rls_size(drawn):
    """Connected, closed, with one goal: what a maze of one's own has to be."""
    size, layouts, held_out = drawn
    published = load_maze(f"maze2d-{size}-v1").layout
    _, (fewest, most) = SIZES[size]
    assert fewest <= (~walls_of(published)).sum() <= most
    for rows in layouts + held_out:
        assert check_layout(rows) is None
        assert walls_of(rows).shape == walls_of(published).shape
        assert fewest <= (~walls_of(rows)).sum() <= most
    assert np.median([longest_way(rows) for rows in layouts]) >= longest_way(published)


def test_seeds_are_distinct_and_the_same_everywhere(drawn):
    size, layouts, held_out = drawn
    assert len({walls_of(rows).tobytes() for rows in layouts + held_out}) == 2 * len(SEEDS)
    assert random_layout(7, size=size) == layouts[7]
    first = {"medium": "##O#O#O#", "large": "#OO#OOOOOOO#"}[size]
    assert layouts[0][3 if size == "medium" else 2] == first


def test_what_is_held_out_is_no_mirror_image_of_what_is_learned_from_whatever_the_seed(drawn):
    _, layouts, held_out = drawn
    for rows, out in [(rows, False) for rows in layouts] + [(rows, True) for rows in held_out]:
        walls = walls_of(rows)
        assert {is_held_out(each) for each in (walls, walls[::-1], walls[:, ::-1], walls.T, np.rot90(walls))} == {out}


@pytest.mark.parametrize(("seed", "size"), [(HELD_OUT, "medium"), (-1, "large"), (0, "huge")])
def test_to_learn_from_one_that_is_held_out_is_refused(seed, size):
    with pytest.raises(UserError, match="held out" if size != "huge" else "medium, large"):
        random_layout(seed, size=size)


def test_a_command_knows_them_by_their_seed_and_names_those_that_are_held_out(tmp_path, capsys):
    path = tmp_path / "data.hdf5"
    assert main(["generate", "env=maze2d", "layout=random:3", "num_steps=200", f"output={path}"]) == 0
    rows = random_layout(3)
    assert layout_of(read_metadata(path)["env_id"]) == rows
    assert "\n".join(rows) in capsys.readouterr().err
    assert find_drawn("maze2d", layout="random:3").env_name == "maze2d-random-medium-3"
    assert find_drawn("maze2d", layout="random-large:10003").env_name == "maze2d-held-out-large-10003"
    assert main(["generate", "env=maze2d", "layout=random-huge:3"]) == 2
    assert "medium, large" in capsys.readouterr().err
    assert main(["generate", "env=maze2d", "layout=random:x"]) == 2
    assert "random-medium:<seed>, random-large:<seed>" in capsys.readouterr().err
    assert main(["eval", "env=maze2d", "layout=random:3"]) == 2
    assert "dfplan train env=maze2d layout=" in capsys.readouterr().err
