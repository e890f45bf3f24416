"""Divides recorded trajectories into a part to train on and a part to validate on."""

from dataclasses import replace

import numpy as np

from dfplan.errors import UserError
from dfplan.types import Trajectories


def hold_out(trajectories: Trajectories, *, share: float) -> tuple[Trajectories, Trajectories]:
    """Cut off the last ``share`` of the rows; no row is in both parts, and no array is copied.

    Args:
        trajectories: the data, in the order it was recorded.
        share: of the rows, above 0 and below 1.

    Returns:
        The part before the cut and the part after it. A trajectory that the cut goes through ends in the first part
        and begins anew in the second.

    Raises:
        UserError: one of the parts would have no two rows.
    """
    rows = len(trajectories)
    cut = rows - round(share * rows)
    if cut < 2 or rows - cut < 2:
        raise UserError(
            f"cannot hold {share} of {rows} rows of {trajectories.source} out to validate on; record more, or say "
            "another share"
        )
    return _part(trajectories, 0, cut), _part(trajectories, cut, rows)


def first_rows(trajectories: Trajectories, rows: int) -> Trajectories:
    """The first ``rows`` rows, or all where there are fewer; no array is copied."""
    return trajectories if rows >= len(trajectories) else _part(trajectories, 0, rows)


def _part(trajectories: Trajectories, first: int, last: int) -> Trajectories:
    inside = trajectories.starts[(trajectories.starts > first) & (trajectories.starts < last)]
    return replace(
        trajectories,
        starts=np.concatenate([[first], inside, [last]]).astype(np.int64) - first,
        **{name: array[first:last] for name, array in trajectories.per_row().items()},
        pictures=trajectories.pictures and {name: each[first:last] for name, each in trajectories.pictures.items()},
    )
