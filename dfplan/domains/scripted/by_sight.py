"""What a script drives by states, and others by sight: data are states, of which pictures are drawn when asked for."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.blocks import Frames
from dfplan.domains.gymnasium import GymnasiumDomain
from dfplan.domains.scripted.domain import ScriptedDomain
from dfplan.types import Trajectories

PREFIX = "pixel-"  # of an id; behind it stands that of the environment that shows states


class SeenDomain(GymnasiumDomain):
    """See :class:`dfplan.domain.Domain`; the environment tells by ``observe`` what is seen in states."""

    procedure = ScriptedDomain.procedure

    def __init__(self, env_id: str) -> None:
        super().__init__(env_id)
        self._of_states = ScriptedDomain(env_id.removeprefix(PREFIX))
        env = self.make()
        self._observe: Callable[[np.ndarray], dict[str, np.ndarray]] = env.get_wrapper_attr("observe")
        env.close()

    def generate(self, path: Path, **how: Any) -> None:
        """See :class:`dfplan.domain.Domain`: of states."""
        self._of_states.generate(path, **how)

    def take(self, data: Trajectories, *, say: Callable[[str], None]) -> Trajectories:
        """See :class:`dfplan.domain.Domain`: states, or pictures as they were recorded."""
        return super().take(data, say=say) if data.pictures else self._of_states.take(data, say=say)

    def show(self, data: Trajectories) -> Trajectories:
        """See :class:`dfplan.domain.Domain`."""
        if data.pictures:
            return data
        (name,), width = self.pictures, self.spec.observation_dim

        def draw(states: np.ndarray) -> np.ndarray:
            return self._observe(states)[name]

        frames = Frames.drawn(data.observations, draw, of=self.env_id)
        return replace(data, observations=data.observations[:, :width], pictures={name: frames})
