"""Does a tree of plans beat plain plans at equal wall time? Writes a dated result file, its curves and the table."""

import argparse
import sys
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dfplan.viz.axes import label_logarithmic

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named
from records import between_marks, evaluate, load_of, newest_file

HERE = Path(__file__).parent
README, RESULTS = HERE / "README.md", HERE / "results"
BEGIN, END = "<!-- table: written by benchmarks/tree/run.py -->", "<!-- end of table -->"
ONE_PLAN = ["n_envs=1", "controller=shooting", "controller.replan_every=0", "controller.replan_when=null"]
HIDDEN = ["planner.cfg_scale=0", "planner.early_stop_fraction=0"]
GUIDED = ["planner.guidance.distance=1"]
# Every method: its options, then the option whose values make its curve.
METHODS: dict[str, tuple[list[str], str]] = {
    "candidates": (HIDDEN, "planner.num_candidates"),
    "guidance": (HIDDEN + GUIDED, "planner.num_candidates"),
    "tree": (["planner=mctg", *HIDDEN], "planner.tree.max_nodes"),
    "guided tree": (["planner=mctg", *HIDDEN, *GUIDED, "planner.tree.strengths=[0,1]"], "planner.tree.max_nodes"),
    "candidates, goal shown": ([], "planner.num_candidates"),
    "tree, goal shown": (["planner=mctg"], "planner.tree.max_nodes"),
}
COLORS = ("#0072B2", "#E69F00", "#D55E00", "#CC79A7", "#56B4E9", "#009E73")  # Okabe and Ito
GOALS = {"detour": "pairs whose straight line leads into dead ends", "fixed": "the maze's own goal"}
KEPT = ("n_episodes", "seed", "metrics", "plan_seconds", "plan_network", "wall_seconds", "config")
SHARED = ("commit", "machine", "device", "versions", "weights")


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("--sizes", type=int, nargs="+", default=[16, 32, 64, 128], help="plans made, of each row")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS), metavar="METHOD")
    parser.add_argument("--env", default="maze2d-large", help="maze (default maze2d-large)")


def results(arguments: argparse.Namespace) -> Named:
    """Every method at every size."""
    words = [f"env={arguments.env}", f"n_episodes={arguments.episodes}", f"seed={arguments.seed}"]
    words += [f"threads={arguments.threads}", *ONE_PLAN]
    record: dict[str, Any] = {
        "question": "one plan an episode, pursued: what it is worth against what it takes",
        "threads": arguments.threads,
        "rows": [],
    }
    for goal in GOALS:
        for method in arguments.methods:
            options, size_option = METHODS[method]
            for size in arguments.sizes:
                found = evaluate([*words, f"goal={goal}", *options, f"{size_option}={size}"])
                if found is None:
                    raise SystemExit(2)
                row = {"goal": goal, "method": method, "size": size} | {key: found[key] for key in KEPT}
                record["rows"].append(row)
                record |= {key: found[key] for key in SHARED}
                print(line_of(row), flush=True)
    yield "", record


def pages() -> dict[Path, str]:
    """The README with the table of the newest file."""
    record, readme = newest_file(RESULTS), README.read_text()
    return {README: between_marks(readme, render(record), begin=BEGIN, end=END) if record else readme}


def draw_newest() -> None:
    """Curves of the newest file."""
    if record := newest_file(RESULTS):
        draw_curves(record, path=(RESULTS / record["file"]).with_suffix(".png"))


def line_of(row: dict[str, Any]) -> str:
    """One line of the table."""
    metrics, seconds = row["metrics"], row["plan_seconds"]
    score, touch = metrics["normalized_return"], metrics["first_touch_step"]["mean"]
    cells = (
        row["goal"],
        row["method"],
        str(row["size"]),
        f"{1000 * seconds['p50']:.0f}",
        f"{1000 * seconds['p95']:.0f}",
        f"{row['plan_network']['evaluations']:.0f}",
        f"{100 * metrics['success_rate']['mean']:.0f}",
        "–" if touch is None else f"{touch:.0f}",
        f"{score['mean']:.1f} [{score['low']:.1f}, {score['high']:.1f}]",
    )
    return f"| {' | '.join(cells)} |"


def render(record: dict[str, Any]) -> str:
    """The table of a record, and its curves."""
    name = Path(record["file"]).stem
    lines = [
        "| goal | method | plans | p50 ms | p95 ms | evaluations | success % | first touch | score [95 %] |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
        *(line_of(row) for row in record["rows"]),
        "",
        f"![curves](results/{name}.png)",
        "",
        f"[{name}.json](results/{name}.json): {record['rows'][0]['n_episodes']} episodes, {record['machine']}, "
        f"{record['threads']} threads, commit `{record['commit'][:12]}`, load average before "
        f"{load_of(record)}. {record['note']}",
    ]
    return "\n".join(lines).rstrip()


def draw_curves(record: dict[str, Any], *, path: Path) -> None:
    """Success, first touch and score of every method, against milliseconds and against network evaluations."""
    figure = Figure(figsize=(13, 5.2 * len(GOALS)), layout="constrained", dpi=110)
    axes = figure.subplots(2 * len(GOALS), 3, squeeze=False)
    for place, (goal, meaning) in enumerate(GOALS.items()):
        for offset, against in enumerate(("milliseconds", "network evaluations")):
            for column, measure in enumerate(("success_rate", "first_touch_step", "normalized_return")):
                ax = axes[2 * place + offset, column]
                draw_curve(ax, record["rows"], goal=goal, measure=measure, against=against)
                if not column:
                    ax.set_title(meaning, loc="left", fontsize=10)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.savefig(path, facecolor="white")


def draw_curve(ax: Axes, rows: list[dict[str, Any]], *, goal: str, measure: str, against: str) -> None:
    """One measure of every method, with its 95 % interval."""
    for method, color in zip(METHODS, COLORS, strict=True):
        chosen = [row for row in rows if (row["goal"], row["method"]) == (goal, method)]
        chosen = [row for row in chosen if row["metrics"][measure]["mean"] is not None]
        spent = [
            1000 * row["plan_seconds"]["p50"] if against == "milliseconds" else row["plan_network"]["evaluations"]
            for row in chosen
        ]
        means, lows, highs = ([row["metrics"][measure][name] for row in chosen] for name in ("mean", "low", "high"))
        ax.plot(spent, means, marker="o", markersize=4, color=color, label=method)
        ax.fill_between(spent, lows, highs, color=color, alpha=0.12, linewidth=0)
    ax.set_xscale("log")
    label_logarithmic(ax.xaxis)
    ax.set_xlabel(f"{against} a plan", fontsize=9)
    ax.set_ylabel(measure.replace("_", " "), fontsize=9)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.2)


BENCHMARK = Benchmark(
    says=__doc__,
    folder=HERE,
    measure=results,
    options=options,
    episodes=100,
    seed=1000,
    threads=1,
    pages=pages,
    draw=draw_newest,
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
