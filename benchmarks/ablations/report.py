"""Writes tables and plots of the ablations from the newest result file of each group; --check compares the tables."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from dfplan.evaluation.metrics import Estimate, mean_interval
from dfplan.viz.axes import label_logarithmic

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark

HERE = Path(__file__).parent
README = HERE / "README.md"
RESULTS = HERE / "results"
PLOTS = HERE / "plots"
BEGIN, END = "<!-- tables: written by benchmarks/ablations/report.py -->", "<!-- end of tables -->"
COLUMNS = (
    "score [95 %]",
    "against the first row",
    "latched",
    "success %",
    "first touch",
    "in walls %",
    "plans",
    "network calls",
    "tokens",
    "ms alone",
    "ms together",
)


def load_newest(folder: Path) -> dict[str, dict[str, Any]]:
    """The newest record of each group, by the group's name."""
    newest: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.json")):
        record = json.loads(path.read_text())
        record["file"] = path.name
        if record["group"] not in newest or record["date"] > newest[record["group"]]["date"]:
            newest[record["group"]] = record
    return newest


def situations_of(record: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The rows of a group by situation, the first of each being what the others are compared with."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in record["rows"]:
        found.setdefault(row["situation"], []).append(row)
    return found


def difference(row: dict[str, Any], first: dict[str, Any]) -> Estimate:
    """Mean difference of the score to the first row's, episode by episode, with its bootstrap interval."""
    return mean_interval(np.array(row["scores"]) - np.array(first["scores"]))


def render(records: dict[str, dict[str, Any]]) -> str:
    """Everything between the two marks of the README."""
    return "\n\n".join(section(records[name]) for name in sorted(records)) or "No result files yet."


def section(record: dict[str, Any]) -> str:
    """One group: its question, a table per situation, its plot."""
    lines = [
        f"### {record['question']}",
        "",
        f"[{record['group']}](results/{record['file']}), {record['date'][:10]}, commit `{record['commit'][:12]}`, "
        f"{record['n_episodes']} episodes of seed {record['seed']}, {record['machine']}",
    ]
    if "note" in record:
        lines[-1] += f"; {record['note']}"
    for situation, rows in situations_of(record).items():
        lines += ["", f"| {situation} | {' | '.join(COLUMNS)} |", f"|---|{'---:|' * len(COLUMNS)}"]
        lines += [f"| {row['row']} | {' | '.join(cells(row, first=rows[0]))} |" for row in rows]
    return "\n".join([*lines, "", f"![{record['question']}](plots/{record['group']}.png)"])


def cells(row: dict[str, Any], *, first: dict[str, Any]) -> list[str]:
    """What a table says of a row."""
    metrics = row["metrics"]
    network, alone, together = row["plan_network"], row["plan_seconds_alone"], row["plan_seconds_together"]
    return [
        shown(Estimate(**metrics["normalized_return"])),
        "–" if row is first else shown(difference(row, first), sign="+"),
        number(metrics["latched_normalized_return"]["mean"]),
        number(metrics["success_rate"]["mean"], factor=100),
        number(metrics["first_touch_step"]["mean"], digits=0),
        number(metrics["planned_wall_share"]["mean"], factor=100),
        number(row["plans_per_episode"]),
        number(network["evaluations"], digits=0),
        number(network["token_evaluations"], digits=0),
        f"{number(alone['p50'], factor=1000, digits=0)} / {number(alone['p95'], factor=1000, digits=0)}",
        number(together["p50"], factor=1000, digits=0),
    ]


def number(value: float | None, *, factor: float = 1.0, digits: int = 1) -> str:
    """A value, or a dash where there is none."""
    return "–" if value is None else f"{factor * value:.{digits}f}"


def shown(estimate: Estimate, *, sign: str = "") -> str:
    """``mean [low, high]``."""
    if estimate.mean is None or estimate.low is None or estimate.high is None:
        return "–" if estimate.mean is None else f"{estimate.mean:{sign}.1f}"
    return f"{estimate.mean:{sign}.1f} [{estimate.low:{sign}.1f}, {estimate.high:{sign}.1f}]"


def draw(record: dict[str, Any], path: Path) -> None:
    """Score of every row against what a plan costs: network calls on the left, milliseconds on the right."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for situation, rows in situations_of(record).items():
        costs = (
            [row["plan_network"]["evaluations"] for row in rows],
            [1000 * (row["plan_seconds_alone"]["p50"] or np.nan) for row in rows],
        )
        scores = [row["metrics"]["normalized_return"] for row in rows]
        means = np.array([score["mean"] for score in scores])
        errors = np.abs([[score["low"] for score in scores], [score["high"] for score in scores]] - means)
        for axis, cost in zip(axes, costs, strict=True):
            points = axis.errorbar(cost, means, yerr=errors, fmt="o", capsize=2, label=situation)
            for row, place in zip(rows, zip(cost, means, strict=True), strict=True):
                name, color = row["row"].partition(":")[0], points[0].get_color()
                axis.annotate(name, place, xytext=(4, 4), textcoords="offset points", fontsize=7, color=color)
    for axis, label in zip(axes, ("sequences through the network", "milliseconds, alone"), strict=True):
        axis.set(xscale="log", xlabel=f"{label}, per plan")
        axis.margins(x=0.15)  # room for the names beside the points
        label_logarithmic(axis.xaxis)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("D4RL score [95 %]")
    axes[0].legend(fontsize=8)
    figure.suptitle(record["question"], fontsize=11)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=80)


def updated(readme: str, records: dict[str, dict[str, Any]]) -> str:
    """The README with its tables written anew."""
    before, rest = readme.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n{render(records)}\n\n{END}{after}"


def pages() -> dict[Path, str]:
    """The README with its tables."""
    return {README: updated(README.read_text(), load_newest(RESULTS))}


def draw_plots() -> None:
    """One of each group."""
    for name, record in load_newest(RESULTS).items():
        draw(record, PLOTS / f"{name}.png")


BENCHMARK = Benchmark(says=__doc__, folder=HERE, pages=pages, draw=draw_plots)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
