"""Every command of the README runs: from the first line to the last, in one folder, at a size that takes seconds."""

import os
import re
import shlex
import subprocess
import sys
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec

from dfplan.cli.main import main
from dfplan.data.d4rl_file import read_d4rl
from dfplan.domains.maze.download import published_name
from dfplan.types import Trajectories
from dfplan_envs import build_maze

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()

# What is added to a command where as printed it would take long: by the command, in the order of the README.
FEW = ("n_episodes=2", "threads=1")
SHORT = ("training.num_steps=2", "training.batch_size=4", "training.compiled=false", "threads=1")
NARROW = ("model.width=16", "model.num_layers=1")
STATES = (*SHORT, *NARROW, "env.num_tokens=3", "retrace.num_steps=2000")
SEEN = (*SHORT, *NARROW, "env.num_tokens=3", "retrace.num_steps=10000")
SIZES: dict[str, tuple[str, ...]] = {
    "dfplan eval env=maze2d-large": FEW,
    "dfplan eval env=maze2d-medium goal=random n_episodes=200 seed=7": FEW,
    "dfplan bench env=maze2d-large agents=default,fast,rnn": (*FEW, "n_plans=1"),
    "dfplan eval controller=actions planner.horizon=16 controller.replan_every=4": FEW,
    "dfplan plan env=maze2d-large start=1,1 goal=7,9": (),
    "dfplan eval goal=detour planner=fast": FEW,
    "dfplan plan planner=mctg": ("planner.tree.max_nodes=20",),
    "dfplan export env=maze2d-large": (),
    "dfplan verify runs/eval": (),
    "dfplan generate env=maze2d-large": ("num_steps=20000",),
    "dfplan record env=maze2d-large goal=random data=rollouts.hdf5": (*FEW, "planner.num_candidates=2"),
    "dfplan train env=maze2d-large": STATES,
    "dfplan info": (),
    "dfplan eval --help": (),
    "dfplan eval -m controller=actions,pursuit seed=0,1": ("n_episodes=1", "threads=1"),
    "dfplan completion": (),
    "dfplan plan 'planner.guidance.waypoints=[[7,1]]' 'planner.guidance.keep_out=[[2,3.7,0.4]]' "
    "planner.guidance.max_speed=4": (),
    "dfplan train retrace=none windows=collected": (*SHORT, *NARROW, "env.num_tokens=3"),
    "dfplan eval env=pixelmaze-large": FEW,
    "dfplan train task=keypoints env=pixelmaze-large": (*SHORT, "task.width=4"),
    "dfplan train task=pixel-forcing env=pixelmaze-large": SEEN,
    "dfplan train task=inverse-dynamics env=pixelmaze-large": (*SHORT, "task.width=8", "retrace.num_steps=2000"),
    "dfplan generate env=closed-door": ("num_steps=1000",),
    "dfplan train env=closed-door recipe=history": (*SHORT, *NARROW),
    "dfplan eval env=closed-door weights=runs/train/closed-door/<time> planner=history controller=actions "
    "controller.shrinking=true": FEW,
    "dfplan train resume=runs/train/maze2d-large/<time>": ("training.num_steps=3", "threads=1"),
    "dfplan eval env=maze2d-large weights=runs/train/maze2d-large/<time>": (*FEW, "planner.num_candidates=2"),
    "dfplan train env=maze2d-large model=rnn training=cpu-rnn": STATES,
    "dfplan eval env=maze2d-large weights=bundled-rnn": FEW,
    "dfplan train recipe=diffuser-large": (*SHORT, "model.width=8", "model.num_levels=4"),
    "dfplan eval env=maze2d-large weights=<its run folder> controller=tracker": FEW,
    "dfplan eval env=maze2d-large agent=oracle": FEW,
    "dfplan eval env=maze2d-large agent=grid": FEW,
    "dfplan train task=autoencoder env=pixelmaze-large": (*SHORT, "task.width=8"),
    "dfplan train task=self-supervised env=pixelmaze-large output=runs/encoder": (*SHORT, "task.width=2"),
    "dfplan train task=aligned-forcing env=pixelmaze-large task.encoder=runs/encoder": (*SEEN, "task.depth=1"),
    "dfplan train task=image-ddpm": (*SHORT, "task.width=8"),
    "torchrun --nproc-per-node 2 -m dfplan.cli.main train env=maze2d-large output=runs/two": STATES,
    "dfplan train env=maze2d-large data=d4rl": STATES,
    "dfplan inspect data=path/to/maze2d-large.hdf5": ("picture=false",),
    "dfplan train env=maze2d-large data=path/to/maze2d-large.hdf5": STATES,
    "dfplan train env=maze2d-large data=minari:D4RL/pointmaze/large-v2": STATES,
    "dfplan generate env=metaworld/push-v3 output=push.hdf5": ("num_steps=100",),
    "dfplan generate env=FetchPush-v4": ("num_steps=100",),
    "dfplan eval env=FetchPush-v4 agent=script": FEW,
    "dfplan eval experiment=pusht": FEW,
}
# What needs a package that the development environment has not; `make robots` makes one that has.
NEEDS = {
    "dfplan generate env=metaworld/push-v3 output=push.hdf5": "metaworld",
    "dfplan generate env=FetchPush-v4": "gymnasium_robotics",
    "dfplan eval env=FetchPush-v4 agent=script": "gymnasium_robotics",
    "dfplan eval experiment=pusht": "gym_pusht",
}
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)  # language, text
NAMED = {
    "dfplan bench",
    "dfplan eval",
    "dfplan eval env=tmaze",
    "dfplan generate",
    "dfplan inspect",
    "dfplan record",
    "dfplan train",
    "dfplan train task=<name>",
}  # names in a sentence, not commands to type


