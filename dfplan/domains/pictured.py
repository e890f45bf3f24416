"""What environments show in pictures, alone or beside numbers: as an array, or as a record of both by their names."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from dfplan.arrays import named_parts
from dfplan.blocks import NUMBERS, PICTURE
from dfplan.errors import UserError
from dfplan.types import Trajectories


def is_picture(shown: Any) -> bool:
    """Whether a space is of pictures ``(…, height, width, channels)`` uint8, or what is shown of it one."""
    return getattr(shown, "dtype", None) == np.uint8 and len(shown.shape) >= 3


def pictures_in(space: spaces.Space) -> dict[str, tuple[int, ...]]:
    """The shapes of what cameras show, by their names in alphabetical order; empty where there are none."""
    shown = {name or PICTURE: each for name, each in named_parts(space) if is_picture(each)}
    return {name: shown[name].shape for name in sorted(shown)}


def without_pictures(shown: Any) -> Any:
    """What is shown besides, of a space or of what it shows."""
    if not isinstance(shown, Mapping):
        return {} if is_picture(shown) else shown
    return {name: without_pictures(each) for name, each in shown.items()}


def as_shown(observed: Any, pictures: Mapping[str, tuple[int, ...]], numbers: np.ndarray) -> np.ndarray:
    """Pictures and the numbers beside them as one value: the picture itself where there is nothing else."""
    if not isinstance(observed, Mapping):
        return np.asarray(observed)
    fields: list[Any] = [(name, np.uint8, shape) for name, shape in pictures.items()]
    record = np.zeros((), np.dtype(fields + ([(NUMBERS, np.float32, numbers.shape)] if numbers.size else [])))
    shown = dict(named_parts(observed))
    for name in pictures:
        record[name] = shown[name]
    if numbers.size:
        record[NUMBERS] = numbers
    return record


def kept_of(shown: np.ndarray) -> np.ndarray:
    """What is kept of an episode ``(n,)``: of a record the numbers beside the pictures."""
    if shown.dtype.names is None:
        return shown.reshape(-1)
    return shown[NUMBERS].reshape(-1) if NUMBERS in shown.dtype.names else np.zeros(0, np.float32)


def check_pictures(data: Trajectories, wanted: Mapping[str, tuple[int, ...]], *, env_id: str) -> None:
    """Refuse data whose pictures are not those of an environment.

    Raises:
        UserError: they are not; says what each has.
    """
    found = {name: tuple(each.shape) for name, each in (data.pictures or {}).items()}
    if found != dict(wanted):
        raise UserError(
            f"{data.source} has pictures {found or 'of nothing'}, and {env_id} shows {dict(wanted) or 'none'}; record "
            "the data set with what the environment shows, or choose the env= that it was recorded in"
        )
