"""Rolls an agent out in a T-maze and counts which arms it chose."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from dfplan.domains.maze.demonstrations import build_tmaze
from dfplan.evaluation.metrics import Estimate, wilson_interval


class ChoosingAgent(Protocol):
    """Acts for a batch of environments, of which some end earlier than others."""

    def reset(self, *, seeds: Sequence[int]) -> None:
        """Begin new episodes, one a seed."""
        ...

    def act(self, observations: np.ndarray, *, levels: np.ndarray | None = None) -> np.ndarray:
        """Actions ``(batch, 2)`` for observations that are known to be as noisy as ``levels`` ``(batch,)`` say."""
        ...

    def finish(self, indices: np.ndarray) -> None:
        """The episodes of these environments are over; what it answers for them is not looked at."""
        ...


@dataclass(frozen=True, repr=False)
class Choices:
    """How episodes ended.

    Attributes:
        cues: ``(episodes,)`` int64, the arm that was named: -1 or +1.
        choices: ``(episodes,)`` int64, the arm that was chosen, 0 where none was before time was up.
        steps: ``(episodes,)`` int64.
        disturbed: ``(episodes,)`` int64, how many of the observations were noise.
    """

    cues: np.ndarray
    choices: np.ndarray
    steps: np.ndarray
    disturbed: np.ndarray

    def success(self) -> Estimate:
        """Share of episodes that ended in the arm that was named, with Wilson's interval."""
        return wilson_interval(self.choices == self.cues)

    def summary(self) -> dict[str, Any]:
        """Plain numbers for a record."""
        return {
            "episodes": len(self.cues),
            "success": vars(self.success()),
            "correct": int((self.choices == self.cues).sum()),
            "wrong_arm": int((self.choices == -self.cues).sum()),
            "no_arm": int((self.choices == 0).sum()),
            "chose_left": int((self.choices == -1).sum()),
            "mean_steps": float(self.steps.mean()),
            "disturbed_share": float(self.disturbed.sum() / (self.steps + 1).sum()),
        }


def roll_out_choices(
    agent: ChoosingAgent,
    *,
    env_id: str,
    num_episodes: int,
    seed: int,
    disturbed_share: float = 0.0,
    marked: bool = True,
    hidden_steps: int = 0,
    encode: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Choices:
    """Roll an agent out on episodes with either cue in turns, side by side.

    Episode ``k`` is the same for every agent: its start, its cue and which of its observations are noise follow from
    ``(seed, k)``.

    Args:
        agent: what decides.
        env_id: a T-maze.
        num_episodes: at least 1.
        seed: a non-negative integer.
        disturbed_share: probability that an observation is noise.
        marked: whether the agent is told which (level 1), or is left to believe all (level 0).
        hidden_steps: how many of the first observations the agent is told to be noise, whatever they are.
        encode: turns what is observed ``(batch, …)`` into what the agent acts on, such as frames into latents; None
            takes it as it is.
    """
    envs = [build_tmaze(env_id, disturbed_share=disturbed_share) for _ in range(num_episodes)]
    seeds = [np.random.SeedSequence([seed, episode]).generate_state(2) for episode in range(num_episodes)]
    cues = np.where(np.arange(num_episodes) % 2, 1, -1)
    begun = [
        env.reset(seed=int(own[0]), options={"cue": int(cue)}) for env, own, cue in zip(envs, seeds, cues, strict=True)
    ]
    agent.reset(seeds=[int(own[1]) for own in seeds])
    observations = np.stack([observation for observation, _ in begun])
    noisy = np.array([info["disturbed"] for _, info in begun])
    choices, steps, disturbed = (
        np.zeros(num_episodes, np.int64),
        np.zeros(num_episodes, np.int64),
        noisy.astype(np.int64),
    )
    for step in range(1, envs[0].grid.max_episode_steps + 1):
        levels = np.where(step <= hidden_steps, 1.0, noisy) if marked else None
        actions = agent.act(observations if encode is None else encode(observations), levels=levels)
        going = np.flatnonzero(choices == 0)
        for row in going:
            observations[row], _, _, _, info = envs[row].step(actions[row])
            choices[row], noisy[row], steps[row] = info["choice"], info["disturbed"], step
        disturbed[going] += noisy[going]
        if choices.all():
            break
        agent.finish(going[choices[going] != 0])
    return Choices(cues, choices, steps, disturbed)
