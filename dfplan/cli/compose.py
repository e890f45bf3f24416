"""Composes the configuration with Hydra, checks it, and runs the command; of sweeps see :mod:`dfplan.cli.sweep`."""

import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, is_dataclass, make_dataclass
from pathlib import Path
from typing import Any

import hydra
from hydra import initialize_config_dir
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    MissingMandatoryValue,
    OmegaConfBaseException,
    ValidationError,
)

from dfplan.cli.any_environment import COMMANDS, known_ids, with_environment
from dfplan.cli.arguments import NUMBER, OPTIONS_PREFIX, Words, for_hydra, name_of, read_words, split_options
from dfplan.cli.folders import DECLARED, config_folder, group_choices, release
from dfplan.cli.foreign_configs import check_config_folder
from dfplan.cli.group_schema import PlannerConfig, TrainingConfig
from dfplan.cli.launcher_schema import LauncherConfig
from dfplan.cli.out_of_memory import told_in_one_line
from dfplan.cli.schema import SCHEMAS, flatten, schema_of, text_options
from dfplan.cli.structure import build, plain_type, structured, values_of
from dfplan.domains.former import present_choice, present_option
from dfplan.domains.frames_settings import FramesSettings
from dfplan.errors import UserError
from dfplan.files import user_path
from dfplan.options import UNSET, group
from dfplan.ranges import check_ranges, closest, words_of
from dfplan.settings.diffusion import DiffusionSettings
from dfplan.settings.resynthesis import ResynthesisSettings
from dfplan.settings.value import ValueSettings
from dfplan.tasks.groups import ModelSettings, WindowsSettings

# What a configuration, which may be somebody else's, does not decide: where is written, and over what.
SAID_ALONE = ("output", "overwrite", "resume")
NO_NAME = re.compile(rf"{NUMBER}|null|true|false|[-+]?(nan|inf)|", re.IGNORECASE)
_QUESTION_MARKS = f"{UNSET}\0"  # nobody can type it


def run(command: str, words: Sequence[str]) -> int:
    """Run a command with the words that follow it on the command line; return the exit status.

    Raises:
        UserError: any mistake in the words, the configuration or what it points to.
    """
    said = read_words(command, words)
    launcher = read_launcher(command, said.launcher)
    if said.config_folder is not None:
        check_config_folder(said.config_folder)
    try:
        with reading(said.config_folder, command):
            return _obey(command, said, launcher)
    finally:
        release()


def _obey(command: str, said: Words, launcher: LauncherConfig) -> int:
    if said.help:
        from dfplan.cli.help import print_help

        print_help(command, options=said.options)
    elif said.show:
        print(OmegaConf.to_yaml(compose_options(command, said.options)).rstrip())
    elif said.sweep:
        from dfplan.cli.sweep import sweep

        return sweep(command, said, launcher)
    else:
        return run_once(command, said.options)
    return 0


@contextmanager
def reading(folder: Path | None, command: str | None = None) -> Iterator[None]:
    """Have Hydra compose from the configurations that come with dfplan, and those of a folder that was checked.

    Hydra reads and merges; its own program, which could build objects, log into files or set the environment by what
    a configuration says, is never started. Of a ``command``, only what it has is read; without one, all. A command may
    read for another one that it runs.
    """
    around = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with defaults_shown(command), initialize_config_dir(str(config_folder()), version_base="1.3"):
            if folder is not None:
                places = create_config_search_path(str(config_folder()))
                places.prepend("--config-dir", f"file://{user_path(folder).absolute()}", anchor="schema")
                GlobalHydra.instance().clear()
                Hydra.create_main_hydra2("dfplan", places)
            yield
    finally:
        GlobalHydra.instance().hydra = around


def compose_options(command: str, options: Sequence[str], **settings: Any) -> DictConfig:
    """What Hydra makes of options; a text, such as a path, stays as it was typed and is never interpreted.

    Raises:
        UserError: an option that there is not, or one that cannot be read.
    """
    options = with_environment(command, [_by_present_name(option) for option in options])
    _refuse_empty_groups(command, options)
    texts = text_options(command)
    kept = [option for option in options if name_of(option) in texts and "=" in option]
    lists = [option for option in options if name_of(option).startswith(OPTIONS_PREFIX) and "=" in option]
    others = [for_hydra(command, option) for option in options if option not in (*kept, *lists)]
    schema = _schema_said(command, options)
    with readable_errors(command, schema=schema):
        composed = hydra.compose(command, overrides=others, **settings)
        for option in kept:
            name, text = name_of(option), option.partition("=")[2]
            try:
                OmegaConf.update(composed, name, literal(text))
            except (ConfigAttributeError, ConfigKeyError) as error:  # which name the first part of it alone
                raise UserError(_unknown_option(name, command, dict(flatten(schema)))) from error
        for option in lists:
            entries = [literal(entry) for entry in split_options(option.partition("=")[2])]
            OmegaConf.update(composed, name_of(option), entries, force_add=command == "bench")
    return composed


