"""Drives episodes by hand-written scripts, and writes down everything."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from dfplan.domains.gymnasium import GymnasiumDomain
from dfplan.domains.spaces import GOAL_KEYS
from dfplan.types import Trajectories

Script = Callable[[np.ndarray, np.ndarray], np.ndarray]  # from observation and goal, as a domain has them, to an action
Driver = Callable[[np.random.Generator], Script]  # who drives a new episode, of what it may draw from
NOISE_KEPT = 0.8  # of a step's noise in the next: a hand errs in one direction for some steps


def always(script: Script) -> Driver:
    """A driver of all episodes alike."""
    return lambda generator: script


def collect(
    domain: GymnasiumDomain,
    script_of_episode: Callable[[np.random.Generator], tuple[Script, float]],
    *,
    num_steps: int | None = None,
    num_episodes: int | None = None,
    seed: int,
    source: str,
    on_progress: Callable[[int], None] = lambda done: None,
) -> Trajectories:
    """Drive whole episodes until there are enough.

    Args:
        domain: of the environment.
        script_of_episode: draws who drives an episode, and the standard deviation of the noise on the actions as a
            share of half their range; the noise lasts for some steps.
        num_steps: transitions that are wanted at least, or
        num_episodes: episodes.
        seed: everything random follows from it.
        source: what the data set says of itself.
        on_progress: called with the number of transitions, or of episodes, after each episode.

    Returns:
        Episodes with the row that each ended in, which holds no action.
    """
    generator, env, rows = np.random.default_rng(seed), domain.make(), {}
    starts, done, wanted = [0], 0, num_steps if num_episodes is None else num_episodes
    if wanted is None:
        raise ValueError("say how many steps, or how many episodes")
    try:
        while done < wanted:
            script, noise = script_of_episode(generator)
            length = _drive(env, script, domain=domain, noise=noise, generator=generator, rows=rows)
            starts.append(starts[-1] + length + 1)
            done += length if num_episodes is None else 1
            on_progress(min(done, wanted))
    finally:
        env.close()
    arrays: dict[str, Any] = {name: np.array(values) for name, values in rows.items()}
    return Trajectories(
        **{name: each.astype(bool if each.dtype == bool else np.float32) for name, each in arrays.items()},
        starts=np.array(starts),
        segment_ends=np.zeros(starts[-1], bool),
        source=source,
        action_bounds=domain.spec.action_bounds,
        step_seconds=domain.spec.step_seconds,
    )


def _drive(
    env: gymnasium.Env,
    script: Script,
    *,
    domain: GymnasiumDomain,
    noise: float,
    generator: np.random.Generator,
    rows: dict[str, list[Any]],
) -> int:
    """Add the rows of an episode; the number of its steps."""
    bounds = domain.spec.action_bounds
    largest, error = noise * (bounds.high - bounds.low) / 2, np.zeros(len(bounds.low))
    observed, _ = env.reset(seed=int(generator.integers(2**31)))
    length, over = 0, False
    while not over:
        error = NOISE_KEPT * error + np.sqrt(1 - NOISE_KEPT**2) * generator.normal(size=len(error))
        action = script(domain.observation(observed), domain.goal(observed)) + largest * error
        action = np.clip(action, bounds.low, bounds.high).astype(np.float32)
        before = observed
        observed, reward, terminated, truncated, _ = env.step(action)
        length, over = length + 1, terminated or truncated
        _add_row(rows, before, actions=action, rewards=reward, terminations=terminated, truncations=truncated)
    _add_row(rows, observed, actions=np.zeros_like(action), rewards=0.0, terminations=False, truncations=False)
    return length


def _add_row(rows: dict[str, list[Any]], observed: Any, **outcome: Any) -> None:
    """Write down what was shown, and what was done and came of it."""
    shown = {"observations": observed}
    if isinstance(observed, dict):
        achieved, desired, rest = GOAL_KEYS
        shown = {"observations": observed[rest], "goals": observed[desired], "achieved_goals": observed[achieved]}
    for name, value in {**shown, **outcome}.items():
        rows.setdefault(name, []).append(value)
