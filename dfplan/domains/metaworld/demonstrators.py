"""Who demonstrates: Meta-World's scripted policies, and three tasks are done in two ways."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dfplan.domains.metaworld.environment import NUM_SHOWN

OBJECT, GOAL = slice(4, 7), slice(36, 39)  # where they stand in an observation


@dataclass(frozen=True)
class Way:
    """How a task is done: as its script does it that is told that the object is elsewhere.

    Attributes:
        aside: metres that it is told to be to the right.
        behind: metres that it is told to be behind, seen from the goal, which is moved likewise: the object is pushed.
    """

    aside: float = 0.0
    behind: float = 0.0

    def told(self, observation: np.ndarray) -> np.ndarray:
        """What the script is told of an observation ``(39,)``."""
        told, moved = observation.astype(np.float64), np.array([self.aside, 0.0, 0.0])
        if self.behind:
            along = told[GOAL][:2] - told[OBJECT][:2]
            moved[:2] -= self.behind * along / max(np.linalg.norm(along), 1e-6)
            told[GOAL] += moved
        told[OBJECT] += moved
        return told


AS_PUBLISHED = Way()
# In both the hand first goes above a place of its own, and only there does it go on: the mean of both never does.
TWO_WAYS: Mapping[str, tuple[Way, Way]] = {
    "push": (AS_PUBLISHED, Way(behind=0.06)),  # taken from above, or pushed from behind
    "peg-insert-side": (Way(aside=-0.04), Way(aside=0.08)),  # taken nearer to one end, or the other
    "hammer": (Way(aside=-0.06), Way(aside=0.06)),
}


class Demonstrator:
    """Acts in tasks as their scripts say, with noise.

    Args:
        tasks: of the environment, as :class:`~dfplan.domains.metaworld.environment.MetaWorld` has them.
        noise: standard deviation of the noise on the actions, which lie between -1 and 1.
        way: how.
    """

    def __init__(self, tasks: Sequence[str], *, noise: float, way: Way = AS_PUBLISHED) -> None:
        from metaworld.policies import ENV_POLICY_MAP  # pyright: ignore[reportMissingImports] - an extra

        self._scripts = [ENV_POLICY_MAP[f"{task}-v3"]() for task in tasks]
        self._noise, self._way = noise, way

    def act(self, observation: np.ndarray, generator: np.random.Generator | None) -> np.ndarray:
        """An action ``(4,)`` for an observation, without noise where there is no ``generator``."""
        marks = observation[NUM_SHOWN:]
        script = self._scripts[int(marks.argmax()) if len(marks) else 0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that actions are clipped
            # Scripts change what they are told.
            action = np.clip(script.get_action(self._way.told(observation[:NUM_SHOWN])), -1, 1)
        return action if generator is None else action + self._noise * generator.standard_normal(len(action))
