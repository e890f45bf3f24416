"""Bounds of structure: files and functions that can be read, and modules that do not need each other in a circle."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import get_type_hints

import pytest

from dfplan.training.settings import Settings, SettingsOptions

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


def test_the_options_of_a_training_are_its_settings():
    assert get_type_hints(SettingsOptions) == get_type_hints(Settings)
