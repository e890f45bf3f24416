"""Writes summary.json, the table of README.md and the picture, from the result files: of each world the newest.

``--check`` answers 1 where summary.json is not what the files say.
"""

import json
import sys
from pathlib import Path

from matplotlib.figure import Figure

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark
from records import Record, between_marks, counts, figures_of, head, load, newest_of_tasks, row, source

HERE = Path(__file__).parent
SUMMARY, README, PICTURE = HERE / "summary.json", HERE / "README.md", HERE / "plots" / "delay.png"
BEGIN, END = "<!-- measured: written by benchmarks/delay/report.py -->", "<!-- end of measured -->"
COLORS = {True: ("#0072B2", "told what is left of the plan before"), False: ("#D55E00", "not told")}


WALL_CLOCK = "-wall-clock"  # ends the names of tasks by the clock


def simulated(records: list[Record]) -> dict[str, Record]:
    """Newest records of worlds whose delays are counted in steps."""
    return {name: record for name, record in newest_of_tasks(records).items() if not name.endswith(WALL_CLOCK)}


def by_the_clock(records: list[Record]) -> dict[str, Record]:
    """Newest records of worlds that went on while plans were made."""
    return {name: record for name, record in newest_of_tasks(records).items() if name.endswith(WALL_CLOCK)}


def tables(records: list[Record]) -> str:
    """Both, each with its files."""
    return "\n\n".join(filter(None, [table(simulated(records)), clock_table(by_the_clock(records))]))


def table(found: dict[str, Record]) -> str:
    """A line for each delay of each world, and the files."""
    if not found:
        return ""
    lines = [*head("world, delay", "told", "not told", "told: change at joins, elsewhere %", "not told")]
    for name, record in found.items():
        rows = {(each["delay"], each["told"]): each for each in record["rows"]}
        for delay in sorted({delay for delay, _ in rows}):
            both = [rows.get((delay, told)) for told in (True, False)]
            lines.append(row(f"{name}, {delay}", *map(earned, both), *map(changed, both)))
    return "\n".join(lines) + "\n\n" + files_of(found)


def clock_table(found: dict[str, Record]) -> str:
    """A line for each delay of each world by the wall clock, and the files."""
    if not found:
        return ""
    head_line = "by the clock, delay", "waiting", "by the clock", "loss %", "change at joins, elsewhere %"
    lines = [*head(*head_line, "delay, steps: how often", "rungs", "ticks", "missed", "late")]
    for name, each in found.items():
        values = (each[kind] for kind in ("waiting", "earned", "loss_percent"))
        told = [f"{value['mean']:.4g} [{value['low']:.4g}, {value['high']:.4g}]" for value in values]
        delays = ", ".join(f"{steps}: {number}" for steps, number in each["delays"].items())
        counted = (each[part] for part in ("ticks", "missed", "late"))
        title = ", ".join(name.removesuffix(WALL_CLOCK).rsplit("-", 1))
        lines.append(row(title, *told, changed(each), delays, counts(each["sources"]), *counted))
    return "\n".join(lines) + "\n\n" + files_of(found)


def files_of(found: dict[str, Record]) -> str:
    """Which files, and what the machine was doing."""
    return "  \n".join(f"{name}: {source(record)}; {record['note']}".rstrip("; ") for name, record in found.items())


def earned(found: Record | None) -> str:
    """Success in percent, or the return, with its interval."""
    if found is None:
        return "–"
    value, factor = _value(found)
    mean, low, high = (factor * value[each] for each in ("mean", "low", "high"))
    told = f"{mean:.1f} [{low:.1f}, {high:.1f}]"
    return f"{told} %" if factor == 100 else told


def changed(found: Record | None) -> str:
    """How much actions change."""
    return "–" if found is None else f"{found['change_at_joins']:.1f}, {found['change_elsewhere']:.1f}"


def _value(found: Record) -> tuple[Record, float]:
    return (found["success"], 100.0) if "success" in found else (found["return"], 1.0)


def draw(found: dict[str, Record], path: Path) -> None:
    """What is earned against the delay, a world beside the other."""
    figure = Figure(figsize=(4 * len(found), 3.4), layout="constrained", dpi=100)
    for axis, (name, record) in zip(figure.subplots(1, len(found), squeeze=False)[0], found.items(), strict=True):
        start = next(each for each in record["rows"] if not each["delay"])
        for told, (color, label) in COLORS.items():
            rows = [start, *(each for each in record["rows"] if each["delay"] and each["told"] == told)]
            values, factor = [_value(each)[0] for each in rows], _value(start)[1]
            mean, low, high = ([factor * value[part] for value in values] for part in ("mean", "low", "high"))
            delays = [each["delay"] for each in rows]
            axis.plot(delays, mean, "o-", color=color, label=label)
            axis.fill_between(delays, low, high, color=color, alpha=0.15, linewidth=0)
        axis.set(
            title=name, xlabel="delay, steps", ylabel="success %" if "success" in start else "return", ylim=(0, None)
        )
        axis.grid(alpha=0.3)
        axis.legend()
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path)


def pages() -> dict[Path, str]:
    """The figures, and the README with their table."""
    records = load(HERE / "results")
    text = json.dumps(figures_of(records), indent=2) + "\n"
    readme = between_marks(README.read_text(), tables(records), begin=BEGIN, end=END)
    return {SUMMARY: text, README: readme}


def draw_picture() -> None:
    """Of what was simulated, if anything."""
    if found := simulated(load(HERE / "results")):
        draw(found, PICTURE)


BENCHMARK = Benchmark(says=__doc__, folder=HERE, pages=pages, draw=draw_picture)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
