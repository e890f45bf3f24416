"""What a plan, or what was driven, must keep: regions, way-points, a speed limit, anything that a function can judge.

Everything is judged on places, one a step, by plain arrays; no torch and no map.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dfplan.arrays import as_number, numbers_of
from dfplan.errors import CodeOfOthers, UserError, check_kind
from dfplan.planner.regions import Region, as_numbers, as_region, distance_to
from dfplan.types import Support, Verdict

SPEED_TOLERANCE = 1e-3  # share of the limit: places of single precision, a step apart, tell no speed exactly

Judgement = Callable[[np.ndarray], float]
"""Maps places ``(steps + 1, dim)``, the start first, to a margin: 0 or more (or True) is kept, less is broken."""


@dataclass(frozen=True)
class Constraints:
    """What must be kept. Regions and way-points may be given as plain lists.

    Attributes:
        keep_out: regions (discs ``[x, y, radius]``, boxes ``[x1, y1, x2, y2]``) in none of which a place may lie.
        keep_in: regions, in one of which every place must lie.
        waypoints: places to come near, each within the radius that counts as being at a goal.
        in_order: whether the way-points are to be passed in the order given.
        max_speed: environment units per second not to exceed; None is no limit.
        functions: further judgements, called by their ``__name__`` where they are broken.

    Raises:
        UserError: a region without size, a way-point that is not finite, a speed that is not above 0, what is no
            number or no function.
    """

    keep_out: Sequence[Region | Sequence[float]] = ()
    keep_in: Sequence[Region | Sequence[float]] = ()
    waypoints: Sequence[Sequence[float]] = ()
    in_order: bool = False
    max_speed: float | None = None
    functions: Sequence[Judgement] = ()

    def __post_init__(self) -> None:
        rows = {name: getattr(self, name) for name in ("keep_out", "keep_in", "waypoints")}
        check_kind((Sequence, np.ndarray), such_as="a list of rows of numbers, [[...], ...]", **rows)
        check_kind(bool, such_as="True or False", in_order=self.in_order)
        for name in ("keep_out", "keep_in"):
            object.__setattr__(self, name, tuple(as_region(row) for row in getattr(self, name)))
        places = [numbers_of("a way-point", list(row) if isinstance(row, Sequence) else row) for row in self.waypoints]
        if not all(place.ndim == 1 and np.isfinite(place).all() for place in places):
            raise UserError(
                f"way-points must be finite numbers, [[x, y], …]; got {[place.tolist() for place in places]}"
            )
        object.__setattr__(self, "waypoints", tuple(tuple(place.astype(float).tolist()) for place in places))
        functions = (self.functions,) if callable(self.functions) else self.functions
        check_kind(Sequence, such_as="a list of functions of places (steps + 1, dim)", functions=functions)
        functions = tuple(functions)
        if not all(map(callable, functions)):
            raise UserError(f"functions of constraints judge places (steps + 1, dim); got {functions}")
        object.__setattr__(self, "functions", functions)
        if self.max_speed is not None and not 0 < as_number(self.max_speed) < np.inf:
            raise UserError(f"max_speed must be above 0; got {self.max_speed}")

    def __bool__(self) -> bool:
        return bool(self.keep_out or self.keep_in or self.waypoints or self.max_speed is not None or self.functions)

    def __and__(self, other: "Constraints") -> "Constraints":
        """Both at once: all way-points, in order if one of them says so; all of ``keep_in`` are one union."""
        limits = [each for each in (self.max_speed, other.max_speed) if each is not None]
        return Constraints(
            keep_out=(*self.keep_out, *other.keep_out),
            keep_in=(*self.keep_in, *other.keep_in),
            waypoints=(*self.waypoints, *other.waypoints),
            in_order=self.in_order or other.in_order,
            max_speed=min(limits, default=None),
            functions=(*self.functions, *other.functions),
        )

    def as_values(self) -> dict[str, object]:
        """The same as numbers and lists, for files and other processes: ``Constraints(**values)`` gives it back.

        Raises:
            UserError: there are functions, which are no values.
        """
        if self.functions:
            raise UserError(
                "constraints that travel are values (keep_out, keep_in, waypoints, in_order, max_speed); "
                f"{', '.join(map(_name, self.functions))} cannot, being functions"
            )
        return {
            "keep_out": [as_numbers(region) for region in self.keep_out],  # type: ignore[arg-type]
            "keep_in": [as_numbers(region) for region in self.keep_in],  # type: ignore[arg-type]
            "waypoints": [list(place) for place in self.waypoints],
            "in_order": self.in_order,
            "max_speed": self.max_speed,
        }

    def clearances(self, places: np.ndarray) -> dict[str, np.ndarray]:
        """By the names of what is asked, how far places ``(..., dim)`` are on the right side; negative is not."""
        found = {}
        if self.keep_out:
            found["keep_out"] = distance_to(self.keep_out, places)  # type: ignore[arg-type]
        if self.keep_in:
            found["keep_in"] = -distance_to(self.keep_in, places)  # type: ignore[arg-type]
        return found

    def clearance(self, places: np.ndarray) -> np.ndarray:
        """The least of :meth:`clearances`, ``(...)``; infinite where there are no regions."""
        found = list(self.clearances(places).values())
        return np.min(found, axis=0) if found else np.full(places.shape[:-1], np.inf)

    def restrict(self, support: Support, *, margin: float = 0.0) -> Support:
        """The support less the cells whose centres are not at least ``margin`` clear of what is forbidden."""
        if not (self.keep_out or self.keep_in):
            return support
        axes = [np.arange(size) + 0.5 for size in support.visited.shape]
        centers = support.origin + support.cell * np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        clear = np.ones(support.visited.shape, dtype=bool)
        for name, clearance in self.clearances(centers).items():
            clear &= clearance > margin if name == "keep_out" else clearance >= margin
        return replace(support, visited=support.visited & clear)

    def judge(
        self,
        places: np.ndarray,
        *,
        num_steps: np.ndarray,
        radius: float,
        seconds_per_step: float,
        passed: np.ndarray | None = None,
    ) -> Verdict:
        """Judge plans, or what was driven.

        Args:
            places: ``(batch, steps + 1, dim)``, one a step, the start first.
            num_steps: ``(batch,)`` how many steps of each row there are; places beyond them do not count.
            radius: distance that counts as passing a way-point.
            seconds_per_step: time between two places.
            passed: ``(batch, waypoints)`` bool, way-points that were passed before; None is none.
        """
        counted = np.arange(places.shape[1]) <= num_steps[:, None]
        regions = {name: np.where(counted, each, np.inf).min(axis=1) for name, each in self.clearances(places).items()}
        speeds = np.linalg.norm(np.diff(places, axis=1), axis=-1) / seconds_per_step
        top_speed = np.where(counted[:, 1:], speeds, 0).max(axis=1, initial=0)
        passes = self.passes(places, num_steps=num_steps, radius=radius, passed=passed)
        missed = passes > num_steps[:, None]
        broken: list[tuple[str, ...]] = []
        for row in range(len(places)):
            names = [name for name, clearance in regions.items() if clearance[row] < 0]
            if missed[row].any():
                names.append("waypoints")
            if self.max_speed is not None and top_speed[row] > self.max_speed * (1 + SPEED_TOLERANCE):
                names.append("max_speed")
            own = places[row, : num_steps[row] + 1]
            names += [_name(function) for function in self.functions if not _keeps(function, own)]
            broken.append(tuple(names))
        return Verdict(
            broken=tuple(broken),
            clearance=np.min(list(regions.values()), axis=0) if regions else np.full(len(places), np.inf),
            missed=missed,
            passes=passes,
            top_speed=top_speed,
        )

    def passes(
        self, places: np.ndarray, *, num_steps: np.ndarray, radius: float, passed: np.ndarray | None = None
    ) -> np.ndarray:
        """Step at which each way-point is passed ``(batch, waypoints)`` int64; ``num_steps + 1`` where it never is.

        In order, a way-point counts only once those before it were passed. The arguments are those of :meth:`judge`.
        """
        batch, steps = places.shape[0], np.arange(places.shape[1])
        found = np.zeros((batch, len(self.waypoints)), dtype=np.int64)
        since = np.zeros(batch, dtype=np.int64)
        for number, place in enumerate(self.waypoints):
            there = np.linalg.norm(places - np.asarray(place), axis=-1) <= radius
            there &= (steps <= num_steps[:, None]) & (steps >= since[:, None])
            step = np.where(there.any(axis=1), there.argmax(axis=1), num_steps + 1)
            found[:, number] = step if passed is None else np.where(passed[:, number], 0, step)
            if self.in_order:
                since = np.maximum(since, found[:, number])
        return found


def as_constraints(asked: "Constraints | Judgement | Sequence[Constraints | Judgement]") -> Constraints:
    """One set of constraints from one, a function that judges, or a list of them and of such functions.

    Raises:
        UserError: an item is neither.
    """
    if isinstance(asked, Constraints):
        return asked
    found = Constraints()
    for each in asked if isinstance(asked, Sequence) else (asked,):
        if isinstance(each, Constraints):
            found = found & each
        elif callable(each):
            found = found & Constraints(functions=(each,))  # type: ignore[arg-type] - it is called, and checked
        else:
            raise UserError(
                "constraints are Constraints(keep_out=[[x, y, radius]], …) or functions of places "
                f"(steps + 1, dim); got {each!r:.60}"
            )
    return found


def _keeps(function: Judgement, places: np.ndarray) -> bool:
    """Whether a user's judgement says that it is kept; what is not a number is not. It may change what it is given.

    Raises:
        UserError: it says neither yes or no nor a number, or raises.
    """
    with CodeOfOthers(f"the constraint {_name(function)}"):
        margin = np.asarray(function(places.copy()))
    if margin.shape or margin.dtype.kind not in "bfiu":
        raise UserError(
            f"the constraint {_name(function)} must return whether it is kept, or one number, 0 or more where it is; "
            f"got {str(margin)[:60]!r}"
        )
    return bool(margin) if margin.dtype.kind == "b" else bool(margin >= 0)


def _name(function: Judgement) -> str:
    return getattr(function, "__name__", type(function).__name__)
