"""Writes summary.json and the table of each world's README from its result files: of each task and row the newest.

``--check`` answers 1 where a summary.json is not what the files say.
"""

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from frame import Benchmark
from records import Record, between_marks, load, row, source

HERE = Path(__file__).parent
BEGIN, END = "<!-- measured: written by benchmarks/world_tables.py -->", "<!-- end of measured -->"
# What rows have: title, factor and decimals.
COLUMNS = {
    "success": ("success %", 100, 1),
    "coverage": ("best coverage %", 100, 1),
    "score": ("D4RL score (regenerated)", 1, 1),
    "return": ("return", 1, 1),
    "seconds_an_episode": ("planning, s an episode, median [of trainings]", 1, 2),
}


# Tasks whose figures are told together, too, by the name of their mean, where all of them were measured.
HANDS = ("door", "hammer", "pen", "relocate")
MEANS = {
    "locomotion": {
        "mean": [f"{robot}-{of}" for robot in ("hopper", "walker2d", "halfcheetah") for of in ("medium", "mixed")]
    },
    "adroit": {f"mean-{of}": [f"{hand}-{of}" for hand in HANDS] for of in ("expert", "mixed")},
}


def newest_of_each(records: list[Record]) -> dict[str, list[Record]]:
    """The records of each task that count, by its name, the oldest first.

    These are the newest of all that was measured, and of those of a ``part`` of the rows the newest of the same part,
    as far as they are of the same data as the newest of them all.
    """
    in_order = sorted(records, key=lambda each: each["date"])
    data = {each["task"]: data_of(each) for each in in_order}
    in_order = [each for each in in_order if data_of(each) == data[each["task"]]]
    newest = {(each["task"], each.get("part")): each for each in in_order}
    found: dict[str, list[Record]] = {}
    for record in sorted(newest.values(), key=lambda each: each["date"]):
        found.setdefault(record["task"], []).append(record)
    return found


def data_of(record: Record) -> list[str] | str | None:
    """What the data of a record are told by: checksums of the policies that made them, or that of their file."""
    return [each["sha256"] for each in record.get("procedure", {}).get("policies", ())] or record.get("data_sha256")


def summarize(records: list[Record], groups: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The figures of the newest records and the means of ``groups`` of tasks, in the order of their names."""
    counted = [record for several in newest_of_each(records).values() for record in several]
    figures = {name: value for each in counted for name, value in each["figures"].items()}
    rows = {name.rsplit(".", 1)[1] for name in figures if "." in name}
    for title, tasks in groups.items():
        for name in rows:
            parts = [figures.get(f"{task}.{name}") for task in tasks]
            if all(parts):
                figures[f"{title}.{name}"] = mean_of(parts)
    return dict(sorted(figures.items()))


def mean_of(parts: Sequence[Any]) -> Record:
    """The mean of several figures, whose errors know nothing of each other."""
    count, mean = len(parts), sum(part["mean"] for part in parts) / len(parts)
    below, above = (
        math.sqrt(sum((part["mean"] - part[bound]) ** 2 for part in parts)) / count for bound in ("low", "high")
    )
    return {"mean": mean, "low": mean - below, "high": mean + above, "n": sum(part["n"] for part in parts)}


def table(records: list[Record], groups: Mapping[str, Sequence[str]]) -> str:
    """A line for each row of the newest records of each task and of the mean of each group, and the files."""
    if not records:
        return "Nothing is measured yet."
    newest = [
        (task, name, record)
        for task, several in newest_of_each(records).items()
        for name, record in {name: each for each in several for name in each["rows"]}.items()
    ]
    measured = [record["rows"][name] for _, name, record in newest]
    titles = [title for name, (title, *_) in COLUMNS.items() if any(name in each for each in measured)]
    lines = [row("task", "", *titles, "of each training", "episodes", "CPU minutes of a training"), ""]
    lines[1] = "|---|---|" + "---:|" * (len(titles) + 3)
    for (task, name, record), each in zip(newest, measured, strict=True):
        cells = [*_values(each, titles), _trainings(each), each["return"]["n"], _cost(record, name)]
        lines.append(row(task, name, *cells))
    factor, digits = next((COLUMNS[name][1:] for name in COLUMNS if COLUMNS[name][0] in titles), (1, 1))
    figures = summarize(records, groups)
    for name in [name for name in figures if name.rsplit(".", 1)[0] in groups]:
        told = f"{{mean:.{digits}f}} [{{low:.{digits}f}}, {{high:.{digits}f}}]".format(
            **{bound: factor * figures[name][bound] for bound in ("mean", "low", "high")}
        )
        rest = ["–"] * (len(titles) - 1)
        lines.append(row(*name.rsplit(".", 1), told, *rest, "–", figures[name]["n"], "–"))
    files = "  \n".join(dict.fromkeys(f"{task}: {source(record)}" for task, _, record in newest))
    return "\n".join(lines) + f"\n\n{files}"


def _values(found: Record, titles: list[str]) -> Iterator[str]:
    for name, (title, factor, digits) in COLUMNS.items():
        if title in titles:
            told = found.get(name)
            middle = "median" if told and "median" in told else "mean"
            bounds = [f"{factor * told[each]:.{digits}f}" for each in (middle, "low", "high")] if told else []
            yield f"{bounds[0]} [{bounds[1]}, {bounds[2]}]" if bounds else "–"


def _trainings(found: Record) -> str:
    if "success_of_each_training" in found:
        return ", ".join(f"{100 * each:.0f}" for each in found["success_of_each_training"])
    return ", ".join(f"{each:.4g}" for each in found.get("of_each_training", [])) or "–"


def _cost(record: Record, name: str) -> str:
    training = record.get("trainings_of_rows", {}).get(name)
    costs = [cost for title, cost in record["cpu_seconds_of_training"].items() if title.split()[0] == training]
    return f"{max(costs) / 60:.1f}" if costs else "–"


def pages() -> dict[Path, str]:
    """Figures and README of every folder that has the marks."""
    found = {}
    for readme in sorted(HERE.glob("*/README.md")):
        if BEGIN not in readme.read_text():
            continue
        records, groups = load(readme.parent / "results"), MEANS.get(readme.parent.name, {})
        found[readme.parent / "summary.json"] = json.dumps(summarize(records, groups), indent=2) + "\n"
        found[readme] = between_marks(readme.read_text(), table(records, groups), begin=BEGIN, end=END)
    return found


BENCHMARK = Benchmark(says=__doc__, folder=HERE, pages=pages)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
