"""Composes the configuration with Hydra, checks it, and runs the command once, or once per point of a sweep."""

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import is_dataclass
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException, ValidationError

from dfplan.cli.arguments import closest, prepare
from dfplan.cli.folders import config_folder, group_choices
from dfplan.cli.foreign_configs import check_config_folders
from dfplan.cli.schema import SCHEMAS, check_ranges, flatten, schema_of
from dfplan.errors import EndedEarly, UserError

# Hydra composes and sweeps; folders, logging and the working directory are ours.
HYDRA_SETTINGS = (
    "hydra.run.dir=.",
    "hydra.output_subdir=null",
    "hydra.job.chdir=false",
    "hydra/job_logging=none",
    "hydra/hydra_logging=none",
    "hydra.sweep.dir=runs/sweeps/${now:%Y-%m-%d_%H-%M-%S}",
    "hydra.sweep.subdir=${hydra.job.num}",
)
TYPE_WORDS: dict[Any, str] = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}


def run(command: str, words: Sequence[str]) -> int:
    """Run a command with the words that follow it on the command line; return the exit status.

    Raises:
        UserError: any mistake in the words, the configuration or what it points to.
    """
    prepared = prepare(command, words)
    check_config_folders(prepared)
    if "-h" in prepared or "--help" in prepared:
        from dfplan.cli.help import print_help

        print_help(command, overrides=[word for word in prepared if not word.startswith("-")])
        return 0
    schema = _schema_said(command, prepared)
    _refuse_empty_groups(schema, prepared)
    failures: list[UserError | EndedEarly] = []

    def job(composed: DictConfig) -> None:
        try:
            _run_once(command, composed)
        except (UserError, EndedEarly) as error:
            if HydraConfig.get().mode is RunMode.MULTIRUN:
                raise  # Hydra adds which point of the sweep failed
            failures.append(error)

    with readable_errors(command, schema=schema):
        call_hydra(job, command=command, words=[*prepared, *HYDRA_SETTINGS])
    if failures:
        raise failures[0]
    return 0


def _schema_said(command: str, words: Sequence[str]) -> type:
    """The schema of the task that is said; a recipe may mean another one, which only Hydra knows."""
    said = [word.removeprefix("task=") for word in words if word.startswith("task=")]
    return schema_of(command, {"task": said[-1]} if said and said[-1] in group_choices("task") else None)


def _refuse_empty_groups(schema: type, words: Sequence[str]) -> None:
    """Hydra answers ``env=null`` with a traceback."""
    groups = {name for name, each in flatten(schema) if is_dataclass(each.type)}
    for word in words:
        name, equals, value = word.partition("=")
        if equals and name in groups and value in ("", "null"):
            raise UserError(f"{name} must be chosen; got {word!r}; choose {', '.join(group_choices(name))}")


def call_hydra(job: Any, *, command: str, words: Sequence[str]) -> None:
    """Let Hydra read ``words`` as if they were the command line of a program of its own."""
    arguments, full_error = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    sys.argv = [f"dfplan-{command}", *words]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors as exceptions, not printed: `readable_errors` words them
    try:
        hydra.main(config_path=str(config_folder()), config_name=command, version_base="1.3")(job)()
    finally:
        sys.argv = arguments
        if full_error is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = full_error


def _run_once(command: str, composed: DictConfig) -> None:
    """Check one configuration and hand it to its command."""
    with readable_errors(command, schema=schema_of(command, composed)):
        config = to_schema(command, composed)
    sweep = HydraConfig.get().mode is RunMode.MULTIRUN
    if sweep and hasattr(config, "output") and config.output is None and command != "generate":
        config.output = HydraConfig.get().runtime.output_dir
    given = [word.lstrip("+~").split("=", 1)[0] for word in HydraConfig.get().overrides.task]
    match command:
        case "eval":
            from dfplan.cli.commands import evaluate

            evaluate.run(config)
        case "bench":
            from dfplan.cli.commands import bench

            bench.run(config)
        case "plan":
            from dfplan.cli.commands import plan

            plan.run(config)
        case "train":
            from dfplan.cli.commands import train

            train.run(config, given=given)
        case "generate":
            from dfplan.cli.commands import generate

            generate.run(config)
        case "export":
            from dfplan.cli.commands import export

            export.run(config)
        case _:
            raise AssertionError(f"no command {command}")


def to_schema(command: str, composed: Any) -> Any:
    """Turn what Hydra composed into the command's dataclass, with types and ranges checked."""
    merged = OmegaConf.merge(OmegaConf.structured(schema_of(command, composed)), composed)
    config = OmegaConf.to_object(merged)
    check_ranges(config)
    return config


def plain(config: Any) -> dict[str, Any]:
    """A configuration as plain dictionaries, for result files."""
    container = OmegaConf.to_container(OmegaConf.structured(config))
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


@contextmanager
def readable_errors(command: str, *, schema: type | None = None) -> Iterator[None]:
    """Word what Hydra and OmegaConf object to as one line that names the option and what is allowed.

    Without the ``schema`` in force, that of the command's defaults tells which options there are.
    """
    declared = {key: each.type for key, each in flatten(schema or SCHEMAS[command])}
    try:
        yield
    except MissingConfigException as error:
        raise UserError(_missing_file(error)) from error
    except OverrideParseException as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"cannot read the option {error.override!r}: {reason}; write key=value") from error
    except OmegaConfBaseException as error:
        raise UserError(_bad_value(error, command, declared)) from error
    except HydraException as error:
        raise UserError(_bad_option(error, command, declared)) from error


def _missing_file(error: MissingConfigException) -> str:
    group, _, name = (error.missing_cfg_file or "").rpartition("/")
    options = group_choices(group)
    if not options:
        return str(error).splitlines()[0]
    return f"unknown {group} {name!r}{closest(name, options)}; choose {', '.join(options)}"


def _bad_value(error: OmegaConfBaseException, command: str, declared: Mapping[str, Any]) -> str:
    name = error.full_key or "the configuration"
    if isinstance(error, MissingMandatoryValue):
        return f"the option {name} has no value; give {name}=..."
    if isinstance(error, ValidationError) and declared.get(name) in TYPE_WORDS:
        found = "null" if error.value is None else repr(error.value)
        return f"{name} must be {TYPE_WORDS[declared[name]]}; got {found}"
    if name not in declared and name != "the configuration":
        return _unknown_option(name, command, declared)
    return f"{name}: {str(error).splitlines()[0]}"


def _bad_option(error: HydraException, command: str, declared: Mapping[str, Any]) -> str:
    unknown = re.match(r"Could not override '([^']+)'", str(error))
    if unknown:
        return _unknown_option(unknown[1], command, declared)
    if ambiguous := re.match(r"Ambiguous value for argument '([^']+)'", str(error)):
        return f"{ambiguous[1]} holds several values; run them one after the other with -m"
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else None
    return " ".join(filter(None, [str(error).splitlines()[0], str(cause).splitlines()[0] if cause else ""]))


def _unknown_option(name: str, command: str, declared: Mapping[str, Any]) -> str:
    # `replan_every` alone is a good guess at `controller.replan_every`.
    ends = [key for key in declared if key.rpartition(".")[2] == name]
    hint = f" (did you mean {ends[0]!r}?)" if ends else closest(name, declared)
    return f"dfplan {command} has no option {name!r}{hint}; `dfplan {command} --help` lists all"