def printed(readme: str) -> list[str]:
    """The commands of a README: lines of its blocks without a language, then words in backticks; comments left out."""
    blocks = re.findall(FENCED, readme)
    lines = "".join(text for language, text in blocks if not language).replace("\\\n", " ").splitlines()
    spans = re.findall(r"`([^`\n]+)`", re.sub(FENCED, "", readme))
    found = [" ".join(re.split(r"\s#", line)[0].split()) for line in [*lines, *spans]]
    return list(dict.fromkeys(line for line in found if re.match(r"(dfplan|make|torchrun|python) ", line)))


COMMANDS = [each for each in printed(README) if not each.startswith("make ") and each not in NAMED]
TARGETS = [each.removeprefix("make ") for each in printed(README) if each.startswith("make ")]


def test_every_command_of_the_readme_is_one_that_is_run_here():
    assert set(COMMANDS) - SIZES.keys() == set(), "new in the README: say in SIZES what makes it quick"
    assert SIZES.keys() - set(COMMANDS) == set(), "no longer in the README: take it out of SIZES"


def test_commands_are_found_over_several_lines_in_sentences_and_without_their_comments():
    block = "```\ndfplan eval \\\n    seed=1   # a comment\n  other.py\n```\n"
    readme = f"Say `dfplan info` or `x`:\n{block}\n```python\nx = 1\n```\n{block}"
    assert printed(readme) == ["dfplan eval seed=1", "dfplan info"]


