"""The discs from above, in NumPy alone: no window, no OpenGL, the same pixels on every machine."""

import numpy as np

from dfplan_envs.discs_table import NUM_PLACES, RADII

IMAGE_SIZE = 64
EDGE = 2.8  # of the box to a side of the picture
FLOOR = (235, 231, 223)
COLORS = ((60, 60, 66), (213, 94, 0), (0, 114, 178), (0, 158, 115))  # three of Okabe and Ito, which all can tell apart


def draw(states: np.ndarray) -> np.ndarray:
    """Pictures of what the discs' environment observes.

    Args:
        states: ``(n, 16)``, or their places alone ``(n, 8)``; see :class:`dfplan_envs.discs.DiscsEnv`.

    Returns:
        ``(n, 64, 64, 3)`` uint8; x to the right and y upwards. The driven disc is drawn last.
    """
    places = np.asarray(states, np.float32)[:, :NUM_PLACES].reshape(len(states), -1, 2)
    images = np.broadcast_to(np.array(FLOOR, np.float32), (len(places), IMAGE_SIZE, IMAGE_SIZE, 3)).copy()
    pixel = EDGE / IMAGE_SIZE
    along = ((np.arange(IMAGE_SIZE) + 0.5) * pixel - EDGE / 2).astype(np.float32)
    for disc in (1, 2, 3, 0):
        x, y = (places[:, disc, axis, None] for axis in range(2))
        distance = np.sqrt(((-along - y) ** 2)[:, :, None] + ((along - x) ** 2)[:, None, :])
        share = np.clip(0.5 - (distance - RADII[disc]) / pixel, 0, 1)[..., None]
        images += share * (np.array(COLORS[disc], np.float32) - images)
    return np.rint(images).astype(np.uint8)
