"""An agent that acts by what it has seen since the episode began, or, for comparison, by what it sees now alone."""

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch

from dfplan.errors import UserError
from dfplan.models.denoiser import DenoiserState
from dfplan.planner.memory import MemoryPlanner
from dfplan.types import PlanEvent


class MemoryAgent:
    """Plans one token ahead for a batch of environments in lockstep, carries its actions out, and remembers both.

    Args:
        planner: makes the plans.
        remembers: whether a plan follows from everything since the episode began; else every plan begins anew with the
            present observation (an ordinary diffusion policy).
        encode: turns what is observed ``(batch, …)`` into what is planned with ``(batch, observation_dim)``, such as
            frames into latents; None takes it as it is.
        on_plan: called with a :class:`~dfplan.types.PlanEvent` after each planning.
    """

    def __init__(
        self,
        planner: MemoryPlanner,
        *,
        remembers: bool,
        encode: Callable[[np.ndarray], np.ndarray] | None = None,
        on_plan: Callable[[PlanEvent], None] | None = None,
    ) -> None:
        self.planner = planner
        self.remembers = remembers
        self.encode = encode
        self.on_plan = on_plan
        self._step = 0
        self._generators: list[torch.Generator] = []
        self._memory: DenoiserState | None = None
        self._actions = np.zeros((0, 0, 0), np.float32)

    def reset(self, *, seeds: Sequence[int], goals: np.ndarray | None = None) -> None:
        """Begin new episodes, one a seed; the plans of row k depend on seed k alone. ``goals`` are not looked at."""
        self._step, self._memory = 0, None
        self._generators = [torch.Generator().manual_seed(int(seed)) for seed in seeds]

    def act(self, observations: np.ndarray, *, levels: np.ndarray | None = None) -> np.ndarray:
        """Actions ``(batch, action_dim)`` float32 in [-1, 1].

        Args:
            observations: ``(batch, …)``.
            levels: ``(batch,)`` how noisy each is known to be, 0 … 1; None is not at all.
        """
        observations = np.asarray(observations)
        if len(observations) != len(self._generators):
            raise UserError(
                f"reset() began {len(self._generators)} episodes, act() got {len(observations)} observations; "
                "call reset(seeds=…) with one seed per environment first"
            )
        place = self._step % self.planner.steps_per_token
        if not place:
            self._plan(observations, np.zeros(len(observations)) if levels is None else levels)
        self._step += 1
        return self._actions[:, place]

    def keep(self, rows: np.ndarray) -> None:
        """Go on with the environments ``rows`` alone; the episodes of the others are over."""
        self._generators = [self._generators[row] for row in rows]
        self._actions = self._actions[rows]
        if self._memory is not None:
            self._memory = self._memory.select(torch.as_tensor(rows))

    def _plan(self, observations: np.ndarray, levels: np.ndarray) -> None:
        began = time.perf_counter()
        if self.encode is not None:
            observations = self.encode(observations)
        if self._memory is None or not self.remembers:
            self._memory = self.planner.begin(observations, levels=levels)
        else:
            self._memory = self.planner.remember(
                self._memory, actions=self._actions, observations=observations, levels=levels
            )
        plan = self.planner.plan(self._memory, num_tokens=1, generators=self._generators)
        self._actions = plan.actions
        if self.on_plan is not None:
            indices = np.arange(len(observations))
            self.on_plan(PlanEvent(indices, self._step, plan, seconds=time.perf_counter() - began))
