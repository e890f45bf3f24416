"""Where the packages of an extra are missing, whoever needs them is told in one line which extra brings them."""

import json
import sys
import tomllib
from pathlib import Path

import pytest

from dfplan.cli.main import main

ROOT = Path(__file__).parents[1]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
OF_THE_HOUSE = {"dev", "release", "docs"}  # what development takes: make installs it
TRAIN = ["train", "env=maze2d-umaze", "training.num_steps=1", "output=run"]
# By extra: its modules, and commands that need one of them.
NEEDED: dict[str, tuple[tuple[str, ...], list[list[str]]]] = {
    "minari": (
        ("minari",),
        [["inspect", "data=minari:some/set-v0"], [*TRAIN, "data=minari:some/set-v0"]],
    ),
    "lerobot": (("pyarrow",), [["inspect", "data=lerobot"]]),
    "zarr": (("zarr",), [["inspect", "data=some.zarr"]]),
    "robots": (
        ("gymnasium_robotics",),
        [["eval", "env=FetchReach-v4", "weights=run"], ["generate", "env=FetchReach-v4"]],
    ),
    "metaworld": (("metaworld",), [["generate", "env=metaworld/push-v3"], ["eval", "env=metaworld/ten"]]),
    "ogbench": (
        ("ogbench",),
        [["generate", "env=ogbench/pointmaze-medium-navigate-v0"], ["eval", "env=ogbench/pointmaze-giant-stitch-v0"]],
    ),
    "pusht": (("gym_pusht", "pymunk"), [["eval", "env=gym_pusht/PushT-v0"], ["eval", "experiment=pusht"]]),
    "hub": (("huggingface_hub",), [["eval", "env=maze2d-umaze", "weights=robots/umaze"]]),
    "wandb": (("wandb",), [[*TRAIN, "data=data.hdf5", "logger=wandb"]]),
    "images": (
        ("diffusers",),
        [["train", "task=autoencoder", "env=pixelmaze-umaze"]],
    ),
    "lora": (("peft",), [[*TRAIN, "task=lora", "data=data.hdf5"]]),
    "cluster": (
        ("hydra_plugins",),
        [
            ["eval", "-m", "env=maze2d-umaze", "seed=0,1", f"launcher={name}"]
            for name in ("joblib", "slurm", "slurm_local")
        ],
    ),
    "ray": (("hydra_plugins",), [["eval", "-m", "env=maze2d-umaze", "seed=0,1", "launcher=ray"]]),
    "onnx": (("onnx", "onnxscript", "onnxruntime"), [["export", "env=maze2d-umaze", "output=exported"]]),
}
CASES = [(extra, words) for extra, (_, commands) in NEEDED.items() for words in commands]

INFO = {
    "codebase_version": "v3.0",
    "fps": 10,
    "features": {name: {"dtype": "float32", "shape": [2]} for name in ("action", "observation.state")},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Data of the maze, as anybody makes them."""
    path = tmp_path_factory.mktemp("data") / "data.hdf5"
    assert main(["generate", "env=maze2d-umaze", "num_steps=3000", f"output={path}"]) == 0
    return path


@pytest.fixture
def in_a_folder(tmp_path, monkeypatch, data):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    (tmp_path / "data.hdf5").symlink_to(data)
    (tmp_path / "some.zarr").mkdir()
    (tmp_path / "some.zarr" / ".zgroup").write_text('{"zarr_format": 2}')
    (tmp_path / "lerobot" / "meta").mkdir(parents=True)
    (tmp_path / "lerobot" / "meta" / "info.json").write_text(json.dumps(INFO))


def test_every_extra_is_asked_for_here():
    # peers and d4rl are for programs of benchmarks and tests, which make installs apart. Without video a report has
    # no films, and says so; nothing is refused.
    assert set(NEEDED) == set(EXTRAS) - OF_THE_HOUSE - {"peers", "d4rl", "video"}


@pytest.mark.slow
@pytest.mark.parametrize(("extra", "words"), CASES, ids=[f"{extra}: {words[0]}" for extra, words in CASES])
def test_a_missing_package_is_one_line_that_names_the_extra(extra, words, in_a_folder, monkeypatch, capsys):
    for name in [each for each in sys.modules if each.partition(".")[0] in NEEDED[extra][0]]:
        monkeypatch.delitem(sys.modules, name)
    for name in NEEDED[extra][0]:
        monkeypatch.setitem(sys.modules, name, None)  # as Python has it where there is no such module
    assert main(words) == 2
    told = capsys.readouterr().err.splitlines()
    (line,) = [each for each in told if each.startswith("dfplan: error:")]
    assert told[-1] == line
    assert f"pip install 'dfplan[{extra}]'" in line
