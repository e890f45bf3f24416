"""A T-maze: a light at the start says which arm pays; it is out long before the arms are in reach."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from dfplan_envs.episodes import check_options
from dfplan_envs.maze_env import check_actions, check_render_mode, distances
from dfplan_envs.mazes import CELL_CENTRE_OFFSET, Maze
from dfplan_envs.physics import MAX_VELOCITY, Ball, build_model
from dfplan_envs.render import draw_frame

MAX_EPISODE_STEPS = 256
LEFT, RIGHT = -1, 1  # what the light says; left is the arm of the lower column
_LAYOUT = ("#######", "#GOOOG#", "###O###", "###O###", "###O###", "#######")
TMAZE = Maze("tmaze", _LAYOUT, MAX_EPISODE_STEPS, reference_min=0.0, reference_max=1.0)
_START, _JUNCTION = (np.array(cell) + CELL_CENTRE_OFFSET for cell in ((4.0, 3.0), (1.0, 3.0)))
_ARMS = {LEFT: np.array((1.0, 1.0)) + CELL_CENTRE_OFFSET, RIGHT: np.array((1.0, 5.0)) + CELL_CENTRE_OFFSET}
_NOISE = 0.1  # starts lie uniformly within this distance, per axis, of the foot of the stem


class TMazeEnv(gymnasium.Env):
    """The ball of maze2d at the foot of a T, which must turn into the arm that a light has named.

    Observation: ``(x, y, vx, vy, light)`` float32; the light is -1 (left) or +1 (right) for the first ``light_steps``
    observations and 0 from then on. The way to the junction takes longer than that even at full force, so that where
    to turn has to be remembered. Action and physics are those of ``maze2d``. Coming within the goal radius of the end
    of an arm ends the episode: with reward 1 in the arm that was named, else 0.

    With probability ``disturbed_share``, each observation by itself, what is seen is noise: drawn uniformly from the
    observation space. The noise does not depend on the actions.

    ``info`` of reset and step: ``cue`` (what the light says), ``state`` ``(4,)`` float64 as it is, ``disturbed``
    (whether this observation is noise), ``choice`` (-1, +1, or 0 while there is none) and ``success``.

    Attributes:
        grid: walls and time limit; there is no one goal, as there is in a ``maze``.
        ball: the physics, for loops that cannot afford arrays.
        junction: ``(2,)`` centre of the cell where the ways part.
        arms: centre ``(2,)`` of the end of each arm, by cue.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 100}  # noqa: RUF012 (Gymnasium declares it so)

    def __init__(self, *, light_steps: int = 32, disturbed_share: float = 0.0, render_mode: str | None = None) -> None:
        """Build the environment.

        Args:
            light_steps: observations that show the light, the one of the reset included.
            disturbed_share: probability that an observation is noise.
            render_mode: None or "rgb_array".

        Raises:
            ValueError: an argument out of range.
        """
        if light_steps < 1 or not 0 <= disturbed_share <= 1:
            raise ValueError(
                "light_steps must be at least 1 and disturbed_share between 0 and 1; "
                f"got {light_steps} and {disturbed_share}"
            )
        self.grid, self.ball = TMAZE, Ball(build_model(TMAZE))
        self.junction, self.arms = _JUNCTION, _ARMS
        self.light_steps, self.disturbed_share = light_steps, disturbed_share
        self.render_mode = check_render_mode(render_mode)
        self._seen = self._observation_space()
        self.observation_space = self._seen
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self._cue, self._step = LEFT, 0
        self._disturbance = np.random.default_rng(0)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode at the foot of the stem ± 0.1, with a velocity of 0.1 * normal; both cues are as likely.

        Args:
            seed: restarts the random numbers; None goes on with them.
            options: ``cue``: -1 or +1, for this episode; the start is the same for both.

        Raises:
            ValueError: unknown option, or a cue that is neither.
        """
        super().reset(seed=seed)
        cue = check_options(options, allowed=("cue",)).get("cue")
        if cue not in (None, LEFT, RIGHT):
            raise ValueError(f"cue must be {LEFT} (left) or {RIGHT} (right); got {cue!r}")
        drawn = (LEFT, RIGHT)[self.np_random.integers(2)]
        position = _START + self.np_random.uniform(-_NOISE, _NOISE, size=2)
        velocity = 0.1 * self.np_random.standard_normal(2)
        self._disturbance = np.random.default_rng(self.np_random.integers(2**63))
        self._cue, self._step = drawn if cue is None else cue, 0
        self.ball.set_state(*position.tolist(), *velocity.tolist())
        return self._look()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Advance 0.01 s under ``action``.

        Raises:
            ValueError: the action is not two finite numbers.
        """
        action_x, action_y = check_actions(action, shape=(2,)).tolist()
        self.ball.step(action_x, action_y)
        self._step += 1
        observation, info = self._look()
        return observation, float(info["success"]), info["choice"] != 0, False, info

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """Return a picture ``(height, width, 3)`` uint8 where ``render_mode`` is "rgb_array", else None."""
        if self.render_mode is None:
            return None
        return draw_frame(self.grid, ball=np.array(self.ball.state()[:2]), goal=self.arms[self._cue])

    def observe(self, states: np.ndarray, *, light: np.ndarray) -> np.ndarray:
        """Observations ``(batch, …)`` of states ``(batch, 4)`` while the light shows ``(batch,)`` -1, +1 or 0."""
        return np.concatenate([states, light[:, None]], axis=1).astype(np.float32)

    def _observation_space(self) -> spaces.Box:
        fast = MAX_VELOCITY + 1.0  # the velocity is clipped before a step, and a step adds less than this
        height, width = self.grid.walls.shape
        high = np.array([height, width, fast, fast, 1.0], np.float32)
        return spaces.Box(np.array([0.0, 0.0, -fast, -fast, -1.0], np.float32), high)

    def _look(self) -> tuple[np.ndarray, dict[str, Any]]:
        """What is seen now, and what is so."""
        state = np.array(self.ball.state())
        light = np.array([self._cue if self._step < self.light_steps else 0])
        choice = next((cue for cue, end in self.arms.items() if distances(state[:2], end) <= self.grid.goal_radius), 0)
        disturbed = bool(self._disturbance.random() < self.disturbed_share)
        observation = self._noise() if disturbed else self.observe(state[None], light=light)[0]
        return observation, {
            "cue": self._cue,
            "state": state,
            "disturbed": disturbed,
            "choice": choice,
            "success": choice == self._cue,
        }

    def _noise(self) -> np.ndarray:
        """Draw an observation that says nothing."""
        space = self._seen
        return self._disturbance.uniform(space.low, space.high).astype(space.dtype)
