"""A control loop at a fixed rate, and a read-out of how well it kept it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dfplan.errors import UserError
from dfplan.realtime.agent import RealtimeAgent
from dfplan.realtime.episode import ActInfo


class Robot(Protocol):
    """What the loop drives."""

    def observe(self) -> tuple[object, float]:
        """The newest observation, or None, and the clock time of its measurement; waits a part of a tick at most."""
        ...

    def send(self, action: np.ndarray) -> None:
        """Pass an action ``(action_dim,)`` on; does not wait."""
        ...


@dataclass(frozen=True)
class LoopReport:
    """How a loop kept its rate.

    Attributes:
        ticks: that were due until it was over.
        missed: ticks of which the action was sent after ``answer_by`` of the tick, or not at all.
        seconds: quantiles p50, p95, p99, p999 and max of the time from the start of a tick to its action.
        worst_second: the fewest actions within a second; 0 if it ran for less.
        sources: how many actions came from each rung of the ladder.
        faults: how often each fault was flagged.
    """

    ticks: int
    missed: int
    seconds: dict[str, float]
    worst_second: int
    sources: dict[str, int]
    faults: dict[str, int]


def run_loop(
    robot: Robot,
    agent: RealtimeAgent,
    *,
    rate: float,
    num_ticks: int,
    answer_by: float = 1.0,
    is_over: Callable[[], bool] | None = None,
    on_tick: Callable[[ActInfo], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> LoopReport:
    """Observe, act and send ``rate`` times a second; a tick that is overrun is missed, and the next whole one taken.

    Args:
        robot: what is driven.
        agent: reset by the caller; acts on the same clock.
        rate: ticks a second.
        num_ticks: how many.
        answer_by: part of a tick, above 0 and at most 1, after which its action is too late: 1 is when the next tick
            begins. A robot whose own ticks begin before the loop's needs its answers earlier. A first plan is waited
            for until three eighths of a tick before that.
        is_over: whether there is nothing more to drive, asked at every tick; None is never.
        on_tick: called after each action with where it came from.
        clock: seconds, monotonic.
        sleep: waits for so many seconds.
    """
    if not rate > 0 or num_ticks < 1:
        raise UserError(f"rate must be above 0 and num_ticks 1 or more; got {rate} and {num_ticks}")
    if not 0 < answer_by <= 1:
        raise UserError(f"answer_by must be above 0 and at most 1; got {answer_by}")
    counts: dict[str, dict[str, int]] = {"sources": {}, "faults": {}}
    taken, sent_at = np.zeros(num_ticks), np.full(num_ticks, np.nan)
    start, tick, missed = clock(), 0, 0
    while tick < num_ticks and not (is_over is not None and is_over()):
        begins, deadline = start + tick / rate, start + (tick + answer_by) / rate
        observation, stamp = robot.observe()
        action, info = agent.act(observation, deadline=deadline, stamp=stamp)
        robot.send(action)
        now = clock()
        taken[tick], sent_at[tick] = now - begins, now - start
        for name, keys in (("sources", (info.source,)), ("faults", info.faults)):
            for key in keys:
                counts[name][key] = counts[name].get(key, 0) + 1
        if on_tick is not None:
            on_tick(info)
        following = max(tick + 1, int((now - start) * rate))
        missed += int(now > deadline) + min(following, num_ticks) - tick - 1
        tick = following
        sleep(max(0.0, start + tick / rate - clock()))
    done = ~np.isnan(sent_at)
    p50, p95, p99, p999, longest = np.quantile(taken[done], [0.5, 0.95, 0.99, 0.999, 1.0]).tolist()
    return LoopReport(
        ticks=tick,
        missed=missed,
        seconds={"p50": p50, "p95": p95, "p99": p99, "p999": p999, "max": longest},
        worst_second=_fewest_in_a_second(sent_at[done], rate=rate),
        **counts,
    )


def _fewest_in_a_second(sent_at: np.ndarray, *, rate: float) -> int:
    """The fewest of the times within any whole second that begins with a tick."""
    begins = np.arange(0, sent_at[-1] - 1, 1 / rate)
    if not len(begins):
        return 0
    return int((np.searchsorted(sent_at, begins + 1) - np.searchsorted(sent_at, begins)).min())
