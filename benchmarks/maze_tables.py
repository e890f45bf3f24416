"""Writes the score tables of docs/results/mazes.md from the result files; ``--check`` tells whether they are current.

No number in those tables is typed by hand. A row is the newest result files of its kind, one per training seed.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from frame import Benchmark
from omegaconf import OmegaConf
from score_kinds import CLONED, RESULTS, SIZES, Kind, Records, check_paired, estimate, load_kinds, mean_score
from score_kinds import GOALS as FAMILIES

ROOT = Path(__file__).parents[1]
PUBLISHED = ROOT / "benchmarks" / "maze_scores" / "published.yaml"
PAGE = ROOT / "docs" / "results" / "mazes.md"
BEGIN, END = "<!-- scores: written by benchmarks/maze_tables.py -->", "<!-- end of scores -->"
METHODS = {  # how a row is called that is not of a training
    "grid": "shortest path on visited cells (*grid*), shooting tracker, no network",
    "oracle": "heuristic with privileged information (*oracle*)",
    "waypoints": "the data's own driver, with privileged information (*waypoints*)",
    "bound": "kinematic upper bound",
}
DRIVEN = {"actions": "planned actions", "shooting": "shooting tracker"}


def called(kind: Kind) -> str:
    """What a row is called."""
    if not kind.data:
        return METHODS[kind.planner]
    data = f"data {'as collected' if kind.data == 'collected' else kind.data}"
    if kind.planner == CLONED:
        return f"behaviour cloning, no plan, {data}"
    return f"dfplan, {kind.planner}, {DRIVEN[kind.controller]}, {data}"


def interval(records: Records, name: str, *, factor: float = 1.0, digits: int = 1) -> str:
    """``mean [low, high]`` of a metric."""
    found = estimate(records, name)
    if found.mean is None or found.low is None or found.high is None:
        return "–"
    mean, low, high = (f"{factor * value:.{digits}f}" for value in (found.mean, found.low, found.high))
    return f"{mean} [{low}, {high}]"


def three_scores(records: Records) -> str:
    """Score with its interval, latched score and success, which only mean something together."""
    if records[0]["planner"] == "bound":
        return f"{mean_score(records[0]):.1f}"
    latched = estimate(records, "latched_normalized_return").mean
    success = estimate(records, "success_rate").mean
    return f"{interval(records, 'normalized_return')} · {latched:.0f} · {100 * (success or 0):.0f} %"


def overview(kinds: dict[Kind, Records]) -> Iterator[str]:
    """One row per method and goal, one column per size of maze; then what others published, scores alone."""
    yield "| score [95 %] · latched · success | U-Maze | Medium | Large |"
    yield "|---|---:|---:|---:|"
    published, notes = load_published(), list(load_notes())
    families = list(dict.fromkeys([*(kind.family for kind in kinds), *(FAMILIES[each["goal"]] for each in published)]))
    for family in families:
        methods = dict.fromkeys(kind.method for kind in kinds if kind.family == family)
        for method in methods:
            found = {kind.size: kind for kind in kinds if (kind.family, kind.method) == (family, method)}
            cells = [three_scores(kinds[found[size]]) if size in found else "–" for size in SIZES]
            yield f"| {family}: {called(next(iter(found.values())))} | {' | '.join(cells)} |"
        for each in published:
            if FAMILIES[each["goal"]] == family:
                cells = " | ".join(f"{score:.1f}" for score in each["scores"])
                yield f"| {family}: {each['method']} (as published, {notes.index(note_of(each)) + 1}) | {cells} |"


def load_published() -> list[dict[str, Any]]:
    """What others published."""
    found: Any = OmegaConf.to_container(OmegaConf.load(PUBLISHED))
    return found


def load_notes() -> Iterator[str]:
    """What the scores that others published are, and where, each said once."""
    yield from dict.fromkeys(note_of(each) for each in load_published())


def note_of(published: dict[str, Any]) -> str:
    """What a score that others published is, and where."""
    return f"{published['protocol']} [{published['source']}]"


def details(kinds: dict[Kind, Records]) -> Iterator[str]:
    """Every measure of every result file."""
    yield (
        "| maze | goal | planner, controller, data | return | score | of each training seed | latched | success % "
        "| first touch | in walls % | plan p50 / p95 ms | episodes |"
    )
    yield "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    for kind, records in kinds.items():
        cells = (
            kind.env.removeprefix("maze2d-"),
            kind.goal,
            ", ".join(part for part in kind.method if part),
            interval(records, "raw_return"),
            interval(records, "normalized_return"),
            " ".join(linked_score(each) for each in records),
            interval(records, "latched_normalized_return"),
            interval(records, "success_rate", factor=100),
            interval(records, "first_touch_step", digits=0),
            interval(records, "planned_wall_share", factor=100),
            plan_milliseconds(records),
            f"{len(records)} × {records[0]['n_episodes']}",
        )
        yield f"| {' | '.join(cells)} |"


def linked_score(record: dict[str, Any]) -> str:
    """The mean score of one training, linked to its file."""
    return f"[{mean_score(record):.1f}](../../benchmarks/maze_scores/results/{record['file']})"


def plan_milliseconds(records: Records) -> str:
    """Median and 95th percentile of the planning time, averaged over trainings."""
    seconds = [each["metrics"].get("plan_seconds", {"p50": None}) for each in records]
    if any(each["p50"] is None for each in seconds):
        return "–"
    return " / ".join(f"{1000 * np.mean([each[name] for each in seconds]):.0f}" for name in ("p50", "p95"))


def render(kinds: dict[Kind, Records]) -> str:
    """Everything between the two marks of the page."""
    if not kinds:
        return "No result files yet."
    for records in kinds.values():
        check_paired(records)
    devices = ", ".join(sorted({f"{each['device']} ({each['machine']})" for found in kinds.values() for each in found}))
    return "\n".join(
        [
            *overview(kinds),
            "",
            f"As published: {'; '.join(f'({number}) {note}' for number, note in enumerate(load_notes(), start=1))}.",
            "",
            "## All measures, from the same roll-outs",
            "",
            *details(kinds),
            "",
            "Episodes: trainings × episodes, the same starts and goals for every training. Mean and 95 % interval:",
            "over episodes where there is one training; over trainings and episodes where there are several (two",
            "crossed random factors, t with Satterthwaite's degrees of freedom); Wilson's for success. Planning time",
            "is per environment, many planned side by side;",
            f"on {devices}.",
        ]
    )


def updated(page: str, kinds: dict[Kind, Records]) -> str:
    """The page with its tables written anew."""
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n{render(kinds)}\n\n{END}{after}"


def pages() -> dict[Path, str]:
    """The page with its tables."""
    return {PAGE: updated(PAGE.read_text(), load_kinds(RESULTS))}


BENCHMARK = Benchmark(says=__doc__, folder=RESULTS.parent, pages=pages)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
