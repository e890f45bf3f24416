"""Contracts are typed: what others call or write themselves says what it takes and gives, and never `Any`.

Contracts are the public names, every protocol, and the modules that plug-ins are written against.
"""

import ast
import sys
from pathlib import Path

import pytest

import dfplan

ROOT = Path(dfplan.__file__).parent
MODULES = ("domain.py", "protocol.py", "types.py", "plugins.py", "models/denoiser.py", "training/task.py")


def public_nodes() -> dict[str, ast.stmt]:
    """Classes and functions of contracts, by file and name."""
    offered = {
        (sys.modules[each.__module__].__file__, each.__name__) for each in map(dfplan.__getattr__, dfplan.__all__)
    }
    found = {}
    for path in ROOT.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AnnAssign):
                continue
            name = node.target.id if isinstance(node, ast.AnnAssign) else node.name
            where = str(path.relative_to(ROOT))
            is_protocol = isinstance(node, ast.ClassDef) and any("Protocol" in ast.unparse(each) for each in node.bases)
            is_public = (str(path), name) in offered
            if not name.startswith("_") and (is_protocol or is_public or where in MODULES):
                found[f"{where}: {name}"] = node
    return found


def annotations(node: ast.AST, name: str):
    """Every annotation that somebody outside sees, by where it stands."""
    if isinstance(node, ast.ClassDef):
        for each in node.body:
            if isinstance(each, ast.AnnAssign):
                yield f"{name}.{ast.unparse(each.target)}", each.annotation
            elif isinstance(each, ast.FunctionDef) and (not each.name.startswith("_") or each.name == "__init__"):
                yield from annotations(each, f"{name}.{each.name}")
    elif isinstance(node, ast.AnnAssign):
        yield name, node.annotation
    elif isinstance(node, ast.FunctionDef):
        given = node.args
        for each in [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]:
            if each is not None and each.annotation is not None:
                yield f"{name}({each.arg})", each.annotation
        if node.returns is not None:
            yield f"{name} ->", node.returns


def is_anything(annotation: ast.expr) -> bool:
    """Whether `Any` is in it, or in the text that it is."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    return any(isinstance(each, ast.Name) and each.id == "Any" for each in ast.walk(annotation))


def test_no_contract_takes_or_gives_anything():
    found = {
        place
        for name, node in public_nodes().items()
        for place, annotation in annotations(node, name)
        if is_anything(annotation)
    }
    assert found == set()


@pytest.mark.parametrize("name", dfplan.__all__)
def test_every_public_name_is_looked_at(name):
    assert any(each.endswith(f": {name}") for each in public_nodes())
