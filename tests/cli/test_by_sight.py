"""Commands on environments that show frames: what goes together is said, and the bundled planner finds its way."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from dfplan.cli.folders import bundled_weights
from dfplan.cli.main import main


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["eval", "env=pixelmaze-large", "agent=oracle"], "needs states"),
        (["eval", "env=pixelmaze-large", "weights=maze2d"], "were trained on states"),
        (["eval", "env=maze2d-large", "weights=pixel"], "were trained on frames"),
        (["plan", "env=maze2d-large", "weights=pixel"], "shows states, but the weights in"),
        (["train", "task=lora", "env=pixelmaze-large"], "shows frames, not states"),
        (["train", "recipe=diffuser-large", "env=pixelmaze-large"], "shows frames, not states"),
        (["train", "env=pixelmaze-umaze"], "task=keypoints env=pixelmaze-umaze"),
        (["train", "task=pixel-forcing", "env=pixelmaze-large", "frames.speed_gain=0"], "above 0"),
        (["eval", "env=maze2d-large", "view=mujoco"], "shows states"),
        (["eval", "env=maze2d-large", "agent=oracle", "view=mujoco"], "shows states"),
        (["eval", "env=pixelmaze-large", "view=egocentric"], "must be one of top, mujoco"),
        (["eval", "env=pixelmaze-large", "tokenizer=nowhere"], "error: tokenizer=nowhere: no such folder"),
        (["eval", "env=maze2d-large", "controller=inverse"], "controller.inverse=<its run folder>"),
    ],
)
def test_what_does_not_go_together_is_said(words, reason, tmp_path, monkeypatch, capsys):
    named = {"weights=maze2d": "maze2d-large", "weights=pixel": "pixelmaze-large"}
    words = [f"weights={bundled_weights() / named[word]}" if word in named else word for word in words]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DFPLAN_CACHE", str(tmp_path / "cache"))
    if words[0] == "train":
        maze = "umaze" if "umaze" in str(words) else "large"
        assert main(["generate", f"env=maze2d-{maze}", "num_steps=3000", "output=data.hdf5"]) == 0
        words = [*words, "data=data.hdf5"]
    capsys.readouterr()
    assert main(words) == 2
    said = capsys.readouterr().err
    assert reason in said
    assert len(said.strip().splitlines()[-1]) > 20


def test_a_plan_by_sight_is_drawn(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "env=pixelmaze-large", "planner=fast", "start=1,1", "goal=3,3", "output=plan"]) == 0
    assert "lie in walls" in capsys.readouterr().out
    assert (tmp_path / "plan" / "plan.png").stat().st_size > 1000


def test_a_planner_is_whole_with_its_eyes_only(tmp_path, capsys):
    folder = tmp_path / "copy"
    shutil.copytree(bundled_weights() / "pixelmaze-large", folder)
    assert main(["verify", str(folder)]) == 0
    assert "with its tokenizer and inverse dynamics" in capsys.readouterr().out
    shutil.rmtree(folder / "tokenizer")
    assert main(["verify", str(folder)]) == 2
    assert "tokenizer" in capsys.readouterr().err


def test_the_tokenizer_of_another_maze_is_taken_with_a_warning(tmp_path, capsys):
    other = bundled_weights() / "pixelmaze-medium" / "tokenizer"
    words = ["env=pixelmaze-large", f"tokenizer={other}", "planner=fast", "n_episodes=1", f"output={tmp_path / 'out'}"]
    assert main(["eval", *words]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "trained on pixelmaze-medium, not on pixelmaze-large" in said


@pytest.mark.slow
def test_eyes_are_trained_on_another_view(tmp_path):
    def dfplan(*words):
        environment = os.environ | {"MUJOCO_GL": "egl", "DISPLAY": "", "DFPLAN_CACHE": str(tmp_path / "cache")}
        command = [sys.executable, "-m", "dfplan.cli.main", *words, "threads=1", "device=cpu"]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)

    assert main(["generate", "env=maze2d-medium", "num_steps=3000", f"output={tmp_path / 'data.hdf5'}"]) == 0
    medium = "env=pixelmaze-medium"
    answer = dfplan("train", "task=keypoints", medium, "task.view=mujoco", "data=data.hdf5", "output=eyes",
                    "training.num_steps=2", "training.batch_size=4")  # fmt: skip
    if "needs OpenGL" in answer.stderr:
        pytest.skip("no EGL on this machine")
    assert answer.returncode == 0, answer.stderr
    answer = dfplan("eval", medium, "view=mujoco", "tokenizer=eyes", "planner=fast", "n_episodes=1", "output=out")
    assert answer.returncode == 0, answer.stderr
    assert json.loads((tmp_path / "out" / "results.json").read_text())["config"]["view"] == "mujoco"


@pytest.mark.slow
def test_the_bundled_planner_sees_its_way(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scores = {}
    for given in ("image", "state"):
        words = ["env=pixelmaze-large", "goal=random", "n_episodes=4", f"goal_given={given}", f"output={given}"]
        assert main(["eval", *words]) == 0
        record = json.loads((tmp_path / given / "results.json").read_text())
        assert record["metrics"]["success_rate"]["mean"] == 1
        scores[given] = record["metrics"]["normalized_return"]["mean"]
    assert scores["image"] == pytest.approx(scores["state"], rel=0.1)
