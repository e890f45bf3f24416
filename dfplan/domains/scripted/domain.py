"""Environments that a script drives, as a domain: any of Gymnasium's, and data can be made; and who drives."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from dfplan.domains.gymnasium import GymnasiumDomain
from dfplan.domains.scripted.collect import Script, collect
from dfplan.domains.scripted.fetch import SCRIPTS
from dfplan.types import Bounds, PlanEvent


class ScriptAgent:
    """See :class:`~dfplan.evaluation.rollout.Agent`.

    Args:
        script: of an observation and a goal.
        bounds: between which actions lie.
    """

    def __init__(self, script: Script, bounds: Bounds) -> None:
        self._script, self._bounds = script, bounds
        self.on_plan: Callable[[PlanEvent], None] | None = None

    def reset(self, *, seeds: Sequence[int], goals: np.ndarray) -> None:
        """Begin new episodes."""
        self._goals = goals

    def act(self, observations: np.ndarray) -> np.ndarray:
        """Actions within their bounds."""
        actions = [self._script(*each) for each in zip(observations, self._goals, strict=True)]
        return np.clip(actions, self._bounds.low, self._bounds.high).astype(np.float32)


KNOWN: Mapping[str, Script] = SCRIPTS
NUM_STEPS = 50_000  # a thousand episodes of Fetch
NOISE = 0.15


class ScriptedDomain(GymnasiumDomain):
    """See :class:`dfplan.domain.Domain`.

    Args:
        env_id: of :data:`KNOWN`.
    """

    procedure = frozenset({"noise"})
    options = frozenset({"agent"})

    def agents(self) -> Mapping[str, Callable[[], ScriptAgent]]:
        """See :class:`dfplan.domain.Domain`: the script."""
        return {"script": lambda: ScriptAgent(KNOWN[self.env_id], self.spec.action_bounds)}

    def generate(
        self,
        path: Path,
        *,
        num_steps: int | None,
        on_progress: Callable[[int, int], None],
        say: Callable[[str], None],
        seed: int,
        noise: float | None = None,
    ) -> None:
        """See :class:`dfplan.domain.Domain`: the noise of an episode has a strength drawn up to ``noise``."""
        from dfplan.data.formats import d4rl_writer  # slow to import

        total, largest = num_steps or NUM_STEPS, NOISE if noise is None else noise
        on_progress(0, total)

        def draw(generator: np.random.Generator) -> tuple[Script, float]:
            return KNOWN[self.env_id], float(generator.uniform(0, largest))

        source = f"{self.env_id} by dfplan's script, noise up to {largest}, seed {seed}"
        data = collect(
            self, draw, num_steps=total, seed=seed, source=source, on_progress=lambda done: on_progress(done, total)
        )
        assert data.rewards is not None
        at_goal = data.rewards[data.starts[1:] - 2] == 0  # the last row of an episode is no step
        say(f"{len(at_goal)} episodes, of which {at_goal.mean():.1%} end at their goal")
        d4rl_writer.write(path, data, replace=True)  # whoever calls has asked whether it may be