def _by_present_name(option: str) -> str:
    """The option, by its name now where it had another one once, which is said."""
    name, chosen = name_of(option), option.partition("=")[2]
    was, now = name, present_option(name)
    if (choice := present_choice(name.removesuffix(".name"), chosen)) != chosen:
        was, now = f"{name}={chosen}", f"{name}={choice}"
    if was != now:
        from dfplan.cli.progress import say  # slow to import

        say(f"{was} is called {now} now")
    return option.replace(was, now, 1)


def literal(value: Any) -> Any:
    """The value with its texts written so that OmegaConf takes them as they are.

    It would look ``${...}`` up, and ``???`` is how it marks a value that is still to be given: for that text stands
    another until :func:`to_schema`.
    """
    if value == UNSET:
        return _QUESTION_MARKS
    if isinstance(value, dict):
        return {key: literal(each) for key, each in value.items()}
    if isinstance(value, list):
        return [literal(each) for each in value]
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", value) if isinstance(value, str) else value


def _schema_said(command: str, options: Sequence[str]) -> type:
    """The schema of the task that is said; a recipe may mean another one, which only Hydra knows."""
    said = [word.removeprefix("task=") for word in options if word.startswith("task=")]
    return schema_of(command, {"task": said[-1]} if said and said[-1] in group_choices("task") else None)


def _refuse_empty_groups(command: str, options: Sequence[str]) -> None:
    """Hydra answers ``env=null`` and ``model=3`` with a traceback."""
    schema = _schema_said(command, options)
    groups = {name for name, each in flatten(schema) if is_dataclass(each.type)}
    for word in options:
        name, equals, value = word.partition("=")
        name = present_option(name)
        if equals and name in groups and NO_NAME.fullmatch(value):
            raise UserError(f"{name} must be chosen; got {word!r}; choose {', '.join(group_choices(name))}")


def run_once(command: str, options: Sequence[str], *, output: str | None = None) -> int:
    """Check one configuration and hand it to its command, whose exit status it returns.

    ``output`` is that of a point of a sweep.
    """
    given = [name_of(option) for option in options]
    config = read_options(command, options)
    if output is not None:
        config.output = output
    with told_in_one_line(command, config):
        module = importlib.import_module(f"dfplan.cli.commands.{'evaluate' if command == 'eval' else command}")
        return module.run(config, **({"given": given} if command in ("train", "evolve") else {})) or 0


def read_options(command: str, options: Sequence[str]) -> Any:
    """The checked configuration that options lead to."""
    return checked(command, compose_options(command, options), given=[name_of(option) for option in options])


def checked(command: str, composed: DictConfig, *, given: Sequence[str]) -> Any:
    """The configuration of a command, if it is one that the command can be run with."""
    for name in SAID_ALONE:
        if name not in given and composed.get(name):
            raise UserError(f"{name} is said on the command line alone, not in a configuration; give {name}=...")
    with readable_errors(command, schema=schema_of(command, composed)):
        return to_schema(command, composed)


def to_schema(command: str, composed: Any) -> Any:
    """Turn what Hydra composed into the command's dataclass, with types and ranges checked."""
    return _as_schema(schema_of(command, composed), composed)


def _as_schema(schema: type, composed: Any) -> Any:
    merged = OmegaConf.merge(OmegaConf.structured(structured(schema)), composed)
    values = _as_typed(OmegaConf.to_container(merged, resolve=True, throw_on_missing=True))
    check_ranges(schema, values)
    return build(schema, values)


def read_launcher(command: str, words: Sequence[str]) -> LauncherConfig:
    """What ``launcher=<name>`` and ``launcher.<option>=`` say of a sweep, on the command line alone.

    Raises:
        UserError: an option that there is not, or a value that will not do.
    """
    schema = make_dataclass("Sweep", [("launcher", LauncherConfig, group(LauncherConfig, "what runs the points"))])
    declared, values = dict(flatten(schema)), values_of(schema)
    for word in words:
        name, _, value = word.partition("=")
        name = "launcher.name" if name == "launcher" else name
        if name not in declared:
            raise UserError(_unknown_option(name, f"{command} -m", declared))
        values["launcher"][name.partition(".")[2]] = None if value == "null" else literal(value)
    with readable_errors(f"{command} -m", schema=schema):
        return _as_schema(schema, values).launcher


def _as_typed(value: Any) -> Any:
    """Values as they were typed, where a text stood for three question marks."""
    if isinstance(value, dict):
        return {name: _as_typed(each) for name, each in value.items()}
    return UNSET if value == _QUESTION_MARKS else value


