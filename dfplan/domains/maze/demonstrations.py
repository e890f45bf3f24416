"""Demonstrations of mazes with a cue: a scripted driver that is told it and does not show it before the ways part."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np

from dfplan.domains.maze.environment import qualified_id
from dfplan.errors import UserError
from dfplan.types import Trajectories

CLOSED_DOOR = "closed-door-v0"
_STIFFNESS = 0.6  # force per unit a second of velocity that is missing: soft, so that noise leads astray and back
_NOISE_STEPS = 12  # time that the noise on the actions takes to change
_SLOWEST, _FASTEST = 3.2, 4.5  # cruising speeds of the driver, units a second, one an episode
_TURN_RADIUS = 0.3  # how close to the junction it turns
_BRAKING = 8.0  # speed per unit of distance that is left to the end of an arm


def demonstrate_tmaze(
    env_id: str,
    *,
    num_episodes: int,
    num_steps: int,
    seed: int,
    noise: float,
    on_progress: Callable[[int, int], None] | None = None,
) -> Trajectories:
    """Drive up the stem to the junction, turn into the arm that was named, and stay at its end.

    Until it turns, what the driver does is a function of state, speed and noise alone: nothing in its motion carries
    the cue from the light to the junction. Every episode is ``num_steps`` long, also past the point where the
    environment would end it.

    Args:
        env_id: ``tmaze-v0`` or ``pixel-tmaze-v0``; the record is of states either way.
        num_episodes: half of them with either cue, in turns.
        num_steps: actions of each.
        seed: everything random follows from it.
        noise: standard deviation of the noise on the actions, normal and correlated over some steps.
        on_progress: called as ``on_progress(episodes_done, episodes)`` after each.

    Returns:
        Observations ``(x, y, vx, vy, light)``.

    Raises:
        UserError: ``env_id`` is no T-maze, or a number is out of range.
    """
    env = build_tmaze(env_id)
    return demonstrate(
        env,
        {cue: [env.junction, end] for cue, end in env.arms.items()},
        shown_steps=env.light_steps,
        num_episodes=num_episodes,
        num_steps=num_steps,
        seed=seed,
        noise=noise,
        on_progress=on_progress,
    )


def demonstrate(
    env: Any,
    ways: Mapping[int, Sequence[np.ndarray]],
    *,
    shown_steps: int,
    num_episodes: int,
    num_steps: int,
    seed: int,
    noise: float,
    on_progress: Callable[[int, int], None] | None = None,
) -> Trajectories:
    """Drive from place to place and stay at the last; see :func:`demonstrate_tmaze`.

    Args:
        env: a maze that is reset with a ``cue``.
        ways: by cue, the places ``(2,)`` to drive through; where cues differ in the first of them, motion shows them.
        shown_steps: observations that show the cue.
        num_episodes: and the others: as of :func:`demonstrate_tmaze`.
        num_steps: likewise.
        seed: likewise.
        noise: likewise.
        on_progress: likewise.
    """
    if num_episodes < 2 or num_steps < 1 or not 0 <= noise < float("inf"):
        raise UserError(
            "num_episodes must be at least 2, num_steps at least 1 and noise finite, 0 or more; "
            f"got {num_episodes}, {num_steps} and {noise}"
        )
    generator = np.random.default_rng(seed)
    states = np.empty((num_episodes, num_steps + 1, 4), np.float32)
    lights = np.zeros((num_episodes, num_steps + 1, 1), np.float32)
    actions = np.zeros((num_episodes, num_steps + 1, 2), np.float32)
    for episode in range(num_episodes):
        cue = (-1, 1)[episode % 2]
        _, info = env.reset(seed=int(generator.integers(2**31)), options={"cue": cue})
        lights[episode, :shown_steps] = cue
        left = list(ways[cue])
        speed = generator.uniform(_SLOWEST, _FASTEST)
        pushes = noise * _slow_noise(num_steps, generator)
        states[episode, 0] = state = info["state"]
        for step in range(num_steps):
            if len(left) > 1 and np.hypot(*(left[0] - state[:2])) < _TURN_RADIUS:
                left = left[1:]
            action = np.clip(_force(state, left[0], speed=speed) + pushes[step], -1, 1)
            state = np.array(env.ball.step(*action.tolist()))
            actions[episode, step], states[episode, step + 1] = action, state
        if on_progress is not None:
            on_progress(episode + 1, num_episodes)
    return Trajectories(
        observations=np.concatenate([states, lights], axis=-1).reshape(-1, 5),
        actions=actions.reshape(-1, 2),
        starts=np.arange(num_episodes + 1) * (num_steps + 1),
        segment_ends=np.zeros(num_episodes * (num_steps + 1), dtype=bool),
        source=f"demonstrations of {env.spec.id}, seed {seed}",
    )


def demonstrate_closed_door(
    *,
    num_steps: int,
    seed: int,
    noise: float,
    on_progress: Callable[[int, int], None] | None = None,
) -> Trajectories:
    """Drive up the stem, take the way that is open, and stay at the goal, for whole episodes of about ``num_steps``.

    The other arguments are those of :func:`demonstrate_tmaze`.

    Returns:
        Observations ``(x, y, vx, vy, door)``.
    """
    made = gymnasium.make(qualified_id(CLOSED_DOOR))
    length: Any = getattr(made.spec, "max_episode_steps", None)
    env: Any = made.unwrapped
    return demonstrate(
        env,
        env.ways,
        shown_steps=env.door_steps,
        num_episodes=max(round(num_steps / length), 2),
        num_steps=length,
        seed=seed,
        noise=noise,
        on_progress=on_progress,
    )


def build_tmaze(env_id: str, **options: Any) -> Any:
    """Build a T-maze, without Gymnasium's wrappers.

    Raises:
        UserError: there is no such environment, or it is no T-maze.
    """
    try:
        env = gymnasium.make(qualified_id(env_id), **options).unwrapped
    except gymnasium.error.Error as error:
        raise UserError(f"no environment {env_id!r}: {error}. Choose tmaze-v0 or pixel-tmaze-v0") from error
    if not hasattr(env, "arms"):
        raise UserError(f"{env_id} is no T-maze; choose tmaze-v0 or pixel-tmaze-v0")
    return env


def _force(state: np.ndarray, target: np.ndarray, *, speed: float) -> np.ndarray:
    """Force ``(2,)`` towards a velocity that points at the target and falls where it is near."""
    way = target - state[:2]
    distance = float(np.hypot(*way))
    wanted = way / max(distance, 1e-6) * min(speed, _BRAKING * distance)
    return _STIFFNESS * (wanted - state[2:])


def _slow_noise(num_steps: int, generator: np.random.Generator) -> np.ndarray:
    """Stationary first-order noise ``(num_steps, 2)`` of standard deviation 1."""
    kept = np.exp(-1 / _NOISE_STEPS)
    fresh = generator.standard_normal((num_steps, 2))
    fresh[1:] *= np.sqrt(1 - kept**2)
    for step in range(1, num_steps):
        fresh[step] += kept * fresh[step - 1]
    return fresh
