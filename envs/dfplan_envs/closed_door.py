"""A maze with two ways to the goal, one of which is closed in each episode; which one is seen at the start alone."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from dfplan_envs.episodes import check_options
from dfplan_envs.maze_env import check_actions, check_render_mode, distances
from dfplan_envs.mazes import CELL_CENTRE_OFFSET, Maze
from dfplan_envs.physics import MAX_VELOCITY, Ball, build_model
from dfplan_envs.render import draw_frame

MAX_EPISODE_STEPS = 320
LEFT, RIGHT = -1, 1  # which door is closed; left is that of the lower column
_OPEN = ("#######", "#OOGOO#", "#O###O#", "#OOOOO#", "###O###", "###O###", "#######")
_DOOR_CELLS = {LEFT: (1, 2), RIGHT: (1, 4)}
_NOISE = 0.1  # starts lie uniformly within this distance, per axis, of the foot of the stem


class ClosedDoorEnv(gymnasium.Env):
    """The ball of maze2d at the foot of a stem that parts into two ways, left and right, which meet at the goal.

    A door next to the goal is closed on one of them. The first ``door_steps`` observations tell which (-1 left, +1
    right), long before the ways part; all later ones show 0. Whoever takes the closed way has no time to turn back.

    Observation: a dict of ``achieved_goal`` ``(x, y)``, ``desired_goal`` (the same in all episodes) and
    ``observation`` ``(vx, vy, door)``. Action and physics are those of ``maze2d``. Coming within the goal radius ends
    the episode with reward 1.

    ``info`` of reset and step: ``cue`` (which door is closed), ``state`` ``(4,)`` float64 and ``is_success``.

    Attributes:
        ways: by the door that is closed, the places ``(2,)`` that the open way leads through.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 100}  # noqa: RUF012 (Gymnasium declares it so)

    def __init__(self, *, door_steps: int = 8, render_mode: str | None = None) -> None:
        """Build the environment.

        Args:
            door_steps: observations that show which door is closed, the one of the reset included.
            render_mode: None or "rgb_array".

        Raises:
            ValueError: an argument out of range.
        """
        if door_steps < 1:
            raise ValueError(f"door_steps must be at least 1; got {door_steps}")
        self.door_steps, self.render_mode = door_steps, check_render_mode(render_mode)
        self.grids = {door: _closed(cell) for door, cell in _DOOR_CELLS.items()}
        self.balls = {door: Ball(build_model(grid)) for door, grid in self.grids.items()}
        self.ways = {door: _places((3, 3), (3, 3 - 2 * door), (1, 3 - 2 * door), (1, 3)) for door in self.grids}
        self._goal, self._radius = self.ways[LEFT][-1], self.grids[LEFT].goal_radius
        fast = MAX_VELOCITY + 1.0  # the velocity is clipped before a step, and a step adds less than this
        height, width = self.grids[LEFT].walls.shape
        position = spaces.Box(np.zeros(2, np.float32), np.array([height, width], np.float32))
        high = np.array([fast, fast, 1.0], np.float32)
        self.observation_space = spaces.Dict(
            {"achieved_goal": position, "desired_goal": position, "observation": spaces.Box(-high, high)}
        )
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self._cue, self._step = LEFT, 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Start an episode at the foot of the stem ± 0.1, with a velocity of 0.1 * normal; both doors are as likely.

        Args:
            seed: restarts the random numbers; None goes on with them.
            options: ``cue``: -1 or +1, the door that is closed; the start is the same for both.

        Raises:
            ValueError: unknown option, or a door that is neither.
        """
        super().reset(seed=seed)
        cue = check_options(options, allowed=("cue",)).get("cue")
        if cue not in (None, LEFT, RIGHT):
            raise ValueError(f"cue must be {LEFT} (the left door is closed) or {RIGHT} (the right one); got {cue!r}")
        drawn = (LEFT, RIGHT)[self.np_random.integers(2)]
        (start,) = _places((5, 3))
        position = start + self.np_random.uniform(-_NOISE, _NOISE, size=2)
        velocity = 0.1 * self.np_random.standard_normal(2)
        self._cue, self._step = drawn if cue is None else cue, 0
        self.ball.set_state(*position.tolist(), *velocity.tolist())
        return self._look()

    def step(self, action: np.ndarray) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """Advance 0.01 s under ``action``.

        Raises:
            ValueError: the action is not two finite numbers.
        """
        action_x, action_y = check_actions(action, shape=(2,)).tolist()
        self.ball.step(action_x, action_y)
        self._step += 1
        observation, info = self._look()
        return observation, float(info["is_success"]), info["is_success"], False, info

    def compute_reward(self, achieved_goal: np.ndarray, desired_goal: np.ndarray, info: Any) -> np.ndarray:
        """1 within the goal radius, else 0, for goals ``(..., 2)``; as Gymnasium-Robotics has it."""
        return (distances(achieved_goal, desired_goal) <= self._radius).astype(np.float64)

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """Return a picture ``(height, width, 3)`` uint8 where ``render_mode`` is "rgb_array", else None."""
        if self.render_mode is None:
            return None
        return draw_frame(self.grids[self._cue], ball=np.array(self.ball.state()[:2]), goal=self._goal)

    @property
    def ball(self) -> Ball:
        """The physics of this episode, for loops that cannot afford arrays."""
        return self.balls[self._cue]

    def observe(self, states: np.ndarray, *, light: np.ndarray) -> np.ndarray:
        """What is planned with ``(batch, 5)``, of states ``(batch, 4)`` while the door shows ``(batch,)``."""
        return np.concatenate([states, light[:, None]], axis=1).astype(np.float32)

    def _look(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """What is seen now, and what is so."""
        state = np.array(self.ball.state())
        shown = self._cue if self._step < self.door_steps else 0
        seen = {
            "achieved_goal": state[:2].astype(np.float32),
            "desired_goal": self._goal.astype(np.float32),
            "observation": np.array([*state[2:], shown], np.float32),
        }
        success = bool(distances(state[:2], self._goal) <= self._radius)
        return seen, {"cue": self._cue, "state": state, "is_success": success}


def _closed(cell: tuple[int, int]) -> Maze:
    """The maze with a wall in one more cell."""
    layout = tuple(
        "".join("#" if (row, column) == cell else character for column, character in enumerate(line))
        for row, line in enumerate(_OPEN)
    )
    return Maze("closed-door", layout, MAX_EPISODE_STEPS, reference_min=0.0, reference_max=1.0)


def _places(*cells: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """The centres of cells."""
    return tuple(np.array(cell) + CELL_CENTRE_OFFSET for cell in cells)
