"""The table of the README, from the newest result file of each kind."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from frame import Benchmark
from records import Record, between_marks, head, load, row, source

HERE = Path(__file__).parent
BEGIN, END = "<!-- installed: written by benchmarks/releases/tables.py -->", "<!-- end of what was installed -->"


def pages() -> Mapping[Path, str]:
    """The README with its table."""
    records = load(HERE / "results")
    lines = [*head("what was installed", "on", "what ran", "score, mean")]
    for kind in ("pythons", "mujoco"):
        newest = next((record for record in records if record["file"].endswith(f"_{kind}.json")), None)
        if newest is not None:
            lines += [*rows(newest), row(f"*{source(newest)}*", "", "", "")]
    text = (HERE / "README.md").read_text()
    return {HERE / "README.md": between_marks(text, "\n".join(lines), begin=BEGIN, end=END)}


def rows(record: Record) -> Iterable[str]:
    """One of each installation, and one of each that was not made."""
    for each in record["rows"]:
        episodes = f"{record['n_episodes']} episodes"
        what = each.get("package", "from its folder") + (", torch lent" if each.get("lent") else "")
        if "failed" in each:
            yield row(what, each.get("python") or f"MuJoCo {each['mujoco']}", f"**failed**: {each['failed']}", "–")
            continue
        versions = each["versions"]
        where = f"Python {versions['python']}, torch {versions['torch']}, MuJoCo {versions['mujoco']}"
        ran = f"{each['tests']}; {episodes}" if "tests" in each else f"version, info, {episodes}, verify"
        yield row(what, where, ran, f"{each['score']:.4f}")
    for version, reason in record.get("not_run", {}).items():
        yield row("–", f"Python {version}", f"**not run**: {reason}", "–")


BENCHMARK = Benchmark(says=__doc__, folder=HERE, pages=pages)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
