"""What things were called before the mazes were a domain: scripts and bundles from then are still understood."""

import sys
from collections.abc import Callable
from typing import Any

NAMES = {
    "PointMass": "DoubleIntegrator",
    "PositionSupport": "Support",
    "point_mass": "dynamics",
    "point_mass_motion": "integrator_motion",
    "position_dim": "goal_dim",
    "positions": "achieved_goals",
}


def present(owner: Any, name: str) -> Any:
    """What an object or a module calls now what it called ``name``.

    Raises:
        AttributeError: it never called anything so.
    """
    now = NAMES.get(name)
    if now is None or (not hasattr(type(owner), now) and now not in vars(owner)):
        owned = vars(owner).get("__name__", type(owner).__name__)
        raise AttributeError(f"{owned!r} has no {name!r}", name=name, obj=owner)
    return getattr(owner, now)


def names_of(module: str) -> Callable[[str], Any]:
    """A ``__getattr__`` for a module."""
    return lambda name: present(sys.modules[module], name)
