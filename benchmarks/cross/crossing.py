"""A plane in which people only ever walked straight on at a crossing, and a task that asks to turn there."""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np

from dfplan.types import Bounds, Trajectories

STEPS, REACH = 32, 0.1  # of a way; how far an action leads
START_NOISE, ACTION_NOISE = 0.02, 0.1
RADIUS = 0.3  # of the corner and of the crossing


class Crossing(gymnasium.Env):
    """From a corner on the left, over the middle, to the corner on the right that lies on the same side: a V.

    The data go from either corner on the left to the *opposite* one on the right; nobody has ever turned.
    """

    def __init__(self) -> None:
        place = gymnasium.spaces.Box(-2.0, 2.0, (2,), np.float64)
        self.observation_space = gymnasium.spaces.Dict(
            dict.fromkeys(("observation", "achieved_goal", "desired_goal"), place)
        )
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: Mapping[str, Any] | None = None) -> Any:
        """In one of the corners on the left."""
        super().reset(seed=seed)
        side = self.np_random.choice([-1.0, 1.0])
        self.place = np.array([-1.0, side]) + START_NOISE * self.np_random.standard_normal(2)
        self.goal, self.nearest = np.array([1.0, side]), np.inf
        return self._seen(), {}

    def step(self, action: np.ndarray) -> Any:
        """Walk; success is to be in the corner, having come by the middle."""
        self.place = np.clip(self.place + REACH * np.clip(action, -1, 1), -2, 2)
        self.nearest = min(self.nearest, float(np.linalg.norm(self.place)))
        is_there = float(np.linalg.norm(self.place - self.goal)) < RADIUS and self.nearest < RADIUS
        return self._seen(), float(is_there), False, False, {"is_success": is_there}

    def compute_reward(self, achieved: np.ndarray, desired: np.ndarray, info: Any) -> np.ndarray:
        """1 within the radius of the corner."""
        return (np.linalg.norm(np.asarray(achieved) - desired, axis=-1) < RADIUS).astype(np.float64)

    def _seen(self) -> dict[str, np.ndarray]:
        return {"observation": self.place.copy(), "achieved_goal": self.place.copy(), "desired_goal": self.goal.copy()}


gymnasium.register("Crossing-v0", entry_point=Crossing, max_episode_steps=STEPS)


def straight_ways(count: int, *, seed: int) -> Trajectories:
    """Ways of :data:`STEPS` steps from corners on the left to the opposite ones on the right."""
    generator = np.random.default_rng(seed)
    side = generator.choice([-1.0, 1.0], count)
    place = np.stack([-np.ones(count), side], axis=1) + START_NOISE * generator.standard_normal((count, 2))
    end = np.stack([np.ones(count), -side], axis=1)
    places, actions = [place], []
    for step in range(STEPS):
        wanted = (end - place) / (STEPS - step) / REACH
        actions.append(np.clip(wanted + ACTION_NOISE * generator.standard_normal((count, 2)), -1, 1))
        place = place + REACH * actions[-1]
        places.append(place)
    rows = STEPS + 1
    observations = np.stack(places, axis=1).reshape(-1, 2).astype(np.float32)
    return Trajectories(
        observations=observations,
        actions=np.stack([*actions, np.zeros((count, 2))], axis=1).reshape(-1, 2).astype(np.float32),
        starts=np.arange(count + 1) * rows,
        segment_ends=np.tile(np.arange(rows) == STEPS, count),
        source=f"{count} straight ways",
        action_bounds=Bounds(-np.ones(2), np.ones(2)),
        goals=np.repeat(end, rows, axis=0).astype(np.float32),
        achieved_goals=observations,
    )
