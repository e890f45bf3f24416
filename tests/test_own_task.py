"""The example of docs/howto/own-task.md is whole: its two files, put beside the others, train."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dfplan.models.bundle import load_bundle

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "howto" / "own-task.md").read_text()


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the code with the two files of the page added."""
    root = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "dfplan", root / "dfplan", ignore=shutil.ignore_patterns("weights", "__pycache__"))
    shutil.copytree(ROOT / "configs", root / "configs")
    (python,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (yaml,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (root / "dfplan" / "tasks" / "dynamics.py").write_text(python)
    (root / "configs" / "task" / "dynamics.yaml").write_text(yaml)
    return root


def dfplan(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{ROOT / 'envs'}", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "dfplan.cli.main", *words],
        cwd=root,
        env=environment | {"DFPLAN_CACHE": str(root / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_task_of_the_page_trains_resumes_and_has_help(copy):
    assert dfplan(copy, "generate", "env=maze2d-umaze", "num_steps=3000", "output=u.hdf5").returncode == 0
    words = ["task=dynamics", "env=maze2d-umaze", "data=u.hdf5", "output=run", "task.width=32"]
    answer = dfplan(
        copy, "train", *words, "training.num_steps=300", "training.accumulation=2", "training.log_every=100"
    )
    assert answer.returncode == 0, answer.stderr
    log = [json.loads(line) for line in (copy / "run" / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in log if "loss" in line]
    assert losses[-1] < losses[0] / 2
    assert load_bundle(copy / "run" / "model")[0]["0.weight"].shape == (32, 6)
    assert dfplan(copy, "train", "resume=run", "training.num_steps=310").returncode == 0
    assert "task.width=64" in dfplan(copy, "train", "task=dynamics", "--help").stdout
    mistaken = dfplan(copy, "train", "task=dynamics", "task.width=0")
    assert (mistaken.returncode, mistaken.stderr) == (2, "dfplan: error: task.width must be at least 1; got 0\n")


def test_the_page_fits_a_screen_or_two_and_points_at_files_that_exist():
    assert PAGE.count("\n") < 110
    for target in re.findall(r"\]\((\.\.[^)]+)\)", PAGE):
        assert (ROOT / "docs" / "howto" / target).exists(), target
