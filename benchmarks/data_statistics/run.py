"""Are generated maze2d data those that D4RL published? Compares statistics and writes a dated result file."""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from rich.progress import Progress

from dfplan.domains.maze.generate import generate_maze2d

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named

FOLDER = Path(__file__).parent
MAZES = ("umaze", "medium", "large")
NUM_BLOCKS = 100  # a block of 10,000 steps or more is many segments long, so that blocks are nearly independent


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument(
        "files", nargs="*", type=Path, help="D4RL HDF5 files, the maze in the name; none: generate them"
    )


def results(arguments: argparse.Namespace) -> Named:
    """Compare each file, or data generated here, with the published numbers."""
    published = json.loads((FOLDER / "published.json").read_text())
    mazes: dict[str, Any] = {}
    for maze, origin, arrays in _load_all(arguments.files, published=published, seed=arguments.seed):
        mazes[maze] = {"origin": origin} | compare(arrays, published=published[maze])
        _print_comparison(maze, mazes[maze])
    yield (
        "",
        {
            "question": "do generated data have the statistics of D4RL's published v1 files?",
            "mazes": mazes,
            "published": published["source"],
            "columns": "difference = ours / published - 1; standard_errors = difference in units of its own sampling "
            "error",
        },
    )


def _load_all(files: list[Path], *, published: dict[str, Any], seed: int):
    """Yield (maze, where the data came from, arrays)."""
    for path in files:
        found = re.search("umaze|medium|large", path.name)
        if found is None:
            raise SystemExit(f"{path.name} names none of the mazes {', '.join(MAZES)}: rename the file")
        with h5py.File(path) as file:
            yield found[0], path.name, {key: file[key][:] for key in ("observations", "actions", "rewards", "timeouts")}
    if files:
        return
    for maze in MAZES:
        num_steps = published[maze]["num_steps"]
        with Progress() as progress:
            task = progress.add_task(f"generating {maze}", total=num_steps)
            arrays = generate_maze2d(
                f"maze2d-{maze}-v1",
                num_steps=num_steps,
                seed=seed,
                on_progress=lambda done, task=task, progress=progress: progress.update(task, completed=done),
            )
        yield maze, f"generated, seed {seed}", arrays


def compare(arrays: dict[str, np.ndarray], *, published: dict[str, Any]) -> dict[str, Any]:
    """Put every published statistic beside ours.

    Args:
        arrays: by D4RL key.
        published: as in published.json.

    Returns:
        Per statistic: ours, published and difference, and for means and counts the standard errors between them, where
        the published file is taken to scatter as much as ours does.
    """
    rows = len(arrays["observations"])
    in_goal = arrays["rewards"] > 0.5
    left_goal = in_goal[:-1] & ~in_goal[1:]
    spreads = {"observation_std": arrays["observations"], "action_std": arrays["actions"]}
    means = {
        "position_mean": arrays["observations"][:, :2],
        "reward_mean": arrays["rewards"],
        # Counts as means: per published length, whatever the length here.
        "timeouts": arrays["timeouts"] * float(published["num_steps"]),
        "goal_visits": left_goal * float(published["num_steps"]),
    }
    result: dict[str, Any] = {"num_steps": rows, "published_num_steps": published["num_steps"]}
    for name, values in spreads.items():
        ours = values.std(axis=0, dtype=np.float64)
        result[name] = _row(ours, published[name])
    for name, values in means.items():
        ours = values.mean(axis=0, dtype=np.float64)
        if name not in published:
            result[name] = {"ours": _rounded(ours)}
            continue
        both_errors = np.sqrt(2) * _standard_error(values)
        result[name] = _row(ours, published[name]) | {
            "standard_errors": _rounded((ours - np.array(published[name])) / both_errors, digits=2)
        }
    return result


def _standard_error(values: np.ndarray) -> np.ndarray:
    """Estimate the standard error of the mean over a correlated series, from the means of long blocks."""
    blocks = np.array([block.mean(axis=0, dtype=np.float64) for block in np.array_split(values, NUM_BLOCKS)])
    return blocks.std(axis=0, ddof=1) / np.sqrt(NUM_BLOCKS)


def _row(ours: np.ndarray, published: Any) -> dict[str, Any]:
    return {
        "ours": _rounded(ours),
        "published": published,
        "difference": _rounded(ours / np.array(published) - 1),
    }


def _rounded(values: np.ndarray, *, digits: int = 5) -> Any:
    return np.round(values, digits).tolist()


def _print_comparison(maze: str, comparison: dict[str, Any]) -> None:
    print(f"{maze}: {comparison['origin']}, {comparison['num_steps']:,} rows")
    for name, row in comparison.items():
        if isinstance(row, dict) and "difference" in row:
            percent = np.round(100 * np.atleast_1d(row["difference"]), 2)
            print(f"  {name:16s} {percent} % of {row['published']}; standard errors {row.get('standard_errors', '-')}")


BENCHMARK = Benchmark(says=__doc__, folder=FOLDER, measure=results, options=options, seed=0)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
