"""Walks of single discs in the room of ``movers-0-v0``: what a model learns of itself and of all others at once."""

import numpy as np

from dfplan.types import Bounds, Trajectories
from dfplan_envs.movers import Walkers

STEPS = 96  # of a walk
SPEEDS, SWAY = (0.0, 1.0), 0.3  # as shares of the largest speed; standard deviation of the noise on actions


def walks(count: int, *, seed: int) -> Trajectories:
    """Walks from anywhere to one goal after the other, at any speed, each alone in the room.

    Args:
        count: of walks, all of :data:`STEPS` steps.
        seed: of everything that is random.
    """
    walkers = Walkers(count, generator=np.random.default_rng(seed), speeds=SPEEDS, sway=SWAY)
    states, actions, ends = [walkers.states], [], []
    for _ in range(STEPS):
        goals = walkers.goals
        actions.append(walkers.act())
        ends.append((walkers.goals != goals).any(axis=1))  # it has come to its goal, and turns to another one
        walkers.step(actions[-1])
        states.append(walkers.states)
    rows, whole = STEPS + 1, np.stack(states, axis=1).reshape(-1, 4).astype(np.float32)
    return Trajectories(
        observations=whole[:, 2:],
        achieved_goals=whole[:, :2],
        actions=np.stack([*actions, np.zeros((count, 2))], axis=1).reshape(-1, 2).astype(np.float32),
        starts=np.arange(count + 1) * rows,
        segment_ends=np.stack([*ends, np.ones(count, bool)], axis=1).ravel(),
        source=f"{count} walks",
        action_bounds=Bounds(-np.ones(2), np.ones(2)),
    )
