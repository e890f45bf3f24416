"""What another package brings is found by its name; the package here is installed as anybody's would be."""

import importlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import h5py
import numpy as np
import pytest

from dfplan import plugins
from dfplan.cli.out_of_memory import told_in_one_line
from dfplan.errors import UserError
from dfplan.planner import PlannerSettings

ROOT = Path(__file__).parents[2]
PACKAGE = Path(__file__).parent / "package"
PARTS = {
    "domains": "Slide-v0",
    "denoisers": "averages",
    "scorers": "slide",
    "objectives": "leftwards",
    "matrices": "halves",
    "tokenizers": "brightness",
}


STEERED = """
import numpy as np, torch
from dfplan.models import load_forcing_model
from dfplan.planner import GuidanceSettings, Planner, PlannerSettings
model = load_forcing_model("run/model")
places = []
for custom in (None, "leftwards"):
    settings = PlannerSettings(num_candidates=1, guidance=GuidanceSettings(custom=custom, lowest_level=0.0))
    generators = [torch.Generator().manual_seed(seed) for seed in range(8)]
    plan = Planner(model, settings=settings).plan(np.zeros((8, 2), np.float32), horizon=8, generators=generators)
    places.append(plan.observations[..., 0].mean())
assert places[1] < places[0] - 0.01, places
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder that the package was installed into."""
    root = tmp_path_factory.mktemp("plugins")
    shutil.copytree(PACKAGE, root / "source")
    install = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--target", root / "site", root / "source"]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True)
    return root / "site"


def python(site: Path, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(map(str, (site, ROOT, ROOT / "envs")))
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def dfplan(site: Path, *words: str, folder: Path) -> str:
    """What a command says; it must succeed."""
    answer = python(site, "-m", "dfplan.cli.main", *words, folder=folder)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout + answer.stderr


def write_data(path: Path) -> None:
    """Twenty episodes of pushing about, in D4RL's layout."""
    generator, steps = np.random.default_rng(0), 400
    pushes, states, rewards = generator.uniform(-1, 1, (steps, 1)), [], []
    for row in range(steps):
        if row % 20 == 0:
            place, speed = generator.uniform(-1, 1, 2)
        states.append((place, speed))
        speed = 0.9 * speed + 0.1 * pushes[row, 0]
        place += speed
        rewards.append(place)
    with h5py.File(path, "w") as file:
        file["observations"], file["actions"] = np.array(states, np.float32), pushes.astype(np.float32)
        file["rewards"], file["terminals"] = np.array(rewards, np.float32), np.zeros(steps, bool)
        file["timeouts"] = np.arange(steps) % 20 == 19


@pytest.mark.slow
def test_a_package_outside_brings_one_part_of_every_kind(site, tmp_path):
    write_data(tmp_path / "slide.hdf5")
    tiny = ["training.num_steps=20", "training.compiled=false", "model.width=16", "model.num_layers=1", "threads=1"]
    words = ["env=Slide-v0", "data=slide.hdf5", "model.name=averages", "output=run", *tiny]
    dfplan(site, "train", *words, folder=tmp_path)
    described = json.loads((tmp_path / "run" / "model" / "model.json").read_text())["metadata"]
    assert (described["model"]["name"], described["scorer"]) == ("averages", "slide")
    dfplan(site, "verify", "run", folder=tmp_path)
    few = ["n_episodes=2", "planner.num_candidates=2", "output=scores"]
    dfplan(site, "eval", "env=Slide-v0", "weights=run", *few, folder=tmp_path)
    episodes = json.loads((tmp_path / "scores" / "results.json").read_text())["episodes"]
    assert np.isfinite([each["return"] for each in episodes]).all()
    words = ["env=Slide-v0", "weights=run", "objective=leftwards", "planner.matrix=halves", "output=plan"]
    dfplan(site, "plan", *words, folder=tmp_path)
    answer = python(site, "-c", STEERED, folder=tmp_path)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.slow
def test_a_tokenizer_of_a_package_is_saved_and_found_again(site, tmp_path):
    code = """
import sys, torch
from pathlib import Path
from dfplan.models.tokenizers import build_tokenizer, load_tokenizer, save_tokenizer
one = build_tokenizer("brightness", image_size=8)
save_tokenizer(Path("it"), one, {"tokenizer": {"name": "brightness", "image_size": 8}})
frames = torch.randint(256, (3, 8, 8, 3), dtype=torch.uint8)
other = load_tokenizer(Path("it"))[0]
assert type(other).__module__ == "slide_parts" and torch.equal(one.encode(frames), other.encode(frames))
"""
    answer = python(site, "-c", code, folder=tmp_path)
    assert answer.returncode == 0, answer.stderr


def test_the_page_shows_every_group_of_the_package():
    page, project = (ROOT / "docs" / "howto" / "own-package.md").read_text(), (PACKAGE / "pyproject.toml").read_text()
    groups = set(re.findall(r'entry-points."dfplan\.(\w+)"', project))
    assert groups == set(PARTS) == set(re.findall(r"`dfplan\.(\w+)`", page))


def brought(monkeypatch, *parts: tuple[str, str]) -> None:
    plugins.installed.cache_clear()
    found = [EntryPoint(name=name, value=value, group="dfplan.denoisers") for name, value in parts]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda *, group: found)


