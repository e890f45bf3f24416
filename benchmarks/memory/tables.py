"""Writes the tables of this folder's README from the newest result file of each environment."""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark

HERE = Path(__file__).parent
README = HERE / "README.md"
BEGIN, END = "<!-- tables: written by benchmarks/memory/tables.py -->", "<!-- end of tables -->"
ENVS = {"tmaze": "By state", "pixel-tmaze": "By sight"}


def pages() -> dict[Path, str]:
    """The README with its tables."""
    before, rest = README.read_text().split(BEGIN)
    return {README: f"{before}{BEGIN}\n\n{tables()}\n{END}{rest.split(END)[1]}"}


def tables() -> str:
    """All tables, as Markdown."""
    parts = []
    for env, title in ENVS.items():
        paths = sorted(HERE.glob(f"results/*_{env}.json"))
        if paths:
            parts.append("\n".join(table(json.loads(paths[-1].read_text()), title=title, name=paths[-1].name)))
    return "\n\n".join(parts) + "\n"


def table(record: dict[str, Any], *, title: str, name: str) -> list[str]:
    """The lines of one table."""
    seeds = list(record["rows"][0]["by_training"])
    episodes = record["rows"][0]["by_training"][seeds[0]]["episodes"]
    return [
        f"| {title} | success % [95 %] | of each training | points lost [95 %] | wrong arm % | no arm % |",
        "|---|---:|---:|---:|---:|---:|",
        *(line_of(row) for row in record["rows"]),
        "",
        f"[{name}](results/{name}): {len(seeds)} trainings × {episodes} episodes, the same for all; intervals "
        f"over both; {record['machine']}, commit `{record['commit'][:12]}`, {record['note']}",
    ]


def line_of(row: dict[str, Any]) -> str:
    """One line of a table."""
    success, found = row["success"], list(row["by_training"].values())
    episodes = sum(each["episodes"] for each in found)

    def share(count: str) -> str:
        return f"{100 * sum(each[count] for each in found) / episodes:.1f}"

    # An interval over trainings may reach beyond what a share can be.
    mean, low, high = (f"{100 * min(max(success[name], 0), 1):.1f}" for name in ("mean", "low", "high"))
    each = " ".join(f"{100 * part['success']['mean']:.1f}" for part in found)
    lost = "–"
    if "lost" in row:
        lost = "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * row["lost"][name] for name in ("mean", "low", "high")))
    return f"| {row['row']} | {mean} [{low}, {high}] | {each} | {lost} | {share('wrong_arm')} | {share('no_arm')} |"


BENCHMARK = Benchmark(says=__doc__, folder=HERE, pages=pages)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
