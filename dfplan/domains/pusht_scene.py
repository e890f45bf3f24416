"""The scene of PushT in complex numbers ``x + iy``: a disc that is moved, and the eight corners of a T."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.wrappers import FrameStackObservation

from dfplan.errors import UserError

ENV_ID, PIXELS_ID = "gym_pusht/PushT-v0", "pixel-pusht-v0"
EPISODE_STEPS, NUM_SEEN = 300, 2  # steps; the latter as how fast the disc is, is not observed
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


def draw(scenes: np.ndarray) -> np.ndarray:
    """Pictures ``(n, 96, 96, 3)`` uint8 of disc and corners ``(n, 9)``, as gym-pusht draws them."""
    env: Any = _pixels().unwrapped
    env.reset(seed=0)
    pictures = []
    for disc, *points in scenes:
        turn = (points[1] - points[0]) / abs(points[1] - points[0])
        place = np.mean(points) - turn * CORNERS.mean()
        env.agent.position = (float(disc.real), float(disc.imag))
        env.block.angle = float(np.angle(turn))  # first, as the place is that of no centre of gravity
        env.block.position = (float(place.real), float(place.imag))
        for body in (env.agent, env.block):
            env.space.reindex_shapes_for_body(body)
        pictures.append(env.get_obs()["pixels"])
    return np.stack(pictures)


def register() -> None:
    """Have Gymnasium know ``pixel-pusht-v0``, installed or not: PushT by pictures and the place of the disc."""
    if PIXELS_ID not in gymnasium.registry:
        gymnasium.register(
            PIXELS_ID,
            lambda **given: FrameStackObservation(_pixels(**given), NUM_SEEN),
            max_episode_steps=EPISODE_STEPS,
        )


def _pixels(**given: Any) -> gymnasium.Env:
    try:
        import gym_pusht  # type: ignore[import-not-found]  # noqa: F401 - registers the environment
    except ImportError as error:
        raise UserError(f"env={PIXELS_ID} comes with a package: pip install 'dfplan[pusht]'") from error
    made: dict[str, Any] = {"obs_type": "pixels_agent_pos", "render_mode": "rgb_array"} | given
    return gymnasium.make(ENV_ID, disable_env_checker=True, **made).unwrapped
