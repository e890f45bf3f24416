"""What a layout has no place for, kept beside it in our own arrays and words, so that all is read as it was written."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from dfplan.data.formats.layout import checked
from dfplan.errors import UserError
from dfplan.types import PER_ROW, Bounds, Trajectories

OWN = "dfplan"  # what arrays and words are named by, wherever they are kept
STARTS = "starts"
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
        bounds, seconds = facts["action_bounds"], facts["step_seconds"]
        changes: dict[str, Any] = dict.fromkeys(set(facts["absent"]) & set(PER_ROW)) | dict(arrays)
        changes["last_actions"] = bool(facts["last_actions"])
        changes["step_seconds"] = None if seconds is None else float(seconds)
        changes["action_bounds"] = None if bounds is None else Bounds(*(np.array(each, np.float32) for each in bounds))
        changes |= {name: tuple(map(str, facts[name])) for name in NAMES}
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(f"{source}: its part {OWN!r} cannot be read ({str(error)[:300]}); take it out") from error
    return checked(replace(plain, **changes))
