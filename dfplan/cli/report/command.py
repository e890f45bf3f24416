"""The command that a configuration came from, as short as it can be said."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.initialize import get_gh_backup, restore_gh_from_backup

from dfplan.cli.compose import compose_options, plain, reading, to_schema
from dfplan.cli.folders import group_choices
from dfplan.errors import UserError

SAYS_NOTHING = ("output", "report")  # about a result
GROUPS = ("planner", "controller")  # whose choices may say it in a word
NOT_SAME = "the options that `dfplan` has now do not say all of it: compare with the configuration below"


def command_of(command: str, config: Mapping[str, Any]) -> tuple[str, str]:
    """``dfplan COMMAND …`` with what differs from its defaults, and what is to be known besides; "" is nothing.

    Args:
        command: eval or bench.
        config: as a record has it.
    """
    try:
        words = _words(command, config)
        same = _composed(command, words) == _comparable(config)
    except (UserError, AttributeError, KeyError, TypeError, ValueError) as error:
        return f"dfplan {command}", f"{NOT_SAME} ({error})"
    return shlex.join(["dfplan", command, *words]), "" if same else NOT_SAME


def _words(command: str, config: Mapping[str, Any]) -> list[str]:
    wanted, env = _comparable(config), config["env"]
    words = [f"env={env['name'] if env['name'] in group_choices('env') else env['id']}"]
    for group in GROUPS:
        if group not in wanted or _composed(command, words)[group] == wanted[group]:
            continue
        choices = [None, *group_choices(group)]
        apart = [_num_apart(command, words, group, choice, wanted) for choice in choices]
        best = choices[min(range(len(choices)), key=apart.__getitem__)]
        words += [] if best is None else [f"{group}={best}"]
    usual = _flat(_composed(command, words))
    for name, value in _flat(wanted).items():
        if name not in usual or usual[name] != value:
            words.append(_said(name, value, new=name not in usual))
    return words


def _num_apart(command: str, words: list[str], group: str, choice: str | None, wanted: Mapping[str, Any]) -> int:
    """How many settings of a group differ with a choice of it."""
    try:
        found = _flat(_composed(command, [*words, *([] if choice is None else [f"{group}={choice}"])])[group])
    except UserError:
        return len(_flat(wanted))
    return sum(found.get(name) != value for name, value in _flat(wanted[group]).items()) + (choice is not None)


def _composed(command: str, words: Sequence[str]) -> dict[str, Any]:
    """The configuration that words lead to, by the configurations that come with dfplan."""
    return _composed_once(command, tuple(words))


@cache
def _composed_once(command: str, words: tuple[str, ...]) -> dict[str, Any]:
    # Also while a folder of somebody's own is being read, whose settings are no defaults; that goes on afterwards.
    before = get_gh_backup()
    GlobalHydra.instance().clear()
    try:
        with reading(None, command):
            return _comparable(plain(to_schema(command, compose_options(command, words))))
    finally:
        restore_gh_from_backup(before)


def _comparable(config: Mapping[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps({name: value for name, value in config.items() if name not in SAYS_NOTHING}))


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings by dotted names."""
    return dict(_leaves(config, prefix))


def _leaves(config: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _said(name: str, value: Any, *, new: bool) -> str:
    if name == "agents":
        return f"agents={','.join(value)}"
    return f"{'+' if new else ''}{name}={_text(value)}"


def _text(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case list():
            return f"[{','.join(_text(each) for each in value)}]"
        case _:
            return str(value)
