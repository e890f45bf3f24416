"""What environments of Gymnasium show and take, as vectors: boxes, and dicts of boxes flattened by name."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from dfplan.arrays import dimension_names, named_parts
from dfplan.domain import Spec
from dfplan.domains.pictured import without_pictures
from dfplan.errors import UserError
from dfplan.types import Bounds

GOAL_KEYS = ("achieved_goal", "desired_goal", "observation")
LONGEST_EPISODE = 1000  # where nobody says


def read_spec(env: gymnasium.Env) -> Spec:
    """The sizes of an environment, by its spaces.

    Raises:
        UserError: plans cannot be made in them.
    """
    actions, shown, name = env.action_space, env.observation_space, getattr(env.spec, "id", str(env))
    if (
        not isinstance(actions, spaces.Box)
        or actions.dtype.kind != "f"
        or not (actions.low.size and np.isfinite([actions.low, actions.high]).all())
    ):
        raise UserError(
            f"dfplan plans actions in a bounded box; {name} takes {actions}; give another, or wrap it so that actions "
            "are floating-point numbers between bounds"
        )
    goal_dim = 0
    if has_goals(shown):
        goal_dim = _size(shown["achieved_goal"], name)  # type: ignore[index]
        if (wanted := _size(shown["desired_goal"], name)) != goal_dim:  # type: ignore[index]
            raise UserError(
                f"{name} shows an achieved goal of {goal_dim} numbers and a desired one of {wanted}; wrap it so that "
                "both are of the same"
            )
        shown = shown["observation"]  # type: ignore[index]
    steps = getattr(env.spec, "max_episode_steps", None)
    seconds = None
    with suppress(Exception):  # no such attribute, or a property that raises whatever it likes
        seconds = env.unwrapped.dt  # type: ignore[attr-defined]
    return Spec(
        observation_dim=goal_dim + _size(without_pictures(shown), name),
        action_bounds=Bounds(actions.low.reshape(-1), actions.high.reshape(-1)),
        goal_dim=goal_dim,
        episode_steps=LONGEST_EPISODE if steps is None else steps,
        step_seconds=float(seconds) if isinstance(seconds, int | float) and 0 < seconds < np.inf else None,
    )


def names_of(space: Any) -> tuple[str, ...]:
    """The names of the dimensions of an observation in a dict of boxes, in their order; () where it is one box."""
    if not isinstance(space, Mapping):
        return ()
    shown = {name: space[name] for name in ("achieved_goal", "observation")} if has_goals(space) else space
    parts = named_parts(without_pictures(shown))
    return dimension_names({name: int(np.prod(part.shape)) for name, part in parts})


def as_observation(observed: Any) -> np.ndarray:
    """What is planned from, ``(observation_dim,)`` float32, of what an environment shows: what was achieved first."""
    if has_goals(observed):
        return np.concatenate([_flat(observed["achieved_goal"]), _flat(observed["observation"])])
    return _flat(observed)


def as_goal(observed: Any) -> np.ndarray:
    """What is wanted, ``(goal_dim,)`` float32, of what an environment shows; of no numbers where it shows none."""
    return _flat(observed["desired_goal"]) if has_goals(observed) else np.zeros(0, np.float32)


def goal_like(goal: np.ndarray, shown: Any) -> Any:
    """A goal ``(goal_dim,)`` in the shape that an environment shows goals in: a box, or a dict of boxes."""
    left = iter(np.split(goal, np.cumsum([np.size(each) for _, each in named_parts(shown)])))

    def fill(part: Any) -> Any:
        if isinstance(part, Mapping):
            return {name: fill(part[name]) for name in sorted(part)}
        return next(left).reshape(np.shape(part))

    return fill(shown)


def has_goals(shown: Any) -> bool:
    """Whether a space, or what is shown of it, is of goals, as Gymnasium-Robotics has them."""
    return isinstance(shown, Mapping) and set(GOAL_KEYS) <= set(shown)


def _size(space: Any, env_id: str) -> int:
    """Numbers in a box, or in a dict of boxes.

    Raises:
        UserError: it is something else.
    """
    parts = [part for _, part in named_parts(space)]
    if not all(isinstance(part, spaces.Box) for part in parts):
        raise UserError(f"dfplan plans from boxes of numbers, or dicts of them; {env_id} shows {space}")
    return sum(int(np.prod(part.shape)) for part in parts)


def _flat(observed: Any) -> np.ndarray:
    """A box as a vector, a dict of boxes as their vectors in the order of :func:`dfplan.arrays.named_parts`."""
    try:
        parts = [np.asarray(part, np.float32).reshape(-1) for _, part in named_parts(observed)]
    except (TypeError, ValueError) as error:  # such as all that reset() gives, which is a pair
        found = type(observed).__name__
        raise UserError(f"an observation must be numbers as the environment shows them; got a {found}") from error
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)
