"""What an agent remembers of an episode, of one call within it, and what it tells of that."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from dfplan.errors import UserError
from dfplan.realtime.gate import Verdict

SOURCES = ("plan", "queue", "hold", "safe", "stopped")


@dataclass(frozen=True)
class Patience:
    """How much may go wrong for how long before an agent does something else, and what it does at last.

    Attributes:
        tolerance: distance from the plan beyond which a new one is asked for early.
        blind_steps: steps for which the old plan goes on without a good observation.
        hold_steps: steps for which the last action is held after that.
        safe_action: maps the last good observation, or None, to the action of a robot in trouble; None is zeros.
        max_bad_observations: bad observations in a row that latch.
        max_failures: failures of the planner, or actions that are not finite, in a row that latch.
    """

    tolerance: float = 0.5
    blind_steps: int = 8
    hold_steps: int = 4
    safe_action: Callable[[np.ndarray | None], np.ndarray] | None = None
    max_bad_observations: int = 20
    max_failures: int = 3

    def __post_init__(self) -> None:
        if min(self.blind_steps, self.hold_steps) < 0 or not self.tolerance > 0:
            raise UserError(
                "blind_steps and hold_steps must be 0 or more and tolerance above 0; "
                f"got {self.blind_steps}, {self.hold_steps} and {self.tolerance}"
            )


@dataclass(frozen=True)
class ActInfo:
    """Where an action came from, and what was wrong.

    Attributes:
        step: of the episode, from 0; missed steps count.
        source: the rung of the ladder: ``plan`` (a good observation, and the planner is on time), ``queue`` (the old
            plan goes on, blind or because the new one is late), ``hold`` (the last action, fading), ``safe`` (the safe
            action), ``stopped`` (the safe action, latched until :meth:`RealtimeAgent.release`).
        faults: of the observation (:data:`~dfplan.realtime.gate.FAULTS`), of the planner
            (:data:`~dfplan.realtime.supervisor.FAILURES`), and ``missed_steps`` (the loop did not call in time),
            ``late_plan`` (a plan came later than expected), ``bad_action`` (what the follower said was no action),
            ``bad_safe_action`` (nor was what the safe action said), ``late_action`` (this call overran its deadline),
            ``bad_deadline`` (it was no time), ``clock`` (the clock went back or tells no time). Empty is good.
        plan_age: steps since the observation that the followed plan was made at; -1 without a plan.
        delay_steps: steps that a plan is expected to take.
        joined: whether a new plan was gone over to at this step.
        jump: largest change of an action slot by that, against what the old plan had for this step; 0 where a follower
            cannot tell.
        context_level: noise level at which the followed plan was shown its observation.
        detail: what is known about a failure of the planner.
        broken_by_plan: names of what the followed plan does not keep, of what must be kept.
        broken_by_driving: names of what has not been kept in this episode.
    """

    step: int
    source: str
    faults: tuple[str, ...]
    plan_age: int
    delay_steps: int
    joined: bool
    jump: float
    context_level: float
    detail: str
    broken_by_plan: tuple[str, ...] = ()
    broken_by_driving: tuple[str, ...] = ()


@dataclass
class Tick:
    """What happens during one call."""

    verdict: Verdict
    faults: list[str] = field(default_factory=list)
    joined: bool = False
    jump: float = 0.0
    detail: str = ""


@dataclass
class Episode:
    """What is remembered within an episode; steps count from 0."""

    number: int
    goal: np.ndarray
    seeds: np.random.Generator
    step: int = -1
    made_at: int | None = None  # of the observation of the followed plan
    due_at: int = 0  # when the plan under way is expected
    seen: np.ndarray | None = None  # the last good observation
    blind_steps: int = 0
    follows: bool = False  # whether the last action was of a plan
    driven: int = 0  # steps on actions of plans since the plan under way was asked for
    context_level: float = 0.0
    broken_by_plan: tuple[str, ...] = ()
    unseen_steps: int = 0  # since what must be kept was last judged
