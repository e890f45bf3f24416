"""Checks the values of options against what their declarations allow."""

import math
import re
from dataclasses import fields, is_dataclass
from typing import Any

from dfplan.cli.arguments import closest
from dfplan.errors import UserError


def check_ranges(config: Any, prefix: str = "") -> None:
    """Refuse numbers that are not finite or out of range, unknown words and lists of the wrong length.

    Raises:
        UserError: names the option, what was found and what is allowed.
    """
    for each in fields(config):
        value, name = getattr(config, each.name), prefix + each.name
        if is_dataclass(value):
            check_ranges(value, f"{name}.")
        elif each.type == list[str]:
            _check_words(name, value)
        elif isinstance(value, list):
            _check_list(name, value, each.metadata)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            _check_number(name, value, each.metadata)
        elif isinstance(value, str):
            _check_text(name, value, each.metadata)


def _check_words(name: str, words: list[str]) -> None:
    if not words or not all(word and word.isprintable() for word in words):
        raise UserError(f"{name} must be one or more words, for instance {name}=default,fast; got {words}")


def _check_list(name: str, values: list[Any], limits: Any) -> None:
    length, row_lengths = limits["length"], limits["row_lengths"]
    if row_lengths is None:
        if length is None and values and all(_is_finite(value) for value in values):
            return
        if length is None:
            raise UserError(f"{name} must be one or more finite numbers, for instance {name}=[0,1]; got {values}")
        if len(values) != length or not all(_is_finite(value) for value in values):
            raise UserError(f"{name} must be {length} finite numbers, for instance {name}=1,1; got {values}")
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
    low, high, above = limits["low"], limits["high"], limits["above"]
    if not math.isfinite(value):
        raise UserError(f"{name} must be a finite number; got {value}")
    if low is not None and value < low:
        raise UserError(f"{name} must be at least {low}; got {value}")
    if above is not None and value <= above:
        raise UserError(f"{name} must be above {above}; got {value}")
    if high is not None and value > high:
        raise UserError(f"{name} must be at most {high}; got {value}")


def _check_text(name: str, value: str, limits: Any) -> None:
    choices, characters = limits["choices"], limits["characters"]
    if choices and value not in choices:
        raise UserError(f"{name} must be one of {', '.join(choices)}; got {value!r}{closest(value, choices)}")
    if characters and not re.fullmatch(rf"[A-Za-z0-9][\w{re.escape(characters)}]*", value, re.ASCII):
        raise UserError(f"{name} must be letters, digits and {' or '.join('_' + characters)} alone; got {value!r}")
    if "\0" in value:
        raise UserError(f"{name} must be text; got {value!r}")
