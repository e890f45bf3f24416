"""The table of the README, from the newest results of each Python and each MuJoCo."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from frame import Benchmark
from records import Record, between_marks, head, load, row

HERE = Path(__file__).parent
BEGIN, END = "<!-- installed: written by benchmarks/releases/tables.py -->", "<!-- end of what was installed -->"


def pages() -> Mapping[Path, str]:
    """The README with its table."""
    records = load(HERE / "results")
    lines = [*head("what was installed", "on", "what ran", "score, mean", "from"), *rows(records)]
    text = (HERE / "README.md").read_text()
    return {HERE / "README.md": between_marks(text, "\n".join(lines), begin=BEGIN, end=END)}


def rows(records: Sequence[Record]) -> Iterable[str]:
    """Of each Python and each MuJoCo the newest installations, and of each Python that none has run why."""
    seen: set[str] = set()
    not_run: dict[str, str] = {}
    for record in records:
        where = {each.get("python") or each["mujoco"] for each in record["rows"]} - seen
        kept = [each for each in record["rows"] if {each.get("python"), each.get("mujoco")} & where]
        yield from (installation(each, record) for each in kept)
        seen |= where
        not_run = record.get("not_run", {}) | not_run
    for version in sorted(set(not_run) - seen):
        yield row("–", f"Python {version}", f"**not run**: {not_run[version]}", "–", "–")


def installation(each: Record, record: Record) -> str:
    """What was installed, where, and what came of it."""
    link = f"[{record['file']}](results/{record['file']})"
    what = each.get("package", "its folder") + (", the rest lent" if each.get("lent") else "")
    if "failed" in each:
        where = f"Python {each['python']}" if "python" in each else f"MuJoCo {each['mujoco']}"
        return row(what, where, f"**failed**: {each['failed']}", "–", link)
    versions, episodes = each["versions"], f"{record['n_episodes']} episodes"
    where = f"Python {versions['python']}, torch {versions['torch']}, MuJoCo {versions['mujoco']}"
    ran = f"{each['tests']}; {episodes}" if "tests" in each else f"version, info, {episodes}, verify"
    return row(what, where, ran, f"{each['score']:.4f}", link)


BENCHMARK = Benchmark(says=__doc__, folder=HERE, pages=pages)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
