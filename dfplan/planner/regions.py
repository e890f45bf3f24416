"""Regions of a plane: discs and boxes, and unions of them. Plain arrays; no torch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dfplan.arrays import numbers_of
from dfplan.errors import UserError


@dataclass(frozen=True)
class Disc:
    """All points within ``radius`` of ``center``, in environment units.

    Raises:
        UserError: the radius is not positive, or a number is not finite.
    """

    center: tuple[float, ...]
    radius: float

    def __post_init__(self) -> None:
        if not self.radius > 0:
            raise UserError(f"a disc needs a radius above 0; got {self.radius} at {list(self.center)}")
        if not np.isfinite([*self.center, self.radius]).all():  # no place would lie in it, or every one
            raise UserError(f"a disc needs finite numbers; got {self.radius} at {list(self.center)}")

    def distance(self, points: np.ndarray) -> np.ndarray:
        """How far points ``(..., dim)`` are outside, ``(...)``; negative inside."""
        return np.linalg.norm(points - np.asarray(self.center), axis=-1) - self.radius


@dataclass(frozen=True)
class Box:
    """All points between the corners ``low`` and ``high``, in environment units.

    Raises:
        UserError: ``low`` is not below ``high`` along every axis.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        if not all(low < high for low, high in zip(self.low, self.high, strict=True)):
            raise UserError(
                f"a box needs its low corner below its high one; got {list(self.low)} and {list(self.high)}"
            )

    def distance(self, points: np.ndarray) -> np.ndarray:
        """How far points ``(..., dim)`` are outside, ``(...)``; negative inside."""
        beyond = np.maximum(np.asarray(self.low) - points, points - np.asarray(self.high))
        return np.linalg.norm(np.maximum(beyond, 0), axis=-1) + np.minimum(beyond.max(axis=-1), 0)


Region = Disc | Box


def distance_to(regions: Sequence[Region], points: np.ndarray) -> np.ndarray:
    """How far points ``(..., dim)`` are outside the union of one or more regions, ``(...)``; negative inside."""
    return np.min([region.distance(points) for region in regions], axis=0)


def as_region(row: Region | Sequence[float]) -> Region:
    """A region from plain numbers: ``[x, y, radius]`` is a disc, ``[x1, y1, x2, y2]`` a box of two opposite corners.

    Raises:
        UserError: neither three nor four numbers, a region without size, or a disc that is not finite.
    """
    if isinstance(row, Disc | Box):
        return row
    numbers = numbers_of("a region", list(row) if isinstance(row, Sequence) else row).astype(float).tolist()
    match numbers:
        case [x, y, radius]:
            return Disc(center=(x, y), radius=radius)
        case [x1, y1, x2, y2]:
            return Box(low=(min(x1, x2), min(y1, y2)), high=(max(x1, x2), max(y1, y2)))
        case _:
            raise UserError(f"a region is a disc [x, y, radius] or a box [x1, y1, x2, y2]; got {numbers}")


def as_numbers(region: Region) -> list[float]:
    """A region as plain numbers; :func:`as_region` gives it back."""
    return [*region.center, region.radius] if isinstance(region, Disc) else [*region.low, *region.high]
