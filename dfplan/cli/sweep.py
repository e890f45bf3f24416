"""Runs the points of a sweep (``-m``), here or by a launcher, those that failed again, and merges what they found."""

import itertools
import json
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from rich.console import Console

from dfplan.cli.arguments import OPTIONS_PREFIX, Words, for_hydra, name_of
from dfplan.cli.compose import read_options, readable_errors, run_once
from dfplan.cli.folders import make_run_folder, make_sweep_folder
from dfplan.cli.launcher_schema import LauncherConfig
from dfplan.cli.progress import say
from dfplan.cli.schema import path_options, text_options
from dfplan.errors import UserError, counted
from dfplan.evaluation.merged import SweptRun, estimates_of, merge, render_merged, succeeded
from dfplan.evaluation.report import write_record

REPORT = "sweep.json"
FILE_OF_ENV = ("env", "quality")  # by these options `dfplan generate` chooses its usual file


@dataclass(frozen=True)
class Point:
    """One combination of a sweep, about to be run.

    Attributes:
        number: its place in the sweep.
        options: one value each, less ``output``.
        output: where it is to write; None is the command's usual place.
        attempt: how often it was run before.
    """

    number: int
    options: tuple[str, ...]
    output: str | None
    attempt: int = 0

    @property
    def target(self) -> str | None:
        """Where this attempt writes: beside what an attempt before it left, of which nothing is touched."""
        if self.output is None or not self.attempt:
            return self.output
        path = Path(self.output)
        return str(path.with_name(f"{path.stem}-retry{self.attempt}{path.suffix}"))

    @property
    def words(self) -> list[str]:
        """What follows the command."""
        return [*self.options, *([] if self.target is None else [f"output={self.target}"])]


@dataclass(frozen=True)
class Ended:
    """How a point ended: its exit status and, where it failed, why."""

    status: int
    reason: str = ""


Runner = Callable[[Sequence[Point]], list[Ended]]


def sweep(command: str, said: Words, launcher: LauncherConfig) -> int:
    """Run every combination, each into a folder or file of its own; return the largest exit status.

    Nothing is run if one of them has a mistake in its options. The last line printed is the path of the merged report.

    Raises:
        UserError: a mistake in the options, or a launcher that is not installed.
    """
    chosen = combinations(command, said.options)
    for options in chosen:
        try:
            read_options(command, options)
        except UserError as error:
            raise UserError(f"{' '.join(options)}: {error}") from error
    runner = _runner(command, said, launcher)
    outputs = [each.partition("=")[2] for each in said.options if name_of(each) == "output"]
    one = outputs[0] if len(outputs) == 1 and command != "record" else None
    folder = make_sweep_folder() if one is None else make_run_folder("sweep", env_name="", chosen=one)
    points = _points(command, chosen, folder=folder, several=len(outputs) > 1, said=one is not None)
    ended, last = _run_all(points, runner(folder), retries=launcher.retries)
    return _report(command, folder, last, ended, options=said.options)


def _runner(command: str, said: Words, launcher: LauncherConfig) -> Callable[[Path], Runner]:
    if launcher.name == "serial":
        return lambda folder: lambda points: [_run_here(command, each) for each in points]
    from dfplan.cli.launchers import Launched, check_installed

    check_installed(launcher.name)
    return lambda folder: Launched(command, launcher, folder=folder, config_folder=said.config_folder)


def _run_all(points: Sequence[Point], runner: Runner, *, retries: int) -> tuple[list[Ended], list[Point]]:
    """Run points, and those that fail again; how each ended, and its last attempt."""
    ended, last = [Ended(0)] * len(points), list(points)
    waiting = last
    for attempt in range(1 + retries):
        waiting = [replace(each, attempt=attempt) for each in waiting]
        if attempt:
            say(f"{counted(len(waiting), 'run')} failed and will be run again: attempt {attempt + 1}")
        for point, end in zip(waiting, runner(waiting), strict=True):
            ended[point.number], last[point.number] = end, point
        waiting = [each for each in waiting if not succeeded(ended[each.number].status)]
        if not waiting:
            break
    return ended, last


