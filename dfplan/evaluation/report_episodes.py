"""The episodes of an evaluation that are looked at: the best, the median and the worst, and films of them."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dfplan.errors import UserError
from dfplan.evaluation.rollout import Rollouts
from dfplan.protocol import EvaluationProtocol, Films

# What episodes are told apart by, the first that there is, and how it is called.
SCORES = {"normalized_return": "score", "return": "return"}
# What MuJoCo said when it found nothing to draw with: asked again in the same process, some versions abort it.
NO_DRAWING: list[str] = []
SAME = 1e-4  # between states of an episode and of the same played again, by the size of the state


def score_name(episodes: Sequence[Mapping[str, Any]]) -> str | None:
    """By which entry the episodes of a record are told apart; None where they have none of those."""
    return next((name for name in SCORES if episodes and name in episodes[0]), None)


def choose_episodes(scores: np.ndarray) -> dict[str, int]:
    """Numbers of the best, the median and the worst of ``scores`` ``(episodes,)``; fewer where there are fewer.

    Among equals it is the first; the median of an even number is the better one of the two.
    """
    order = np.argsort(-scores, kind="stable").tolist()
    chosen: dict[str, int] = {}
    for name, place in (("best", 0), ("median", (len(order) - 1) // 2), ("worst", len(order) - 1)):
        if order[place] not in chosen.values():
            chosen[name] = order[place]
    return chosen


def film_episode(
    protocol: EvaluationProtocol, rollouts: Rollouts, number: int, *, most_frames: int, seconds: float
) -> Iterator[np.ndarray]:
    """Play an episode again and yield its frames ``(height, width, 3)`` uint8, evenly over its steps.

    Args:
        protocol: by which it was rolled out.
        rollouts: of which it is one.
        number: of the episode.
        most_frames: at least 2.
        seconds: to draw in, once the first frame is there. Where they do not suffice, frames stand for several.

    Raises:
        UserError: the environment shows nothing here, or something else happens in it than did.
    """
    if not isinstance(protocol, Films):
        raise UserError(f"nobody knows how {rollouts.env_id} is shown")
    if NO_DRAWING:
        raise UserError(f"{rollouts.env_id} cannot be drawn here: {NO_DRAWING[0]}")
    states, actions = rollouts.states[number], rollouts.actions[number]
    last, every = len(actions), max(1, -(-len(actions) // (most_frames - 1)))
    playing = protocol.film(number, seed=rollouts.seed, actions=actions)
    frame, spent = np.zeros(0), 0.0
    for step in range(last + 1):
        try:
            state, draw = next(playing)
            began = time.perf_counter()
            if step in (0, last) or (step % every == 0 and spent <= seconds * step / last):
                frame = draw()
            spent += time.perf_counter() - began if step else 0.0
        except Exception as error:  # whatever an environment raises that cannot be drawn here
            reason = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
            if type(error).__module__.partition(".")[0] == "mujoco":
                reason += "; MUJOCO_GL=egl or MUJOCO_GL=osmesa, set before Python starts, draws without a screen"
                NO_DRAWING.append(reason)
            raise UserError(f"{rollouts.env_id} cannot be drawn here: {reason}") from error
        expected = states[step].astype(np.float64)
        if not np.allclose(state, expected, rtol=SAME, atol=SAME * max(1.0, float(np.abs(expected).max()))):
            raise UserError(f"{rollouts.env_id} does not do the same again: at step {step} it is elsewhere")
        if step % every == 0 or step == last:
            yield frame
