"""A planar arm of two links, with which everybody only ever reached to places near by, or to the front."""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np

from dfplan.types import Bounds, Trajectories

STEPS, TURN = 40, 0.15  # of an episode; radians that a joint turns in a step, at most
ELBOW = (0.4, 2.6)  # radians between which the second joint bends, so that one bend alone reaches a place
RADIUS = 0.15  # of a goal, where a link is 1 long
AROUND = 2.8  # radians from straight ahead of places; from side to side behind the arm, the straight way is closed
FAR = 0.6  # radians that the data go, at most
SHORT = 12  # steps of an episode of these data
FRONT, ROUND = 1.0, 2.0  # radians from straight ahead of places in data of the front alone, and of goals then
NOISE = 0.3  # on the actions of the data


def places(angles: np.ndarray) -> np.ndarray:
    """Where the finger is, ``(..., 2)``, by the angles of both joints ``(..., 2)``."""
    first, both = angles[..., 0], angles.sum(axis=-1)
    return np.stack([np.cos(first) + np.cos(both), np.sin(first) + np.sin(both)], axis=-1)


def angles_of(bend: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """The angles ``(..., 2)`` that have the elbow bent so and the finger in this direction from the shoulder."""
    return np.stack([direction - bend / 2, bend], axis=-1)  # as both links are as long


def observations(angles: np.ndarray) -> np.ndarray:
    """Sines and cosines, ``(..., 4)``."""
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=-1)


class Arm(gymnasium.Env):
    """Joints turn as they are told; the first cannot turn past straight back. Success is a finger at its goal."""

    def __init__(self, begins: float = AROUND, around: float = AROUND) -> None:
        self.begins, self.around = begins, around
        place = gymnasium.spaces.Box(-2.0, 2.0, (2,), np.float64)
        self.observation_space = gymnasium.spaces.Dict(
            {
                "observation": gymnasium.spaces.Box(-1.0, 1.0, (4,), np.float64),
                "achieved_goal": place,
                "desired_goal": place,
            }
        )
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: Mapping[str, Any] | None = None) -> Any:
        """One place, and another to go to."""
        super().reset(seed=seed)
        bends, ahead = self.np_random.uniform(*ELBOW, 2), self.np_random.uniform(-1, 1, 2) * (self.begins, self.around)
        self.angles, self.goal = angles_of(bends[0], ahead[0]), places(angles_of(bends[1], ahead[1]))
        return self._seen(), {}

    def step(self, action: np.ndarray) -> Any:
        """Turn."""
        self.angles = turned(self.angles, np.asarray(action))
        is_there = float(np.linalg.norm(places(self.angles) - self.goal)) < RADIUS
        return self._seen(), float(is_there) - 1.0, False, False, {"is_success": is_there}

    def compute_reward(self, achieved: np.ndarray, desired: np.ndarray, info: Any) -> np.ndarray:
        """0 within the radius of the goal, else -1."""
        return (np.linalg.norm(np.asarray(achieved) - desired, axis=-1) < RADIUS).astype(np.float64) - 1.0

    def _seen(self) -> dict[str, np.ndarray]:
        return {
            "observation": observations(self.angles),
            "achieved_goal": places(self.angles),
            "desired_goal": self.goal.copy(),
        }


def turned(angles: np.ndarray, actions: np.ndarray) -> np.ndarray:
    """Angles ``(..., 2)`` a step later."""
    low, high = np.array([-np.pi - ELBOW[1] / 2, ELBOW[0]]), np.array([np.pi, ELBOW[1]])
    return np.clip(angles + TURN * np.clip(actions, -1, 1), low, high)


gymnasium.register("Arm-v0", entry_point=Arm, max_episode_steps=STEPS)
gymnasium.register("ArmFront-v0", entry_point=Arm, max_episode_steps=STEPS, kwargs={"begins": FRONT, "around": ROUND})


def short_reaches(count: int, *, seed: int) -> Trajectories:
    """Episodes of a hand that knows the angles of its goals, all of which lie near by."""
    generator = np.random.default_rng(seed)
    bend, ahead = generator.uniform(*ELBOW, count), generator.uniform(-AROUND, AROUND, count)
    near = generator.uniform(-FAR, FAR, (2, count))
    angles = angles_of(bend, ahead)
    wanted = angles_of(np.clip(bend + near[0], *ELBOW), np.clip(ahead + near[1], -AROUND, AROUND))
    return driven(angles, wanted, steps=SHORT, generator=generator)


def front_reaches(count: int, *, seed: int) -> Trajectories:
    """The same, all of whose places lie in front."""
    generator = np.random.default_rng(seed)
    bends, ahead = generator.uniform(*ELBOW, (2, count)), generator.uniform(-FRONT, FRONT, (2, count))
    ends = angles_of(bends, ahead)
    return driven(ends[0], ends[1], steps=STEPS, generator=generator)


def driven(angles: np.ndarray, wanted: np.ndarray, *, steps: int, generator: np.random.Generator) -> Trajectories:
    """From angles ``(episodes, 2)`` towards those that are wanted, with noise."""
    count, passed, actions = len(angles), [angles], []
    for _ in range(steps):
        missing = np.clip((wanted - angles) / TURN / 2, -1, 1)
        actions.append(np.clip(missing + NOISE * generator.standard_normal((count, 2)), -1, 1))
        angles = turned(angles, actions[-1])
        passed.append(angles)
    rows, all_angles = steps + 1, np.stack(passed, axis=1).reshape(-1, 2)
    return Trajectories(
        observations=observations(all_angles).astype(np.float32),
        actions=np.stack([*actions, np.zeros((count, 2))], axis=1).reshape(-1, 2).astype(np.float32),
        starts=np.arange(count + 1) * rows,
        segment_ends=np.zeros(count * rows, bool),
        source=f"{count} reaches",
        action_bounds=Bounds(-np.ones(2), np.ones(2)),
        goals=np.repeat(places(wanted), rows, axis=0).astype(np.float32),
        achieved_goals=places(all_angles).astype(np.float32),
    )
