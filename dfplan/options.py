"""How a setting is declared, once: a field of a dataclass with its default, meaning and range.

The library declares its settings so, and checks them by it; the command line makes its options, their help and their
defaults from the same declarations. Files of configuration hold only what differs from these.
"""

from collections.abc import Sequence
from dataclasses import field
from typing import Any, TypedDict, Unpack

UNSET = "???"  # how a value that must still be given is written, here and in the configs


class Limits(TypedDict, total=False):
    """What a value may be.

    Numbers lie in ``[low, high]``, ``above`` and ``below``, words among ``choices``. A list has ``length`` numbers; a
    list of lists has rows of one of ``row_lengths``. A word with ``characters`` has letters, digits, ``_`` and these
    alone. A ``path`` that may be None is so by default alone: ``null`` is a name.
    """

    low: float
    high: float
    above: float
    below: float
    choices: Sequence[str]
    length: int
    row_lengths: Sequence[int]
    characters: str
    path: bool


def option(meaning: str, *, default: Any = UNSET, **limits: Unpack[Limits]) -> Any:
    """Declare a setting; without a ``default`` it must be given."""
    none: dict[str, Any] = dict.fromkeys(Limits.__annotations__)
    return field(default=default, metadata={"meaning": meaning, **none, "path": False, **limits})


def group(schema: type, meaning: str) -> Any:
    """Declare a group of settings; where it is chosen by name, ``configs/<group>/`` has a file for each choice."""
    return field(default_factory=schema, metadata={"meaning": meaning})
