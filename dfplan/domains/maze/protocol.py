"""How mazes are evaluated: D4RL's starts, one goal or one an episode, and all scores in use from the same steps."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.vector import VectorEnv

from dfplan.domains.maze.beginnings import GOALS, draw_beginnings, start_protocol
from dfplan.domains.maze.environment import load_maze, qualified_id
from dfplan.domains.maze.layouts import layout_of
from dfplan.domains.maze.scene import scene_of
from dfplan.errors import UserError
from dfplan.evaluation.batches import VECTORIZATIONS, begin_batch
from dfplan.evaluation.metrics import EpisodeScores, mean_interval, score_episodes, summarize
from dfplan.evaluation.rollout import Rollouts
from dfplan.protocol import Measures, Scene, Stepped

if TYPE_CHECKING:
    from dfplan.planner.guidance_settings import GuidanceSettings


class MazeProtocol:
    """See :class:`~dfplan.protocol.EvaluationProtocol`.

    Start cells (for "detour" pairs of start and goal cells) follow one seeded permutation over and over, so that they
    are spread evenly; around the cell comes D4RL's noise (±0.1 per axis, velocity 0.1 * normal).

    Args:
        env_id: such as ``maze2d-large-v1`` or ``pixelmaze-large-v1``.
        goal: "fixed" (the maze's own), "random" (drawn anew for each episode: Multi2D) or "detour" (start and goal
            between which the straight line leads into dead ends).
        goal_given: "state", which is where it is, or "image" for a picture of the agent at the goal, where the
            environment shows pictures.
        view: of the camera, where the environment shows pictures: see :func:`dfplan.domains.camera.load_camera`.
        vectorization: "batched", "sync" or "async" (see :mod:`dfplan.evaluation.batches`); speed depends on it, results
            do not.

    Raises:
        UserError: there is no such maze, goal or vectorization.
    """

    rows: Mapping[str, tuple[str, str, float, int]] = {
        "raw_return": ("return", "sum of rewards", 1, 1),
        "normalized_return": ("normalised return", "D4RL x 100: arrive and stay", 1, 1),
        "latched_normalized_return": ("latched return", "a touch counts as staying", 1, 1),
        "success_rate": ("success", "% that touched the goal", 100, 1),
        "first_touch_step": ("first touch", "step{failed}", 1, 1),
        "planned_wall_share": ("plan in walls", "% of planned points", 100, 2),
    }

    def __init__(
        self,
        env_id: str,
        *,
        goal: str = "fixed",
        goal_given: str = "state",
        view: str | None = None,
        vectorization: str = "batched",
    ) -> None:
        if goal not in GOALS:
            raise UserError(
                "goal must be 'fixed' (the maze's own), 'random' (Multi2D) or 'detour' (the straight line leads into "
                f"dead ends); got {goal!r}"
            )
        if vectorization not in VECTORIZATIONS:
            raise UserError(f"vectorization must be one of {', '.join(VECTORIZATIONS)}; got {vectorization!r}")
        self.env_id, self.goal = env_id, goal
        self._told, self._view, self._vectorization = goal_given, view, vectorization
        self.maze = load_maze(env_id)
        if layout_of(env_id) is not None:
            self.rows = {**self.rows, "normalized_return": ("score", "% of steps at the goal", 1, 1)}
        self.most_steps: int = self.maze.max_episode_steps

    @contextmanager
    def begin(self, episodes: Sequence[int], *, seed: int) -> "Iterator[RunningMazes]":
        """See :class:`~dfplan.protocol.EvaluationProtocol`."""
        with self._begun(episodes, seed=seed) as (_, running):
            yield running

    @contextmanager
    def _begun(self, episodes: Sequence[int], *, seed: int, **how: str) -> "Iterator[tuple[VectorEnv, RunningMazes]]":
        """The environments as well; ``how`` they are made besides."""
        drawn = draw_beginnings(episodes, maze=self.maze, goal=self.goal, seed=seed)
        wishes = {"start": drawn.starts} if drawn.goals is None else {"start": drawn.starts, "goal": drawn.goals}
        env, observations, info = begin_batch(
            qualified_id(self.env_id),
            vectorization=self._vectorization,
            options={"goal": "random" if self.goal == "random" else "fixed"}
            | ({} if self._view is None else {"view": self._view})
            | how,
            seeds=drawn.env_seeds,
            wishes=wishes,
        )
        try:
            name = f"episodes {episodes[0]} to {episodes[-1]} of {self.env_id}"
            shows_goal = self._told == "image" and "goal_image" in info
            yield (
                env,
                RunningMazes(
                    name,
                    env,
                    observations,
                    info,
                    told_goals=np.array(info["goal_image" if shows_goal else "goal"]),
                    agent_seeds=drawn.agent_seeds,
                ),
            )
        finally:
            env.close()

    def film(
        self, episode: int, *, seed: int, actions: np.ndarray
    ) -> Iterator[tuple[np.ndarray, Callable[[], np.ndarray]]]:
        """See :class:`~dfplan.protocol.Films`: seen from above, however agents see it."""
        with self._begun(range(episode, episode + 1), seed=seed, render_mode="rgb_array") as (env, running):

            def draw() -> np.ndarray:
                return env.render()[0]  # type: ignore[index]

            yield running.begun.states[0], draw
            for action in actions:
                yield running.step(action[None]).states[0], draw

    def scene(self) -> Scene:
        """See :class:`~dfplan.protocol.HasScene`."""
        return scene_of(self.maze)

    def misplaced(self, states: np.ndarray) -> np.ndarray:
        """See :class:`~dfplan.protocol.EvaluationProtocol`: inside a wall."""
        return self.maze.contains_wall(states[..., :2])

    def scores(self, rollouts: Rollouts) -> EpisodeScores:
        """Of each episode, by all protocols in use."""
        success = rollouts.success or []  # mazes always say
        return score_episodes(
            np.stack(rollouts.rewards),
            at_goal=np.stack(success),
            reference_min=self.maze.reference_min,
            reference_max=self.maze.reference_max,
        )

    def measure(self, rollouts: Rollouts) -> Measures:
        """See :class:`~dfplan.protocol.EvaluationProtocol`.

        Scores are x 100. ``first_touch_step`` averages only the episodes that touched the goal; ``failures`` counts the
        others.
        """
        scores, wall_share = self.scores(rollouts), rollouts.plans.misplaced_share
        metrics = summarize(scores) | {"planned_wall_share": mean_interval(wall_share[~np.isnan(wall_share)])}
        return Measures(
            metrics={name: asdict(each) for name, each in metrics.items()},
            compared=scores.normalized_return,
            episodes=[
                {
                    "start": np.round(rollouts.states[episode][0, :2].astype(float), 6).tolist(),
                    "goal": np.round(rollouts.goals[episode][0], 6).tolist(),
                    "raw_return": float(scores.raw_return[episode]),
                    "normalized_return": float(scores.normalized_return[episode]),
                    "latched_normalized_return": float(scores.latched_normalized_return[episode]),
                    "first_touch_step": int(scores.first_touch_step[episode]) if scores.success[episode] else None,
                    "success": bool(scores.success[episode]),
                    "planned_wall_share": None if np.isnan(share) else round(float(share), 6),
                }
                for episode, share in enumerate(wall_share)
            ],
            facts={
                "goal": self.goal,
                "steps_per_episode": len(rollouts.rewards[0]),
                "failures": int((~scores.success).sum()),
                "start_protocol": start_protocol(self.goal),
            },
        )

    def draw(self, rollouts: Rollouts, *, path: Path, name: str, guidance: "GuidanceSettings | None") -> Path:
        """See :class:`~dfplan.protocol.EvaluationProtocol`: where every episode went."""
        from dfplan.domains.maze.pictures import draw_rollouts  # matplotlib is slow to import; the scores come first

        return draw_rollouts(
            np.stack(rollouts.states)[..., :2],
            goals=np.stack([each[0] for each in rollouts.goals]),
            at_goal=np.stack(rollouts.success or []),
            maze=self.maze,
            path=path,
            title=f"{name}: score {self.scores(rollouts).normalized_return.mean():.0f}",
            guidance=guidance,
        )


class RunningMazes:
    """See :class:`~dfplan.protocol.Running`; kept are states, and positions where frames are shown."""

    def __init__(
        self,
        name: str,
        env: VectorEnv,
        observations: np.ndarray,
        info: dict[str, Any],
        *,
        told_goals: np.ndarray,
        agent_seeds: list[int],
    ) -> None:
        self.name, self.told_goals, self.agent_seeds = name, told_goals, agent_seeds
        self._env, self._goals = env, np.array(info["goal"])
        self.action_shape = env.action_space.shape or ()
        nothing = np.zeros(len(observations), np.float32)
        self.begun = self._stepped(observations, nothing, info | {"success": nothing > 0})

    def step(self, actions: np.ndarray) -> Stepped:
        """See :class:`~dfplan.protocol.Running`; episodes are of one length, and none is over before."""
        observations, rewards, _, _, info = self._env.step(actions)
        return self._stepped(observations, rewards.astype(np.float32), info)

    def _stepped(self, observations: np.ndarray, rewards: np.ndarray, info: dict[str, Any]) -> Stepped:
        states = observations if observations.ndim == 2 else np.array(info["position"], np.float32)
        never = np.zeros(len(rewards), bool)
        return Stepped(
            observations=observations,
            states=np.array(states, np.float32),
            rewards=rewards,
            goals=self._goals,
            success=np.array(info["success"], bool),
            over=never,
            terminated=never,
        )
