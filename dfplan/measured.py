"""What was measured on data and travels with weights: refused where it cannot have been measured. Needs no torch."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from dfplan.domains import former
from dfplan.types import DoubleIntegrator, Reach, Support

MAX_VALUE = 1e9  # of a weight or a statistic: squares and their sums stay far inside single precision
_POSITIVE = ("std", "seconds", "pixels_per_unit")  # endings of names of what others are divided by
_LEAST = 1e-9
_MOST_DECAY = 1.01  # a robot without friction has 1, and it is measured


def positive(name: str, value: Any) -> float:
    """Return a finite number above zero.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be a finite number above 0; got {value!r:.40}")
    return float(value)


def check_values(name: str, values: np.ndarray) -> None:
    """Refuse numbers that are not finite or far too large, and standard deviations and the like that are not above 0.

    Args:
        name: of the array; its ending says what it is.
        values: of any shape.

    Raises:
        ValueError: names the array.
    """
    if not (np.abs(values) <= MAX_VALUE).all():  # NaN is not, either
        raise ValueError(f"{name} holds values that are not finite or beyond {MAX_VALUE:g}")
    if name.endswith(_POSITIVE) and not (values >= _LEAST).all():
        raise ValueError(f"{name} must be {_LEAST:g} or more everywhere; got {values.min():g}")


def check_physics(
    *, reach: Reach, dynamics: DoubleIntegrator, goal_radius: float, support: Support | None = None
) -> None:
    """Refuse a robot, a goal or a map that cannot have been measured on the data that the normaliser was.

    Raises:
        ValueError: names what does not fit.
    """
    low, high = reach.goals.low, reach.goals.high
    size, fastest = float((high - low).max()), float((reach.observations.high - reach.observations.low).max())
    found = vars(dynamics) | {"goal_radius": goal_radius, "step * max_speed": reach.step}
    limits = {"decay": _MOST_DECAY, "gain": fastest, "max_speed": fastest, "step": size}
    limits |= {"step * max_speed": size, "goal_radius": size}
    for name, largest in limits.items():
        if not 0 < found[name] <= largest:
            raise ValueError(f"{name} must be above 0 and, as the data is, at most {largest:.4g}; got {found[name]:g}")
    if support is None:
        return
    if support.origin.shape != low.shape or support.visited.ndim != len(low) or not support.visited.size:
        raise ValueError(f"the visited places are no grid of {len(low)} dimensions")
    end = support.origin + support.cell * np.array(support.visited.shape)
    if not (support.cell > 0 and ((low <= support.origin) & (support.origin < end) & (end <= high)).all()):
        raise ValueError(
            f"the visited places, from {support.origin.tolist()} to {end.tolist()}, are not where the data is"
        )


def with_present_names(sizes: Mapping[str, Any]) -> dict[str, Any]:
    """Sizes or settings as a bundle or an export tells them, which may be of a time when some had other names."""
    names = former.NAMES | former.OPTIONS
    return {names.get(name, name): value for name, value in sizes.items()}
