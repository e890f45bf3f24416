"""Reads the words after ``dfplan COMMAND`` before Hydra does: refuses what Hydra would misread, rewrites what it can't.

Hydra takes ``start=1,1`` for a sweep and stumbles over brackets or spaces in a path; nobody should need to know that.
"""

import difflib
import re
from collections.abc import Iterable, Sequence

from dfplan.errors import UserError

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
PAIR = re.compile(rf"\s*\(?\s*({NUMBER})\s*,\s*({NUMBER})\s*\)?\s*")
POSITION_KEYS = {"plan": ("start", "goal")}
ROW_KEYS = ("planner.guidance.waypoints", "planner.guidance.keep_out", "planner.guidance.keep_in")
ROW = re.compile(rf"\s*{NUMBER}(?:\s*,\s*{NUMBER})*\s*")
WORD_KEYS = ("agents",)
OPTIONS_PREFIX = "options_of."
PATH_KEYS = ("data", "output", "resume", "weights", "planner.guidance.distance_field")
FLAGS = ("-m", "--multirun", "--resolve", "-h", "--help", "--hydra-help", "--info")
FLAGS_WITH_VALUE = ("--cfg", "-c", "--config-dir", "--package", "-p")


def closest(word: str, allowed: Iterable[str]) -> str:
    """``" (did you mean 'x'?)"`` for the most similar allowed word, or nothing where none is similar."""
    similar = difflib.get_close_matches(word, list(allowed), n=1, cutoff=0.6)
    return f" (did you mean {similar[0]!r}?)" if similar else ""


def prepare(command: str, words: Sequence[str]) -> list[str]:
    """Return the words as Hydra reads them; a word that is neither a known flag nor ``key=value`` is refused."""
    # Hydra stops reading options at a flag that comes between them, so flags go first.
    flags, prepared, sweep = [], [], "-m" in words or "--multirun" in words
    value_expected = False
    for word in words:
        flag = word.split("=", 1)[0] if word.startswith("--") else word
        if value_expected or flag in FLAGS:
            flags.append(word)
            value_expected = False
        elif flag in FLAGS_WITH_VALUE:
            flags.append(word)
            value_expected = flag == word
        elif word.startswith("-"):
            raise UserError(f"unknown flag {word!r}; options are written key=value, see `dfplan {command} --help`")
        else:
            prepared.append(_rewrite(command, word, sweep=sweep))
    if value_expected:
        raise UserError(f"{words[-1]} needs a value after it")
    return [*flags, *prepared]


def _rewrite(command: str, word: str, *, sweep: bool) -> str:
    key, equals, value = word.partition("=")
    if not equals and not word.startswith("~"):
        raise UserError(f"expected key=value, got {word!r}; see `dfplan {command} --help`")
    bare = key.lstrip("+")
    if bare in POSITION_KEYS.get(command, ()):
        return f"{key}={_position(bare, value)}"
    if bare in ROW_KEYS and ROW.fullmatch(value.removeprefix("[").removesuffix("]")):
        # One row alone: 7,1 or [7,1] becomes Hydra's list of lists [[7,1]].
        return f"{key}=[[{value.removeprefix('[').removesuffix(']')}]]"
    if bare.startswith(OPTIONS_PREFIX) and not sweep:
        return f"{key}=[{','.join(map(_quoted_word, _split(value)))}]"
    if bare in WORD_KEYS and not value.startswith("[") and not sweep:
        return f"{key}=[{value}]"
    if bare in PATH_KEYS and not sweep:
        return f"{key}={_quoted(value)}"
    return word


def _position(key: str, value: str) -> str:
    """``1,1`` becomes Hydra's list ``[1,1]``; a list, ``null`` or a sweep of lists is left as it is."""
    if value == "null" or value.startswith("["):
        return value
    pair = PAIR.fullmatch(value)
    if pair is None:
        raise UserError(f"{key} must be two numbers, for instance {key}=1,1; got {key}={value}")
    return f"[{pair[1]},{pair[2]}]"


def _split(value: str) -> list[str]:
    """The entries of a list ``[a=1,b=[2,3]]``, or of one without its brackets, at the commas outside of brackets."""
    inner = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    parts, depth = [""], 0
    for character in inner:
        depth += (character == "[") - (character == "]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def _quoted_word(word: str) -> str:
    return word if word[0] in "'\"" else f"'{word}'"


def _quoted(value: str) -> str:
    """Quote a path that Hydra's grammar would trip over (spaces, brackets, commas); leave quoted ones alone."""
    if value == "" or value[0] in "'\"" or re.fullmatch(r"[\w/.:+\-]+", value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'") if "'" in value else value
    return f"'{escaped}'"
