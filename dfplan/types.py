"""The few frozen dataclasses that travel between the packages. Arrays are NumPy; batch comes first."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from dfplan.domains import former

if TYPE_CHECKING:
    from dfplan.blocks import Frames


def _shapes(self: object) -> str:
    """Name every array by its shape, so that a printed record fits on one line."""
    parts = []
    for each in fields(self):  # type: ignore[arg-type]
        value = getattr(self, each.name)
        parts.append(f"{each.name}={list(value.shape)}" if isinstance(value, np.ndarray) else f"{each.name}={value!r}")
    return f"{type(self).__name__}({', '.join(parts)})"


FEW_ROWS = 1000
PER_ROW = (  # arrays
    *("observations", "actions", "segment_ends", "rewards", "terminations", "truncations"),
    *("goals", "achieved_goals"),
)
JUDGED = ("clearance", "missed", "passes", "top_speed")  # arrays of a verdict


@dataclass(frozen=True, repr=False)
class Trajectories:
    """Recorded trajectories laid end to end; arrays that are large are maps of a file, and read-only.

    Row ``t`` holds the true state before action ``t``. The last row of a trajectory is the observation that it ended
    in, and has no action (zeros) unless ``last_actions`` says otherwise. A window of ``n`` steps from row ``t`` reads
    observations ``t … t+n`` and actions ``t … t+n-1``, all inside one trajectory.

    Attributes:
        observations: ``(rows, observation_dim)`` float32.
        actions: ``(rows, action_dim)`` float32, in the units of the environment; ``action_dim`` is 0 where only
            observations were recorded.
        starts: ``(num_trajectories + 1,)`` int64; trajectory ``i`` is rows ``starts[i]:starts[i + 1]``.
        segment_ends: ``(rows,)`` bool, True where the collector reached its own goal and drew a new one (D4RL
            ``timeouts``). The state does not jump there: the trajectory goes on.
        source: where the data came from, for the record of a run.
        checksum: SHA-256 of the file, or "" where there is no single file.
        notes: what reading had to cut or leave out, a sentence each for whoever uses the data.
        rewards: ``(rows,)`` float32, what the action of the row earned, 0 in a row without an action; None where none
            were recorded.
        terminations: ``(rows,)`` bool, True where the action of the row (or, where that was not kept, the one before)
            ended the episode for good; None where that was not recorded.
        truncations: ``(rows,)`` bool, likewise where the episode was cut off from outside, as by a time limit. Inside a
            trajectory where the state went on nonetheless. None where that was not recorded.
        last_actions: whether the last row of every trajectory holds an action, too, whose outcome is not on record (and
            its reward), as in files that keep one observation for each action.
        action_bounds: between which numbers actions lie; None where that is unknown or without bounds.
        step_seconds: time from row to row; None where it is unknown.
        goals: ``(rows, goal_dim)`` float32, what was wanted at each row; None in data without goals.
        achieved_goals: ``(rows, goal_dim)`` float32, what was reached of it; None where that was not recorded.
        observation_names: of the dimensions of an observation, as many, where it was put together from named parts; ()
            where it was one vector.
        action_names: likewise of an action.
        pictures: what cameras show at each row, by their names; None where none do.
    """

    observations: np.ndarray
    actions: np.ndarray
    starts: np.ndarray
    segment_ends: np.ndarray
    source: str
    checksum: str = ""
    notes: tuple[str, ...] = ()
    rewards: np.ndarray | None = None
    terminations: np.ndarray | None = None
    truncations: np.ndarray | None = None
    last_actions: bool = False
    action_bounds: "Bounds | None" = None
    step_seconds: float | None = None
    goals: np.ndarray | None = None
    achieved_goals: np.ndarray | None = None
    observation_names: tuple[str, ...] = ()
    action_names: tuple[str, ...] = ()
    pictures: "Mapping[str, Frames] | None" = None

    __repr__ = _shapes

    def __len__(self) -> int:
        return len(self.observations)

    def per_row(self) -> dict[str, np.ndarray]:
        """The arrays that have an entry for every row, by name; those that are None left out."""
        arrays = {name: getattr(self, name) for name in PER_ROW}
        return {name: array for name, array in arrays.items() if array is not None}

    def constant_dimensions(self) -> np.ndarray:
        """Which dimensions of an observation never vary, ``(observation_dim,)`` bool; nothing is learned from them."""
        constant = (self.observations[:FEW_ROWS] == self.observations[:1]).all(axis=0)
        for index in np.flatnonzero(constant):  # most that vary do so at once, and need no look at all rows
            constant[index] = (self.observations[:, index] == self.observations[0, index]).all()
        return constant


@dataclass(frozen=True, repr=False)
class Verdict:
    """How well plans, or what was driven, keep what was asked of them.

    Attributes:
        broken: per row the names of what is broken: ``keep_out``, ``keep_in``, ``waypoints``, ``max_speed``, and those
            of the user's own functions; empty where all is kept.
        clearance: ``(batch,)`` least distance from what is forbidden, negative inside of it; infinite where nothing is.
        missed: ``(batch, waypoints)`` bool, which way-points are never passed (in order, where that was asked).
        passes: ``(batch, waypoints)`` int64, the step at which each is passed, 0 if it was before; beyond the last step
            where it never is.
        top_speed: ``(batch,)`` largest speed, in environment units per second.
    """

    broken: tuple[tuple[str, ...], ...]
    clearance: np.ndarray
    missed: np.ndarray
    passes: np.ndarray
    top_speed: np.ndarray

    __repr__ = _shapes

    @property
    def kept(self) -> np.ndarray:
        """Which rows keep everything, ``(batch,)`` bool."""
        return np.array([not names for names in self.broken], dtype=bool)

    @classmethod
    def stack(cls, verdicts: Sequence["Verdict"]) -> "Verdict":
        """Verdicts one below the other."""
        arrays = {name: np.concatenate([vars(each)[name] for each in verdicts]) for name in JUDGED}
        return cls(broken=tuple(names for each in verdicts for names in each.broken), **arrays)

    def rows(self, indices: np.ndarray) -> "Verdict":
        """The verdict on some of the rows."""
        arrays = {name: vars(self)[name][indices] for name in JUDGED}
        return Verdict(broken=tuple(self.broken[index] for index in indices), **arrays)


@dataclass(frozen=True, repr=False)
class Plan:
    """Plans for a batch of situations, in the units of the environment.

    Attributes:
        observations: ``(batch, points, observation_dim)`` planned states, one every ``steps_per_point`` steps; the
            first lies ``steps_per_point`` steps after the observation that was planned from.
        actions: ``(batch, steps, action_dim)`` planned actions, clipped to the action space.
        rewards: ``(batch, tokens)`` predicted share of each token's steps that is spent at the goal.
        arrival: ``(batch,)`` int64, the step at which the plan first reaches the goal; ``num_steps + 1`` where it never
            does.
        num_steps: ``(batch,)`` int64, how many steps are planned; what the arrays hold beyond them is no plan.
        value: ``(batch,)`` float, what the plan was chosen by; larger is better.
        steps_per_point: steps between two planned states.
        history: where it was asked for, the partly denoised states of every row of the scheduling matrix,
            ``(rows, batch, points, observation_dim)``.
        evaluations: ``(batch,)`` int64, how many sequences went through the network to make the plan: candidates times
            calls.
        token_evaluations: ``(batch,)`` int64, how many tokens of them were computed (cached tokens are not).
        verdict: where constraints were given, how well each plan keeps them.
    """

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    arrival: np.ndarray
    num_steps: np.ndarray
    value: np.ndarray
    steps_per_point: int
    history: np.ndarray | None = None
    evaluations: np.ndarray | None = None
    token_evaluations: np.ndarray | None = None
    verdict: Verdict | None = None

    __repr__ = _shapes


@dataclass(frozen=True, repr=False)
class PlanEvent:
    """One (re)planning of an agent, as its ``on_plan`` callback sees it.

    Attributes:
        indices: ``(planned,)`` int64, which environments of the batch got a new plan.
        step: environment step within the episode at which it was planned.
        plan: the chosen plans, batch = planned.
        seconds: wall time of the whole batch.
        reasons: ``(planned,)`` str, why each was planned anew: "scheduled" (also the first plan), "disagreement" (the
            world is not where the plan has it) or "ended" (nothing of the last plan was left); None if it is not known.
    """

    indices: np.ndarray
    step: int
    plan: Plan
    seconds: float
    reasons: np.ndarray | None = None


@dataclass(frozen=True, repr=False)
class Bounds:
    """Between which numbers the rows of something must lie to be taken.

    Attributes:
        low: ``(dim,)``, finite.
        high: ``(dim,)``, finite.
    """

    low: np.ndarray
    high: np.ndarray

    __repr__ = _shapes

    @classmethod
    def around(cls, mean: np.ndarray, std: np.ndarray, *, deviations: float) -> "Bounds":
        """So many standard deviations of the data around its mean, both ``(dim,)``."""
        mean, margin = np.asarray(mean, np.float64), deviations * np.asarray(std, np.float64)
        return cls(mean - margin, mean + margin)

    def widened(self, share: float) -> "Bounds":
        """With so large a share of the range added on either side."""
        margin = share * (self.high - self.low)
        return Bounds(self.low - margin, self.high + margin)

    def __and__(self, other: "Bounds") -> "Bounds":
        """What lies between both."""
        return Bounds(np.maximum(self.low, other.low), np.minimum(self.high, other.high))


@dataclass(frozen=True)
class DoubleIntegrator:
    """A robot pushed by actions, per axis: ``v' = clip(decay * v + gain * a, ±max_speed)``, ``x' = x + step * v'``.

    Measured on data by :func:`dfplan.domains.maze.dynamics.fit_dynamics`; knows nothing of obstacles.

    Attributes:
        decay: share of the velocity that survives a step.
        gain: velocity that a full action adds in one step.
        step: way per step and unit of velocity (seconds per step).
        max_speed: largest speed per axis.
    """

    decay: float
    gain: float
    step: float
    max_speed: float


# In standard deviations of the data. A light that is seen once in 10,000 steps lies there when it is seen; farther off,
# single precision ends, and so does whatever was learnt.
FARTHEST = 100.0
# Of the data's range, on either side, where that is known: a noisy sensor gets there, and no robot.
MARGIN = 0.5


@dataclass(frozen=True)
class Reach:
    """What a planner can be asked, and how far its robot gets.

    Attributes:
        observations: what can be planned from.
        goals: where can be planned to.
        step: farthest way along an axis in one step, in environment units; infinite where unknown.
        speed: largest velocity along an axis; likewise.
    """

    observations: Bounds
    goals: Bounds
    step: float
    speed: float

    @classmethod
    def around(
        cls,
        mean: np.ndarray,
        std: np.ndarray,
        *,
        goal_dim: int,
        dynamics: DoubleIntegrator | None = None,
        known: Bounds | None = None,
    ) -> "Reach":
        """From what is known of the data's observations, which lie within ``FARTHEST`` standard deviations.

        Args:
            mean: ``(observation_dim,)``.
            std: ``(observation_dim,)``.
            goal_dim: numbers in a goal, which an observation begins with.
            dynamics: how actions move the robot; None where that is unknown.
            known: between which numbers as many leading ones of an observation lie, besides.
        """
        observations = Bounds.around(mean, std, deviations=FARTHEST)
        if known is not None:
            leading = observations.low[: len(known.low)], observations.high[: len(known.low)]
            np.maximum(leading[0], known.low, out=leading[0])
            np.minimum(leading[1], known.high, out=leading[1])
        return cls(
            observations=observations,
            goals=Bounds(observations.low[:goal_dim], observations.high[:goal_dim]),
            step=math.inf if dynamics is None else dynamics.step * dynamics.max_speed,
            speed=math.inf if dynamics is None else dynamics.max_speed,
        )


@dataclass(frozen=True, repr=False)
class Support:
    """Where the data has been: a grid over places. It is all that dfplan ever knows of obstacles.

    Measured by :func:`dfplan.scorers.support.measure_support`.

    Attributes:
        visited: bool, one axis per dimension of a place; True where the data was often enough.
        origin: ``(dim,)`` corner of the first cell, in environment units.
        cell: edge length of a cell, in environment units.
    """

    visited: np.ndarray
    origin: np.ndarray
    cell: float

    __repr__ = _shapes

    @property
    def range(self) -> Bounds:
        """Between which places the data was, to a cell."""
        return Bounds(self.origin, self.origin + self.cell * np.array(self.visited.shape))

    def contains(self, places: np.ndarray) -> np.ndarray:
        """Which places ``(..., dim)`` lie in a visited cell, ``(...)`` bool."""
        shape = np.array(self.visited.shape)
        cell = (places - self.origin) / self.cell
        inside = ((cell >= 0) & (cell < shape)).all(axis=-1)
        # Clipped before it becomes a whole number, which what lies far outside is none of.
        index = np.nan_to_num(np.clip(cell, 0, shape - 1)).astype(np.int64)
        return self.visited[tuple(np.moveaxis(index, -1, 0))] & inside


__getattr__ = former.names_of(__name__)
