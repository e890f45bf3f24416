"""Environments that a script drives, as a domain: any of Gymnasium's, and data can be made; and who drives."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from dfplan.domains.gymnasium import GymnasiumDomain
from dfplan.domains.scripted.collect import Driver, Script, collect
from dfplan.domains.scripted.fetch import SCRIPTS
from dfplan.types import Bounds, PlanEvent


class ScriptAgent:
    """See :class:`~dfplan.evaluation.rollout.Agent`.

    Args:
        begin: who drives a new episode.
        bounds: between which actions lie.
    """

    def __init__(self, begin: Driver, bounds: Bounds) -> None:
        self._begin, self._bounds = begin, bounds
        self.on_plan: Callable[[PlanEvent], None] | None = None

    def reset(self, *, seeds: Sequence[int], goals: np.ndarray) -> None:
        """Begin new episodes."""
        self._scripts, self._goals = [self._begin(np.random.default_rng(seed)) for seed in seeds], goals

    def act(self, observations: np.ndarray) -> np.ndarray:
        """Actions within their bounds."""
        each = zip(self._scripts, observations, self._goals, strict=True)
        actions = [script(observation, goal) for script, observation, goal in each]
        return np.clip(actions, self._bounds.low, self._bounds.high).astype(np.float32)


KNOWN: Mapping[str, Script] = SCRIPTS
NUM_STEPS = 50_000  # a thousand episodes of Fetch
NOISE = 0.15


class ScriptedDomain(GymnasiumDomain):
    """See :class:`dfplan.domain.Domain`.

    Args:
        env_id: of :data:`KNOWN`, or of an environment with a ``driver``.
    """

    procedure = frozenset({"noise"})
    options = frozenset({"agent"})

    def agents(self) -> Mapping[str, Callable[[], ScriptAgent]]:
        """See :class:`dfplan.domain.Domain`: the script."""
        return {"script": lambda: ScriptAgent(self.driver, self.spec.action_bounds)}

    def driver(self, generator: np.random.Generator) -> Script:
        """Who drives a new episode."""
        return KNOWN[self.env_id] if self.env_id in KNOWN else self._own_driver(generator)

    @cached_property
    def _own_driver(self) -> Driver:
        env = self.make()
        try:
            return env.get_wrapper_attr("driver")
        finally:
            env.close()

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
            return self.driver(generator), float(generator.uniform(0, largest))

        source = f"{self.env_id} by dfplan's script, noise up to {largest}, seed {seed}"
        data = collect(
            self, draw, num_steps=total, seed=seed, source=source, on_progress=lambda done: on_progress(done, total)
        )
        assert data.rewards is not None
        # What Gymnasium-Robotics pays at a goal is nothing; the last row of an episode is no step.
        succeeded = data.rewards[data.starts[1:] - 2] == (0 if self.has_goals else 1)
        say(f"{len(succeeded)} episodes, of which {succeeded.mean():.1%} end in success")
        d4rl_writer.write(path, data, replace=True)  # whoever calls has asked whether it may be
