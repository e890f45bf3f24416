"""Demonstrations of PushT as they are learned from: seen by corners, ending on the target, and in a mirror, too.

People stopped where some 0.88 of the target was covered. How the disc moves the T is the same wherever they are, so an
episode that is moved and turned as a whole, until its T ends on the target, shows how to get there (a goal in
hindsight, arXiv 1707.01495).
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dfplan.domains.pusht_scene import ENOUGH, MIRRORED, SIDE, corners, coverage, mirrored, onto_target
from dfplan.errors import UserError
from dfplan.types import Trajectories

HELD = 16  # steps for which the end of an episode lasts, so that a token is learned from every state
FARTHEST = 60.0  # pixels from the target at which a T may end to have ended on it in hindsight
STATE = [f"state.{index}" for index in range(5)]  # Diffusion Policy's: disc x, y, T x, y, angle
DISC = [f"observation.state.{index}" for index in range(2)]  # LeRobot's
SHOWN = [f"observation.environment_state.{index}" for index in range(16)]


def demonstrations(data: Trajectories, *, say: Callable[[str], None]) -> Trajectories:
    """What is learned from what people did: observations of two steps, as the environment stacks them, and rewards.

    Args:
        data: states of Diffusion Policy, or corners of LeRobot.
        say: hears what was changed.

    Raises:
        UserError: other things were observed.
    """
    for note in data.notes:
        say(f"{data.source}: {note}")
    scene, actions = scene_of(data), as_points(data.actions)[:, 0]
    scenes, wanted, lengths, moved = [], [], [], 0
    for first, last in zip(data.starts[:-1], data.starts[1:], strict=True):
        shown, done = scene[first:last], actions[first:last].copy()
        done[-1] = shown[-1, 0]  # the disc stays
        if abs(onto_target(shown[-1], shown[-1, 1:]) - shown[-1])[1:].mean() < FARTHEST:
            done, shown = (onto_target(each, shown[-1, 1:]) for each in (done, shown))
            moved += 1
        shown, done = (np.concatenate([each, each[-1:].repeat(HELD, axis=0)]) for each in (shown, done))
        scenes += [shown, mirrored(shown)[:, [0, *(1 + corner for corner in MIRRORED)]]]
        wanted += [done, mirrored(done)]
        lengths += [len(shown)] * 2
    say(
        f"{data.source}: {moved} of {len(data.starts) - 1} episodes are moved so that the T ends on the target, all "
        f"are held there for {HELD} steps, and are there a second time in a mirror"
    )
    return laid_out(data, np.concatenate(scenes), np.concatenate(wanted), np.append(0, np.cumsum(lengths)))


def laid_out(data: Trajectories, scene: np.ndarray, actions: np.ndarray, starts: np.ndarray) -> Trajectories:
    """Trajectories of scenes ``(rows, 9)``, disc first, and actions ``(rows,)``; the rest is that of ``data``."""
    now = np.arange(len(scene))
    before, after = np.maximum(now - 1, starts[:-1].repeat(np.diff(starts))), np.minimum(now + 1, len(scene) - 1)
    after[starts[1:] - 1] = starts[1:] - 1
    observed = [as_numbers(scene[rows][:, part]) for part in (slice(1), slice(1, None)) for rows in (before, now)]
    return replace(
        data,
        observations=np.concatenate(observed, axis=1),
        actions=np.clip(as_numbers(actions[:, None]), 0, SIDE),
        rewards=np.minimum(coverage(scene[:, 1:])[after] / ENOUGH, 1).astype(np.float32),
        starts=starts.astype(np.int64),
        segment_ends=np.zeros(len(scene), bool),
        last_actions=True,
        observation_names=(),
        notes=(),
        terminations=None,
        truncations=None,
    )


def scene_of(data: Trajectories) -> np.ndarray:
    """Disc and corners ``(rows, 9)``.

    Raises:
        UserError: neither states nor corners were observed.
    """
    names = list(data.observation_names)
    if set(STATE) <= set(names):
        state = data.observations[:, [names.index(name) for name in STATE]].astype(np.float64)
        points = as_points(state[:, :4])
        return np.concatenate([points[:, :1], corners(points[:, 1], state[:, 4])], axis=1)
    if set(DISC + SHOWN) <= set(names):
        return as_points(data.observations[:, [names.index(name) for name in DISC + SHOWN]])
    raise UserError(
        f"{data.source} must hold the states of Diffusion Policy (state: disc x, y, T x, y, angle), or LeRobot's "
        f"observation.state (disc) and observation.environment_state (8 corners); got {', '.join(names) or 'no names'}"
    )


def as_points(numbers: np.ndarray) -> np.ndarray:
    """``(rows, 2 n)`` as ``(rows, n)`` complex."""
    return np.ascontiguousarray(numbers, np.float64).view(np.complex128)


def as_numbers(points: np.ndarray) -> np.ndarray:
    """Undo :func:`as_points`, ``(rows, 2 n)`` float32."""
    return np.ascontiguousarray(points).view(np.float64).astype(np.float32)
