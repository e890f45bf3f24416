"""Roll-outs as a data set: what an agent saw, did and earned, in the layout of recorded trajectories."""

import gymnasium
import numpy as np

from dfplan.agent import GoalObservation
from dfplan.domain import Spec
from dfplan.domains.maze.environment import load_maze, qualified_id, step_seconds
from dfplan.evaluation.episodes import Episodes
from dfplan.types import Bounds, Trajectories


class MazeEpisodes:
    """A maze that shows states, as :class:`~dfplan.evaluation.episodes.Environments` and with its sizes.

    Args:
        env_id: such as ``maze2d-large-v1``.
        goal: "fixed" (the maze's own) or "random" (drawn anew in every episode).
    """

    def __init__(self, env_id: str, *, goal: str) -> None:
        self.env_id, self._goal = env_id, goal
        self.spec = Spec(
            observation_dim=4,
            action_bounds=Bounds(-np.ones(2, np.float32), np.ones(2, np.float32)),
            goal_dim=2,
            episode_steps=load_maze(env_id).max_episode_steps,
            step_seconds=step_seconds(env_id),
        )

    def make(self) -> gymnasium.Env:
        """A new environment, whose observations carry their goal."""
        return GoalObservation(gymnasium.make(qualified_id(self.env_id), goal=self._goal))

    def observation(self, observed: dict[str, np.ndarray]) -> np.ndarray:
        """Position and velocity, ``(4,)``."""
        return observed["observation"]

    def goal(self, observed: dict[str, np.ndarray]) -> np.ndarray:
        """The position to reach, ``(2,)``."""
        return observed["desired_goal"]


def as_trajectories(episodes: Episodes, spec: Spec, *, achieved_apart: bool) -> Trajectories:
    """Lay episodes end to end; the last row of each is the observation that it ended in.

    Args:
        episodes: what was rolled out.
        spec: the sizes of the environment.
        achieved_apart: whether what was achieved of a goal is recorded apart from the observation that it stands in
            front of, as Gymnasium-Robotics' environments show it; or else it is a part of the observation.
    """
    ends = np.cumsum([len(rows) for rows in episodes.observations])
    last = np.zeros(ends[-1], bool)
    last[ends - 2] = True  # the row of the last action; the one behind has none
    terminated = np.repeat(episodes.terminated, [len(rows) for rows in episodes.observations])
    observations, dim = np.concatenate(episodes.observations).astype(np.float32), spec.goal_dim
    goals = {
        "goals": np.concatenate(episodes.goals).astype(np.float32),
        "achieved_goals": observations[:, :dim].copy(),
    }
    return Trajectories(
        observations=observations[:, dim:].copy() if achieved_apart else observations,
        actions=_behind_each(episodes.actions),
        starts=np.append(0, ends),
        segment_ends=np.zeros(ends[-1], bool),
        source=f"{len(ends)} episodes in {episodes.env_id}, seed {episodes.seed}",
        rewards=_behind_each(episodes.rewards),
        terminations=last & terminated,
        truncations=last & ~terminated,
        action_bounds=spec.action_bounds,
        step_seconds=spec.step_seconds,
        **(goals if dim else {}),
    )


def _behind_each(steps: list[np.ndarray]) -> np.ndarray:
    """What was done or earned in the steps of each episode, with a row of zeros behind, float32."""
    return np.concatenate([np.concatenate([each, np.zeros_like(each[:1])]) for each in steps]).astype(np.float32)
