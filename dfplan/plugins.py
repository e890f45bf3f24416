"""Parts that other packages bring, found by name among the entry points of what is installed.

A package names its parts in its ``pyproject.toml``, for instance::

    [project.entry-points."dfplan.denoisers"]
    my-network = "my_package.networks:MyNetwork"

The groups are ``dfplan.domains``, ``dfplan.denoisers``, ``dfplan.scorers``, ``dfplan.tokenizers``,
``dfplan.objectives`` and ``dfplan.matrices``; what each must be stands in ``docs/howto/own-package.md``. A name of
dfplan's own always means dfplan's, and the files of a bundle or a run can only name what the user has installed:
nothing is imported that they say.
"""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from dfplan.errors import UserError
from dfplan.ranges import closest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Part = TypeVar("Part")
GROUPS = ("domains", "denoisers", "scorers", "tokenizers", "objectives", "matrices")


@cache
def installed(group: str) -> "Mapping[str, EntryPoint]":
    """What other packages bring of a group (``domains``, ...), by name; nothing is imported yet.

    Raises:
        UserError: two packages bring the same name, so that nobody knows which is meant.
    """
    from importlib.metadata import entry_points  # slow to import

    found: dict[str, EntryPoint] = {}
    for each in sorted(set(entry_points(group=f"dfplan.{group}")), key=lambda each: (each.name, each.value)):
        if each.name in found:
            raise UserError(
                f"two packages bring dfplan.{group} {each.name!r}, {found[each.name].value} and {each.value}; "
                "uninstall one of them"
            )
        found[each.name] = each
    return found


def package_of(error: BaseException) -> str | None:
    """In the code of which installed package that brings parts an error arose; None where in none."""
    packages = {each.module.partition(".")[0] for group in GROUPS for each in installed(group).values()}
    frame = error.__traceback__
    while frame is not None:
        name = str(frame.tb_frame.f_globals.get("__name__")).partition(".")[0]
        if name in packages:
            return name
        frame = frame.tb_next
    return None


def find(group: str, name: str, *, own: Mapping[str, Part]) -> Part:
    """The part of that name: one of dfplan's ``own``, or of a package.

    Raises:
        UserError: there is none, or its package cannot be imported.
    """
    if name in own:
        return own[name]
    others = installed(group)
    if name not in others:
        names, kind = [*own, *others], "matrix" if group == "matrices" else group.removesuffix("s")
        raise UserError(
            f"unknown {kind} {name!r:.60}; choose one of {', '.join(names)}, or install its package"
            f"{closest(name, names)}"
        )
    try:
        return others[name].load()
    except Exception as error:  # whatever the import of a foreign package leads to
        raise UserError(
            f"the installed package that brings dfplan.{group} {name!r} cannot be imported: "
            f"{type(error).__name__}: {error} ({others[name].value})"
        ) from error
