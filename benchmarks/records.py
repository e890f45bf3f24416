"""Records of result files, and lines of Markdown tables made of them."""

import contextlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from dfplan.cli.main import main as dfplan

Record = dict[str, Any]
Lines = Iterator[str]


def load(folder: Path) -> list[Record]:
    """All records of a folder, the newest first."""
    records = [json.loads(path.read_text()) | {"file": path.name} for path in sorted(folder.glob("*.json"))]
    return sorted(records, key=lambda record: record["date"], reverse=True)


def newest_file(folder: Path) -> Record | None:
    """The newest record of a folder whose files are named by their date; None where there is none."""
    paths = sorted(folder.glob("*.json"))
    return json.loads(paths[-1].read_text()) | {"file": paths[-1].name} if paths else None


def evaluate(words: Sequence[str]) -> Record | None:
    """The record of one `dfplan eval`; None where it fails, and says on stderr why."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(StringIO()):
        if dfplan(["eval", *words, "report=false", f"output={folder}/out"]):
            return None
        return json.loads((Path(folder) / "out" / "results.json").read_text())


def between_marks(readme: str, text: str, *, begin: str, end: str) -> str:
    """A README with what stands between two marks written anew."""
    before, rest = readme.split(begin)
    return f"{before}{begin}\n\n{text}\n\n{end}{rest.split(end)[1]}"


def newest(records: list[Record], part: str) -> Record | None:
    """The newest record that holds a part."""
    return next((record for record in records if part in record), None)


def newest_of_tasks(records: list[Record]) -> dict[str, Record]:
    """The newest record of each task, by its name."""
    return {record["task"]: record for record in sorted(records, key=lambda each: each["date"])}


def figures_of(records: list[Record]) -> dict[str, Any]:
    """Those of the newest record of each task, in the order of their names."""
    return dict(sorted(each for record in newest_of_tasks(records).values() for each in record["figures"].items()))


def source(record: Record) -> str:
    """Which file, and under what circumstances."""
    before, after = (
        (record[name][0] for name in ("load_before", "load_after")) if "load_before" in record else (None, None)
    )
    load = "" if before is None else f", load average {before:.1f} before, {after:.1f} after"
    machine = f"{record['machine']}, " if "machine" in record else ""
    return f"[{record['file']}](results/{record['file']}): {machine}commit `{record['commit'][:12]}`{load}"


def load_of(record: Record) -> float:
    """The load average before a measurement."""
    before = record.get("load_before", record.get("load_average_before"))
    return before[0] if isinstance(before, list) else before


def counts(found: Record) -> str:
    """Names with how often."""
    return ", ".join(f"{name} {number}" for name, number in found.items()) or "none"


def head(*names: str) -> Iterable[str]:
    """The first two lines of a table."""
    return row(*names), "|---|" + "---:|" * (len(names) - 1)


def row(*cells: Any) -> str:
    """One line of a table."""
    return f"| {' | '.join(map(str, cells))} |"