@pytest.mark.parametrize("target", TARGETS)
def test_make_calls_nothing_that_is_not_there(target):
    """What `make` would run; `demo`, `check` and the tests themselves are run for real by .ci/run."""
    command = ["make", "--dry-run", "--always-make", *shlex.split(target), f"PYTHON={sys.executable}"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    scripts = re.findall(r"\S+\.py\b", answer.stdout)
    assert [each for each in scripts if not (ROOT / each).is_file()] == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the README is followed: with a Minari store, and two files of D4RL's layout where the README looks."""
    folder = tmp_path_factory.mktemp("readme")
    generated = folder / "cache" / "datasets" / "maze2d-large-v1.hdf5"
    assert main(["generate", "env=maze2d-large", "num_steps=20000", f"output={generated}"]) == 0
    for path in (generated.with_name(published_name("maze2d-large-v1")), folder / "path" / "to" / "maze2d-large.hdf5"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(generated.read_bytes())
    record_minari(read_d4rl(generated), "D4RL/pointmaze/large-v2", folder / "minari")
    generated.unlink()
    generated.with_name(f"{generated.name}.sha256").unlink()
    return folder


def record_minari(data: Trajectories, dataset_id: str, store: Path) -> None:
    """Write a trajectory as a local Minari dataset in PointMaze's coordinates: an episode for each goal driven to."""
    minari = pytest.importorskip("minari")
    from minari.data_collector import EpisodeBuffer

    rows, columns = build_maze("large").walls.shape
    x, y, vx, vy = data.observations.T.astype(np.float64)
    turned = np.stack([y + 0.7 - columns / 2, rows / 2 - 0.7 - x, vy, -vx], axis=1)
    pushed = np.stack([data.actions[:, 1], -data.actions[:, 0]], axis=1)
    ends = np.flatnonzero(data.segment_ends)
    episodes = [
        EpisodeBuffer(
            id=number,
            observations={
                name: turned[first : last + 1, :size]
                for name, size in (("observation", 4), ("achieved_goal", 2), ("desired_goal", 2))
            },
            actions=pushed[first:last],
            rewards=[0.0] * (last - first),
            terminations=[False] * (last - first),
            truncations=[False] * (last - first - 1) + [True],
        )
        for number, (first, last) in enumerate(pairwise(ends))
    ]
    sizes = {"observation": 4, "achieved_goal": 2, "desired_goal": 2}
    boxes = {name: spaces.Box(-np.inf, np.inf, (size,), np.float64) for name, size in sizes.items()}
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setenv("MINARI_DATASETS_PATH", str(store))
        warnings.simplefilter("ignore")  # of an author who is not named
        minari.create_dataset_from_buffers(
            dataset_id,
            buffer=episodes,
            env=EnvSpec(
                "PointMaze_Large-v3", entry_point="dfplan_envs.maze_env:MazeEnv", kwargs={"maze_name": "large"}
            ),
            action_space=spaces.Box(-1, 1, (2,), np.float32),
            observation_space=spaces.Dict(boxes),
            data_format="hdf5",
        )


@pytest.fixture(autouse=True)
def in_the_folder(request, monkeypatch):
    """Slow tests are where the README is followed."""
    if request.node.get_closest_marker("slow"):
        folder = request.getfixturevalue("folder")
        monkeypatch.chdir(folder)
        monkeypatch.setenv("DFPLAN_CACHE", str(folder / "cache"))
        monkeypatch.setenv("MINARI_DATASETS_PATH", str(folder / "minari"))


def filled_in(command: str) -> list[str]:
    """The words of a command, the newest run folder in place of ``<time>`` and ``<its run folder>``."""
    for env in ("closed-door", "maze2d-large"):
        runs = sorted(Path(f"runs/train/{env}").glob("*/"), key=lambda path: path.stat().st_mtime)
        newest = str(runs[-1]) if runs else "missing"
        command = command.replace(f"runs/train/{env}/<time>", newest)
    return shlex.split(command.replace("<its run folder>", newest))


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_succeeds(command, capsys):
    if command in NEEDS:
        pytest.importorskip(NEEDS[command])
    program, *words = [*filled_in(command), *SIZES[command]]
    if program == "dfplan":
        assert main(words) == 0, capsys.readouterr().err
        assert capsys.readouterr().out.strip()
        return
    assert program == "torchrun"
    answer = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", *words],
        env=os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert answer.returncode == 0, answer.stderr


@pytest.mark.slow
def test_the_python_examples_of_the_readme_run():
    blocks = [text for language, text in re.findall(FENCED, README) if language == "python"]
    assert blocks
    subprocess.run([sys.executable, "-c", "\n".join(blocks)], check=True)
