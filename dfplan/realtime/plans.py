"""Plans as messages, and back: what comes from another process is checked before anything follows it."""

from typing import Any

import numpy as np

from dfplan.realtime.wire import MAX_TEXT, Message, WireError
from dfplan.types import Plan

_MOST_STEPS = 100_000  # between two planned states


def plan_fields(plan: Plan) -> dict[str, Any]:
    """The fields of a ``plan`` message from a plan of one situation, without what lies beyond its end."""
    num_steps = int(plan.num_steps[0])
    num_tokens = -(-num_steps * plan.rewards.shape[1] // plan.actions.shape[1])
    return {
        "steps_per_point": int(plan.steps_per_point),
        "arrival": int(plan.arrival[0]),
        "value": float(plan.value[0]),
        "observations": plan.observations[0, : num_steps // plan.steps_per_point],
        "actions": plan.actions[0, :num_steps],
        "rewards": plan.rewards[0, :num_tokens],
        "broken": " ".join(plan.verdict.broken[0])[:MAX_TEXT] if plan.verdict is not None else "",
    }


def plan_from(message: Message, *, action_low: np.ndarray, action_high: np.ndarray, observation_dim: int) -> Plan:
    """The plan, a batch of one, in a ``plan`` message.

    Args:
        message: of kind ``plan``.
        action_low: ``(action_dim,)`` the action space.
        action_high: ``(action_dim,)``.
        observation_dim: numbers in an observation.

    Raises:
        WireError: shapes or counts that do not fit, or actions outside the action space.
    """
    actions, observations, spacing = message["actions"], message["observations"], message["steps_per_point"]
    num_steps = len(actions)
    if actions.shape != (num_steps, len(action_low)) or not num_steps:
        raise WireError(f"a plan needs actions (steps, {len(action_low)}); got {list(actions.shape)}")
    if not 1 <= spacing <= _MOST_STEPS:
        raise WireError(f"{num_steps} steps, {spacing} to a point: 1 to {_MOST_STEPS} can be followed")
    if not 1 <= message["arrival"] <= num_steps + 1:
        raise WireError(f"a plan of {num_steps} steps arrives at step 1 to {num_steps + 1}; got {message['arrival']}")
    num_points = num_steps // spacing
    if observations.shape != (num_points, observation_dim) and not len(observations) == num_points == 0:
        raise WireError(
            f"{num_steps} steps, {spacing} to a point, need {num_points} states of {observation_dim} numbers; "
            f"got {list(observations.shape)}"
        )
    slack = 1e-6 * (action_high - action_low)
    if ((actions < action_low - slack) | (actions > action_high + slack)).any():
        raise WireError("a plan holds actions outside the action space")
    with np.errstate(over="ignore"):
        actions = np.clip(actions, action_low, action_high)[None].astype(np.float32)
    if not np.isfinite(actions).all():  # in an action space without limits
        raise WireError("a plan holds actions that are too large for single precision")
    return Plan(
        observations=observations.reshape(1, num_points, observation_dim),
        actions=actions,
        rewards=message["rewards"][None],
        arrival=np.array([message["arrival"]]),
        num_steps=np.array([num_steps]),
        value=np.array([message["value"]]),
        steps_per_point=spacing,
    )


def plan_of_actions(actions: np.ndarray) -> Plan:
    """A plan that is only actions ``(steps, action_dim)``, from an agent that says nothing of where they lead."""
    num_steps = len(actions)
    return Plan(
        observations=np.zeros((1, 0, 0)),
        actions=np.asarray(actions, np.float32)[None],
        rewards=np.zeros((1, 1)),
        arrival=np.array([num_steps + 1]),
        num_steps=np.array([num_steps]),
        value=np.zeros(1),
        steps_per_point=num_steps + 1,
    )
