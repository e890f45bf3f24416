"""Finds the module of a task by its name, among those that come with dfplan and no others."""

import importlib
from dataclasses import fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from dfplan.cli.folders import group_choices
from dfplan.errors import UserError
from dfplan.ranges import closest
from dfplan.tasks.inputs import Inputs

if TYPE_CHECKING:
    from dfplan.training.task import Dataset, Task

DEFAULT_TASK = "forcing"


class TaskModule(Protocol):
    """What a module of :mod:`dfplan.tasks` holds."""

    Settings: type

    def build(self, settings: object, inputs: Inputs) -> "tuple[Task, Dataset]":
        """Return the task and its dataset."""
        ...


@cache
def find_task(name: str) -> TaskModule:
    """The module of a task.

    Raises:
        UserError: no such task comes with dfplan.
    """
    shipped = group_choices("task")
    if name not in shipped:
        raise UserError(f"unknown task {name!r}{closest(name, shipped)}; choose {', '.join(shipped)}")
    return importlib.import_module(f"dfplan.tasks.{name.replace('-', '_')}")  # type: ignore[return-value]


def settings_of(config: Any) -> Any:
    """The settings of the task of a checked configuration of ``dfplan train``."""
    settings = find_task(config.task.name).Settings
    values = {each.name: getattr(config if is_group(each) else config.task, each.name) for each in fields(settings)}
    return settings(**values)


def is_group(field: Any) -> bool:
    """Whether a field of a ``Settings`` is a group of options, which lies beside ``task`` rather than in it."""
    return is_dataclass(field.type)
