"""A maze that somebody draws in a text file is a maze like any other."""

import json
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from PIL import Image

from dfplan.cli.main import main
from dfplan.domains.find import find_domain, find_drawn
from dfplan.domains.maze.environment import load_maze, qualified_id
from dfplan.domains.maze.layouts import check_layout, id_of, layout_of, num_tokens, read_layout
from dfplan.domains.maze.sources import default_num_steps
from dfplan.errors import UserError

DRAWN = "########\n#..O  .#\n#.####.#\n#..#G..#\n########\n"
ROWS = ("########", "#OOOOOO#", "#O####O#", "#OO#GOO#", "########")


@pytest.fixture
def drawn(tmp_path):
    path = tmp_path / "my maze,=é.txt"
    path.write_text(DRAWN, encoding="utf-8")
    return path


def test_a_drawing_becomes_an_environment_whose_id_says_all_of_it(drawn):
    assert read_layout(drawn) == ROWS
    env_id = id_of(ROWS)
    assert layout_of(env_id) == ROWS
    maze = load_maze(env_id)
    assert maze.layout == ROWS
    assert maze.goal_cell == (3, 4)
    env = gymnasium.make(qualified_id(env_id), goal="random")
    observation, info = env.reset(seed=0)
    assert not maze.contains_wall(np.stack([observation[:2], info["goal"]])).any()
    assert find_domain(env_id).spec.episode_steps == maze.max_episode_steps == 500  # 11 cells are the longest way


def test_a_copy_of_large_is_driven_bit_for_bit_as_large():
    large = load_maze("maze2d-large-v1")
    copies = []
    for env_id in ("maze2d-large-v1", id_of(large.layout)):
        env = gymnasium.make(qualified_id(env_id))
        env.reset(seed=3)
        actions = np.random.default_rng(0).uniform(-1, 1, (50, 2)).astype(np.float32)
        copies.append([env.step(each)[0] for each in actions])
    np.testing.assert_array_equal(*copies)
    assert load_maze(id_of(large.layout)).max_episode_steps == large.max_episode_steps


@pytest.mark.parametrize("name", ["umaze", "medium", "large", "eval-umaze", "eval-medium", "eval-large"])
def test_sizes_grow_as_they_do_for_d4rls_mazes(name):
    published = {"umaze": 1_000_000, "medium": 2_000_000, "large": 4_000_000}
    maze = load_maze(f"maze2d-{name}-v1")
    assert default_num_steps(f"maze2d-{name}-v1") == published[name.removeprefix("eval-")]
    own = load_maze(id_of(maze.layout))
    assert abs(own.max_episode_steps - maze.max_episode_steps) <= 100
    assert 16 <= num_tokens(maze.layout) <= 24


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (("####", "#OG#", "###"), "row 2 has 3 cells and row 0 has 4"),
        (("##", "##"), "has 2 x 2 cells"),
        (("#" * 40,) * 40, "from 3 x 3 to 1000 in all"),
        (("#####", "#OXG#", "#####"), "row 1, column 2 is 'X'"),
        (("#####", "#OOO#", "#####"), "has 0 cells G"),
        (("#####", "#GOG#", "#####"), "has 2 cells G"),
        (("#####", "#GOOO", "#####"), "row 1, column 4 is open to the outside"),
        (("###", "#G#", "###"), "no free cell beside G"),
        (("#####", "#G#O#", "#####"), "row 1, column 3 cannot be reached"),
    ],
)
def test_what_is_no_maze_is_refused_and_says_where(tmp_path, rows, complaint):
    assert complaint in check_layout(rows)
    (path := tmp_path / "wrong.txt").write_text("\n".join(rows))
    with pytest.raises(UserError, match=r"wrong\.txt: "):
        read_layout(path)


def test_a_picture_is_a_drawing_a_pixel_a_cell(tmp_path):
    colours = {"#": (20, 20, 60), "O": (240, 240, 240), "G": (220, 30, 30)}
    pixels = np.array([[colours[cell] for cell in row] for row in ROWS], np.uint8)
    Image.fromarray(pixels).save(path := tmp_path / "floor.PNG")
    assert read_layout(path) == ROWS
    Image.fromarray(pixels.repeat(8, axis=0).repeat(8, axis=1)).save(path := tmp_path / "large.png")
    with pytest.raises(UserError, match="scale it down"):
        read_layout(path)
    (path := tmp_path / "none.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="no picture"):
        read_layout(path)


def test_an_id_that_says_no_maze_is_none():
    good = id_of(ROWS)
    for wrong in (
        good.replace("5x8", "5x9"),
        good.replace("3x4-v0", "3x3-v0"),  # another goal, in a wall
        good.replace("3x4-v0", "9x4-v0"),
        good.replace("-v0", "-v1"),
        "maze2d-3x3-____-1x1-v0",
        "maze2d-large-v1",
    ):
        assert layout_of(wrong) is None
    with pytest.raises(UserError, match="no environment"):
        find_domain(good.replace("5x8", "5x9"))


def test_only_mazes_are_drawn(drawn):
    assert find_drawn("Pendulum-v1", layout=None) is None
    for kind, layout, complaint in (
        ("Pendulum-v1", str(drawn), "layout= draws mazes of your own"),
        ("maze2d", None, "draw it in a text file"),
        ("maze2d", "no-such.txt", "no such file"),
    ):
        with pytest.raises(UserError, match=complaint):
            find_drawn(kind, layout=layout)


@pytest.mark.slow
def test_from_a_drawing_to_an_evaluated_planner(drawn, monkeypatch, capsys):
    monkeypatch.chdir(drawn.parent)
    maze = ["env=maze2d", f"layout={drawn.name}"]
    assert main(["generate", *maze, "num_steps=8000", "output=my.hdf5"]) == 0
    few = [
        "resynthesis=none",
        "windows=collected",
        "training.num_steps=20",
        "training.validate_every=0",
        "model.width=16",
        "model.num_layers=1",
        "threads=1",
    ]
    assert main(["train", *maze, "data=my.hdf5", "output=trained", *few]) == 0
    assert main(["train", "resume=trained", "training.num_steps=22"]) == 0  # the drawing is not looked at again
    for agent in ([], ["agent=grid"]):
        out = f"evaluated{len(agent)}"
        assert main(["eval", *maze, "weights=trained", "n_episodes=2", f"output={out}", *agent]) == 0
        record = json.loads(Path(out, "results.json").read_text())
        assert record["metrics"]["raw_return"]["mean"] <= 500
    assert "% of steps at the goal" in capsys.readouterr().out
    assert main(["plan", *maze, "weights=trained", "output=planned"]) == 0
    assert main(["eval", "env=maze2d-large", "weights=trained", "n_episodes=1"]) == 2
