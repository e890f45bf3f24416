"""The T-maze as a domain: the arm that pays is named at the start alone, so that an agent has to remember it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from dfplan.blocks import PICTURE, Frames
from dfplan.domain import PlanScorer, Spec
from dfplan.domains.episodes import EpisodeProtocol
from dfplan.domains.gymnasium import GymnasiumDomain
from dfplan.domains.maze.demonstrations import build_tmaze, demonstrate_tmaze
from dfplan.domains.maze.dynamics import fit_dynamics
from dfplan.domains.maze.environment import qualified_id, step_seconds
from dfplan.domains.maze.scene import scene_of
from dfplan.domains.maze.scorer import PointMassScorer
from dfplan.errors import UserError
from dfplan.protocol import Scene
from dfplan.scorers import GoalScorer
from dfplan.scorers.support import measure_support
from dfplan.types import Bounds, Trajectories

STATE_DIM = 5  # position, velocity, light


class TMazeDomain(GymnasiumDomain):
    """See :class:`dfplan.domain.Domain`; no goal is told, and what would be one, a position, stays zero.

    Args:
        env_id: ``tmaze-v0`` or ``pixel-tmaze-v0``.

    Raises:
        UserError: it is no T-maze.
    """

    tasks = None
    tells_goals = False

    def __init__(self, env_id: str) -> None:
        self._env = env = build_tmaze(env_id)
        self.env_id, self.has_goals, self.goal_radius = env_id, False, env.grid.goal_radius
        self.shows_frames = len(env.observation_space.shape) == 3
        self.spec = Spec(
            observation_dim=STATE_DIM,
            action_bounds=Bounds(-np.ones(2, np.float32), np.ones(2, np.float32)),
            goal_dim=2,
            episode_steps=env.grid.max_episode_steps,
            step_seconds=step_seconds(env_id),
        )

    def make(self) -> gymnasium.Env:
        """A new environment."""
        return gymnasium.make(qualified_id(self.env_id), disable_env_checker=True)

    def observation(self, observed: Any) -> np.ndarray:
        """As it is shown: a state, or a frame."""
        return np.asarray(observed)

    def goal(self, observed: Any) -> np.ndarray:
        """Zeros: it is not told."""
        return np.zeros(2, np.float32)

    def reset_options(self, episode: int) -> dict[str, Any]:
        """Either arm is named in turns."""
        return {"cue": 1 if episode % 2 else -1}

    def protocol(self, **options: str) -> "TMazeProtocol":
        """See :class:`dfplan.domain.Domain`; there are no options."""
        return TMazeProtocol(self)

    def demonstrate(self, num_episodes: int, **how: Any) -> Trajectories:
        """Episodes of a scripted driver: see :func:`dfplan.domains.maze.demonstrations.demonstrate_tmaze`."""
        return demonstrate_tmaze(self.env_id, num_episodes=num_episodes, **how)

    def render(self, states: np.ndarray) -> np.ndarray:
        """Frames ``(n, height, width, 3)`` uint8 of states ``(n, 5)``."""
        return self._env.observe(states[:, :4], light=states[:, 4])

    def show(self, data: Trajectories) -> Trajectories:
        """See :class:`dfplan.domain.Domain`: by sight, what the camera shows, and nothing beside it."""
        if not self.shows_frames:
            return data
        pictures = Frames.drawn(data.observations, self.render, of=self.env_id)
        return replace(data, observations=data.observations[:, :0], pictures={PICTURE: pictures})

    def fit_scorer(self, data: Trajectories) -> PlanScorer:
        """See :class:`dfplan.domain.Domain`: how far the ball gets and where it has been; of latents nobody knows."""
        if self.shows_frames:
            return GoalScorer(self.goal_radius)
        ball = replace(data, observations=data.observations[:, :4])
        return PointMassScorer(fit_dynamics(ball), measure_support(data), goal_radius=self.goal_radius)

    def generate(self, path: Path, **how: Any) -> None:
        """See :class:`dfplan.domain.Domain`: training drives its own."""
        raise UserError(f"no data of {self.env_id} are kept: `dfplan train task=memory` drives its own demonstrations")

    def load(self, source: str, *, say: Callable[[str], None], **how: Any) -> Trajectories:
        """See :class:`dfplan.domain.Domain`.

        Raises:
            UserError: always; demonstrations are driven where they are learned from.
        """
        raise UserError(f"{self.env_id} is learned from demonstrations that task=memory drives; give data=none")

    @property
    def scene(self) -> Scene | None:
        """What its places are drawn over; None where frames are all that is kept."""
        return None if self.shows_frames else scene_of(self._env.grid)


class TMazeProtocol(EpisodeProtocol):
    """See :class:`~dfplan.protocol.EvaluationProtocol`; a state begins with a place."""

    def __init__(self, domain: TMazeDomain) -> None:
        super().__init__(domain)
        self._scene = domain.scene

    def scene(self) -> Scene | None:
        """See :class:`~dfplan.protocol.HasScene`."""
        return self._scene
