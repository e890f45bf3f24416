"""A room in which others walk to goals of their own and look out for nobody."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from dfplan_envs.episodes import check_options
from dfplan_envs.maze_env import check_actions, check_render_mode
from dfplan_envs.render import blank, draw_disc

SIZE, RADIUS = 6.0, 0.2  # edge of the room; radius of whoever walks
GOAL_RADIUS = 0.3
MAX_SPEED, LAG = 0.15, 0.35  # units a step; share of the way to the wanted velocity that a step goes
PURSUIT_SPEED = 0.7  # of the adversary, as a share of the robot's
MAX_EPISODE_STEPS = 120
_ROBOT, _OTHERS, _GOAL, _FLOOR = (0, 114, 178), (213, 94, 0), (0, 158, 115), (248, 250, 252)


class Walkers:
    """Discs that walk to goals of their own, each at a speed of its own that it changes at times.

    A walker heads straight for its goal, and from there for another one. It draws its speed anew in one of 10 steps,
    and sways: its actions have noise with a standard deviation of ``sway`` and a memory of 10 steps.

    Args:
        count: how many.
        generator: source of all randomness.
        speeds: least and largest speed that is drawn, as shares of the largest possible.
        sway: of their actions.

    Attributes:
        states: ``(count, 4)`` float64, place and velocity ``(x, y, vx, vy)``, the latter in units a step.
        goals: ``(count, 2)``, where each is heading.
    """

    def __init__(
        self, count: int, *, generator: np.random.Generator, speeds: tuple[float, float] = (0.3, 0.7), sway: float = 0.1
    ) -> None:
        self._generator, self._range, self._sway = generator, speeds, sway
        self.states = np.concatenate([self.places(count), np.zeros((count, 2))], axis=1)
        self.goals, self._speeds = self.places(count), generator.uniform(*speeds, count)
        self._noise = np.zeros((count, 2))

    def places(self, count: int) -> np.ndarray:
        """Places ``(count, 2)`` anywhere in the room."""
        return self._generator.uniform(RADIUS, SIZE - RADIUS, (count, 2))

    def act(self) -> np.ndarray:
        """What they do next, ``(count, 2)``: a wanted velocity, as a share of the largest."""
        generator, count = self._generator, len(self.states)
        there = np.linalg.norm(self.goals - self.states[:, :2], axis=1) < GOAL_RADIUS
        self.goals = np.where(there[:, None], self.places(count), self.goals)
        anew = there | (generator.random(count) < 1 / 10)
        self._speeds = np.where(anew, generator.uniform(*self._range, count), self._speeds)
        # 0.9 and the root of 1 - 0.9²: the standard deviation stays what it is.
        self._noise = 0.9 * self._noise + 0.436 * self._sway * generator.standard_normal((count, 2))
        way = self.goals - self.states[:, :2]
        heading = way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9)
        return np.clip(self._speeds[:, None] * heading + self._noise, -1, 1)

    def step(self, actions: np.ndarray) -> None:
        """Walk for a step under actions ``(count, 2)``."""
        self.states = advance(self.states, actions)


def advance(states: np.ndarray, actions: np.ndarray) -> np.ndarray:
    """Where a step leads to from ``states`` ``(count, 4)`` under ``actions`` ``(count, 2)``; walls stop."""
    wanted = actions / np.maximum(np.linalg.norm(actions, axis=1, keepdims=True), 1)
    velocities = states[:, 2:] + LAG * (MAX_SPEED * wanted - states[:, 2:])
    places = np.clip(states[:, :2] + velocities, RADIUS, SIZE - RADIUS)
    return np.concatenate([places, places - states[:, :2]], axis=1)


class MoversEnv(gymnasium.Env):
    """A disc that is driven to a goal among others that walk to theirs, see :class:`Walkers`, and do not see it.

    Observation: a dict of ``achieved_goal`` ``(x, y)``, ``desired_goal`` and ``observation``: the velocity of its own
    ``(vx, vy)``, then ``(x, y, vx, vy)`` of each of the others. Action: a wanted velocity, in shares of 0.15 units a
    step; with ``adversary`` two more numbers, those of the first of the others, who is no faster than 0.7 of that.
    Others walk through each other. An episode ends at the goal, with reward 1, and where the disc touches one of them.

    ``info`` of reset and step: ``is_success`` and ``collided``.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 (Gymnasium declares it so)
    dt = 0.1  # seconds of a step

    def __init__(self, *, num_movers: int = 2, adversary: bool = False, render_mode: str | None = None) -> None:
        """Build the environment.

        Args:
            num_movers: how many others there are.
            adversary: whether the first of them does what the last two numbers of an action say.
            render_mode: None or "rgb_array".

        Raises:
            ValueError: an argument out of range.
        """
        if num_movers < int(adversary):
            raise ValueError(f"num_movers must be at least {int(adversary)}; got {num_movers}")
        self.num_movers, self.adversary, self.render_mode = num_movers, adversary, check_render_mode(render_mode)
        room = spaces.Box(0.0, SIZE, (2,), np.float32)
        fast = np.full(2, MAX_SPEED)
        other = [np.concatenate([np.zeros(2), -fast]), np.concatenate([np.full(2, SIZE), fast])]
        low, high = (
            np.concatenate([sign * fast, *[each] * num_movers]) for sign, each in zip((-1, 1), other, strict=True)
        )
        seen = spaces.Box(low.astype(np.float32), high.astype(np.float32))
        self.observation_space = spaces.Dict({"achieved_goal": room, "desired_goal": room, "observation": seen})
        self.action_space = spaces.Box(-1.0, 1.0, (4 if adversary else 2,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Begin where nobody is within 1.2 units, with a goal 3 or more away; the others have walked for 10 steps.

        Args:
            seed: restarts the random numbers; None goes on with them.
            options: there are none.

        Raises:
            ValueError: an option.
        """
        super().reset(seed=seed)
        check_options(options, allowed=())
        self._others = Walkers(self.num_movers, generator=self.np_random)
        for _ in range(10):
            self._others.step(self._others.act())
        while True:
            start, self._goal = self._others.places(2)
            apart = np.linalg.norm(self._others.states[:, :2] - start, axis=1)
            if np.linalg.norm(start - self._goal) >= 3 and apart.min(initial=np.inf) >= 1.2:
                break
        self._state = np.array([*start, 0.0, 0.0])
        return self._look()

    def step(self, action: np.ndarray) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """Advance 0.1 s.

        Raises:
            ValueError: the action is not as many finite numbers as there are.
        """
        action = check_actions(action, shape=(4 if self.adversary else 2,))
        self._state = advance(self._state[None], action[None, :2])[0]
        others = self._others.act()
        if self.adversary:
            chased = action[2:]
            others[0] = chased * PURSUIT_SPEED / max(float(np.linalg.norm(chased)), 1)
        self._others.step(others)
        observation, info = self._look()
        return observation, float(info["is_success"]), info["is_success"] or info["collided"], False, info

    def compute_reward(self, achieved_goal: np.ndarray, desired_goal: np.ndarray, info: Any) -> np.ndarray:
        """1 within the goal radius, else 0, for goals ``(..., 2)``; as Gymnasium-Robotics has it."""
        apart = np.linalg.norm(np.asarray(achieved_goal) - desired_goal, axis=-1)
        return (apart <= GOAL_RADIUS).astype(np.float64)

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """Return a picture ``(288, 288, 3)`` uint8 where ``render_mode`` is "rgb_array", else None."""
        if self.render_mode is None:
            return None
        image, axis = blank(SIZE, color=_FLOOR)
        discs = [(self._goal, GOAL_RADIUS, _GOAL, 0.4), (self._state, RADIUS, _ROBOT, 1.0)]
        for center, radius, color, opacity in (*discs, *((each, RADIUS, _OTHERS, 1.0) for each in self._others.states)):
            draw_disc(image, axis, axis, center=center[:2], radius=radius, color=color, opacity=opacity)
        return np.rint(image).astype(np.uint8)

    def _look(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """What is seen now, and what is so."""
        others = self._others.states
        seen = {
            "achieved_goal": self._state[:2].astype(np.float32),
            "desired_goal": self._goal.astype(np.float32),
            "observation": np.concatenate([self._state[2:], others.ravel()]).astype(np.float32),
        }
        apart = np.linalg.norm(others[:, :2] - self._state[:2], axis=1)
        collided = bool((apart < 2 * RADIUS).any())
        there = bool(np.linalg.norm(self._state[:2] - self._goal) <= GOAL_RADIUS)
        return seen, {"is_success": there and not collided, "collided": collided}
