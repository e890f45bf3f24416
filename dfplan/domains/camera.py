"""The camera behind an environment id, met through Gymnasium alone: frames of positions need not be stored."""

from typing import Any, Protocol

import gymnasium
import numpy as np

from dfplan.domains.maze.environment import qualified_id
from dfplan.errors import UserError


class Camera(Protocol):
    """Turns positions into frames; row is the x axis and column the y axis.

    Attributes:
        pixels_per_unit: pixels of a frame to a unit of length, on both axes.
    """

    pixels_per_unit: float

    def render(self, positions: np.ndarray) -> np.ndarray:
        """Return frames ``(..., 64, 64, 3)`` uint8 of the ball at positions ``(..., 2)``."""
        ...


def load_camera(env_id: str, *, view: str | None = None) -> Any:
    """Return the :class:`Camera` of an environment; its own view, such as that of all the maze, offers more.

    Args:
        env_id: such as ``pixelmaze-large-v1``.
        view: None for what the environment shows; for the pixel mazes also "top", "egocentric" and "mujoco".

    Raises:
        UserError: there is no such environment, it has no camera, or the view is not to be had.
    """
    arguments: dict[str, Any] = {} if view is None else {"view": view}
    try:
        env = gymnasium.make(qualified_id(env_id), **arguments)
    except gymnasium.error.Error as error:
        raise UserError(f"no environment {env_id!r}: {error}. Names look like pixelmaze-large-v1") from error
    except (TypeError, ValueError, RuntimeError) as error:  # no such argument, no such view, no OpenGL for it
        raise UserError(f"{env_id} has no view {view!r}: {error}") from error
    try:
        return env.get_wrapper_attr("camera")
    except AttributeError as error:
        raise UserError(f"{env_id} has no camera; choose an environment such as pixelmaze-large-v1") from error
    finally:
        env.close()
