"""Writes tables and plots from the newest result file of each task; ``--check`` tells whether the tables are current.

The folder's README gets all of them; docs/results/side_by_side.md the first, where it has the marks for it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from newest import ELSEWHERE, GOALS, Records, known_episodes, load_newest, names_of, row_of, scores_of
from plots import draw

from dfplan.evaluation.bench_tables import interval, number
from dfplan.evaluation.metrics import Estimate
from dfplan.evaluation.statistics import (
    interquartile_mean,
    probability_of_improvement,
    stratified_bootstrap,
    stratified_mean,
)

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
README, RESULTS = HERE / "README.md", HERE / "results"
SUMMARIES = ROOT / "benchmarks" / "training" / "results"
BEGIN, END = "<!-- side by side: written by benchmarks/side_by_side/tables.py -->", "<!-- end of side by side -->"
LEAST_CALLS = 10  # that a percentile is of


def shown(estimate: Estimate, **how: Any) -> str:
    """``mean [low, high]``, or a dash."""
    return interval(vars(estimate), **how)


def overview(records: Records) -> list[str]:
    """Scores of every task, a row an agent, and over all tasks together."""
    labels = [f"{GOALS[goal]} {maze.removeprefix('maze2d-')}" for maze, goal in records]
    first = names_of(records)[0]
    lines = [
        f"| score [95 %] · success | {' | '.join(labels)} | IQM of all | above {first} | P(better than {first}) |",
        f"|---|{'---:|' * (len(labels) + 3)}",
    ]
    for name in names_of(records):
        cells = [score_cell(row_of(record, name)) for record in records.values()]
        lines.append(f"| {name} | {' | '.join([*cells, *pooled(records, name, first=first)])} |")
    bounds = [[each["normalized_return"] for each in known_episodes(record, "bound")] for record in records.values()]
    if any(bounds):
        cells = [number(float(np.mean(bound)) if bound else None) for bound in bounds]
        lines.append(f"| kinematic upper bound | {' | '.join([*cells, '', '', ''])} |")
    return lines


def heuristic(records: Records, name: str = "default", told: str = "oracle") -> list[str]:
    """How often an agent beats the heuristic with privileged information, which is no ceiling therefore."""
    shares = []
    for record in records.values():
        ours, theirs = row_of(record, name), row_of(record, told)
        if ours and theirs:
            shares.append(100 * float(np.mean(np.array(ours["scores"]) > np.array(theirs["scores"]))))
    if not shares:
        return []
    return [
        f"*{told.capitalize()}* is a strong heuristic and no ceiling: *{name}* beats it in {min(shares):.0f} to "
        f"{max(shares):.0f} % of the episodes of a task. The kinematic upper bound (speed and acceleration of each "
        "axis along the shortest path, as if corners cost nothing) is above what any driver can do.",
        "",
    ]


def score_cell(agent: dict[str, Any] | None) -> str:
    """Score with its interval, and success."""
    if agent is None:
        return "–"
    success = number(agent["metrics"]["success_rate"]["mean"], factor=100, digits=0)
    return f"{interval(agent['metrics']['normalized_return'])} · {success} %"


def pooled(records: Records, name: str, *, first: str) -> list[str]:
    """An agent over all tasks: interquartile mean, difference to the first and how often it beats it."""
    these, those = scores_of(records, name), scores_of(records, first)
    if not these or not those:
        return ["–"] * 3
    cells = [shown(stratified_bootstrap(these, interquartile_mean))]
    if name == first:
        return [*cells, "", ""]
    differences = [each - other for each, other in zip(these, those, strict=True)]
    pairs = [np.stack(each, axis=1) for each in zip(these, those, strict=True)]
    return [
        *cells,
        shown(stratified_bootstrap(differences, stratified_mean), sign="+"),
        shown(stratified_bootstrap(pairs, probability_of_improvement), digits=2),
    ]


def speeds(records: Records, maze: str) -> list[str]:
    """What agents cost in a maze, from the task with a fixed goal; plans/s also as a multiple of the first agent's."""
    record = next(records[task] for task in records if task[0] == maze)
    first, (alone, together) = record["agents"][0], sorted(record["agents"][0]["cost"], key=int)
    lines = [
        f"| {maze} | ms of a plan p50 / p95 / p99 | plans/s | × {first['name']} | ms of a plan, {together} at once "
        f"| plans/s, {together} at once | × {first['name']} | decisions/s | × {first['name']} "
        f"| decisions/s, {together} at once | × {first['name']} | peak MB | network calls | parameters | training |",
        f"|---|{'---:|' * 14}",
    ]
    for agent in (each for each in record["agents"] if each["cost"]):
        cells = []
        for batch in (alone, together):
            cost = agent["cost"][batch]
            cells.append(milliseconds(cost["plan_seconds"]))
            cells.append(number(cost["plans_per_second"]))
            cells.append(multiple(agent, first, "plans_per_second", batch=batch) if plans_to_the_goal(agent) else "–")
        for batch in (alone, together):
            cells.append(number(agent["cost"][batch]["decisions_per_second"], digits=0))
            cells.append(multiple(agent, first, "decisions_per_second", batch=batch))
        cells.append(
            " / ".join(number(agent["cost"][each]["peak_bytes"] / 2**20, digits=0) for each in (alone, together))
        )
        cells.append(number(agent["plan_network"]["evaluations"], digits=0))
        cells.append(f"{agent['num_parameters']:,}" if agent["num_parameters"] else "–")
        cells.append(training_of(agent, maze))
        lines.append(f"| {agent['name']} | {' | '.join(cells)} |")
    return lines


