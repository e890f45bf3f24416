"""The table of the swap from above, in NumPy alone: no window, no OpenGL, the same pixels on every machine."""

import numpy as np

from dfplan_envs.swap_table import BLOCK, LOWEST, PLACES

IMAGE_SIZE = 64
_EDGE = 0.48  # of table to a side of the picture
_MIDDLE = np.array([0.0, -0.05])
_TABLE, _MARK, _FINGER = (235, 231, 223), (205, 200, 190), (60, 60, 66)
_RED, _BLUE = (213, 94, 0), (0, 114, 178)  # two colours of Okabe and Ito, which colour-blind readers can tell apart
_MARKED = 0.034  # half an edge of what marks a place
_FINGER_SIZE = np.array([0.012, 0.008])  # half
_LIFT = 4.0  # by how much larger what is a metre higher looks


def draw(states: np.ndarray) -> np.ndarray:
    """Pictures of what the swap observes.

    Args:
        states: ``(n, 10)``, see :class:`dfplan_envs.swap.SwapEnv`.

    Returns:
        ``(n, 64, 64, 3)`` uint8; x to the right and y upwards. What is higher looks larger, as from a camera above.
    """
    count = len(states)
    images = np.broadcast_to(np.array(_TABLE, np.float32), (count, IMAGE_SIZE, IMAGE_SIZE, 3)).copy()
    states = np.nan_to_num(np.asarray(states, np.float32))
    for place in PLACES:
        _fill(images, np.broadcast_to(place, (count, 2)), np.full(2, _MARKED), np.ones(count), color=_MARK)
    for first, color in ((4, _RED), (7, _BLUE)):
        larger = 1 + _LIFT * (states[:, first + 2] - BLOCK)
        _fill(images, states[:, first : first + 2], np.full(2, BLOCK), larger, color=color)
    larger = 1 + _LIFT * (states[:, 2] - LOWEST)
    for side in (-1, 1):
        aside = np.stack([np.zeros(count), side * (states[:, 3] / 2 + _FINGER_SIZE[1])], axis=1) * larger[:, None]
        _fill(images, states[:, :2] + aside, _FINGER_SIZE, larger, color=_FINGER)
    return np.rint(images).astype(np.uint8)


def _fill(
    images: np.ndarray, centres: np.ndarray, half: np.ndarray, larger: np.ndarray, *, color: tuple[int, int, int]
) -> None:
    """Blend a rectangle at ``centres`` ``(n, 2)`` into each image, its edges as much as they cover of a pixel."""
    pixels = _EDGE / IMAGE_SIZE
    along = (np.arange(IMAGE_SIZE) + 0.5) * pixels - _EDGE / 2
    covered = []
    for axis, grid in ((0, along), (1, -along)):
        away = np.abs(grid[None] + _MIDDLE[axis] - centres[:, axis, None]) - half[axis] * larger[:, None]
        covered.append(np.clip(0.5 - away / pixels, 0, 1).astype(np.float32))
    share = (covered[1][:, :, None] * covered[0][:, None, :])[..., None]
    images += share * (np.array(color, np.float32) - images)
