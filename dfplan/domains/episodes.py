"""How any environment of Gymnasium is evaluated: begun by its own reset, until it says that an episode is over."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from dfplan.domains.pictured import kept_of
from dfplan.evaluation.metrics import mean_interval, wilson_interval
from dfplan.evaluation.rollout import Rollouts
from dfplan.protocol import Measures, Scene, Stepped

if TYPE_CHECKING:
    from dfplan.domains.gymnasium import GymnasiumDomain
    from dfplan.planner.guidance_settings import GuidanceSettings


class EpisodeProtocol:
    """See :class:`~dfplan.protocol.EvaluationProtocol`.

    Args:
        environments: which.
        reference: returns that are 0 and 100 on D4RL's scale, of actions at random and of its expert; None is no scale.
    """

    def __init__(self, environments: "GymnasiumDomain", *, reference: tuple[float, float] | None = None) -> None:
        self.environments, self.env_id, self.reference = environments, environments.env_id, reference
        self.most_steps = environments.spec.episode_steps
        version = self.env_id.rpartition("-")[2]
        self.rows: Mapping[str, tuple[str, str, float, int]] = {
            "return": ("return", "sum of rewards", 1, 2),
            "normalized_return": ("normalised return", f"D4RL's scale x 100 on {version}: regenerated data", 1, 1),
            "steps": ("steps", "of an episode", 1, 1),
            "success_rate": ("success", "% that ended in success", 100, 1),
        }

    @contextmanager
    def begin(self, episodes: Sequence[int], *, seed: int) -> "Iterator[RunningEpisodes]":
        """See :class:`~dfplan.protocol.EvaluationProtocol`."""
        running = RunningEpisodes(self.environments, episodes, seed=seed)
        try:
            yield running
        finally:
            running.close()

    def film(
        self, episode: int, *, seed: int, actions: np.ndarray
    ) -> Iterator[tuple[np.ndarray, Callable[[], np.ndarray]]]:
        """See :class:`~dfplan.protocol.Films`."""
        running = RunningEpisodes(self.environments, range(episode, episode + 1), seed=seed, drawn=True)
        try:
            yield running.begun.states[0], running.frame
            for action in actions:
                yield running.step(action[None]).states[0], running.frame
        finally:
            running.close()

    def scene(self) -> Scene | None:
        """See :class:`~dfplan.protocol.HasScene`: of any environment, nobody knows what its numbers are."""
        return None

    def misplaced(self, states: np.ndarray) -> np.ndarray:
        """See :class:`~dfplan.protocol.EvaluationProtocol`: nobody knows."""
        return np.zeros(states.shape[:-1], dtype=bool)

    def measure(self, rollouts: Rollouts) -> Measures:
        """See :class:`~dfplan.protocol.EvaluationProtocol`; a success is one at the last step."""
        returns, lengths = rollouts.returns, np.array([len(rewards) for rewards in rollouts.rewards], float)
        metrics = {"return": mean_interval(returns), "steps": mean_interval(lengths)}
        facts: dict[str, Any] = {}
        if self.reference is not None:
            random, expert = self.reference
            metrics["normalized_return"] = mean_interval(100 * (returns - random) / (expert - random))
            facts["d4rl_reference"] = {"random": random, "expert": expert, "data": "regenerated"}
        success: Sequence[bool | None] = [None] * len(rollouts)
        if rollouts.success is not None:
            success = [bool(each[-1]) for each in rollouts.success]
            metrics["success_rate"] = wilson_interval(np.array(success))
        return Measures(
            metrics={name: asdict(each) for name, each in metrics.items()},
            compared=returns,
            episodes=[
                {"return": float(total), "steps": int(steps)} | ({} if succeeds is None else {"success": succeeds})
                for total, steps, succeeds in zip(returns, lengths, success, strict=True)
            ],
            facts=facts,
        )

    def draw(self, rollouts: Rollouts, *, path: Path, name: str, guidance: "GuidanceSettings | None") -> Path:
        """See :class:`~dfplan.protocol.EvaluationProtocol`: what was earned, and what was observed in the first."""
        from dfplan.viz.episodes import draw_episodes  # matplotlib is slow to import; the scores come first

        title = f"{name}: return {rollouts.returns.mean():.4g}"
        return draw_episodes(rollouts.rewards, rollouts.states, path=path, title=title)


class TasksProtocol(EpisodeProtocol):
    """The same where an episode is one of several tasks: of each the success is told besides."""

    def measure(self, rollouts: Rollouts) -> Measures:
        """See :class:`~dfplan.protocol.EvaluationProtocol`."""
        measures, of_task = super().measure(rollouts), dict[str, list[bool]]()
        for number, episode in enumerate(measures.episodes):
            options = self.environments.reset_options(number) or {}
            of_task.setdefault(str(options["task"]), []).append(bool(episode["success"]))
        told = {task: float(np.mean(success)) for task, success in of_task.items()}
        return replace(measures, facts={**measures.facts, "success_of_each_task": told})


class RunningEpisodes:
    """See :class:`~dfplan.protocol.Running`; one environment after the other."""

    def __init__(
        self, environments: "GymnasiumDomain", episodes: Sequence[int], *, seed: int, drawn: bool = False
    ) -> None:
        self.name = f"episodes {episodes[0]} to {episodes[-1]} of {environments.env_id}"
        seeds = [np.random.SeedSequence([seed, number]).generate_state(2).tolist() for number in episodes]
        self.agent_seeds: list[int] = [own for _, own in seeds]
        self._environments = environments
        self._envs = [_drawn(environments.make()) if drawn else environments.make() for _ in episodes]
        shown = [
            env.reset(seed=own, options=environments.reset_options(number))[0]
            for env, (own, _), number in zip(self._envs, seeds, episodes, strict=True)
        ]
        self._shape = self._envs[0].action_space.shape or ()
        self.action_shape = (len(self._envs), int(np.prod(self._shape)))
        never = np.zeros(len(shown), bool)
        self.begun = self._now = Stepped(
            observations=np.stack([environments.observation(each) for each in shown]),
            states=np.stack([kept_of(environments.observation(each)) for each in shown]),
            rewards=np.zeros(len(shown)),
            goals=np.stack([environments.goal(each) for each in shown]),
            success=None,
            over=never,
            terminated=never,
        )
        self.told_goals = self.begun.goals if environments.tells_goals else None

    def step(self, actions: np.ndarray) -> Stepped:
        """See :class:`~dfplan.protocol.Running`."""
        last = self._now
        observations, states, goals = last.observations.copy(), last.states.copy(), last.goals.copy()
        rewards, over, terminated = np.zeros(len(actions)), last.over.copy(), last.terminated.copy()
        success: np.ndarray | None = np.zeros(len(actions), bool)
        for row in np.flatnonzero(~last.over).tolist():
            observed, reward, terminated[row], truncated, info = self._envs[row].step(actions[row].reshape(self._shape))
            observations[row] = self._environments.observation(observed)
            states[row], goals[row] = kept_of(observations[row]), self._environments.goal(observed)
            rewards[row], over[row] = np.asarray(reward).item(), terminated[row] or truncated
            told = info.get("is_success", info.get("success"))
            if success is not None:
                success[row] = bool(told)
            if told is None:
                success = None  # where one does not say, nobody does
        self._now = Stepped(observations, states, rewards, goals, success, over, terminated)
        return self._now

    def frame(self) -> np.ndarray:
        """What the first of them shows, ``(height, width, 3)`` uint8, where they are drawn.

        Raises:
            ValueError: they are not.
        """
        shown = np.asarray(self._envs[0].render())
        if shown.ndim != 3 or shown.shape[-1] != 3 or shown.dtype != np.uint8:
            raise ValueError(f"a frame has shape (height, width, 3), in 8 bits; got {shown.shape} of {shown.dtype}")
        return shown

    def close(self) -> None:
        """Close the environments."""
        for env in self._envs:
            env.close()


def _drawn(env: gymnasium.Env) -> gymnasium.Env:
    """The same environment, which is drawn."""
    spec = env.spec
    env.close()
    if spec is None:
        raise ValueError(f"{env} does not say how it is made")
    return gymnasium.make(spec, render_mode="rgb_array", disable_env_checker=True)
