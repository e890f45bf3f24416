"""Tables of the fault injection and of the mutants; ``control_tables.py`` puts them into the READMEs."""

from collections.abc import Callable, Iterator

from records import Lines, Record, head, newest, row, source


def faults(records: list[Record]) -> Lines:
    """Every part in a line, from the newest file that has it."""
    used = {part: record for part in FAULTS if (record := newest(records, part)) is not None}
    if not used:
        return
    yield from head("part", "cases", "found", "processor s")
    for part, record in used.items():
        for name, cases, outcome in FAULTS[part](record[part]):
            yield row(name, cases, outcome, record[part]["processor_seconds"])
    yield ""
    for record in {record["file"]: record for record in used.values()}.values():
        yield f"{source(record)}  "


def kills(found: Record) -> Iterator[tuple[str, int, str]]:
    """Nothing may be lost."""
    keys = ("unloadable_latest", "lost_previous", "damaged_other_files", "strays", "strays_after_start")
    yield "kills while saving", found["kills"], ", ".join(f"{key.replace('_', ' ')} {found[key]}" for key in keys)


def disks(found: Record) -> Iterator[tuple[str, int, str]]:
    """Every command on every bad disk."""
    judged = [each for name, each in found.items() if name != "made by" and isinstance(each, dict)]
    yield "failing disks", len(judged), f"{sum(all(each.values()) for each in judged)} as they should be"


def resumes(found: Record) -> Iterator[tuple[str, int, str]]:
    """How many went on bit for bit."""
    equal = ", ".join(f"{key.replace('_', ' ')} {found[key]}" for key in found if key.startswith("equal_"))
    yield "kills and resumes", found["kills"], f"{equal}; at least {found['fewest_losses_compared']} losses compared"


def damages(found: Record) -> Iterator[tuple[str, int, str]]:
    """By file and damage."""
    for name, each in found.items():
        if isinstance(each, dict):
            yield f"damaged: {name}", each["cases"], f"{each['found']} found and named, {each['unnoticed']} unnoticed"


def attacks(found: Record) -> Iterator[tuple[str, int, str]]:
    """None may run, all must be refused."""
    refused = found["files"] - len(found["not_refused"])
    worst = f"slowest {found['slowest_seconds']:.2f} s, largest {found['largest_megabytes']:.0f} MB"
    yield "hostile files", found["files"], f"{found['executions']} executions, {refused} refused; {worst}"


FAULTS: dict[str, Callable[[Record], Iterator[tuple[str, int, str]]]] = {
    "kills while saving": kills,
    "failing disks": disks,
    "kills and resumes": resumes,
    "damaged files": damages,
    "hostile files": attacks,
}


def mutation(records: list[Record]) -> Lines:
    """The newest file of each part: every module in a line."""
    mutants, reached = newest(records, "mutants"), newest(records, "coverage")
    modules = (mutants or {"mutants": {}})["mutants"]
    coverage = (reached or {"coverage": {}})["coverage"]
    if not modules and not coverage:
        return
    yield from head("module", "mutants", "tried", "survived", "score %", "lines and branches reached %")
    sums = [sum(count(each) for each in modules.values()) for count in MUTANTS]
    for path in dict.fromkeys([*modules, *coverage]):
        cells = [count(modules[path]) for count in MUTANTS] if path in modules else ["–"] * 3
        score = f"{100 * modules[path]['score']:.0f}" if path in modules else "–"
        yield row(f"`{path}`", *cells, score, f"{coverage[path]:.1f}" if path in coverage else "–")
    if sums[1]:
        yield row("all", *sums, f"{100 * (1 - sums[2] / sums[1]):.1f}", "")
    yield ""
    yield from (f"{source(record)}  " for record in (mutants, reached) if record is not None)


MUTANTS: tuple[Callable[[Record], int], ...] = (
    lambda each: each["mutants"],
    lambda each: each["tried"],
    lambda each: len(each["survivors"]),
)
