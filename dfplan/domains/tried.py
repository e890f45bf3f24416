"""An environment that anybody wrote: what goes wrong in it is told in one line, with where it did."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec

from dfplan.errors import CodeOfOthers, UserError


class Tried(gymnasium.Wrapper):
    """Hands everything on, and refuses what Gymnasium's interface does not have.

    Raises:
        UserError: in ``reset`` and ``step``, where the environment raises, gives something else than as many values as
            Gymnasium has, or a reward that is no finite number.
    """

    def reset(self, **how: Any) -> Any:
        """As Gymnasium has it: an observation and a dict of information."""
        return self._tried("reset", 2, **how)

    def step(self, action: Any) -> Any:
        """As Gymnasium has it: observation, reward, terminated, truncated, and a dict of information."""
        told = self._tried("step", 5, action)
        reward = np.asarray(told[1])
        if reward.size != 1 or reward.dtype.kind not in "fiub" or not np.isfinite(reward).all():
            raise self._refused("step", f"gave the reward {told[1]!r:.80}, and one finite number is needed")
        return told

    @property
    def spec(self) -> EnvSpec | None:
        """That of the environment, as if it stood alone."""
        return self.env.spec

    def _tried(self, name: str, size: int, *given: Any, **how: Any) -> Any:
        with CodeOfOthers(self._of(name)):
            told = getattr(self.env, name)(*given, **how)
        if not isinstance(told, tuple) or len(told) != size or not isinstance(told[-1], dict):
            raise self._refused(name, f"must give {size} values, the last of them a dict")
        return told

    def _refused(self, name: str, reason: str) -> UserError:
        return UserError(f"{self._of(name)} {reason}; mend the environment")

    def _of(self, name: str) -> str:
        return f"env={getattr(self.spec, 'id', self.env)}: its {name}()"
