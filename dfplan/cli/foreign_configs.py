"""Checks the YAML files of a folder given with ``--config-dir`` before Hydra reads them: they hold values only."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from dfplan.errors import UserError

MAX_BYTES = 1 << 16
MAX_DEPTH = 50
FLAGS = ("--config-dir", "-cd")


def check_config_folders(words: Sequence[str]) -> None:
    """Refuse files that name Python objects, carry tags, or multiply themselves by aliases.

    Raises:
        UserError: names the file.
    """
    for index, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if flag in FLAGS:
            folder = Path(value if equals else words[index + 1]).expanduser()
            for path in sorted({*folder.rglob("*.yaml"), *folder.rglob("*.yml")}):
                _check(path)


def _check(path: Path) -> None:
    if not path.is_file() or path.stat().st_size > MAX_BYTES:
        raise UserError(f"{path}: no regular file of at most {MAX_BYTES:,} bytes, which a configuration is")
    try:
        # Events, not values: nothing is built, and an alias stays one event.
        depth = 0
        for event in yaml.parse(path.read_text(errors="replace"), Loader=yaml.SafeLoader):
            _check_event(event, path)
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise UserError(f"{path}: nested more than {MAX_DEPTH} deep, which no configuration is")
    except (yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{path}: not readable as YAML ({' '.join(str(error).split())[:200]})") from error


def _check_event(event: yaml.Event, path: Path) -> None:
    if isinstance(event, yaml.AliasEvent):
        raise UserError(f"{path}: uses the alias *{event.anchor}; write the value out")
    if getattr(event, "tag", None):
        raise UserError(f"{path}: carries the tag {str(event.tag)[:60]}; a configuration holds plain values")  # type: ignore[attr-defined]
    if isinstance(event, yaml.ScalarEvent) and event.value == "_target_":
        raise UserError(f"{path}: names a Python object (_target_), which dfplan never builds; give plain values")
