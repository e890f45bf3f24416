"""The frame of every benchmark: one command line, one `main`, one writer of result files, one of pages.

A script says what it measures and what its pages show. What all share is here: that only committed code is measured,
when, where and under what load; that results are added and never edited; that ``--check`` tells whether pages are what
the result files say.
"""

import argparse
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from records import Record

from dfplan.evaluation.report import RECORD_SEAL, circumstances, find_commit, write_record
from dfplan.files import write_whole

Named = Iterable[tuple[str, Record]]


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """What a script says of itself; at its end stands ``sys.exit(BENCHMARK.main())``.

    Attributes:
        says: its purpose, for ``--help``.
        folder: of the benchmark; result files go to ``results/`` in it.
        measure: gives records with what their files are called beside the date, ``""`` for the date alone. It ends with
            ``SystemExit`` where something failed, and finds ``refuse``, which ends with a message, in the arguments.
        options: adds those of its own to the command line.
        episodes: default of ``--episodes``; without one there is no such option. So are ``seed`` and ``threads``.
        seed: default of ``--seed``, of the episodes.
        threads: default of ``--threads``.
        on_request: results are kept with ``--keep`` alone.
        quick: what ``--quick`` leaves out; its results go to a folder of ``runs/``.
        pages: text by path, made of the result files.
        draw: pictures of the pages, made of the result files.
    """

    says: str | None
    folder: Path
    measure: Callable[[argparse.Namespace], Named] | None = None
    options: Callable[[argparse.ArgumentParser], None] = field(default=lambda parser: None)
    episodes: int | None = None
    seed: int | None = None
    threads: int | None = None
    on_request: bool = False
    quick: str = ""
    pages: Callable[[], Mapping[Path, str]] | None = None
    draw: Callable[[], None] = field(default=lambda: None)

    @property
    def results(self) -> Path:
        """Where result files are kept."""
        return self.folder / "results"

    def main(self, words: list[str] | None = None) -> int:
        """Do what the command line asks for; the exit status, 1 where ``--check`` finds a page that is not current."""
        arguments = self.parse(words)
        if self.measure and not arguments.table and not arguments.check:
            self._measure(arguments)
        if self.pages is None or (self.measure and arguments.output != self.results):
            return 0
        texts = self.pages()
        if arguments.check:
            return int(any(not path.is_file() or path.read_text() != text for path, text in texts.items()))
        for path, text in texts.items():
            write_whole(path, text.encode())
        self.draw()
        return 0

    def parse(self, words: list[str] | None = None) -> argparse.Namespace:
        """The command line; what was begun with it, and ``refuse``, are in it as well."""
        parser = argparse.ArgumentParser(
            description=self.says, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
        )
        self.options(parser)
        if self.measure:
            self._add_measuring(parser)
        if self.pages:
            parser.add_argument("--check", action="store_true", help="write nothing; status 1 if pages are not current")
        if self.pages and self.measure:
            parser.add_argument("--table", action="store_true", help="measure nothing; pages of the files there are")
        parser.set_defaults(check=False, table=not self.measure, keep=not self.on_request, quick=False)
        arguments = parser.parse_args(words)
        arguments.refuse, arguments.began = parser.error, datetime.now(UTC)
        if arguments.quick and arguments.output == self.results:
            arguments.output = Path("runs") / f"{self.folder.name}-quick"
        return arguments

    def _add_measuring(self, parser: argparse.ArgumentParser) -> None:
        for name, default, meaning in (
            ("episodes", self.episodes, "of each row"),
            ("seed", self.seed, "of the episodes"),
            ("threads", self.threads, "of the processor"),
        ):
            if default is not None:
                parser.add_argument(f"--{name}", type=int, default=default, help=f"{meaning} (default {default})")
        if self.on_request:
            parser.add_argument("--keep", action="store_true", help="write a result file")
        if self.quick:
            parser.add_argument("--quick", action="store_true", help=self.quick)
        parser.add_argument("--note", default="", help="what else the machine was doing")
        parser.add_argument("--uncommitted", action="store_true", help="although tracked files are not committed")
        parser.add_argument("--output", type=Path, default=self.results, help="folder of the result files")

    def _measure(self, arguments: argparse.Namespace) -> None:
        assert self.measure is not None
        if arguments.keep and arguments.output == self.results and not arguments.uncommitted:
            refuse_uncommitted(arguments.refuse)
        said = circumstances() | {"note": arguments.note, "load_before": load()}
        for name, record in self.measure(arguments):
            if arguments.keep:
                whole = record | {key: value for key, value in said.items() if key not in record}
                whole.pop(RECORD_SEAL, None)  # of what it was made of: it gets its own
                print(add_record(whole | {"load_after": load()}, path=path_of(arguments, name)), flush=True)


def refuse_uncommitted(refuse: Callable[[str], Any]) -> None:
    """Refuse where tracked files are not as their commit has them."""
    if find_commit().endswith("-dirty"):
        refuse("tracked files are not committed, so that nobody could repeat this: commit, or say --uncommitted")


def path_of(arguments: argparse.Namespace, name: str, suffix: str = ".json") -> Path:
    """Where the result file of a name is written, or what else belongs to it."""
    parts = [f"{arguments.began:%Y-%m-%d-%H%M}", *([name] if name else [])]
    return arguments.output / ("_".join(parts) + suffix)


def add_record(record: Mapping[str, Any], *, path: Path) -> Path:
    """Write a new result file; one that is there is never replaced."""
    if path.exists():
        raise SystemExit(f"{path} is there already, and results are added, never edited; wait a minute and run again")
    return write_record(record, path=path)


def load() -> list[float]:
    """How many processes wanted a core, in the last 1, 5 and 15 minutes."""
    return [round(each, 2) for each in os.getloadavg()]
