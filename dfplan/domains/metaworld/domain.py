"""Meta-World as a domain: any environment of Gymnasium's, which a script drives, and of which data can be made."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dfplan.domains.episodes import TasksProtocol
from dfplan.domains.gymnasium import GymnasiumDomain
from dfplan.domains.metaworld.demonstrators import Demonstrator
from dfplan.domains.metaworld.environment import TASKS, TEN
from dfplan.domains.metaworld.generate import NOISE, QUALITIES, generate
from dfplan.domains.scripted.agent import ScriptAgent


class MetaWorldDomain(GymnasiumDomain):
    """See :class:`dfplan.domain.Domain`.

    Args:
        env_id: of one task, or of all ten: then the episodes of an evaluation are of one after the other.
    """

    procedure = frozenset({"quality", "noise"})
    options = frozenset({"agent"})

    def __init__(self, env_id: str) -> None:
        self.task_names = TASKS if env_id == TEN else (env_id.removeprefix("metaworld/").removesuffix("-v3"),)
        super().__init__(env_id)

    def reset_options(self, episode: int) -> dict[str, Any]:
        """See :class:`dfplan.domain.Domain`: which task it is."""
        return {"task": self.task_names[episode % len(self.task_names)]}

    def protocol(self, **options: str) -> TasksProtocol:
        """See :class:`dfplan.domain.Domain`; there are no options."""
        return TasksProtocol(self)

    def agents(self) -> Mapping[str, Callable[[], ScriptAgent]]:
        """See :class:`dfplan.domain.Domain`: the scripts as published, without noise."""

        def make() -> ScriptAgent:
            script = Demonstrator(self.task_names, noise=0.0)
            return ScriptAgent(lambda observation, goal: script.act(observation, None), self.spec.action_bounds)

        return {"script": make}

    def generate(
        self,
        path: Path,
        *,
        num_steps: int | None,
        on_progress: Callable[[int, int], None],
        say: Callable[[str], None],
        seed: int,
        quality: str | None = None,
        noise: float | None = None,
    ) -> None:
        """See :class:`dfplan.domain.Domain`: the scripts drive."""
        generate(
            path,
            self,
            self.task_names,
            quality=quality or QUALITIES[0],
            noise=NOISE if noise is None else noise,
            num_steps=num_steps,
            seed=seed,
            on_progress=on_progress,
            say=say,
        )