@pytest.fixture(autouse=True)
def _afresh():
    yield
    plugins.installed.cache_clear()


def test_what_goes_wrong_in_a_package_is_told_with_its_line(monkeypatch):
    monkeypatch.syspath_prepend(str(PACKAGE))
    brought(monkeypatch, ("averages", "slide_parts:RunningAverage"))
    parts = importlib.import_module("slide_parts")
    said = r"the installed package slide_parts raised AttributeError: .*slide_parts.py, line \d+\); mend it there"
    with pytest.raises(UserError, match=said), told_in_one_line("plan", None):
        parts.leftwards(None)
    with pytest.raises(ZeroDivisionError), told_in_one_line("plan", None):  # nobody's but ours
        _ = 1 / 0


def test_a_matrix_of_a_package_is_one_that_a_planner_follows(monkeypatch):
    monkeypatch.syspath_prepend(str(PACKAGE))
    brought(monkeypatch, ("halves", "slide_parts:two_halves"))
    matrix = PlannerSettings(matrix="halves").scheduling_matrix(4)
    assert matrix[2].tolist() == [1, 1, 3, 3]


def test_a_name_of_our_own_is_never_anothers(monkeypatch):
    brought(monkeypatch, ("rnn", "json:loads"), ("mine", "json:loads"))
    assert plugins.find("denoisers", "rnn", own={"rnn": "ours"}) == "ours"
    assert plugins.find("denoisers", "mine", own={"rnn": "ours"}) is json.loads


def test_an_unknown_name_is_told_those_that_there_are(monkeypatch):
    brought(monkeypatch, ("mine", "json:loads"))
    with pytest.raises(UserError, match="unknown denoiser 'yours'; choose one of rnn, mine"):
        plugins.find("denoisers", "yours", own={"rnn": "ours"})


def test_a_package_that_cannot_be_imported_is_named(monkeypatch):
    brought(monkeypatch, ("mine", "no_such_package:Network"))
    with pytest.raises(UserError, match=r"denoisers 'mine' cannot be imported: ModuleNotFound.*no_such_package"):
        plugins.find("denoisers", "mine", own={})


def test_two_packages_of_one_name_are_refused(monkeypatch):
    brought(monkeypatch, ("mine", "json:loads"), ("mine", "json:dumps"))
    with pytest.raises(UserError, match=r"two packages bring dfplan\.denoisers 'mine', json:dumps and json:loads"):
        plugins.find("denoisers", "mine", own={})
