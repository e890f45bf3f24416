"""``dfplan inspect``: a table and a picture of any data; what is malformed, in real files, is refused in one line."""

import json

import h5py
import numpy as np
import pytest
from robot_data import (
    robot,
    write_csv,
    write_d4rl,
    write_lerobot,
    write_minari,
    write_ogbench,
    write_robomimic,
    write_zarr,
)

from dfplan.cli.main import main

WRITERS = {
    "d4rl": write_d4rl,
    "ogbench": write_ogbench,
    "robomimic": write_robomimic,
    "zarr": write_zarr,
    "lerobot": write_lerobot,
    "csv": write_csv,
    "minari": write_minari,
}
NEEDED = {"zarr": "zarr", "lerobot": "pyarrow", "minari": "minari"}
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Minari's, of an author who is not named


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))


@pytest.mark.parametrize("kind", WRITERS)
def test_a_good_data_set_is_told_of_and_drawn(kind, tmp_path, capsys):
    pytest.importorskip(NEEDED.get(kind, "numpy"))
    source = WRITERS[kind](tmp_path, robot())
    assert main(["inspect", f"data={source}", "output=found"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "nothing wrong found" in lines
    assert "steps in 6 episodes" in " ".join(lines)
    assert lines[-1] == "found/data.png"
    assert (tmp_path / "found/data.png").read_bytes().startswith(b"\x89PNG")
    record = json.loads((tmp_path / "found/inspection.json").read_text())
    assert record["episodes"] == 6
    assert record["findings"] == []
    assert ("returns" in record) == (kind not in ("zarr", "csv"))


def changed(arrays, key, rows, values):
    """The arrays with a copy of one of them, in which the rows have other values."""
    array = arrays[key].copy()
    array[rows] = values
    return {**arrays, key: array}


def repeated(arrays, episode=1, steps=80):
    again = slice(episode * steps, (episode + 1) * steps)
    return {key: np.concatenate([each, each[again]]) for key, each in arrays.items()}


def without(arrays, rows):
    return {key: np.delete(each, rows, axis=0) for key, each in arrays.items()}


def scaled(arrays, factor, *, episode=4, steps=80):
    rows = slice(episode * steps, (episode + 1) * steps)
    return changed(arrays, "observations", rows, arrays["observations"][rows] * np.float32(factor))


def leaping(arrays):
    observations = arrays["observations"].copy()
    observations[200:240, :2] += 3
    return {**arrays, "observations": observations}


def rolled_ends(arrays, rows):
    ends = np.roll(arrays["timeouts"], rows)
    ends[-1], ends[0] = True, False
    return {**arrays, "timeouts": ends}


def clock(*, gap):
    """Time of each row of an episode, which goes on twice as far once."""
    frames = np.tile(np.arange(80), 6) * 0.05
    frames[2 * 80 + 30 : 3 * 80] += gap
    return frames


def minari_with(folder, spoil):
    source = write_minari(folder, robot())
    with h5py.File(folder / "minari/mine/robot-v0/data/main_data.hdf5", "a") as file:
        spoil(file)
    return source


def minari_flag(file):
    flags = file["episode_3/terminations"]
    flags[20] = True


def minari_action(file):
    actions = file["episode_2/actions"]
    actions[5] = [0.0, 7.0]


def minari_short(file):
    rewards = file["episode_1/rewards"][:-1]
    del file["episode_1/rewards"]
    file["episode_1/rewards"] = rewards


# How a data set is made, and what the one line says of it.
MALFORMED = {
    "d4rl NaN": (lambda to: write_d4rl(to, changed(robot(), "observations", 170, np.nan)), "episode 2, row 10: obs"),
    "d4rl infinite reward": (lambda to: write_d4rl(to, changed(robot(), "rewards", 0, np.inf)), "episode 0, row 0: re"),
    "d4rl leap": (lambda to: write_d4rl(to, leaping(robot())), "episode 2, row 39 to the next: the state leaps"),
    "d4rl no ends": (
        lambda to: write_d4rl(to, changed(robot(), "timeouts", slice(None), False)),
        "episode 0, row 79 to the next: the state leaps",
    ),
    "d4rl ends late": (lambda to: write_d4rl(to, rolled_ends(robot(), 1)), "one row too late"),
    "d4rl ends early": (lambda to: write_d4rl(to, rolled_ends(robot(), -1)), "one row too early"),
    "d4rl all ends": (
        lambda to: write_d4rl(to, changed(robot(), "timeouts", slice(None), True)),
        "episode 0, row 0: 480 of 480 episodes are of one row",
    ),
    "d4rl millimetres": (lambda to: write_d4rl(to, scaled(robot(), 1000)), "episode 4, row 0: observation 0"),
    "d4rl twice": (lambda to: write_d4rl(to, repeated(robot())), "episode 6, row 0: all its 80 rows are those of ep"),
    "npz far value": (
        lambda to: write_ogbench(to, changed(robot(), "observations", (100, 3), -999)),
        "episode 1, row 20: observation 3 is -999",
    ),
    "npz degrees": (lambda to: write_ogbench(to, scaled(robot(), 57.29578, episode=0)), "episode 0, row 0: observat"),
    "npz twice": (lambda to: write_ogbench(to, repeated(robot())), "episode 6, row 0: all its 80 rows"),
    "npz NaN action": (lambda to: write_ogbench(to, changed(robot(), "actions", 81, np.nan)), "episode 1, row 1: act"),
    "zarr rows missing": (lambda to: write_zarr(to, leaping(robot())), "episode 2, row 39 to the next"),
    "zarr twice": (lambda to: write_zarr(to, repeated(robot(), 0)), "episode 6, row 0: all its 80 rows are those of"),
    "robomimic NaN": (lambda to: write_robomimic(to, changed(robot(), "actions", 85, np.nan)), "episode 1, row 5: act"),
    "robomimic leap": (lambda to: write_robomimic(to, leaping(robot())), "episode 2, row 39 to the next"),
    "lerobot time stamps": (
        lambda to: write_lerobot(to, robot(), timestamp=clock(gap=0.05)),
        "episode 2, row 29: timestamp goes on by 0.1 s",
    ),
    "lerobot frames": (lambda to: write_lerobot(to, robot(), frame_index=np.arange(480)), "episode 1, row 0: frame_in"),
    "lerobot units": (lambda to: write_lerobot(to, scaled(robot(), 1000)), "episode 4, row 0: observation 0"),
    "minari flag inside": (lambda to: minari_with(to, minari_flag), "episode 3, row 20: terminated here, yet"),
    "minari out of bounds": (lambda to: minari_with(to, minari_action), "episode 2, row 5: action 1 is 7, declared"),
    "minari short": (lambda to: minari_with(to, minari_short), "episode 1: must have as many rewards as actions"),
    "csv clock": (
        lambda to: write_csv(to, {**robot(), "time": clock(gap=0.2)}),
        "episode 2, row 29 to the next: 'time",
    ),
    "csv word": (lambda to: spoiled_csv(to), "row 11"),
}


def spoiled_csv(folder):
    path = write_csv(folder, robot())
    lines = path.read_text().splitlines()
    lines[12] = lines[12].replace(",", ",x", 1)
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("kind", MALFORMED)
def test_what_is_malformed_is_refused_in_one_line_with_episode_and_row(kind, tmp_path, capsys):
    pytest.importorskip(NEEDED.get(kind.split()[0], "numpy"))
    make, said = MALFORMED[kind]
    source = make(tmp_path)
    assert main(["inspect", f"data={source}", "output=found", "picture=false"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("dfplan: error: ")
    assert error.count("\n") == 1
    assert said in error
    assert "; " in error  # what was found, and how to mend it


def test_what_is_doubtful_is_said_and_only_refused_where_that_is_asked_for(tmp_path, capsys):
    arrays = robot(episodes=24)
    source = write_d4rl(tmp_path, {**arrays, "actions": arrays["actions"][::-1]})
    assert main(["inspect", f"data={source}", "output=found", "picture=false"]) == 0
    assert "doubtful: actions: actions tell" in capsys.readouterr().out
    assert main(["inspect", f"data={source}", "output=again", "strict=true", "picture=false"]) == 2
    assert "actions tell" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "say what to inspect: data=<path>"),
        (["data=robot.pkl"], "no data set at robot.pkl"),
        (["date=robot.hdf5"], "did you mean 'data'?"),
        (["data=robot.hdf5", "strict=perhaps"], "strict must be true or false"),
        (["robot.hdf5"], "expected key=value"),
        (["-m", "data=a,b"], "one after the other"),
        (["data=robot.hdf5", "output=."], "already exists and is not an empty folder"),
    ],
)
def test_a_mistake_is_told_in_one_line(words, said, tmp_path, capsys):
    write_d4rl(tmp_path, robot())
    assert main(["inspect", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_help_and_the_folder_of_now(tmp_path, capsys):
    assert main(["inspect", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "usage: dfplan inspect data=DATA" in shown
    assert max(map(len, shown.splitlines())) <= 118
    source = write_d4rl(tmp_path, robot())
    assert main(["inspect", f"data={source}"]) == 0
    assert list(tmp_path.glob("runs/inspect/robot.hdf5/*/data.png"))
