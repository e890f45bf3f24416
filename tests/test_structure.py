"""Bounds of structure: files and functions that can be read, and modules that do not need each other in a circle."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(ROOT.glob("dfplan/**/*.py"))
MOST_LINES, MOST_PARAMETERS = 350, 9


def functions(path):
    """Every function of a file by its name, a method by that of its class as well."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef | ast.Module):
            prefix = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
            for each in node.body:
                if isinstance(each, ast.FunctionDef):
                    yield prefix + each.name, each


def parameters(function):
    """How many there are, but for the object itself."""
    arguments = function.args
    names = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")]) + bool(arguments.vararg) + bool(arguments.kwarg)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_has_at_most_350_lines(path):
    assert path.read_text().count("\n") <= MOST_LINES


def test_no_function_has_more_than_nine_parameters():
    found = {name: parameters(each) for path in SOURCES for name, each in functions(path)}
    assert {name: number for name, number in found.items() if number > MOST_PARAMETERS} == {}


@pytest.mark.parametrize(("path", "name"), [("training/loop.py", "train"), ("planner/sampler.py", "sample_tokens")])
def test_the_two_functions_that_everything_goes_through_have_less_than_60_lines(path, name):
    function = dict(functions(ROOT / "dfplan" / path))[name]
    assert function.end_lineno - function.lineno + 1 < 60


def imported(path):
    """Modules of dfplan that a file imports when it is loaded: at its top, and not for type checkers alone."""
    names = {".".join(each.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for each in SOURCES}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            inside = [f"{node.module}.{alias.name}" for alias in node.names]  # a module of a package, or a name
            yield from {each if each in names else node.module for each in inside} & names
        elif isinstance(node, ast.Import):
            yield from {alias.name for alias in node.names} & names


def test_no_modules_import_each_other_in_a_circle():
    graph = {}
    for path in SOURCES:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        graph[name] = set(imported(path)) - {name}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"imported in a circle: {' -> '.join(error.args[1])}")


LEAST_REPEATED = 12


def telling_lines(path):
    """Lines of a file that say something, with their numbers: none that are empty, comments, imports or a bracket."""
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        text = line.strip()
        if sum(map(str.isalnum, text)) > 2 and not text.startswith(("#", "import ", "from ")):
            yield number, text


@pytest.mark.parametrize("folder", ["dfplan", "benchmarks"])
def test_no_dozen_lines_stand_in_two_places(folder):
    seen, repeated = {}, []
    for path in sorted(ROOT.glob(f"{folder}/**/*.py")):
        lines = list(telling_lines(path))
        for first in range(len(lines) - LEAST_REPEATED + 1):
            run = lines[first : first + LEAST_REPEATED]
            place = f"{path.relative_to(ROOT)}:{run[0][0]}"
            if (other := seen.setdefault(tuple(text for _, text in run), place)) != place:
                repeated.append(f"{other} ~ {place}")
    assert repeated == []


# What has a command line of its own, or writes records otherwise: of each why.
OUTSIDE_THE_FRAME = {
    "benchmarks/frame.py": "is the frame",
    "benchmarks/offline_rl.py": "takes the words of `dfplan train` and `dfplan eval`, in their place",
    "benchmarks/any_robot/pointmaze_data.py": "makes data",
    "benchmarks/training/keep.py": "keeps what a training has left",
    "benchmarks/delay/late_planner.py": "is a planner's process",
    "benchmarks/realtime/slow_planner.py": "is a planner's process",
    "benchmarks/realtime/witness.py": "is a process of the soak",
    "benchmarks/faults/damage.py": "writes records to damage them",
    "benchmarks/faults/kills.py": "is killed while it writes records",
}
OF_THE_FRAME = re.compile(r"ArgumentParser\(|^def main\(|write_record\(", re.MULTILINE)


def test_benchmarks_share_one_frame():
    own = {str(path.relative_to(ROOT)): path.read_text() for path in ROOT.glob("benchmarks/**/*.py")}
    assert {name for name, text in own.items() if OF_THE_FRAME.search(text)} <= set(OUTSIDE_THE_FRAME)
    run = [name for name, text in own.items() if "__main__" in text and name not in OUTSIDE_THE_FRAME]
    assert len(run) > 50
    assert [name for name in run if "BENCHMARK.main()" not in own[name]] == []
