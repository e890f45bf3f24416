"""Checks a folder given with ``--config-dir`` before Hydra reads it: small files, in it alone, of values only.

Hydra's own program is never started (see :mod:`dfplan.cli.compose`), so that nothing here could run; this is the
second lock, and it names the file that tries.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dfplan.errors import UserError
from dfplan.files import read_small, user_path

MAX_BYTES = 1 << 16
MAX_DEPTH = 50
MAX_ENTRIES = 1000
NOTHING, TEXT = "tag:yaml.org,2002:null", "tag:yaml.org,2002:str"
# What a list of defaults may say: _self_, a name, one within folders, with or without "override" before it.
DEFAULT = re.compile(r"(?:(?:override|optional) )*/?\w[\w-]*(?:/\w[\w-]*)*")
PACKAGE = re.compile(r"^\s*#\s*@(?!package +_global_ *$).*", re.MULTILINE)


def check_config_folder(folder: Path) -> None:
    """Refuse a folder in which anything is a link, or any configuration holds more than values.

    Raises:
        UserError: names the file and what is wrong with it.
    """
    folder = user_path(folder)
    for path in (folder, *folder.parents):
        if path.is_symlink():
            raise UserError(f"--config-dir {folder}: {path} is a link; give the folder itself, {folder.resolve()}")
    if not folder.is_dir():
        raise UserError(f"--config-dir {folder}: no such folder")
    for number, entry in enumerate(_entries(folder)):
        path = Path(entry.path)
        if number == MAX_ENTRIES:
            raise UserError(f"--config-dir {folder}: more than {MAX_ENTRIES:,} files; give a folder of configurations")
        if entry.is_symlink() or (entry.is_file() and entry.stat().st_nlink > 1):
            raise UserError(f"{path}: a link, which a folder of configurations does not hold; copy the file itself")
        if not (entry.is_file() or entry.is_dir()):
            raise UserError(f"{path}: neither a file nor a folder")
        if _is_hydra(path.relative_to(folder).as_posix()):
            raise UserError(f"{path}: named as Hydra's own settings are, which no configuration of dfplan has")
        if path.suffix.lower() in (".yaml", ".yml"):
            _check(path)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """All that lies in a folder and in its sub-folders, links not followed."""
    try:
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            yield entry
            if entry.is_dir(follow_symlinks=False):
                yield from _entries(Path(entry.path))
    except OSError as error:
        raise UserError(f"{error.filename or folder}: cannot be read ({error.strerror})") from error


def _check(path: Path) -> None:
    try:
        text = read_small(path, at_most=MAX_BYTES).decode()
        _check_events(text, path)
        document = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(path, error) from error
    if directive := PACKAGE.search(text):
        raise UserError(f"{path}: {directive[0].strip()[:60]!r}: the one package there is here is _global_")
    if document is None or document.tag == NOTHING:
        return
    if not isinstance(document, yaml.MappingNode):
        raise UserError(f"{path}: no names with their values; a configuration is lines such as `seed: 3`")
    for key, value in document.value:
        if key.value == "defaults" and not _is_list_of_names(value):
            raise UserError(f"{path}: its defaults are no list of names; write - name, or - group: name")
    _check_node(document, path)
    try:
        OmegaConf.create(text)  # as Hydra would, which answers a key that stands there twice with a traceback
    except (yaml.YAMLError, OmegaConfBaseException, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(f"{path}: not readable as YAML ({' '.join(str(error).split())[:200]})")


def _is_list_of_names(node: yaml.Node) -> bool:
    """Whether what is said of defaults has the form that Hydra reads: names, or one group each with a name or none."""
    pairs = [each.value if isinstance(each, yaml.MappingNode) else [(each, each)] for each in node.value]
    return isinstance(node, yaml.SequenceNode) and all(
        len(pair) == 1 and all(isinstance(each, yaml.ScalarNode) for each in pair[0]) and _is_text(pair[0][0])
        for pair in pairs
    )


def _is_text(node: yaml.Node) -> bool:
    return yaml.SafeLoader("").resolve(yaml.ScalarNode, node.value, (True, False)) == TEXT


def _check_events(text: str, path: Path) -> None:
    """Events, not values: nothing is built, and an alias stays one event."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise UserError(f"{path}: uses the alias *{event.anchor}; write the value out")
        if getattr(event, "tag", None):
            raise UserError(f"{path}: carries the tag {str(event.tag)[:60]}; a configuration holds plain values")  # type: ignore[attr-defined]
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise UserError(f"{path}: nested more than {MAX_DEPTH} deep, which no configuration is")


def _check_node(node: yaml.Node, path: Path, *, is_default: bool = False) -> None:
    """Check texts, keys included, down to the last; within a list of defaults they are names of files."""
    match node:
        case yaml.MappingNode():
            for key, value in node.value:
                _check_key(key, path)
                _check_node(key, path, is_default=is_default)
                _check_node(value, path, is_default=is_default or key.value == "defaults")
        case yaml.SequenceNode():
            for each in node.value:
                _check_node(each, path, is_default=is_default)
        case yaml.ScalarNode():
            if "${" in node.value:
                raise UserError(f"{path}: {node.value[:60]!r} looks something up (${{…}}); write the value out")
            if is_default and (not DEFAULT.fullmatch(node.value) or _is_hydra(node.value)):
                raise UserError(f"{path}: {node.value[:60]!r} in its defaults is no name of a configuration of dfplan")


def _check_key(key: yaml.Node, path: Path) -> None:
    if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
        raise UserError(f"{path}: a key that is no word; a configuration holds names and their values")
    if re.fullmatch(r"_\w+_", key.value):
        raise UserError(f"{path}: names a Python object ({key.value}), which dfplan never builds; give plain values")
    if _is_hydra(key.value):
        raise UserError(f"{path}: sets {key.value[:60]!r}; Hydra's own settings are none of a configuration of dfplan")


def _is_hydra(name: str) -> bool:
    """Whether a key, an entry of defaults or a file could be of Hydra's own settings."""
    return "hydra" in re.split(r"[^a-z0-9]+", name.lower())
