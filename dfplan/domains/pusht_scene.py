"""The scene of PushT in complex numbers ``x + iy``: a disc that is moved, and the eight corners of a T."""

from typing import Any

import numpy as np

SIDE = 512.0  # of the square, in pixels
TARGET, TARGET_ANGLE = 256 + 256j, np.pi / 4
# Bar and stem of the T around what its place is measured by, corner by corner as gym-pusht lists them.
CORNERS = np.array([-60, 60, 60 + 30j, -60 + 30j, -15 + 30j, 15 + 30j, 15 + 120j, -15 + 120j])
MIRRORED = [1, 0, 3, 2, 5, 4, 7, 6]  # which corner each one is, seen in a mirror
ENOUGH = 0.95  # of the target covered: success


def corners(places: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Corners ``(..., 8)`` of a T at places ``(...)``, turned by angles in radians."""
    return places[..., None] + np.exp(1j * angles[..., None]) * CORNERS


def coverage(found: np.ndarray) -> np.ndarray:
    """Share of the target, ``(rows,)``, that a T with corners ``(rows, 8)`` covers."""
    import shapely  # type: ignore[import-not-found]  # comes with gym-pusht

    def parts(each: np.ndarray) -> Any:
        return shapely.polygons(np.stack([np.real(each), np.imag(each)], axis=-1).reshape(-1, 2, 4, 2))

    own, target = parts(found), parts(corners(np.array([TARGET]), np.array([TARGET_ANGLE])))
    shared = shapely.area(shapely.intersection(own[:, :, None], target[:, None]))  # bar and stem with bar and stem
    return shared.sum(axis=(1, 2)) / shapely.area(target).sum()


def onto_target(scene: np.ndarray, ended: np.ndarray) -> np.ndarray:
    """Points ``(...)``, moved and turned as brings corners ``(8,)`` onto the target."""
    goal = corners(np.array(TARGET), np.array(TARGET_ANGLE))
    turn = np.vdot(ended - ended.mean(), goal - goal.mean())
    return turn / abs(turn) * (scene - ended.mean()) + goal.mean()


def mirrored(points: np.ndarray) -> np.ndarray:
    """Points ``(...)`` in a mirror along the T on the target: square and target look the same in it."""
    return SIDE * (1 + 1j) - 1j * points.conj()