def combinations(command: str, options: Sequence[str]) -> list[tuple[str, ...]]:
    """Every combination of the values of options, in the order said."""
    paths = path_options(command)
    with readable_errors(command):
        swept = {name_of(each): alternatives(command, each) for each in options}
    for name in paths & set(swept):  # any character may be part of a path: each that is said is one of them
        swept[name] = [each for each in options if name_of(each) == name]
    return list(itertools.product(*swept.values()))


def _points(command: str, chosen: Sequence[tuple[str, ...]], *, folder: Path, several: bool, said: bool) -> list[Point]:
    """The combinations with where each writes: where is said for each, else within the folder of the sweep."""
    if command == "generate" and not said and not several:
        files = [tuple(each for each in options if name_of(each) in FILE_OF_ENV) for options in chosen]
        usual = len(set(files)) == len(files)
    else:
        usual = command == "record"  # where to write is what data= says
    ending = ".hdf5" if command == "generate" else ""
    points = []
    for number, options in enumerate(chosen):
        outputs = [each.partition("=")[2] for each in options if name_of(each) == "output"]
        rest = tuple(each for each in options if name_of(each) != "output" or command == "record")
        output = outputs[0] if several else None if usual else str(folder / f"{number}{ending}")
        points.append(Point(number, rest, output))
    return points


def alternatives(command: str, option: str) -> list[str]:
    """The options that an option of a sweep stands for: ``seed=0,1`` for two; a path for itself alone."""
    key, _, value = option.partition("=")
    if name_of(option) in path_options(command):
        return [option]
    if name_of(option) in text_options(command):
        return [f"{key}={each}" for each in value.split(",")]
    if name_of(option).startswith(OPTIONS_PREFIX):
        return [option]
    parsed = OverridesParser.create().parse_override(for_hydra(command, option))
    return [f"{key}={each}" for each in parsed.sweep_string_iterator()] if parsed.is_sweep_override() else [option]


def _run_here(command: str, point: Point) -> Ended:
    """Run a point in this process; what goes wrong is said at once and ends the point alone."""
    try:
        status = run_once(command, point.options, output=point.target)
    except UserError as error:
        say(f"dfplan: error: {' '.join(point.options)}: {error}")
        return Ended(2, str(error))
    except Exception as error:  # a fault of ours or of an environment: the others may do without it
        traceback.print_exc(file=sys.stderr)
        return Ended(1, repr(error))
    return Ended(status)


def _report(command: str, folder: Path, points: list[Point], ended: list[Ended], *, options: Sequence[str]) -> int:
    """Write and print what the points found, and name those that failed."""
    common = [each for each in options if all(each in point.options for point in points)]
    runs = []
    for point, end in zip(points, ended, strict=True):
        differing = {name_of(each): each.partition("=")[2] for each in point.options if each not in common}
        output = None if point.target is None else point.target.removeprefix(f"{folder}/")
        found = _metrics(point) if command == "eval" and succeeded(end.status) else {}
        runs.append(SweptRun(point.number, differing, output, end.status, point.attempt + 1, found))
    record = merge(command, runs, common=common)
    path = write_record(record, path=folder / REPORT)
    Console().print(render_merged(record))
    failed = [
        f"{run.name} (exit status {run.status}: {end.reason})"
        for run, end in zip(runs, ended, strict=True)
        if not succeeded(run.status)
    ]
    if failed:
        say(f"dfplan: error: {len(failed)} of {counted(len(runs), 'run')} failed: {'; '.join(failed)}")
    print(path)
    return max(each.status for each in ended)


def _metrics(point: Point) -> dict:
    return estimates_of(json.loads((Path(point.target or "") / "results.json").read_text()))
