"""Meta-World as a domain: any environment of Gymnasium's, which a script drives, and of which data can be made."""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dfplan.domains.episodes import TasksProtocol
from dfplan.domains.gymnasium import GymnasiumDomain
from dfplan.domains.metaworld.demonstrators import AS_PUBLISHED, TWO_WAYS, Demonstrator, Way
from dfplan.domains.metaworld.environment import TASKS, TEN
from dfplan.domains.published.drive import Driver, drive_successes
from dfplan.domains.scripted.collect import always
from dfplan.domains.scripted.domain import ScriptAgent
from dfplan.errors import UserError

NOISE = 0.1
NUM_DEMONSTRATIONS = 100  # of each task
QUALITIES = ("expert", "multimodal")
PROCEDURE = "Meta-World's scripted policies, normal noise on their actions; episodes that fail are left out"
PACKAGES = ("dfplan", "gymnasium", "metaworld", "mujoco", "numpy")


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
            drive = always(lambda observation, goal: script.act(observation, None))
            return ScriptAgent(drive, self.spec.action_bounds)

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
        """See :class:`dfplan.domain.Domain`: whole episodes of the scripts, with noise, that succeed.

        Without ``num_steps`` there are :data:`NUM_DEMONSTRATIONS` of each task; where noise makes nearly all of them
        fail, that is a :class:`UserError`.
        """
        from dfplan.data.d4rl_file import write_d4rl  # slow to import

        quality, noise, tasks = quality or QUALITIES[0], NOISE if noise is None else noise, self.task_names
        ways = ways_of(tasks, quality, env_id=self.env_id)
        env = self.make()
        try:
            arrays, facts = drive_successes(
                Driver(env, self.observation),
                [Demonstrator(tasks, noise=noise, way=way) for way in ways],
                options=[{"task": task} for task in tasks],
                num_episodes=None if num_steps else NUM_DEMONSTRATIONS * len(tasks),
                num_steps=num_steps,
                seed=seed,
                on_progress=on_progress,
            )
        finally:
            env.close()
        say(f"{facts['episodes']} demonstrations, {facts['failed']} that failed are left out")
        metadata = {
            "env_id": self.env_id,
            "quality": quality,
            "noise": noise,
            "seed": seed,
            "procedure": PROCEDURE,
            "ways": [vars(way) for way in ways],
            **facts,
            "versions": {name: version(name) for name in PACKAGES},
        }
        write_d4rl(path, arrays, metadata=metadata)


def ways_of(tasks: Sequence[str], quality: str, *, env_id: str) -> tuple[Way, ...]:
    """In which ways the tasks are done in data of a quality.

    Raises:
        UserError: there is no such data of them.
    """
    if quality not in QUALITIES:
        raise UserError(f"quality= must be one of {', '.join(QUALITIES)} for data of {env_id}; got {quality}")
    if quality == "expert":
        return (AS_PUBLISHED,)
    if len(tasks) > 1 or tasks[0] not in TWO_WAYS:
        known = ", ".join(f"metaworld/{task}-v3" for task in TWO_WAYS)
        raise UserError(f"quality=multimodal is for tasks that are done in two ways: env= one of {known}")
    return TWO_WAYS[tasks[0]]
