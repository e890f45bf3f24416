"""Planners that see against the planner of states, on the same starts and goals; writes a dated result file."""

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from frame import Benchmark, Named
from records import Record, between_marks, evaluate, head, load, row, source

HERE = Path(__file__).parent
RESULTS = HERE / "results"
BEGIN, END = "<!-- by sight: written by benchmarks/pixel_maze/run.py -->", "<!-- end of by sight -->"
# What is measured: options of the planner that sees, and of the planner of states where they are others.
WAYS: dict[str, list[str]] = {
    "pursuit": ["controller=shooting"],
    "tree": ["planner=mctg", "controller=shooting"],
    "actions": ["controller=actions"],
    "inverse": ["controller=inverse"],
}
# It has no inverse dynamics; its planned actions are what those of the frames are compared with.
OF_STATES = {"inverse": WAYS["actions"]}
KEPT = ("metrics", "weights", "n_episodes", "goal", "seed", "machine", "versions", "wall_seconds")


def run_one(words: list[str]) -> Record:
    """One evaluation, cut down to what the tables need."""
    record = evaluate(words)
    if record is None:
        raise SystemExit(f"dfplan eval {' '.join(words)} failed; see above")
    kept = {"options": words} | {name: record[name] for name in KEPT}
    print(" ".join(words[:3]), _score(kept), _success(kept), flush=True)
    return kept


def measure(maze: str, *, weights: list[str], way: str, common: list[str]) -> dict[str, Any]:
    """All planners of one maze, driving in one way; ``weights`` are of trainings that differ by their seed."""
    sight, options = f"env=pixelmaze-{maze}", [*WAYS[way], *common]
    found: dict[str, Any] = {
        "state": run_one([f"env=maze2d-{maze}", *OF_STATES.get(way, WAYS[way]), *common]),
        "seeing": [run_one([sight, f"weights={each}", *options]) for each in weights],
    }
    if way == "pursuit":
        found["goal_as_position"] = run_one([sight, f"weights={weights[0]}", "goal_given=state", *options])
    return found


def _score(record: Record) -> str:
    found = record["metrics"]["normalized_return"]
    return f"{found['mean']:.1f} [{found['low']:.0f}, {found['high']:.0f}]"


def _success(record: Record) -> str:
    found = record["metrics"]["success_rate"]
    return f"{100 * found['mean']:.0f} [{100 * found['low']:.0f}, {100 * found['high']:.0f}]"


def tables(records: dict[tuple[str, str], Record]) -> str:
    """The table, from the newest record of each maze and way of driving."""
    columns = ("of states", "seeing, a training each", "share of the score", "success %", "goal told as position")
    lines = [*head("maze, driven by", *columns)]
    ways, mazes = list(WAYS), ["medium", "large"]
    for (maze, way), record in sorted(
        records.items(), key=lambda each: (mazes.index(each[0][0]), ways.index(each[0][1]))
    ):
        found = record["mazes"][maze][way]
        scores = [each["metrics"]["normalized_return"]["mean"] for each in found["seeing"]]
        share = sum(scores) / len(scores) / found["state"]["metrics"]["normalized_return"]["mean"]
        lines.append(
            row(
                f"{maze}, {way}, {found['state']['n_episodes']} episodes",
                _score(found["state"]),
                "; ".join(map(_score, found["seeing"])),
                f"{100 * share:.0f} %",
                "; ".join(map(_success, found["seeing"])),
                _score(found["goal_as_position"]) if "goal_as_position" in found else "–",
            )
        )
    files = {record["file"]: record for record in records.values()}
    return "\n".join([*lines, "", "  \n".join(map(source, files.values()))])


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("--mazes", nargs="+", default=["medium", "large"])
    parser.add_argument(
        "--weights",
        nargs="+",
        default=["bundled"],
        help="weights= of trainings that differ by their seed; {maze} stands for the name of the maze",
    )
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS), help="of driving")


def results(arguments: argparse.Namespace) -> Named:
    """Every way in every maze."""
    common = ["goal=random", f"n_episodes={arguments.episodes}", f"seed={arguments.seed}", "threads=1"]
    mazes = {
        maze: {
            way: measure(
                maze,
                # Inverse dynamics come with the bundled weights alone.
                weights=[each.format(maze=maze) for each in arguments.weights][: 1 if way == "inverse" else None],
                way=way,
                common=common,
            )
            for way in arguments.ways
        }
        for maze in arguments.mazes
    }
    yield "", {"mazes": mazes}


def pages() -> dict[Path, str]:
    """The README here and that of the project, with the table of the newest files."""
    newest: dict[tuple[str, str], Record] = {}
    for record in reversed(load(RESULTS)):
        newest |= {(maze, way): record for maze, found in record["mazes"].items() for way in found}
    if not newest:
        raise SystemExit("no result file yet; run without --table")
    return {
        readme: between_marks(
            readme.read_text(), tables(newest).replace("(results/", f"({results}/"), begin=BEGIN, end=END
        )
        for readme, results in (
            (HERE / "README.md", "results"),
            (HERE.parents[1] / "docs" / "results" / "by_sight.md", "../../benchmarks/pixel_maze/results"),
        )
    }


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, episodes=100, seed=0, pages=pages)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
