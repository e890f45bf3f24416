"""Agents as `dfplan eval` makes them of options, in this process: for what its result files do not tell."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from records import Record

from dfplan.cli.build import describe_weights, select_device
from dfplan.cli.build_agents import build_named_agent
from dfplan.cli.compose import checked, compose_options, plain, reading
from dfplan.cli.folders import release
from dfplan.domains.find import find_domain
from dfplan.planner import Planner
from dfplan.protocol import EvaluationProtocol

# By the name of a world what is driven there.
WORLDS = {
    "hopper": "Hopper-v5",
    "walker2d": "Walker2d-v5",
    "halfcheetah": "HalfCheetah-v5",
    "door": "AdroitHandDoor-v1",
    "push": "metaworld/push-v3",
    "pusht": "gym_pusht/PushT-v0",
    "fetch-push": "FetchPush-v4",
    "maze2d-large": "maze2d-large",
}


def add_worlds(parser: argparse.ArgumentParser) -> None:
    """The worlds to measure, as ``(name, weights)``."""
    parser.add_argument(
        "worlds",
        nargs="+",
        type=_named_world,
        metavar="WORLD=WEIGHTS",
        help=f"{', '.join(WORLDS)}, and the folder of a training",
    )


def _named_world(word: str) -> tuple[str, str]:
    name, _, weights = word.partition("=")
    if name not in WORLDS or not weights:
        raise argparse.ArgumentTypeError(f"WORLD=WEIGHTS, where WORLD is one of {', '.join(WORLDS)}; got {word}")
    return name, weights


@dataclass(frozen=True)
class Made:
    """An agent with a planner.

    Attributes:
        agent: acts.
        planner: that it asks.
        protocol: how its environment is evaluated.
        said: weights and configuration, for a record.
    """

    agent: Any
    planner: Planner
    protocol: EvaluationProtocol
    said: Record


def make_agent(options: Sequence[str]) -> Made:
    """What `dfplan eval` makes of options, on one thread."""
    try:
        with reading(None):
            config = checked("eval", compose_options("eval", [*options, "threads=1", "device=cpu"]), given=())
    finally:
        release()
    domain = find_domain(config.env.id)
    built = build_named_agent(config, domain, device=select_device("cpu", threads=1), say=print)
    assert built.weights is not None
    assert built.planner is not None
    kept = plain(config) | {"weights": Path(config.weights).name}  # wherever it is kept
    del kept["output"]
    return Made(
        agent=built.agent,
        planner=built.planner,
        protocol=domain.protocol(goal=config.goal) if "goal" in domain.options else domain.protocol(),
        said={"weights": describe_weights(built.weights, built.metadata), "config": kept},
    )
