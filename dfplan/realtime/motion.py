"""What an agent expects to see after an action: it bridges missing observations and shows how noisy the others are."""

from collections import deque
from collections.abc import Callable

import numpy as np

from dfplan.domains import former
from dfplan.types import DoubleIntegrator

Motion = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Maps an observation ``(observation_dim,)`` and an action ``(action_dim,)`` to the observation one step later."""

_MEDIAN_TO_STD = 1.4826  # of the absolute value of a Gaussian


def integrator_motion(dynamics: DoubleIntegrator) -> Motion:
    """Motion of a robot that is observed as its coordinates, then their velocities."""

    def move(observation: np.ndarray, action: np.ndarray) -> np.ndarray:
        place, velocity = np.split(observation, 2)
        pushed = dynamics.decay * velocity + dynamics.gain * action
        velocity = np.clip(pushed, -dynamics.max_speed, dynamics.max_speed)
        return np.concatenate([place + dynamics.step * velocity, velocity])

    return move


class NoiseEstimate:
    """Estimates the noise of a sensor from how far observations lie from what was expected one step before.

    Independent noise of standard deviation ``s`` on every observation makes the difference of two, less the motion
    between them, spread by about ``s * sqrt(2)``. The median of the last differences stands for the spread, so that a
    single collision does not count. A constant bias cannot be seen this way.

    Args:
        motion: what is expected.
        observation_dim: numbers in an observation.
        memory: differences remembered; fewer than half of them say nothing yet.
    """

    def __init__(self, motion: Motion, *, observation_dim: int, memory: int = 16) -> None:
        self._motion = motion
        self._observation_dim = observation_dim
        self._differences: deque[np.ndarray] = deque(maxlen=memory)
        self._expected: np.ndarray | None = None

    def update(self, observation: np.ndarray) -> np.ndarray:
        """Take the observation of this step; returns the standard deviation of its noise ``(observation_dim,)``."""
        if self._expected is not None:
            self._differences.append(np.abs(observation - self._expected))
        self._expected = None
        if 2 * len(self._differences) < (self._differences.maxlen or 0):
            return np.zeros(self._observation_dim)
        # np.median loads numpy.ma when it is first called, which takes a tick or two.
        ordered, count = np.sort(np.stack(self._differences), axis=0), len(self._differences)
        median = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
        return median * (_MEDIAN_TO_STD / np.sqrt(2))

    def expect(self, observation: np.ndarray | None, action: np.ndarray) -> None:
        """Say what is done now; after None, or without this call, the next observation is compared with nothing."""
        self._expected = None if observation is None else self._motion(observation, action)

    def reset(self) -> None:
        """Forget everything."""
        self._differences.clear()
        self._expected = None


__getattr__ = former.names_of(__name__)
