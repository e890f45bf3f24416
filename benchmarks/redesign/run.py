"""Did a change of the code change anything else? Two commits side by side: what is trained, scored, and how fast.

python benchmarks/redesign/run.py BEFORE AFTER               # commits of this repository, measured by this Python
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named
from records import Record, between_marks, head, load, row

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BEGIN, END = "<!-- measured: written by benchmarks/redesign/run.py -->", "<!-- end of measured -->"
SEEDED = ("seed=0", "threads=1", "device=cpu")
TOLD = ("start", "goal", "raw_return", "first_touch_step", "planned_wall_share")  # of an episode
STARTS = {  # of a new process, CPU seconds
    "import dfplan": ("-c", "import dfplan"),
    "dfplan train --help": ("-m", "dfplan.cli.main", "train", "--help"),
}


def options(parser: argparse.ArgumentParser) -> None:
    """Which commits, and how much of each."""
    parser.add_argument("commits", nargs="*", metavar="COMMIT", help="two: before and after")
    parser.add_argument(
        "--env", default="maze2d-large", help="which world (default %(default)s); it has bundled weights"
    )
    parser.add_argument("--steps", type=int, default=20, help="of a training (default %(default)s)")
    parser.add_argument("--set", nargs="*", default=[], metavar="key=value", help="more options of `dfplan train`")
    parser.add_argument("--rounds", type=int, default=12, help="of what is timed, in turns (default %(default)s)")


def results(arguments: argparse.Namespace) -> Named:
    """Both commits, each in a folder of its own."""
    if len(arguments.commits) != 2:
        arguments.refuse(f"two commits are compared, before and after; got {arguments.commits or 'none'}")
    with tempfile.TemporaryDirectory(prefix="dfplan-commits-") as scratch:
        trees = [Tree.of(commit, Path(scratch)) for commit in arguments.commits]
        # Weights of before: those of today still load, and scores tell of the code alone.
        bundled = trees[0].folder / "dfplan" / "weights" / arguments.env
        trained = [tree.train(arguments) for tree in trees]
        asked = (f"env={arguments.env}", f"weights={bundled}", f"n_episodes={arguments.episodes}", "n_envs=1")
        rounds = [[tree.evaluate(*asked) for tree in trees] for _ in range(arguments.rounds)]
        plans = [[each["plan_seconds"]["p50"] for each in of_round] for of_round in rounds]
        starts = {
            name: [[tree.cpu_seconds(*words) for tree in trees] for _ in range(2 * arguments.rounds)]
            for name, words in STARTS.items()
        }
        episodes = [[{name: episode.get(name) for name in TOLD} for episode in each["episodes"]] for each in rounds[0]]
    yield (
        "",
        {
            "question": "does a commit train, score and plan as another does?",
            "commits": [tree.commit for tree in trees],
            "env": arguments.env,
            "training_steps": arguments.steps,
            "options": arguments.set,
            "weights_equal": same(*trained),
            "episodes": episodes,
            "episodes_equal": episodes[0] == episodes[1],
            "plan": compared(plans),
            "starts": {name: compared(pairs) for name, pairs in starts.items()},
        },
    )


class Tree:
    """A commit, checked out."""

    def __init__(self, commit: str, folder: Path) -> None:
        self.commit, self.folder = commit, folder

    @classmethod
    def of(cls, commit: str, scratch: Path) -> "Tree":
        """Check it out."""
        whole = git("rev-parse", commit).strip()
        folder = scratch / f"{len(list(scratch.iterdir()))}-{whole[:7]}"
        git("clone", "--quiet", "--shared", "--no-checkout", str(ROOT), str(folder))
        git("-C", str(folder), "checkout", "--quiet", whole)
        return cls(whole, folder)

    def train(self, arguments: argparse.Namespace) -> Mapping[str, np.ndarray]:
        """The weights of a short training."""
        output = self.folder / "trained"
        words = (f"env={arguments.env}", f"training.num_steps={arguments.steps}", *SEEDED, *arguments.set)
        self.run("-m", "dfplan.cli.main", "train", *words, f"output={output}")
        return load_file(output / "model" / "model.safetensors")

    def evaluate(self, *words: str) -> Record:
        """The record of an evaluation."""
        output = self.folder / "evaluated" / str(time.monotonic_ns())
        self.run("-m", "dfplan.cli.main", "eval", *words, *SEEDED, f"output={output}")
        return json.loads((output / "results.json").read_text())

    def cpu_seconds(self, *words: str) -> float:
        """What a process takes from its start to its end."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.run(*words)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def run(self, *words: str) -> None:
        """Run this Python with the code of the commit."""
        paths = {"PYTHONPATH": f"{self.folder}:{self.folder / 'envs'}", "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
        command, seen = [sys.executable, *words], os.environ | paths
        told = subprocess.run(command, cwd=self.folder, env=seen, capture_output=True, text=True, check=False)
        if told.returncode:
            raise SystemExit(f"{self.commit[:12]}: {' '.join(words)} failed\n{told.stderr[-2000:]}")


def git(*words: str) -> str:
    """What git prints."""
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def same(before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray]) -> bool:
    """Whether two sets of weights are equal bit for bit."""
    return before.keys() == after.keys() and all(np.array_equal(before[name], after[name]) for name in before)


def compared(pairs: list[list[float]]) -> dict[str, Any]:
    """Medians of before and after in seconds, and of their ratios, measured in turns."""
    seconds = np.array(pairs)
    before, after = np.median(seconds, axis=0).tolist()
    return {"before": before, "after": after, "ratio": float(np.median(seconds[:, 1] / seconds[:, 0]))}


def pages() -> dict[Path, str]:
    """The README with its table."""
    lines = [*head("commits", "training", "episodes", "plan, ms", "ratio", *STARTS), *rows(load(HERE / "results"))]
    text = (HERE / "README.md").read_text()
    return {HERE / "README.md": between_marks(text, "\n".join(lines), begin=BEGIN, end=END)}


def rows(records: list[Record]) -> Iterator[str]:
    """One for each file."""
    told: Callable[[bool], str] = {True: "equal", False: "other"}.__getitem__
    for record in records:
        before, after = (commit[:7] for commit in record["commits"])
        plan = record["plan"]
        yield row(
            f"[{before} → {after}](results/{record['file']})",
            f"{record['training_steps']} steps: {told(record['weights_equal'])}",
            f"{len(record['episodes'][0])}: {told(record['episodes_equal'])}",
            f"{1000 * plan['before']:.1f} → {1000 * plan['after']:.1f}",
            f"{plan['ratio']:.3f}",
            *(f"{1000 * each['before']:.0f} → {1000 * each['after']:.0f} ms" for each in record["starts"].values()),
        )


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, episodes=4, pages=pages)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
