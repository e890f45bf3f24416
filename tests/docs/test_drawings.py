"""The drawings of the documents can be drawn anew, by the code as it is, and are small."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DRAWINGS, PICTURES = ROOT / "docs" / "drawings", ROOT / "docs" / "pictures"
DRAWN = {
    "denoising": {"denoising.png"},
    "guidance": {"guidance.png"},
    "matrices": {"levels.png", "matrices.png"},
    "moving_plan": {"plan.gif"},
    "three_uses": {"three_uses.png"},
    "tree": {"tree.png"},
    "unseen": {"unseen.png"},
}


def test_every_script_is_known_and_its_pictures_are_small():
    assert {path.stem for path in DRAWINGS.glob("*.py")} - {"canvas"} == set(DRAWN)
    for name in set().union(*DRAWN.values()):
        assert (PICTURES / name).stat().st_size < (2_000_000 if name.endswith(".gif") else 150_000), name


@pytest.mark.slow
@pytest.mark.parametrize("script", DRAWN)
def test_a_script_draws_its_pictures(script, tmp_path):
    shutil.copytree(DRAWINGS, tmp_path / "docs" / "drawings")
    (tmp_path / "docs" / "pictures").mkdir()
    paths = os.pathsep.join([str(ROOT), str(ROOT / "envs")])
    answer = subprocess.run(
        [sys.executable, tmp_path / "docs" / "drawings" / f"{script}.py"],
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert {path.name for path in (tmp_path / "docs" / "pictures").iterdir()} == DRAWN[script]
