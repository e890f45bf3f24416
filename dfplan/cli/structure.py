"""Turns declarations into what OmegaConf checks, into plain defaults, and values back into what was declared."""

from collections.abc import Callable, Sequence
from dataclasses import Field, field, fields, is_dataclass, make_dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from dfplan.options import UNSET


@cache
def plain_type(each: Field[Any]) -> Any:
    """The type of an option as a configuration has it: a number, a word, true or false, None, or a list of these."""
    return str | None if each.metadata.get("path") and each.type is Any else _plain(each.type)


def _plain(kind: Any) -> Any:
    if get_origin(kind) is Literal:
        return str
    if get_origin(kind) in (Union, UnionType):
        said = [
            each for each in get_args(kind) if get_origin(each) is not Callable
        ]  # of functions, nothing can be said
        return Union[tuple(map(_plain, said))]  # noqa: UP007 - of types that are known here only
    if get_origin(kind) is Sequence:
        return list[float] if get_args(kind) == (float,) else list[Any] | None
    return kind


@cache
def structured(schema: type) -> type:
    """The same options for OmegaConf to check the types of: of plain types, changeable, and all to be given."""
    declared = [
        (each.name, kind := structured(each.type), field(default_factory=kind))  # type: ignore[arg-type]
        if is_dataclass(each.type)
        else (each.name, plain_type(each), field(default=UNSET))
        for each in fields(schema)
    ]
    return make_dataclass(schema.__name__, declared)


def values_of(schema: type) -> dict[str, Any]:
    """The defaults of a schema as a file of configuration would have them: its options, and behind them its groups."""
    found = {}
    for each in sorted(fields(schema), key=lambda each: is_dataclass(each.type)):
        if is_dataclass(each.type):
            found[each.name] = values_of(each.type)  # type: ignore[arg-type]
        else:
            default = list(each.default) if isinstance(each.default, tuple) else each.default
            found[each.name] = None if default == [] else default
    return found


def build(schema: type, values: dict[str, Any]) -> Any:
    """A schema with the given values, groups being dictionaries of theirs."""
    return schema(**{each.name: _built(each, values[each.name]) for each in fields(schema)})


def _built(each: Field[Any], value: Any) -> Any:
    if is_dataclass(each.type):
        return build(each.type, value)  # type: ignore[arg-type]
    return tuple(value or ()) if isinstance(each.default, tuple) else value  # where null stood for no rows
