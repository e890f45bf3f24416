"""What agents cost: wall time of plans and decisions, and memory, with any agent seen from outside only."""

import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from dfplan.evaluation.rollout import Agent, Rollouts, begin, evaluate_agents
from dfplan.protocol import EvaluationProtocol
from dfplan.types import PlanEvent

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
METHOD = (
    "resident set of the whole process at its highest (Linux: VmHWM, set back before each turn of an agent; elsewhere "
    "the highest since the process began); on a GPU what torch had allocated of its memory at most"
)


def reset_peak() -> None:
    """Forget earlier peaks, where the system lets us (Linux; ``man 5 proc`` on clear_refs)."""
    with suppress(OSError):
        RESET.write_text("5")
    if torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()


def peak_process_bytes() -> int:
    """The largest resident set of this process since :func:`reset_peak`, or, where that is not known, ever."""
    with suppress(OSError):
        found = re.search(r"^VmHWM:\s+(\d+) kB$", STATUS.read_text(), re.MULTILINE)
        if found:
            return 1024 * int(found[1])
    if resource is None:
        return psutil.Process().memory_info().peak_wset  # type: ignore[attr-defined]  # on Windows, where alone it is asked
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def peak_gpu_bytes() -> int | None:
    """The most that torch had allocated on the current GPU since :func:`reset_peak`; None where none is in use."""
    return torch.cuda.max_memory_allocated() if torch.cuda.is_initialized() else None


Bar = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
"""Makes a progress bar of a description: within its block, a function of (done, total)."""


class MeasuredAgent:
    """An agent, and what it costs for a batch of ``batch`` environments; smaller ones are not counted.

    Attributes:
        first_plans: ``(plans, seconds)`` of every planning at the first step of episodes.
        decisions: seconds of every call of ``act``.
        peak_bytes: most memory that the process needed in the agent's turns, 0 before the first.
        peak_gpu_bytes: likewise of a GPU; None without one.
    """

    def __init__(self, agent: Agent, *, batch: int) -> None:
        self.agent = agent
        self.batch = batch
        self.on_plan: Callable[[PlanEvent], None] | None = None
        self.first_plans: list[tuple[int, float]] = []
        self.decisions: list[float] = []
        self.peak_bytes = 0
        self.peak_gpu_bytes: int | None = None
        self._counts = False

    def reset(self, *, seeds: Sequence[int], goals: np.ndarray | None) -> None:
        """See :class:`Agent`; here its turn begins."""
        self._counts = len(seeds) == self.batch
        reset_peak()
        self.agent.on_plan = self._heard
        self.agent.reset(seeds=seeds, goals=goals)

    def act(self, observations: np.ndarray) -> np.ndarray:
        """See :class:`Agent`."""
        began = time.perf_counter()
        actions = self.agent.act(observations)
        if self._counts:
            self.decisions.append(time.perf_counter() - began)
        self.peak_bytes = max(self.peak_bytes, peak_process_bytes())
        if (found := peak_gpu_bytes()) is not None:
            self.peak_gpu_bytes = max(self.peak_gpu_bytes or 0, found)
        return actions

    def _heard(self, event: PlanEvent) -> None:
        if self._counts and event.step == 0:
            self.first_plans.append((len(event.indices), event.seconds))
        if self.on_plan is not None:
            self.on_plan(event)


@dataclass(frozen=True)
class Cost:
    """What an agent costs at one batch size.

    Attributes:
        plan_seconds: ``(calls,)`` wall seconds of a plan from the start of an episode, those of its batch shared
            equally; empty if the agent does not plan. Where an episode begins at its goal there may be nothing to plan.
        decision_seconds: ``(calls,)`` wall seconds of each step of the agent in whole episodes, plans included, for the
            whole batch; empty where no such batch was rolled out.
        peak_bytes: most memory that the process needed while the agent was at work.
        peak_gpu_bytes: likewise of a GPU; None without one.
    """

    plan_seconds: np.ndarray
    decision_seconds: np.ndarray
    peak_bytes: int
    peak_gpu_bytes: int | None


@dataclass(frozen=True)
class Measured:
    """Scores of an agent and, by batch size, what it costs."""

    rollouts: Rollouts
    costs: Mapping[int, Cost]


