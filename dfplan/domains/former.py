"""What things were called before: scripts, bundles and exports from then are still understood.

First what had the words of mazes before these were a domain, then options that have those of the field now: rho of
Karras et al. 2022 (arXiv 2206.00364), the scale of classifier-free guidance (arXiv 2207.12598), the stabilization level
of Diffusion Forcing (arXiv 2407.01392), by how much its pyramid is offset from token to token.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any

NAMES = {
    "PointMass": "DoubleIntegrator",
    "PositionSupport": "Support",
    "Pursuit": "ShootingTracker",
    "point_mass": "dynamics",
    "point_mass_motion": "integrator_motion",
    "position_dim": "goal_dim",
    "positions": "achieved_goals",
}
OPTIONS = {
    "quorum": "early_stop_fraction",
    "level_power": "rho",
    "goal_guidance": "cfg_scale",
    "context_level": "stabilization_level",
    "support_penalty": "ood_penalty",
    "jump_penalty": "consistency_penalty",
    "slope": "pyramid_offset",
}
BY_GROUP = {  # the options that each has
    "planner": OPTIONS,
    "task": OPTIONS,
    "planner.tree": {"apart": "minimum_distance"},
    "env": {"num_tokens": "window_tokens"},
}
GROUP_NAMES = {"retrace": "resynthesis"}
CHOICES = {"controller": {"pursuit": "shooting"}}


def present_option(name: str) -> str:
    """What an option such as ``planner.level_power``, or a group, is called now; the same where it is called so."""
    first, dot, rest = name.partition(".")
    if first in GROUP_NAMES:
        return f"{GROUP_NAMES[first]}{dot}{rest}"
    group, _, last = name.rpartition(".")
    names = BY_GROUP.get(group, {})
    return f"{group}.{names[last]}" if last in names else name


def present_choice(group: str, name: str) -> str:
    """What a choice of a group, such as ``controller=pursuit``, is called now; the same where it is called so."""
    return CHOICES.get(group, {}).get(name, name)


def present_config(config: Mapping[str, Any], group: str = "") -> dict[str, Any]:
    """A configuration, or the group of it, as a run recorded it, with groups and options called as they are now."""
    names = BY_GROUP.get(group, GROUP_NAMES)
    return {
        names.get(name, name): present_config(each, name) if isinstance(each, Mapping) else each
        for name, each in config.items()
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
