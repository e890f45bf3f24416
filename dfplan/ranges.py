"""Checks the values of settings against what their declarations allow."""

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from dfplan.errors import UserError, check_kind

WORD_OF_KIND = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}


def words_of(kind: Any, *, nothing: str = "null") -> str:
    """What a value of a type is called, ``a number or null``."""
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(words_of(each, nothing=nothing) for each in get_args(kind))
    if kind is NoneType:
        return nothing
    return WORD_OF_KIND.get(kind, "a list in brackets, such as [1,2] or [[1,2,3]]")


def closest(word: str, allowed: Iterable[str]) -> str:
    """``" (did you mean 'x'?)"`` for the most similar allowed word, or nothing where none is similar."""
    similar = difflib.get_close_matches(word, list(allowed), n=1, cutoff=0.6)
    return f" (did you mean {similar[0]!r}?)" if similar else ""


def check_settings(settings: Any) -> None:
    """Refuse settings of a dataclass whose fields are declared by :func:`~dfplan.options.option`.

    Raises:
        UserError: names the first that will not do, what was found and what is allowed.
    """
    kinds = get_type_hints(type(settings))
    for each in fields(settings):
        kind = kinds[each.name]
        if is_dataclass(kind) and isinstance(kind, type):
            check_kind(kind, such_as=f"{kind.__name__}(...)", **{each.name: getattr(settings, each.name)})
        elif each.metadata.get("row_lengths", ()) is None:  # an option, and no rows, which may be more than numbers
            _check_kind(each.name, getattr(settings, each.name), kind)
            _check_value(each.name, getattr(settings, each.name), each)


def check_ranges(schema: type, values: Mapping[str, Any], prefix: str = "") -> None:
    """Refuse values, by the names of a dataclass's fields, that the declarations do not allow; groups are mappings.

    Raises:
        UserError: names the option, what was found and what is allowed.
    """
    for each in fields(schema):
        value, name = values[each.name], prefix + each.name
        if is_dataclass(each.type):
            check_ranges(each.type, value, f"{name}.")  # type: ignore[arg-type]
        elif each.type == list[str]:
            _check_words(name, value)
        else:
            _check_value(name, value, each)


def _check_kind(name: str, value: Any, kind: Any) -> None:
    """Refuse what is not of the type of its field, where that is a number, a word, true or false, or None."""
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    kinds = tuple(str if get_origin(each) is Literal else each for each in kinds)
    if not set(kinds) <= {*WORD_OF_KIND, NoneType}:
        return  # whatever it is, its owner checks it
    allowed = (*kinds, int) if float in kinds else kinds
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in kinds):
        raise UserError(f"{name} must be {words_of(Union[kinds], nothing='None')}; got {value!r}")  # noqa: UP007


def _check_value(name: str, value: Any, each: Any) -> None:
    limits = each.metadata
    if isinstance(value, list | tuple):
        _check_list(name, value, limits)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _check_number(name, value, limits)
    elif isinstance(value, str):
        _check_text(name, value, limits)


def _check_words(name: str, words: list[str]) -> None:
    if not words or not all(word and word.isprintable() for word in words):
        raise UserError(f"{name} must be one or more words, for instance {name}=default,fast; got {words}")


def _check_list(name: str, values: Sequence[Any], limits: Any) -> None:
    length, row_lengths = limits["length"], limits["row_lengths"]
    if row_lengths is None:
        if length is None and values and all(_is_finite(value) for value in values):
            for value in values:
                _check_number(name, value, limits)
            return
        if length is None:
            raise UserError(f"{name} must be one or more finite numbers, for instance {name}=[0,1]; got {list(values)}")
        if len(values) != length or not all(_is_finite(value) for value in values):
            raise UserError(f"{name} must be {length} finite numbers, for instance {name}=1,1; got {list(values)}")
        return
    for row in values:
        if not isinstance(row, list) or len(row) not in row_lengths or not all(_is_finite(value) for value in row):
            example = ",".join(["1"] * row_lengths[0])
            raise UserError(
                f"{name} must be rows of {' or '.join(map(str, row_lengths))} finite numbers, for instance "
                f"{name}=[[{example}],[{example}]]; got the row {row}"
            )


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_number(name: str, value: float, limits: Any) -> None:
    low, high, above, below = (limits[name] for name in ("low", "high", "above", "below"))
    if not math.isfinite(value):
        raise UserError(f"{name} must be a finite number; got {value}")
    if low is not None and value < low:
        raise UserError(f"{name} must be at least {low}; got {value}")
    if above is not None and value <= above:
        raise UserError(f"{name} must be above {above}; got {value}")
    if high is not None and value > high:
        raise UserError(f"{name} must be at most {high}; got {value}")
    if below is not None and value >= below:
        raise UserError(f"{name} must be below {below}; got {value}")


def _check_text(name: str, value: str, limits: Any) -> None:
    choices, characters = limits["choices"], limits["characters"]
    if choices and value not in choices:
        raise UserError(f"{name} must be one of {', '.join(choices)}; got {value!r}{closest(value, choices)}")
    if characters and not re.fullmatch(rf"[A-Za-z0-9][\w{re.escape(characters)}]*", value, re.ASCII):
        raise UserError(f"{name} must be letters, digits and {' or '.join('_' + characters)} alone; got {value!r}")
    if "\0" in value:
        raise UserError(f"{name} must be text; got {value!r}")