def measure_agents(
    agents: Mapping[str, Agent],
    protocol: EvaluationProtocol,
    *,
    num_episodes: int,
    num_envs: int,
    seed: int,
    num_plans: int,
    least_plans: int,
    timing_seconds: float,
    bar: Bar,
) -> dict[str, Measured]:
    """Roll agents out on the same episodes and time them, alone and side by side, all in turns.

    Args:
        agents: by name.
        protocol: see :func:`~dfplan.evaluation.rollout.evaluate_agents`.
        num_episodes: that are scored, ``num_envs`` of them side by side. The first is played once more on its own.
        num_envs: the batch size that is timed besides 1.
        seed: of the episodes.
        num_plans: how often planning at the start of episodes is timed, at each batch size. What the episodes above
            tell counts.
        least_plans: how many of them at least, however long that takes: a percentile of one call says nothing.
        timing_seconds: seconds after which an agent's planning is timed no more at that batch size.
        bar: shows how far it is.

    Raises:
        UserError: see :func:`~dfplan.evaluation.rollout.evaluate_agents`.
    """
    with protocol.begin(range(1), seed=seed) as running:
        for agent in agents.values():  # what is slow the first time only is no cost of a plan
            begin(agent, running)
            agent.act(running.begun.observations)
    together = {name: MeasuredAgent(agent, batch=num_envs) for name, agent in agents.items()}
    with bar(f"{num_envs} side by side") as show:
        rollouts = evaluate_agents(
            together, protocol, seed=seed, num_episodes=num_episodes, num_envs=num_envs, on_progress=show
        )
    measured = {num_envs: together}
    if num_envs > 1:
        measured[1] = {name: MeasuredAgent(agent, batch=1) for name, agent in agents.items()}
        with bar("one alone") as show:
            evaluate_agents(measured[1], protocol, seed=seed, num_episodes=1, num_envs=1, on_progress=show)
    limits: dict[str, Any] = {"num_plans": num_plans, "least_plans": least_plans, "timing_seconds": timing_seconds}
    costs: dict[str, dict[int, Cost]] = {name: {} for name in agents}
    for batch, theirs in sorted(measured.items()):
        with bar(f"planning for {batch}") as show:
            found = _costs(theirs, protocol, batch=batch, seed=seed, on_progress=show, **limits)
        for name, cost in found.items():
            costs[name][batch] = cost
    return {name: Measured(rollouts[name], costs[name]) for name in agents}


def _costs(
    agents: Mapping[str, MeasuredAgent], protocol: EvaluationProtocol, *, batch: int, **how: Any
) -> dict[str, Cost]:
    """What agents cost that have driven, once their first plans are timed; ``how`` as of :func:`time_first_plans`."""
    decisions = {name: np.array(each.decisions) for name, each in agents.items()}
    time_first_plans(agents, protocol, batch=batch, **how)
    return {
        name: Cost(
            plan_seconds=np.array([seconds / plans for plans, seconds in each.first_plans]),
            decision_seconds=decisions[name],
            peak_bytes=each.peak_bytes,
            peak_gpu_bytes=each.peak_gpu_bytes,
        )
        for name, each in agents.items()
    }


def time_first_plans(
    agents: Mapping[str, MeasuredAgent],
    protocol: EvaluationProtocol,
    *,
    seed: int,
    batch: int,
    num_plans: int,
    least_plans: int,
    timing_seconds: float,
    on_progress: Callable[[int, int], None],
) -> None:
    """Let agents plan at the start of the same episodes, in turns, until each has enough plans or no time left."""
    for call in range(num_plans):
        waiting = {}
        for name, agent in agents.items():
            plans, seconds = len(agent.first_plans), sum(each[1] for each in agent.first_plans)
            if plans < num_plans and (plans < least_plans or seconds < timing_seconds):
                waiting[name] = agent
        if not waiting:
            break
        with protocol.begin(range(call * batch, (call + 1) * batch), seed=seed) as running:
            for agent in waiting.values():
                begin(agent, running)
                agent.act(running.begun.observations)
        on_progress(call + 1, num_plans)
