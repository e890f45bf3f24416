"""The maze behind an environment id, met through Gymnasium alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gymnasium
import numpy as np

from dfplan.domains.maze.layouts import register_layout
from dfplan.errors import UserError


def qualified_id(env_id: str) -> str:
    """Have Gymnasium import the package that registers our mazes; an id of another package is found all the same."""
    register_layout(env_id)
    return env_id if ":" in env_id else f"dfplan_envs:{env_id}"


def load_maze(env_id: str) -> Any:
    """Return the ``Maze`` of an environment: walls, start cells, goal cell, step limit and reference scores.

    Raises:
        UserError: there is no such environment, or it is no maze.
    """
    with _opened(env_id) as env:
        try:
            return env.get_wrapper_attr("maze")
        except AttributeError as error:
            raise UserError(
                f"{env_id} is not a maze with a goal; choose one such as maze2d-large-v1 (in the T-maze: `dfplan train "
                "task=memory`)"
            ) from error


def largest_action(env_id: str) -> float:
    """The largest action that an environment takes, along every axis and in either direction.

    Raises:
        UserError: there is no such environment.
    """
    with _opened(env_id) as env:
        return float(np.max(env.action_space.high))  # type: ignore[attr-defined]


def step_seconds(env_id: str) -> float:
    """Seconds that a step of an environment takes, by the frames a second that it is to be shown at.

    Raises:
        UserError: there is no such environment.
    """
    with _opened(env_id) as env:
        return 1 / float(env.metadata["render_fps"])


def shows_frames(env_id: str) -> bool:
    """Whether an environment is observed as pictures rather than as states.

    Raises:
        UserError: there is no such environment.
    """
    with _opened(env_id) as env:
        return len(env.observation_space.shape or ()) == 3


@contextmanager
def _opened(env_id: str) -> Iterator[gymnasium.Env]:
    try:
        env = gymnasium.make(qualified_id(env_id))
    except gymnasium.error.Error as error:
        raise UserError(f"no environment {env_id!r}: {error}. Names look like maze2d-large-v1") from error
    try:
        yield env
    finally:
        env.close()
