"""How environments are evaluated: what a domain says of its episodes, and what whoever rolls agents out asks for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

if TYPE_CHECKING:
    from dfplan.evaluation.rollout import Rollouts
    from dfplan.planner.guidance_settings import GuidanceSettings

Observed = np.ndarray | Mapping[str, np.ndarray]
"""What an environment shows: numbers, or several things by name, such as ``observation`` and ``desired_goal``."""


@dataclass(frozen=True)
class Stepped:
    """What a batch of environments says after a step, or at the beginning.

    Attributes:
        observations: ``(batch, …)`` as an agent sees them.
        states: ``(batch, n)`` what of that is kept.
        rewards: ``(batch,)`` what the step earned.
        goals: ``(batch, goal_dim)`` what is to be reached from here.
        success: ``(batch,)`` bool, whether this is one; None where nobody says.
        over: ``(batch,)`` bool, whether the episode is over with this step or was before.
        terminated: ``(batch,)`` bool, whether the environment ended it for good rather than cut it off.
    """

    observations: np.ndarray
    states: np.ndarray
    rewards: np.ndarray
    goals: np.ndarray
    success: np.ndarray | None
    over: np.ndarray
    terminated: np.ndarray

    def without_observations(self) -> "Stepped":
        """The same less what only an agent needs, which may be frames."""
        return replace(self, observations=self.observations[:0])


class Running(Protocol):
    """Episodes side by side that have begun."""

    @property
    def name(self) -> str:
        """Which they are, for messages."""
        ...

    @property
    def begun(self) -> Stepped:
        """How they begin."""
        ...

    @property
    def told_goals(self) -> np.ndarray | None:
        """What an agent is told of its goals, ``(batch, …)``; None is nothing."""
        ...

    @property
    def agent_seeds(self) -> list[int]:
        """What an agent is to be seeded with, one an episode."""
        ...

    @property
    def action_shape(self) -> tuple[int, ...]:
        """Of the actions of all: ``(batch, action_dim)``."""
        ...

    def step(self, actions: np.ndarray) -> Stepped:
        """Go on by a step; where an episode is over, nothing happens any more."""
        ...


@dataclass(frozen=True)
class Measures:
    """What a protocol says of roll-outs.

    Attributes:
        metrics: estimates by name, each ``{"mean", "low", "high"}``.
        compared: ``(episodes,)`` that of them by which agents are compared.
        episodes: plain values of each episode.
        facts: plain values of all of them.
    """

    metrics: Mapping[str, Mapping[str, float | None]]
    compared: np.ndarray
    episodes: Sequence[Mapping[str, object]]
    facts: Mapping[str, object]


class EvaluationProtocol(Protocol):
    """How the environments of a domain are evaluated: starts, goals, measures, picture."""

    @property
    def env_id(self) -> str:
        """Gymnasium id."""
        ...

    @property
    def most_steps(self) -> int:
        """Of an episode."""
        ...

    @property
    def rows(self) -> Mapping[str, tuple[str, str, float, int]]:
        """How measures are shown in a table: by their names, label, note, factor and digits; those left out are not."""
        ...

    def begin(self, episodes: Sequence[int], *, seed: int) -> AbstractContextManager[Running]:
        """Begin episodes side by side, by their numbers, each a function of ``seed`` and its number alone.

        They end with the block.
        """
        ...

    def misplaced(self, states: np.ndarray) -> np.ndarray:
        """Which planned states ``(..., observation_dim)`` nothing can be in, ``(...)`` bool; all False if unknown."""
        ...

    def measure(self, rollouts: "Rollouts") -> Measures:
        """What :class:`~dfplan.evaluation.rollout.Rollouts` of it say."""
        ...

    def draw(self, rollouts: "Rollouts", *, path: Path, name: str, guidance: "GuidanceSettings | None") -> Path:
        """Draw them; ``name`` says what was evaluated, ``guidance`` what plans had to keep."""
        ...


@dataclass(frozen=True)
class Scene:
    """What the places of an environment are drawn over, in its units.

    Attributes:
        right: which number of a state is drawn to the right.
        down: which number is drawn downwards.
        limits: left, top, right and bottom of the picture.
        blocks: left, top, width and height of each thing that nothing can be in.
        goal_radius: of the disc around a goal.
    """

    right: int
    down: int
    limits: tuple[float, float, float, float]
    blocks: tuple[tuple[float, float, float, float], ...] = ()
    goal_radius: float = 0.0


@runtime_checkable
class HasScene(Protocol):
    """What an :class:`EvaluationProtocol` may offer besides: what places are drawn over."""

    def scene(self) -> Scene | None:
        """None where states are no places."""
        ...


@runtime_checkable
class Films(Protocol):
    """What an :class:`EvaluationProtocol` may offer besides: an episode as its environment shows it."""

    def film(
        self, episode: int, *, seed: int, actions: np.ndarray
    ) -> Iterator[tuple[np.ndarray, Callable[[], np.ndarray]]]:
        """Begin an episode again and repeat what was done in it.

        Args:
            episode: its number.
            seed: as of :meth:`EvaluationProtocol.begin`.
            actions: ``(steps, action_dim)``.

        Yields:
            At the beginning and after every step, the state ``(n,)`` as it is kept, and what draws the frame
            ``(height, width, 3)`` uint8 of it as long as the next is not asked for.

        Raises:
            Exception: whatever an environment raises that cannot be drawn here, as where there is no OpenGL.
        """
        ...
