"""Runs `dfplan bench` over three mazes with fixed and random goals, and keeps one dated file a task."""

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from dfplan.cli.folders import config_folder
from dfplan.cli.main import main as dfplan
from dfplan.evaluation.report import RECORD_SEAL, circumstances, write_record

sys.path.append(str(Path(__file__).parents[1]))
from records import add_record, refuse_uncommitted

HERE = Path(__file__).parent
RESULTS = HERE / "results"
TRAINED = Path("runs") / "train"  # where configs/bench.yaml looks for what does not come with dfplan
TASKS = tuple((f"maze2d-{size}", goal) for size in ("umaze", "medium", "large") for goal in ("fixed", "random"))
AGENTS = (  # the first is what the others are compared with
    "diffuser,diffuser_ddim,diffuser_pursuit,diffuser_resynthesised_pursuit,default,fast,one_call,distilled,policy,"
    "best_of_50,trained_full_sequence,next_token,grid,waypoints,oracle"
)
QUICK_AGENTS = "diffuser,default,fast,grid,waypoints,oracle"
# 96 episodes are three full batches of 32; Diffuser's 14 minutes (one core) of planning in them are timed on the way.
FULL = ("n_episodes=96", "n_envs=32", "n_plans=30", "timing_seconds=3")
QUICK = ("n_episodes=16", "n_envs=16", "n_plans=10", "timing_seconds=3")
LEAST = {"fixed": 10, "random": 1}  # plans that are timed: what plans cost is shown of the fixed goal alone


def main() -> int:
    """Measure every task; return the exit status of the first that fails, or 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", help=f"names of configs/bench.yaml (default {AGENTS}; --quick {QUICK_AGENTS})")
    parser.add_argument("--tasks", nargs="*", help="such as maze2d-large-fixed; none = all six")
    parser.add_argument("--quick", action="store_true", help="fewer episodes and plans; kept under runs/ only")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default 2)")
    parser.add_argument("--seed", type=int, default=0, help="of the episodes (default 0)")
    parser.add_argument("--note", default="", help="what else the machine was doing")
    parser.add_argument("--set", nargs="*", default=[], metavar="key=value", help="more options of dfplan bench")
    parser.add_argument("--uncommitted", action="store_true", help="measure though tracked files are not committed")
    arguments = parser.parse_args()
    refuse_uncommitted(parser, allowed=arguments.uncommitted or arguments.quick)
    names = [f"{env}-{goal}" for env, goal in TASKS]
    unknown = set(arguments.tasks or []) - set(names)
    if unknown:
        parser.error(f"no task {sorted(unknown)[0]!r}; there are {', '.join(names)}")
    shared = [f"seed={arguments.seed}", f"threads={arguments.threads}"]
    shared += [*(QUICK if arguments.quick else FULL), *arguments.set]
    chosen = arguments.agents or (QUICK_AGENTS if arguments.quick else AGENTS)
    began, now, load = time.perf_counter(), datetime.now(UTC), os.getloadavg()
    folder = Path("runs") / "bench-quick" / f"{now:%Y-%m-%d-%H%M}" if arguments.quick else RESULTS
    for name, (env, goal) in zip(names, TASKS, strict=True):
        if arguments.tasks and name not in arguments.tasks:
            continue
        agents = present(chosen.split(","), env=env)
        task_began = time.perf_counter()
        least = f"least_plans={1 if arguments.quick else LEAST[goal]}"
        record = bench([f"env={env}", f"goal={goal}", f"agents={','.join(agents)}", least, *shared])
        if record is None:
            return 2
        record |= {"note": arguments.note, "run": f"{now:%Y-%m-%d-%H%M}"}
        record["wall_seconds"] = round(time.perf_counter() - task_began, 1)
        print_summary(record)
        print(add_record(record, path=folder / f"{now:%Y-%m-%d-%H%M}_{name}.json"), flush=True)
    minutes = round((time.perf_counter() - began) / 60, 2)
    print(f"{minutes} minutes in all")
    if arguments.quick:
        facts = {"question": "how long a quick run takes", "minutes": minutes, "agents": chosen, "options": shared}
        facts |= {"note": arguments.note, "load_average_before": [round(each, 2) for each in load]}
        print(write_record(facts | circumstances(), path=folder / "duration.json"))
    return 0


def present(agents: Sequence[str], *, env: str) -> list[str]:
    """The agents without those that are trained first and were not; says which, and where to find how."""
    config: Any = OmegaConf.to_container(OmegaConf.load(config_folder() / "bench.yaml"))
    found = []
    for name in agents:
        options = [word.replace("${env.name}", env) for word in config["options_of"].get(name, [])]
        trained = [Path(word.removeprefix("weights=")) for word in options if word.startswith(f"weights={TRAINED}/")]
        if all(run.is_dir() for run in trained):
            found.append(name)
        else:
            print(f"no {trained[0]}: {name} left out; how it is trained stands in configs/bench.yaml")
    return found


def bench(words: Sequence[str]) -> dict[str, Any] | None:
    """The record of one `dfplan bench`; None where it fails, and says on stderr why."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(StringIO()):
        if dfplan(["bench", *words, f"output={folder}/out"]):
            return None
        record = json.loads((Path(folder) / "out" / "results.json").read_text())
    del record[RECORD_SEAL]  # it gets another one with what is added here
    return record


def print_summary(record: dict[str, Any]) -> None:
    """One line an agent, to watch a long run by."""
    print(f"\n{record['env']}, {record['goal']} goal")
    for agent in record["agents"]:
        score = agent["metrics"]["normalized_return"]["mean"]
        speeds = [f"{each['plans_per_second'] or 0:9.2f}" for each in agent["cost"].values()]
        print(f"  {agent['name']:20} score {score:6.1f}   plans/s {' '.join(speeds)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
