"""Writes the tables in the READMEs of realtime, robustness, faults and mutation from their newest result files.

No number in those tables is typed by hand.
"""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from fault_tables import faults, mutation
from frame import Benchmark
from records import Lines, Record, counts, head, load, newest, row, source

from dfplan.domains.former import present_choice

HERE = Path(__file__).parent
BEGIN, END = "<!-- tables: written by benchmarks/control_tables.py -->", "<!-- end of tables -->"


def pages() -> dict[Path, str]:
    """All of them."""
    found = {}
    for folder, render in RENDER.items():
        readme = HERE / folder / "README.md"
        before, rest = readme.read_text().split(BEGIN)
        after = rest.split(END)[1]
        lines = list(render(load(HERE / folder / "results"))) or ["No result file yet."]
        found[readme] = f"{before}{BEGIN}\n\n" + "\n".join(lines).rstrip() + f"\n\n{END}{after}"
    return found


def realtime(records: list[Record]) -> Lines:
    """Every part from the newest file that has it."""
    for part, table in REALTIME.items():
        record = newest(records, part)
        if record is not None:
            yield from table(record[part])
            yield from ["", source(record), ""]
    yield from scores(records)


def soak(found: Record) -> Lines:
    """How it kept its rate, and whether it grew."""
    yield from head("soak", "ticks", "missed", "p99, max ms to the action", "memory MB", "rungs", "flagged")
    yield row(
        f"{found['minutes']:.0f} min at {found['rate']:.0f} Hz",
        found["ticks"],
        missed(found),
        quickness(found),
        f"{found['memory_growth_mb']:+.1f}",
        counts(found["sources"]),
        counts(found["faults"]),
    )


def slowed(found: list[Record]) -> Lines:
    """The same, by slowdown."""
    yield from head("planner slowed", "ticks", "missed", "p99, max ms to the action", "rungs", "flagged")
    for each in found:
        cells = each["ticks"], missed(each), quickness(each), counts(each["sources"]), counts(each["faults"])
        yield row(f"×{each['slowdown']}", *cells)


def planner_faults(found: list[Record]) -> Lines:
    """The slowest of all trials, by what was done to the planner."""
    yield from head(
        "done to the planner", "trials", "allowed s", "noticed within s", "new planner within s", "missed ticks"
    )
    for name in sorted({each["fault"] for each in found}):
        trials = [each for each in found if each["fault"] == name]
        slowest = (_slowest(each[key] for each in trials) for key in ("noticed_seconds", "mended_seconds"))
        allowed = trials[0].get("allowed_seconds", "–")
        yield row(name, len(trials), allowed, *slowest, sum(each["missed"] for each in trials))


def _slowest(seconds: Iterable[float | None]) -> str:
    """The longest; where it never came, that is said."""
    known = list(seconds)
    return "not always" if None in known else f"{max(each for each in known if each is not None):.3f}"


def observations(found: Record) -> Lines:
    """How many of each kind, and what became of them."""
    yield from head("bad observation", "injected", "flagged")
    for kind, number in found["injected"].items():
        yield row(kind, number, found["flagged"][kind])
    yield row("all", sum(found["injected"].values()), sum(found["flagged"].values()))
    yield ""
    yield (
        f"Actions not finite or outside the action space: {found['bad_actions']}. Rungs: {counts(found['sources'])}. "
        f"Latched and released: {found['latched_and_released']}. Plans until back on a plan, and how often: "
        f"{counts(found['plans_to_recover'])}."
    )


def scores(records: list[Record]) -> Lines:
    """One row for each controller and rate."""
    rows: dict[tuple[str, float], str] = {}
    files: dict[str, Record] = {}
    for record in records:
        for each in record.get("score", []):
            kind = (present_choice("controller", each["controller"]), each["rate"])
            if kind not in rows:
                loss = each["loss_percent"]
                rows[kind] = row(
                    f"{kind[0]}, {kind[1]:.0f} Hz",
                    len(each["scores"]),
                    f"{each['score']:.1f}",
                    f"{each['score_waiting']:.1f}",
                    f"{loss['mean']:.2f} [{loss['low']:.2f}, {loss['high']:.2f}]",
                    missed(each),
                    counts(each["sources"]),
                )
                files[record["file"]] = record
    if rows:
        columns = ("episodes", "score", "score, robot waits", "loss % [95 %]", "missed", "rungs")
        yield from head("controller, rate", *columns)
        yield from (rows[kind] for kind in sorted(rows, key=lambda kind: (kind[0] != "shooting", kind[1])))
        yield ""
        yield from (f"{source(record)}  " for record in files.values())


def robustness(records: list[Record]) -> Lines:
    """Scores by disturbance and treatment, for each controller; every combination from the newest file that has it."""
    found: dict[tuple[str, str, str], Record] = {}
    for record in records:
        for each in record["results"]:
            kind = (present_choice("controller", each["controller"]), each["disturbance"], each["treatment"])
            found.setdefault(kind, each | {"record": record})
    treatments = list(dict.fromkeys(kind[2] for kind in found))
    for controller in dict.fromkeys(kind[0] for kind in found):
        yield from head(f"{controller}: score [95 %] · success", *treatments)
        for disturbance in dict.fromkeys(kind[1] for kind in found if kind[0] == controller):
            cells = (found.get((controller, disturbance, treatment)) for treatment in treatments)
            yield row(disturbance, *("–" if each is None else scored(each) for each in cells))
        yield ""
    for record in {each["record"]["file"]: each["record"] for each in found.values()}.values():
        yield f"{source(record)}; {record['episodes']} episodes, seed {record['seed']}  "


def scored(each: Record) -> str:
    """Score with its interval, and success."""
    score = each["score"]
    return f"{score['mean']:.1f} [{score['low']:.1f}, {score['high']:.1f}] · {100 * each['success']:.0f} %"


def missed(found: Record) -> str:
    """As the loop counts, and as the robot does."""
    return f"{found['missed']} (robot: {found['unanswered_by_the_robots_count']})"


def quickness(found: Record) -> str:
    """From the beginning of a tick to its action."""
    seconds = found["seconds_to_action"]
    return f"{1000 * seconds['p99_of_an_episode']:.1f}, {1000 * seconds['max']:.1f}"


REALTIME: dict[str, Callable[[Any], Lines]] = {
    "soak": soak,
    "slowed": slowed,
    "faults": planner_faults,
    "observations": observations,
}
RENDER: dict[str, Callable[[list[Record]], Lines]] = {
    "realtime": realtime,
    "robustness": robustness,
    "faults": faults,
    "mutation": mutation,
}


BENCHMARK = Benchmark(says=__doc__, folder=HERE, pages=pages)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
