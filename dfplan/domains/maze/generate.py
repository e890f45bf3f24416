"""Generation of the maze2d datasets by the procedure of D4RL's ``scripts/generation/generate_maze2d_datasets.py``."""

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np

from dfplan.domains.maze.environment import qualified_id
from dfplan.domains.maze.waypoint_controller import WaypointController
from dfplan.errors import UserError

_CHUNK = 10_000  # steps between two calls of on_progress
_COLUMNS = {
    "observations": slice(0, 4),
    "actions": slice(4, 6),
    "infos/goal": slice(6, 8),
    "infos/qpos": slice(8, 10),
    "infos/qvel": slice(10, 12),
}


def generate_maze2d(
    env_id: str,
    *,
    num_steps: int,
    seed: int,
    noise: float = 0.5,
    on_progress: Callable[[int], None] | None = None,
) -> dict[str, np.ndarray]:
    """Drive a ball from random goal to random goal in one unbroken trajectory and record it as D4RL does.

    Two habits of the original are kept. After a goal is reached the observation is not refreshed, so at every timeout
    ``observations[t + 1] == observations[t]`` while the ball, whose true state is in ``infos``, moves on. And rewards
    belong to ``observations[t]`` and the *fixed* goal of the maze, whatever goal was driven to.

    Args:
        env_id: a registered maze2d id; a dense one gets dense rewards.
        num_steps: rows to record; D4RL has 1M (umaze), 2M (medium) and 4M (large).
        seed: everything random follows from it.
        noise: standard deviation of the normal noise on each action; the published v1 files have 0.5.
        on_progress: called with the number of rows so far, every 10,000 rows and at the end.

    Returns:
        Arrays by D4RL key: float32, but bool for ``terminals`` (all False) and ``timeouts`` (goal reached at this row).

    Raises:
        UserError: ``env_id`` is not a maze2d environment, ``num_steps`` is not positive or ``noise`` is negative.
    """
    if num_steps < 1:
        raise UserError(f"num_steps must be at least 1; got {num_steps}")
    if not 0 <= noise < float("inf"):
        raise UserError(f"noise must be a finite number, 0 or more; got {noise}")
    env = _build_env(env_id)
    rows = _drive(env, np.random.default_rng(seed), noise)
    table = np.empty((num_steps, 12), dtype=np.float32)
    timeouts = np.empty(num_steps, dtype=np.bool_)
    for start in range(0, num_steps, _CHUNK):
        stop = min(start + _CHUNK, num_steps)
        chunk = [next(rows) for _ in range(stop - start)]
        timeouts[start:stop] = [row[-1] for row in chunk]
        table[start:stop] = [row[:-1] for row in chunk]
        if on_progress is not None:
            on_progress(stop)
    arrays: dict[str, np.ndarray] = {key: np.ascontiguousarray(table[:, columns]) for key, columns in _COLUMNS.items()}
    arrays["rewards"] = env.reward(arrays["observations"][:, :2], goal=np.array(env.maze.goal_cell)).astype(np.float32)
    arrays["terminals"] = np.zeros(num_steps, dtype=np.bool_)
    arrays["timeouts"] = timeouts
    return arrays


def _build_env(env_id: str) -> Any:
    try:
        env = gymnasium.make(qualified_id(env_id)).unwrapped
    except gymnasium.error.Error as error:
        raise UserError(f"no environment {env_id!r}: {error}. Names look like maze2d-large-v1") from error
    if not hasattr(env, "maze"):
        raise UserError(
            f"{env_id} is not a maze with a goal; data can be generated for maze2d environments, as maze2d-large-v1 "
            "(`dfplan train task=memory` drives its own demonstrations of the T-maze)"
        )
    return env


def _drive(env: Any, generator: np.random.Generator, noise: float) -> Iterator[tuple]:
    """Yield rows without end: observation, action, goal, true state, goal reached. Plain floats, for speed."""
    uniform, normal = _stream(generator.random), _stream(generator.standard_normal)
    cells = [(int(i), int(j)) for i, j in env.maze.free_cells]

    def draw_near_cell() -> tuple[float, float]:
        i, j = cells[int(next(uniform) * len(cells))]
        return i + 0.2 * next(uniform) - 0.1, j + 0.2 * next(uniform) - 0.1

    controller = WaypointController(env.maze.walls, draw_uniform=uniform.__next__)
    goal = draw_near_cell()
    ball = env.ball
    ball.set_state(*draw_near_cell(), 0.1 * next(normal), 0.1 * next(normal))
    state: tuple[float, float, float, float] = ball.state()
    observed = state
    while True:
        force_x, force_y, solved = controller.act(*observed, *goal)
        force_x = max(-1.0, min(1.0, force_x + noise * next(normal)))
        force_y = max(-1.0, min(1.0, force_y + noise * next(normal)))
        yield (*observed, force_x, force_y, *goal, *state, solved)
        state = ball.step(force_x, force_y)
        if solved:
            goal = draw_near_cell()  # and the observation stays the old one
        else:
            observed = state


def _stream(draw: Callable[[int], np.ndarray]) -> Iterator[float]:
    """Draw random numbers one by one, made in blocks because a call each would cost more than the physics."""
    while True:
        yield from draw(4096).tolist()