def milliseconds(seconds: dict[str, Any]) -> str:
    """Percentiles of the time of a plan; of fewer than ten calls the median alone, and how many there were."""
    if 0 < seconds["calls"] < LEAST_CALLS:
        return f"{number(seconds['p50'], factor=1000)} (of {seconds['calls']})"
    return " / ".join(number(seconds[name], factor=1000) for name in ("p50", "p95", "p99"))


def plans_to_the_goal(agent: dict[str, Any]) -> bool:
    """Whether a plan leads all the way: one that looks so many steps ahead is another thing, with another price."""
    return not any(word.startswith("planner.horizon=") for word in agent.get("options", []))


def multiple(agent: dict[str, Any], first: dict[str, Any], rate: str, *, batch: str) -> str:
    """A rate of an agent as a multiple of the first agent's."""
    found, base = agent["cost"][batch][rate], first["cost"][batch][rate]
    return "–" if found is None or base is None else f"{found / base:.{0 if found >= 10 * base else 1}f}"


def training_of(agent: dict[str, Any], maze: str) -> str:
    """Steps, batch and minutes of the training behind an agent's weights, where its log is kept.

    It is known by the checksum of the weights; logs of before these had one, by maze and commit. Who uses no network,
    as a path over the visited cells that come with the weights, needs no training.
    """
    if "num_parameters" in agent and not agent["num_parameters"]:
        return "–"
    weights = agent.get("weights") or {}
    logs = [json.loads(path.read_text()) for path in sorted(SUMMARIES.glob("*/summary.json"))]
    same = [log for log in logs if log.get("sha256") == weights.get("sha256") is not None]
    same += [
        log
        for log in logs
        if "sha256" not in log and (log["env"], log["commit"]) == (maze, weights.get("training_commit"))
    ]
    if not same:
        return "–"
    return f"{same[0]['num_steps']:,} × {same[0]['batch_size']}, {same[0]['wall_seconds'] / 60:.0f} min"


def render(records: Records) -> str:
    """Everything between the two marks of the folder's README."""
    if not records:
        return "No result files yet."
    lines = [*overview(records), "", *heuristic(records)]
    for maze in dict.fromkeys(maze for maze, _ in records):
        lines += [*speeds(records, maze), ""]
    pictures = ("score_against_time", "latency", "profile")
    lines += [f"![{name.replace('_', ' ')}](plots/{name}.png)" for name in pictures]
    return "\n".join([*lines, "", *sources(records)])


def summary(records: Records) -> str:
    """Between the marks of docs/results/side_by_side.md: scores, and what plans cost in the last maze."""
    if not records:
        return "No result files yet."
    last = list(records)[-1][0]
    return "\n".join(
        [
            *overview(records),
            "",
            *heuristic(records),
            *speeds(records, last),
            "",
            *sources(records, folder="../../benchmarks/side_by_side/"),
        ]
    )


def sources(records: Records, *, folder: str = "") -> list[str]:
    """Which files the numbers are of, and under which circumstances they came about."""
    files = " ".join(f"[{env}, {goal}]({folder}results/{each['file']})" for (env, goal), each in records.items())
    seen = {
        f"{each['n_episodes']} episodes of seed {each['seed']}, {each['machine']}, {each['threads']} threads, commit "
        f"`{each['commit'][:12]}`"
        for each in records.values()
    }
    loads = [each["load_average_before"] or 0 for each in records.values()]
    notes = sorted({each.get("note", "") for each in records.values()} - {""})
    if all("wall_seconds" in each for each in records.values()):
        notes.append(f"{sum(each['wall_seconds'] for each in records.values()) / 60:.0f} minutes in all")
    circumstances = "; ".join([*sorted(seen), f"load average before up to {max(loads):.1f}", *notes])
    elsewhere = f" {ELSEWHERE} scores of the same episodes from benchmarks/maze_scores, not timed here."
    marked = elsewhere if any(name.endswith(ELSEWHERE) for name in names_of(records)) else ""
    return [f"{circumstances}.{marked} Files: {files}"]


def updated(readme: str, text: str) -> str:
    """A page with what stands between the marks written anew; one without marks stays as it is."""
    if BEGIN not in readme:
        return readme
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}"


def pages() -> dict[Path, str]:
    """The README here and docs/results/side_by_side.md, with their tables."""
    records = load_newest(RESULTS)
    wanted = {README: render(records), ROOT / "docs" / "results" / "side_by_side.md": summary(records)}
    return {path: updated(path.read_text(), text) for path, text in wanted.items()}


def draw_plots() -> None:
    """Of all tasks."""
    if records := load_newest(RESULTS):
        draw(records, HERE / "plots")


BENCHMARK = Benchmark(says=__doc__, folder=HERE, pages=pages, draw=draw_plots)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
