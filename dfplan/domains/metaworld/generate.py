"""Demonstrations of Meta-World: whole episodes of its scripts, with noise, that succeed."""

from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from dfplan.domains.episodes import Environments
from dfplan.domains.metaworld.demonstrators import AS_PUBLISHED, TWO_WAYS, Demonstrator, Way
from dfplan.domains.published.drive import Driver, drive_successes
from dfplan.errors import UserError

NOISE = 0.1
NUM_DEMONSTRATIONS = 100  # of each task
QUALITIES = ("expert", "multimodal")
PROCEDURE = "Meta-World's scripted policies, normal noise on their actions; episodes that fail are left out"
PACKAGES = ("dfplan", "gymnasium", "metaworld", "mujoco", "numpy")


def generate(
    path: Path,
    environments: Environments,
    tasks: Sequence[str],
    *,
    quality: str,
    noise: float,
    num_steps: int | None,
    seed: int,
    on_progress: Callable[[int, int], None],
    say: Callable[[str], None],
) -> None:
    """Drive, and write a file in D4RL's layout.

    Args:
        path: of it.
        environments: makes the one to drive.
        tasks: that it has.
        quality: of :data:`QUALITIES`.
        noise: standard deviation of the noise on the actions.
        num_steps: transitions that are wanted at least; None is :data:`NUM_DEMONSTRATIONS`.
        seed: everything random follows from it.
        on_progress: called with what there is and what is wanted.
        say: hears how many episodes there are, and how many failed.

    Raises:
        UserError: there is no such data of these tasks, or noise makes all of them fail.
    """
    from dfplan.data.d4rl_file import write_d4rl  # slow to import

    ways = ways_of(tasks, quality, env_id=environments.env_id)
    env = environments.make()
    try:
        arrays, facts = drive_successes(
            Driver(env, environments.observation),
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
        "env_id": environments.env_id,
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