def plain(config: Any) -> dict[str, Any]:
    """A configuration as plain dictionaries, for result files."""
    return asdict(config)


@contextmanager
def readable_errors(command: str, *, schema: type | None = None) -> Iterator[None]:
    """Word what Hydra and OmegaConf object to as one line that names the option and what is allowed.

    Without the ``schema`` in force, that of the command's defaults tells which options there are.
    """
    declared = {key: plain_type(each) for key, each in flatten(schema or SCHEMAS[command])}
    try:
        yield
    except MissingConfigException as error:
        raise UserError(_missing_file(error, command)) from error
    except OverrideParseException as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"cannot read the option {error.override!r}: {reason}; write key=value") from error
    except RecursionError as error:
        raise UserError("the configuration is nested deeper than any that dfplan has") from error
    except OmegaConfBaseException as error:
        raise UserError(_bad_value(error, command, declared)) from error
    except HydraException as error:
        raise UserError(_bad_option(error, command, declared)) from error


def _missing_file(error: MissingConfigException, command: str) -> str:
    missing = error.missing_cfg_file or ""
    group, _, name = missing.partition("/") if missing.startswith("env/") else missing.rpartition("/")
    options = group_choices(group)
    if not options:
        return str(error).splitlines()[0]
    others, known = "", options
    if group == "env" and ":" in name:
        return (
            f"env={name}: no module is imported because an option names it; have an installed package register "
            f"{name.partition(':')[2]}, as docs/howto/own-environment.md shows, and give env={name.partition(':')[2]}"
        )
    if group == "env" and command in COMMANDS:
        others = ", or the id of an environment of Gymnasium (of Gymnasium-Robotics: pip install 'dfplan[robots]')"
        known = [*options, *known_ids()]
    if (now := present_choice(group, name)) != name:
        return f"{group}={name} is called {group}={now} now; write that"
    return f"unknown {group} {name!r}{closest(name, known)}; choose {', '.join(options)}{others}"


def _bad_value(error: OmegaConfBaseException, command: str, declared: Mapping[str, Any]) -> str:
    name = (error.full_key or "the configuration").partition("[")[0]  # an entry of a list is told by the list's name
    if isinstance(error, MissingMandatoryValue):
        return f"the option {name} has no value; give {name}=..."
    if isinstance(error, ValidationError) and name in declared:
        found = "null" if error.value is None else repr(error.value)
        return f"{name} must be {words_of(declared[name])}; got {found}"
    if name not in declared and name != "the configuration":
        return _unknown_option(name, command, declared)
    return f"{name}: {str(error).splitlines()[0]}"


def _bad_option(error: HydraException, command: str, declared: Mapping[str, Any]) -> str:
    unknown = re.search(r"Could not override '([^']+)'", str(error))
    if unknown and (unknown.start() == 0 or present_option(unknown[1]) != unknown[1]):
        return _unknown_option(unknown[1], command, declared)
    if ambiguous := re.match(r"Ambiguous value for argument '([^']+)'", str(error)):
        return f"{ambiguous[1]} holds several values; run them one after the other with -m"
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else None
    return " ".join(filter(None, [str(error).splitlines()[0], str(cause).splitlines()[0] if cause else ""]))


def _unknown_option(name: str, command: str, declared: Mapping[str, Any]) -> str:
    if (now := present_option(name)) != name:
        return f"{name} is called {now} now; write that"
    # `replan_every` alone is a good guess at `controller.replan_every`.
    ends = [key for key in declared if key.rpartition(".")[2] == name]
    hint = f" (did you mean {ends[0]!r}?)" if ends else closest(name, declared)
    return f"dfplan {command} has no option {name!r}{hint}; `dfplan {command} --help` lists all"


GROUPS: dict[str, type] = {
    "planner": PlannerConfig,
    "windows": WindowsSettings,
    "diffusion": DiffusionSettings,
    "resynthesis": ResynthesisSettings,
    "model": ModelSettings,
    "training": TrainingConfig,
    "value": ValueSettings,
    "frames": FramesSettings,
}


@contextmanager
def defaults_shown(command: str | None = None) -> Iterator[None]:
    """Have Hydra find them within the block, those of a command or all, which takes longer.

    What a program of the user has stored there stays as it is.
    """
    store = ConfigStore.instance()
    groups = [name for name in GROUPS if command in (None, "evolve") or (name == "planner") == (command != "train")]
    before = {name: deepcopy(store.repo.get(name, {})) for name in groups}
    try:
        for name in groups:
            store.store(group=name, name=DECLARED[name], node=values_of(GROUPS[name]))
        yield
    finally:
        store.repo |= before
