"""Runs `dfplan bench` over three mazes with fixed and random goals, and keeps one dated file a task."""

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from dfplan.cli.folders import config_folder
from dfplan.cli.main import main as dfplan

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named

HERE = Path(__file__).parent
TRAINED = Path("runs") / "train"  # where configs/bench.yaml looks for what does not come with dfplan
TASKS = tuple((f"maze2d-{size}", goal) for size in ("umaze", "medium", "large") for goal in ("fixed", "random"))
AGENTS = (  # the first is what the others are compared with
    "diffuser,diffuser_ddim,diffuser_pursuit,diffuser_resynthesised_pursuit,default,fast,one_call,policy,"
    "best_of_50,trained_full_sequence,next_token,grid,waypoints,oracle"
)
QUICK_AGENTS = "diffuser,default,fast,grid,waypoints,oracle"
# 64 episodes are two full batches of 32; Diffuser's planning in them is timed on the way.
FULL = ("n_episodes=64", "n_envs=32", "n_plans=30", "timing_seconds=3")
QUICK = ("n_episodes=16", "n_envs=16", "n_plans=10", "timing_seconds=3")
LEAST = {"fixed": 10, "random": 1}  # plans that are timed: what plans cost is shown of the fixed goal alone


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    names = [f"{env}-{goal}" for env, goal in TASKS]
    parser.add_argument("--agents", help=f"names of configs/bench.yaml (default {AGENTS}; --quick {QUICK_AGENTS})")
    parser.add_argument("--tasks", nargs="+", default=names, choices=names, help="none = all six")
    parser.add_argument("--set", nargs="*", default=[], metavar="key=value", help="more options of dfplan bench")


def results(arguments: argparse.Namespace) -> Named:
    """The tasks one after the other; of a quick run, how long it took."""
    shared = [f"seed={arguments.seed}", f"threads={arguments.threads}"]
    shared += [*(QUICK if arguments.quick else FULL), *arguments.set]
    chosen = arguments.agents or (QUICK_AGENTS if arguments.quick else AGENTS)
    began = time.perf_counter()
    for env, goal in TASKS:
        if f"{env}-{goal}" not in arguments.tasks:
            continue
        agents = present(chosen.split(","), env=env)
        task_began = time.perf_counter()
        least = f"least_plans={1 if arguments.quick else LEAST[goal]}"
        record = bench([f"env={env}", f"goal={goal}", f"agents={','.join(agents)}", least, *shared])
        record |= {"note": arguments.note, "run": f"{arguments.began:%Y-%m-%d-%H%M}"}
        record["wall_seconds"] = round(time.perf_counter() - task_began, 1)
        print_summary(record)
        yield f"{env}-{goal}", record
    minutes = round((time.perf_counter() - began) / 60, 2)
    print(f"{minutes} minutes in all")
    if arguments.quick:
        facts = {"question": "how long a quick run takes", "minutes": minutes, "agents": chosen, "options": shared}
        yield "duration", facts


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


def bench(words: Sequence[str]) -> dict[str, Any]:
    """The record of one `dfplan bench`; the end where it fails, which says on stderr why."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(StringIO()):
        if dfplan(["bench", *words, f"output={folder}/out"]):
            raise SystemExit(2)
        return json.loads((Path(folder) / "out" / "results.json").read_text())


def print_summary(record: dict[str, Any]) -> None:
    """One line an agent, to watch a long run by."""
    print(f"\n{record['env']}, {record['goal']} goal")
    for agent in record["agents"]:
        score = agent["metrics"]["normalized_return"]["mean"]
        speeds = [f"{each['plans_per_second'] or 0:9.2f}" for each in agent["cost"].values()]
        print(f"  {agent['name']:20} score {score:6.1f}   plans/s {' '.join(speeds)}", flush=True)


BENCHMARK = Benchmark(
    says=__doc__, folder=HERE, measure=results, options=options, seed=0, threads=2, quick="fewer episodes and plans"
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
