"""Reads the words after ``dfplan COMMAND``: flags, and options ``key=value``, of which Hydra sees what is no text.

Hydra takes ``start=1,1`` for a sweep, renames ``output=007`` and stumbles over brackets in a path; nobody should need
to know that.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dfplan.errors import UserError

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
PLACE = re.compile(rf"\s*\(?(\s*{NUMBER}\s*(?:,\s*{NUMBER}\s*)*)\)?\s*")
PLACE_KEYS = {"plan": ("start", "goal")}
ROW_KEYS = ("planner.guidance.waypoints", "planner.guidance.keep_out", "planner.guidance.keep_in")
ROW = re.compile(rf"\s*{NUMBER}(?:\s*,\s*{NUMBER})*\s*")
WORD_KEYS = ("agents",)
OPTIONS_PREFIX = "options_of."
LAUNCHER = "launcher"
KEY = re.compile(r"(?:\+{1,2}|~)?([A-Za-z]\w*)(?:\.[\w-]+)*")
SWEEP, HELP, CONFIG_FOLDER, SHOW = "-m", "--help", "--config-dir", "--cfg"
FLAGS = {SWEEP: SWEEP, "--multirun": SWEEP, HELP: HELP, "-h": HELP}
FLAGS_WITH_VALUE = {CONFIG_FOLDER: CONFIG_FOLDER, SHOW: SHOW, "-c": SHOW}


@dataclass(frozen=True)
class Words:
    """The words after a command.

    Attributes:
        options: ``key=value``, or ``~key``, in the order given and as typed.
        config_folder: what ``--config-dir`` names; None without.
        sweep: every combination is to be run.
        help: the options are to be listed instead.
        show: the configuration is to be printed instead.
        launcher: options of what runs a sweep, ``launcher=`` and ``launcher.<name>=``, as typed.
    """

    options: list[str]
    config_folder: Path | None = None
    sweep: bool = False
    help: bool = False
    show: bool = False
    launcher: tuple[str, ...] = ()

    @property
    def given(self) -> list[str]:
        """Names of the options."""
        return [name_of(option) for option in self.options]


def name_of(option: str) -> str:
    """The name of an option, without the signs by which Hydra adds and removes."""
    return option.partition("=")[0].lstrip("+~")


def read_words(command: str, words: Sequence[str]) -> Words:
    """Tell flags from options.

    Raises:
        UserError: a word that is neither a known flag nor an option, or one of Hydra's own settings.
    """
    flags: dict[str, str] = {}
    options, launcher, rest = [], [], list(words)
    while rest:
        word = rest.pop(0)
        flag, equals, value = word.partition("=")
        if word in FLAGS:
            flags[FLAGS[word]] = word
        elif flag in FLAGS_WITH_VALUE:
            if not equals and not rest:
                raise UserError(f"{word} needs a value after it")
            flags[FLAGS_WITH_VALUE[flag]] = value if equals else rest.pop(0)
        elif word.startswith("-"):
            raise UserError(f"unknown flag {word!r}; options are written key=value, see `dfplan {command} --help`")
        else:
            _check_option(command, word)
            (launcher if name_of(word).partition(".")[0] == LAUNCHER else options).append(word)
    if launcher and SWEEP not in flags:
        raise UserError(f"{launcher[0]} says what runs the points of a sweep; add -m, or leave it out")
    if flags.get(SHOW, "job") != "job":
        raise UserError(f"--cfg prints the configuration of the command: --cfg job; got {flags[SHOW]!r}")
    return Words(
        options,
        config_folder=Path(flags[CONFIG_FOLDER]) if CONFIG_FOLDER in flags else None,
        sweep=SWEEP in flags,
        help=HELP in flags,
        show=SHOW in flags,
        launcher=tuple(launcher),
    )


def _check_option(command: str, word: str) -> None:
    key, equals, _ = word.partition("=")
    if not equals and not word.startswith("~"):
        raise UserError(f"expected key=value, got {word!r}; see `dfplan {command} --help`")
    match = KEY.fullmatch(key)
    if key == "hydra/launcher":
        raise UserError(f"what runs a sweep is said by {word.partition('/')[2]}; see `dfplan {command} --help`")
    if match is None:
        raise UserError(
            f"an option is a name such as planner.pyramid_offset; got {word!r}; see `dfplan {command} --help`"
        )
    if match[1].lower() == "hydra":
        raise UserError(f"{key} is a setting of Hydra, none of dfplan; see `dfplan {command} --help`")


def for_hydra(command: str, option: str) -> str:
    """The option as Hydra's grammar has it.

    Raises:
        UserError: no place, or the name of a file that leads out of its folder.
    """
    key, equals, value = option.partition("=")
    name = name_of(option)
    if ".." in value:
        raise UserError(f"{name} must be a value or the name of a choice; got {option!r}")
    if not equals:
        return option
    if name in PLACE_KEYS.get(command, ()):
        return f"{key}={_place(name, value)}"
    if name in ROW_KEYS and ROW.fullmatch(value.removeprefix("[").removesuffix("]")):
        # One row alone: 7,1 or [7,1] becomes Hydra's list of lists [[7,1]].
        return f"{key}=[[{value.removeprefix('[').removesuffix(']')}]]"
    if name in WORD_KEYS and not value.startswith("["):
        return f"{key}=[{value}]"
    return option


def _place(key: str, value: str) -> str:
    """``1,1`` becomes Hydra's list ``[1,1]``; a list, ``null`` or a sweep of lists is left as it is."""
    if value == "null" or value.startswith("["):
        return value
    numbers = PLACE.fullmatch(value)
    if numbers is None:
        raise UserError(f"{key} must be numbers, for instance {key}=1,1; got {key}={value}")
    return f"[{','.join(each.strip() for each in numbers[1].split(','))}]"


def split_options(value: str) -> list[str]:
    """The entries of ``[a=1,b=[2,3]]``, or without its brackets, at the commas outside of brackets and quotes."""
    inner = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    parts, depth, quote = [""], 0, ""
    for character in inner:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"" and not parts[-1].strip():
            quote = character
        else:
            depth += (character == "[") - (character == "]")
        if character == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return [_unquoted(part.strip()) for part in parts if part.strip()]


def _unquoted(word: str) -> str:
    return word[1:-1] if word[0] in "'\"" and word[-1] == word[0] and len(word) > 1 else word
