"""What the control loop follows between two plans: a queue of planned actions, or a path. Neither needs the planner."""

from typing import TYPE_CHECKING, Protocol

import numpy as np

from dfplan.realtime.motion import Motion
from dfplan.types import Plan

if TYPE_CHECKING:
    from dfplan.agent import Controller

_LONGEST_RECKONING = 100  # steps; where it is after more of them nobody knows


class Follower(Protocol):
    """Turns the newest plan into the action of the present step."""

    @property
    def remaining(self) -> int:
        """Steps that the plan reaches, from the present one on; 0 without a plan."""
        ...

    def reset(self, goal: np.ndarray) -> None:
        """Begin a new episode with a goal ``(goal_dim,)`` and without a plan."""
        ...

    def join(self, plan: Plan, *, observation: np.ndarray, elapsed: int) -> None:
        """Go over to a plan (batch of one) made at ``observation``, of which ``elapsed`` steps have been driven."""
        ...

    def advance(self, steps: int) -> None:
        """Let so many steps pass."""
        ...

    def act(self, observation: np.ndarray | None) -> np.ndarray | None:
        """The action ``(action_dim,)`` of this step; ``observation`` None acts blindly; None if nothing is left."""
        ...

    def upcoming(self, num_steps: int) -> np.ndarray:
        """Actions ``(at most num_steps, action_dim)`` that it would take from this step on; none if it cannot tell."""
        ...

    def disagreement(self, observation: np.ndarray) -> float:
        """How far the present place lies from where the plan has it; 0 if it cannot tell."""
        ...

    def needs_plan(self, observation: np.ndarray) -> bool:
        """Whether a plan would help at all."""
        ...


class ActionQueue:
    """The planned actions one after the other, open loop."""

    def __init__(self) -> None:
        self._plan: Plan | None = None
        self._states = np.zeros((0, 0))
        self._now, self._about = 0, slice(None)

    @property
    def remaining(self) -> int:
        """See :class:`Follower`."""
        return 0 if self._plan is None else max(0, self._plan.actions.shape[1] - self._now)

    def reset(self, goal: np.ndarray) -> None:
        """See :class:`Follower`."""
        self._plan, self._now, self._about = None, 0, _goals_are_about(goal)

    def join(self, plan: Plan, *, observation: np.ndarray, elapsed: int) -> None:
        """See :class:`Follower`."""
        self._plan, self._now = plan, elapsed
        points = plan.observations[0]
        self._states = np.concatenate([observation[None], points]) if len(points) else points

    def advance(self, steps: int) -> None:
        """See :class:`Follower`."""
        self._now += steps

    def act(self, observation: np.ndarray | None) -> np.ndarray | None:
        """See :class:`Follower`."""
        action = self.upcoming(1)
        return action[0] if len(action) else None

    def upcoming(self, num_steps: int) -> np.ndarray:
        """See :class:`Follower`."""
        if self._plan is None:
            return np.zeros((0, 0))
        return self._plan.actions[0, self._now : self._now + num_steps]

    def disagreement(self, observation: np.ndarray) -> float:
        """See :class:`Follower`."""
        if self._plan is None or not len(self._states):
            return 0.0
        places = self._states[:, self._about]
        at, steps = self._now, np.arange(len(places)) * self._plan.steps_per_point
        expected = [np.interp(at, steps, places[:, axis]) for axis in range(places.shape[1])]
        return float(np.linalg.norm(observation[self._about] - expected))

    def needs_plan(self, observation: np.ndarray) -> bool:
        """Always: a plan's actions drift away from its states."""
        return True


class PathFollower:
    """A controller that drives along the newest path, such as ``ShootingTracker``; where it sees nothing, it reckons.

    Args:
        controller: for a batch of environments; it gets a batch of one.
        motion: what an action does, to go on without an observation.
    """

    def __init__(self, controller: "Controller", *, motion: Motion) -> None:
        self._controller = controller
        self._motion = motion
        self._path: np.ndarray | None = None
        self._steps_left, self._about = 0, slice(None)
        self._last: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def remaining(self) -> int:
        """See :class:`Follower`."""
        return max(0, self._steps_left)

    def reset(self, goal: np.ndarray) -> None:
        """See :class:`Follower`."""
        self._controller.reset(goal[None])
        self._path, self._last, self._steps_left, self._about = None, None, 0, _goals_are_about(goal)

    def join(self, plan: Plan, *, observation: np.ndarray, elapsed: int) -> None:
        """See :class:`Follower`."""
        self._controller.follow(plan, indices=np.zeros(1, np.int64), observations=observation[None])
        self._path = np.concatenate([observation[None], plan.observations[0]])
        self._steps_left = int(plan.num_steps[0]) - elapsed

    def advance(self, steps: int) -> None:
        """See :class:`Follower`."""
        self._steps_left -= steps
        if steps > _LONGEST_RECKONING:
            self._last = None
        if self._last is not None:
            state, action = self._last
            for _ in range(steps):
                state = self._motion(state, action)
            self._last = (state, action)

    def act(self, observation: np.ndarray | None) -> np.ndarray | None:
        """See :class:`Follower`."""
        state = observation
        if state is None and self._last is not None:
            state = self._last[0]
        if state is None or (self._steps_left <= 0 and self.needs_plan(state)):
            self._last = None
            return None
        action = self._controller.act(state[None])[0]
        self._last = (state, action.astype(np.float64))
        return action

    def upcoming(self, num_steps: int) -> np.ndarray:
        """None: it decides by what it sees."""
        return np.zeros((0, 0))

    def disagreement(self, observation: np.ndarray) -> float:
        """See :class:`Follower`: the distance to the nearest point of the path."""
        if self._path is None:
            return 0.0
        return float(np.linalg.norm((self._path - observation)[:, self._about], axis=1).min())

    def needs_plan(self, observation: np.ndarray) -> bool:
        """See :class:`Follower`."""
        return bool(self._controller.needs_plan(observation[None])[0])


def _goals_are_about(goal: np.ndarray) -> slice:
    """The leading numbers of an observation that are compared with a plan's: of a goal; without goals, all."""
    return slice(len(goal) or None)
