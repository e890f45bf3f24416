"""What is taken for numbers, from callers that are trusted and from those that are not."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy import ma  # here and not when it is first needed, which takes a tick of a control loop or two

from dfplan.errors import UserError
from dfplan.types import Bounds, Plan


def as_numbers(value: Any) -> np.ndarray | None:
    """An array, perhaps the given one, of real numbers in whatever container; None if it holds anything else.

    A masked array is None: its masked values are no measurements, and nothing but the mask would say so.
    """
    try:
        given = np.asanyarray(value)  # keeps the subclass, also that of what ``__array__`` returns
        parts = value if isinstance(value, list | tuple) else ()
        if isinstance(given, ma.MaskedArray) or any(isinstance(each, bool | np.bool_ | np.ndarray) for each in parts):
            return None
        return np.asarray(given) if given.dtype.kind in "fiu" else None
    except Exception:  # an object can raise whatever it likes while it is read
        return None


def as_number(value: Any) -> float:
    """One real number in double precision, or NaN if it is none."""
    number = as_numbers(value)
    return float(number) if number is not None and number.shape == () else float("nan")


def check_whole(least: int, **values: Any) -> None:
    """Refuse what is no whole number from ``least`` to 2**63 - 1, by its name.

    Raises:
        UserError: one is none.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value < 2**63:
            raise UserError(f"{name} must be a whole number from {least}; got {value!r:.60}")


def numbers_of(name: str, values: Any) -> np.ndarray:
    """An array of real numbers, perhaps the given one; rows may be arrays in a list.

    Raises:
        UserError: it is something else; calls it by its ``name``.
    """
    numbers = as_numbers(values)
    if numbers is None and isinstance(values, list | tuple) and all(as_numbers(each) is not None for each in values):
        try:
            numbers = as_numbers(np.array(values))
        except ValueError:  # rows of unlike lengths
            numbers = None
    if numbers is None:
        raise UserError(f"{name} must be an array of numbers without a mask; got {type(values).__name__}")
    return numbers


def checked_rows(
    name: str, values: Any, *, num_rows: int | None, width: int, bounds: Bounds | None = None
) -> np.ndarray:
    """Rows of finite numbers ``(num_rows, width)``, one per environment.

    Args:
        name: ``observations`` or ``goals``, or what else to call them.
        values: anything.
        num_rows: how many there must be; None is as many as there are.
        width: numbers in each.
        bounds: between which they must lie, ``(width,)`` for all rows or ``(num_rows, width)``; None is not to ask.

    Raises:
        UserError: they are something else; names the first row that is wrong.
    """
    rows = numbers_of(name, values)
    if rows.ndim != 2 or rows.shape[1] != width or num_rows not in (None, len(rows)):
        many = f"({num_rows}, {width}), one row per environment" if num_rows is not None else f"(rows, {width})"
        raise UserError(f"{name} must have shape {many}; got {list(rows.shape)}")
    if not (finite := np.isfinite(rows).all(axis=1)).all():
        raise UserError(f"{name} must be finite; row {int(finite.argmin())} is not")
    if bounds is not None and not (inside := ((rows >= bounds.low) & (rows <= bounds.high)).all(axis=1)).all():
        row = int(inside.argmin())
        low, high = (np.broadcast_to(each, rows.shape)[row] for each in (bounds.low, bounds.high))
        raise UserError(
            f"{name} must be near the data, between {_short(low)} and {_short(high)}; row {row} is {_short(rows[row])}"
        )
    return rows


def checked_levels(levels: Any, *, num_rows: int) -> np.ndarray:
    """Noise levels ``(num_rows,)`` of observations.

    Raises:
        UserError: they are something else.
    """
    found = numbers_of("levels", levels)
    if found.shape != (num_rows,) or not ((found >= 0) & (found <= 1)).all():
        raise UserError(f"levels must be {num_rows} numbers between 0 and 1; got {found!r:.60}")
    return found


def checked_indices(indices: Any, *, num_rows: int) -> np.ndarray:
    """Whole numbers ``(any,)`` int64 that name environments.

    Raises:
        UserError: they are something else.
    """
    found = numbers_of("indices", indices)
    if found.ndim != 1 or (
        found.size and (found.dtype.kind not in "iu" or not (found > -1).all() & (found < num_rows).all())
    ):
        raise UserError(f"indices must be whole numbers (any,) that name {num_rows} environments; got {indices!r:.60}")
    return found.astype(np.int64)


def checked_plan(plan: Plan) -> Plan:
    """The plan, if all of its actions and states are finite.

    Raises:
        UserError: a network whose weights are of no use made it, or a user's objective led there.
    """
    if not (np.isfinite(plan.actions).all() and np.isfinite(plan.observations).all()):
        raise UserError(
            "the plan is not finite, so the weights are of no use; see `dfplan verify`, or train again (or an "
            "objective of your own that guides plans is not finite)"
        )
    return plan


def named_parts(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """What dicts in dicts hold, in the alphabetical order of the names at each level, with its way there: ``arm.q``."""
    if not isinstance(value, Mapping):
        yield name, value
        return
    for each in sorted(value):
        yield from named_parts(value[each], f"{name}.{each}" if name else each)


def dimension_names(sizes: Mapping[str, int]) -> tuple[str, ...]:
    """A name for each number of named parts: that of the part, with which number of it where it has several."""
    return tuple(name if size == 1 else f"{name}.{index}" for name, size in sizes.items() for index in range(size))


def _short(numbers: np.ndarray) -> str:
    """A row of numbers, as many as fit into a line."""
    return f"[{', '.join(f'{each:.4g}' for each in numbers[:8])}{', …' if len(numbers) > 8 else ''}]"
