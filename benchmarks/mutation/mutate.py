"""Small changes to the source of a module, one at a time: what a test suite should notice."""

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


@dataclass(frozen=True)
class Mutant:
    """A module with one change."""

    line: int
    change: str
    source: str


def mutants(source: str) -> Iterator[Mutant]:
    """Yield every mutant of a module, in the order of its lines.

    Texts, annotations and what only words an error are left alone: no test should depend on them.
    """
    tree = ast.parse(source)
    for index, node in enumerate(_nodes(tree)):
        for change, apply in _changes(node):
            changed = copy.deepcopy(tree)
            apply(_nodes(changed)[index])
            text = ast.unparse(ast.fix_missing_locations(changed))
            yield Mutant(getattr(node, "lineno", 0), f"{change}: {ast.unparse(node).splitlines()[0][:80]}", text)


def _nodes(tree: ast.AST) -> list[ast.AST]:
    """The nodes that run, outside of annotations and of the words of errors."""
    found: list[ast.AST] = []

    def visit(node: ast.AST) -> None:
        found.append(node)
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list") or isinstance(node, ast.JoinedStr | ast.Import):
                continue
            if isinstance(node, ast.Raise) and name in ("exc", "cause"):
                continue
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, ast.AST):
                    visit(each)

    visit(tree)
    return found


Change = tuple[str, Callable[[Any], None]]


def _changes(node: ast.AST) -> Iterator[Change]:
    yield from _changed_operators(node)
    yield from _changed_values(node)
    yield from _changed_statements(node)


def _changed_operators(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare(ops=[op]) if type(op) in COMPARISONS:
            yield "comparison", lambda each: each.ops.__setitem__(0, COMPARISONS[type(op)]())
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in OPERATORS:
            yield "operator", lambda each: setattr(each, "op", OPERATORS[type(op)]())
        case ast.BoolOp(op=op):
            other = ast.Or if isinstance(op, ast.And) else ast.And
            yield "and/or", lambda each: setattr(each, "op", other())
        case ast.UnaryOp(op=ast.Not()):
            yield "not", lambda each: setattr(each, "operand", ast.UnaryOp(ast.Not(), each.operand))
        case ast.UnaryOp(op=ast.USub()):
            yield "sign", lambda each: setattr(each, "op", ast.UAdd())


def _changed_values(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Constant(value=bool(value)):
            yield "truth", lambda each: setattr(each, "value", not value)
        case ast.Constant(value=int(value) | float(value)):
            yield "number", lambda each: setattr(each, "value", value + 1)
        case ast.If() | ast.IfExp():
            yield "condition", lambda each: setattr(each, "test", ast.UnaryOp(ast.Not(), each.test))


def _changed_statements(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Return(value=value) if value is not None and not _is_none(value):
            yield "return", lambda each: setattr(each, "value", ast.Constant(None))
        case ast.Expr(value=ast.Call()):
            yield "call", lambda each: setattr(each, "value", ast.Constant(None))
        case ast.Raise():
            yield "raise", _forget


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _forget(node: Any) -> None:
    """Turn a raise into nothing, in place."""
    node.__class__ = ast.Pass
    del node.exc, node.cause
