"""What a layout has no place for, kept beside it in our own arrays and words, so that all is read as it was written."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from dfplan.data.formats.layout import check_ends, check_finite, vectors
from dfplan.errors import UserError
from dfplan.types import PER_ROW, Bounds, Trajectories

OWN = "dfplan"  # what arrays and words are named by, wherever they are kept
STARTS = "starts"
FLAGS = ("segment_ends", "terminations", "truncations")
NAMES = ("observation_names", "action_names")
OWN_ARRAYS = (*PER_ROW, STARTS)


def differences(data: Trajectories, plain: Trajectories) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """What is to be kept besides, where a reader makes ``plain`` of what a layout holds of ``data``.

    Returns:
        Arrays by name, none where the layout holds all; and everything that is no array, JSON-ready.
    """
    rows, held = data.per_row(), plain.per_row()
    arrays = {name: each for name, each in rows.items() if name not in held or not np.array_equal(each, held[name])}
    if not np.array_equal(data.starts, plain.starts):
        arrays[STARTS] = data.starts
    bounds = data.action_bounds
    facts = {
        "absent": sorted(held.keys() - rows.keys()),
        "last_actions": data.last_actions,
        "step_seconds": data.step_seconds,
        "action_bounds": None if bounds is None else [bounds.low.tolist(), bounds.high.tolist()],
        **{name: list(getattr(data, name)) for name in NAMES},
    }
    return arrays, facts


def with_differences(plain: Trajectories, arrays: Mapping[str, np.ndarray], facts: Any) -> Trajectories:
    """Trajectories as they were before :func:`differences`; anybody may have made the file, so all is checked.

    Raises:
        UserError: what is kept does not fit together; names it.
    """
    source = plain.source
    try:
        values = {name: _typed(name, each, source) for name, each in {**plain.per_row(), **arrays}.items()}
        for name in facts["absent"]:
            del values[name]
        starts = values.pop(STARTS, plain.starts)
        changes = {
            "last_actions": bool(facts["last_actions"]),
            "step_seconds": None if facts["step_seconds"] is None else float(facts["step_seconds"]),
            "action_bounds": _bounds(facts["action_bounds"], size=values["actions"].shape[1]),
            **{name: tuple(map(str, facts[name])) for name in NAMES},
        }
        sizes = [values[name].shape[1] for name in ("observations", "actions")]
        if any(len(changes[name]) not in (0, size) for name, size in zip(NAMES, sizes, strict=True)):
            raise ValueError("names of another number of dimensions")
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(f"{source}: its part {OWN!r} cannot be read ({str(error)[:100]}); take it out") from error
    starts = check_ends(starts[1:], num_steps=len(values["observations"]), source=source)
    for name, each in values.items():
        if len(each) != starts[-1]:
            raise UserError(f"{source}: {OWN}/{name} has {len(each)} rows, and observations {starts[-1]}; take it out")
        check_finite(each, name=name, starts=starts, source=source)
    absent: dict[str, Any] = dict.fromkeys(facts["absent"])
    return replace(plain, starts=starts, **{**absent, **values, **changes})


def _typed(name: str, values: np.ndarray, source: str) -> np.ndarray:
    if name in FLAGS:
        return np.asarray(values).astype(bool).reshape(-1)
    if name == STARTS:
        return np.asarray(values).astype(np.int64).reshape(-1)
    flat = vectors(np.asarray(values), name=name, source=source)
    return flat[:, 0] if name == "rewards" else flat


def _bounds(bounds: Any, *, size: int) -> Bounds | None:
    return None if bounds is None else Bounds(*(np.array(each, np.float32).reshape(size) for each in bounds))
