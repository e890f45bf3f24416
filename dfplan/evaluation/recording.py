"""Roll-outs as a data set: what an agent saw, did and earned, in the layout of recorded trajectories."""

import numpy as np

from dfplan.domain import Domain
from dfplan.evaluation.rollout import Rollouts
from dfplan.types import Trajectories


def as_trajectories(rollouts: Rollouts, domain: Domain) -> Trajectories:
    """Lay episodes end to end; the last row of each is the observation that it ended in.

    What was achieved of a goal is recorded apart from an observation that it was put in front of.
    """
    lengths, spec = [len(rows) for rows in rollouts.states], domain.spec
    ends = np.cumsum(lengths)
    last = np.zeros(ends[-1], bool)
    last[ends - 2] = True  # the row of the last action; the one behind has none
    terminated = np.repeat(rollouts.terminated, lengths)
    observations = np.concatenate(rollouts.states).astype(np.float32)
    goals = {
        "goals": np.concatenate(rollouts.goals).astype(np.float32),
        "achieved_goals": domain.achieved_goal(observations).copy(),
    }
    return Trajectories(
        observations=observations[:, spec.goal_dim :].copy() if domain.achieved_apart else observations,
        actions=_behind_each(rollouts.actions),
        starts=np.append(0, ends),
        segment_ends=np.zeros(ends[-1], bool),
        source=f"{len(ends)} episodes in {rollouts.env_id}, seed {rollouts.seed}",
        rewards=_behind_each(rollouts.rewards),
        terminations=last & terminated,
        truncations=last & ~terminated,
        action_bounds=spec.action_bounds,
        step_seconds=spec.step_seconds,
        **(goals if spec.goal_dim and domain.tells_goals else {}),
    )


def _behind_each(steps: list[np.ndarray]) -> np.ndarray:
    """What was done or earned in the steps of each episode, with a row of zeros behind, float32."""
    return np.concatenate([np.concatenate([each, np.zeros_like(each[:1])]) for each in steps]).astype(np.float32)
