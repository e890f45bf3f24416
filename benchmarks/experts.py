"""What locomotion and hands share: data of an expert and of lesser policies, and what these earned themselves."""

import argparse
import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from frame import Benchmark, Named
from records import Record
from worlds import EPISODE_SEED, OFFLINE_RL, PEERS, ROWS, TRAININGS, Row, add_options, interval, measure, run, successes

from dfplan.data.formats import read
from dfplan.domains.published.worlds import WORLDS

OF_DATA = ("expert", "data")  # what the whole episodes of a data set earned themselves


def of_experts(
    says: str | None,
    robots: Mapping[str, tuple[str, str]],
    words: Sequence[str],
    *,
    folder: Path,
    episodes: int,
    without: Sequence[str] = (),
) -> Benchmark:
    """Data sets of a world one after the other.

    Args:
        says: what the benchmark is for.
        robots: Gymnasium id, and name of the expert's file, by the name of a robot.
        words: options of ``dfplan train`` for our planner.
        folder: of the benchmark.
        episodes: of each row and training.
        without: rows that make no sense in this world.
    """
    qualities = {name: tuple(WORLDS[env_id].qualities) for name, (env_id, _) in robots.items()}
    names = [f"{name}-{quality}" for name, found in qualities.items() for quality in found]
    all_rows = {name: row for name, row in (ROWS | PEERS).items() if name not in without}

    def options(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("tasks", nargs="+", choices=names, metavar="TASK", help=", ".join(names))
        parser.add_argument("--policies", type=Path, required=True, help="folder of the experts' files: see README.md")
        parser.add_argument(
            "--rows",
            nargs="+",
            choices=[*OF_DATA, *all_rows],
            metavar="ROW",
            help=f"some of {', '.join((*OF_DATA, *all_rows))}; else those without d3rlpy",
        )
        add_options(parser, runs=Path("runs") / folder.name)

    def results(arguments: argparse.Namespace) -> Named:
        if set(arguments.rows or ()) & set(OFFLINE_RL) and find_spec("d3rlpy") is None:
            arguments.refuse(f"{', '.join(OFFLINE_RL)} need d3rlpy: `make peers`, then this in .venv-peers")
        asked = arguments.rows or [name for name in (*OF_DATA, *all_rows) if name not in OFFLINE_RL]
        for task in arguments.tasks:
            name, quality = task.rsplit("-", 1)
            env_id, expert = robots[name]
            record = measure_task(
                task,
                env_id,
                quality,
                policy=arguments.policies / f"{expert}.safetensors",
                words=words,
                rows={name: all_rows[name] for name in asked if name not in OF_DATA},
                of_data=[name for name in OF_DATA if name in asked],
                arguments=arguments,
            )
            yield "_".join([task, *(arguments.rows or ())]), record

    return Benchmark(says=says, folder=folder, measure=results, options=options, episodes=episodes, seed=EPISODE_SEED)


def measure_task(
    task: str,
    env_id: str,
    quality: str,
    *,
    policy: Path,
    words: Sequence[str],
    rows: Mapping[str, Row],
    of_data: Sequence[str],
    arguments: argparse.Namespace,
) -> Record:
    """Everything about one data set; ``of_data`` are those of :data:`OF_DATA` that are asked for."""
    name = task.removesuffix(f"-{quality}")

    def made(each: str) -> Path:
        return make_data(arguments.runs / f"{name}-{each}.hdf5", env_id, each, policy=policy)

    data = made(quality)
    trainings = TRAININGS | {"dfplan": tuple(words)}
    found = measure(task, env_id, str(data), arguments, trainings=trainings, rows=rows)
    if arguments.rows:
        found["part"] = " ".join(arguments.rows)
    earned = {each: episodes_of(made("expert") if each == "expert" else data, env_id) for each in of_data}
    found["rows"] = earned | found["rows"]
    value = "success" if WORLDS[env_id].scored_by_success else "score"
    figures = {f"{task}.{title}": row[value] for title, row in found["rows"].items() if value in row}
    return {
        "question": "from data of this quality: what do planning, one sample and behaviour cloning earn?",
        "figures": figures,
        "procedure": json.loads(str(h5py.File(data).attrs["metadata"])),
        **found,
    }


def make_data(path: Path, env_id: str, quality: str, *, policy: Path) -> Path:
    """The data set of a quality, made unless it is there."""
    if not path.exists():
        run("generate", f"env={env_id}", f"quality={quality}", f"policy={policy}", f"output={path}")
    return path


def episodes_of(path: Path, env_id: str) -> Record:
    """What the whole episodes of a data set came to."""
    data = read(path)
    assert data.rewards is not None
    returns = np.add.reduceat(data.rewards.astype(np.float64), data.starts[:-1])[:-1]  # the last was cut off
    row: dict[str, Any] = {"return": interval(returns[None])}
    if (reference := WORLDS[env_id].reference) is not None:
        row["score"] = interval(100 * (returns[None] - reference[0]) / (reference[1] - reference[0]))
    with h5py.File(path) as file:
        if "infos/success" in file:
            ends = np.flatnonzero(file["terminals"][:] | file["timeouts"][:])
            row["success"] = successes(file["infos/success"][:][ends[:-1]][None])
    return row
