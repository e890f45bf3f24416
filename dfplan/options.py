"""How an option is declared: a field of a dataclass with its meaning and range. Where its value comes from is not said.

The command line makes help texts and checks from these declarations; whoever declares options need not know how.
"""

from collections.abc import Sequence
from dataclasses import field
from typing import Any

UNSET = "???"  # how a value that must still be given is written, here and in the configs


def option(
    meaning: str,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    choices: Sequence[str] | None = None,
    length: int | None = None,
    row_lengths: Sequence[int] | None = None,
    characters: str | None = None,
    path: bool = False,
) -> Any:
    """Declare an option: numbers lie in ``[low, high]`` or above ``above``, words among ``choices``.

    A list has ``length`` numbers; a list of lists has rows of one of ``row_lengths``. A word with ``characters`` has
    letters, digits, ``_`` and these alone. A ``path`` that may be None is so by default alone: ``null`` is a name.
    """
    limits = {"low": low, "high": high, "above": above, "choices": choices}
    limits |= {"length": length, "row_lengths": row_lengths, "characters": characters, "path": path}
    return field(default=UNSET, metadata={"meaning": meaning, **limits})


def group(schema: type, meaning: str) -> Any:
    """Declare a group of options that is chosen by the name of a file in ``configs/<group>/``."""
    return field(default_factory=schema, metadata={"meaning": meaning})
