"""Lets ``env=`` name any environment of Gymnasium, and chooses what suits short problems where nothing is said."""

from collections.abc import Mapping, Sequence
from typing import Any

from dfplan.cli.arguments import name_of
from dfplan.cli.folders import group_choices
from dfplan.errors import UserError
from dfplan.plugins import installed

NUM_TOKENS = 6  # of a training window, unless something else is said: somewhat more than a plan looks ahead
# Chosen with such an environment unless something else is said: short tokens, planned anew every few steps.
SHORT = {
    "train": {"training": "short", "model": "small", "retrace": "none", "windows": "short", "diffusion": "short"},
    "eval": {"planner": "short", "controller": "short"},
    "record": {"planner": "short", "controller": "short"},
    "plan": {"planner": "short"},
    "bench": {},
    "export": {},
    "generate": {},
}
# Chosen where people show what to do, each in a way of their own: a long token of what one would do, and no mean.
CHUNKS = {
    "train": {
        "training": "chunks",
        "model": "chunks",
        "retrace": "none",
        "windows": "chunks",
        "diffusion": "chunks",
        "env.num_tokens": 1,
    },
    "eval": {"planner": "chunks", "controller": "chunks"},
    "record": {"planner": "chunks", "controller": "chunks"},
    "plan": {"planner": "chunks"},
}
SHOWN_BY_PEOPLE = ("gym_pusht-PushT-v0",)
# Likewise where scripts do: what is earned there is no measure, as one earns more by staying short of success.
SCRIPTED = {**CHUNKS, "train": {**CHUNKS["train"], "training": "scripted"}}
SHOWN_BY_SCRIPTS = "metaworld-"  # of names
# Where agents remember: one token is planned at a time, and its actions are carried out. Training makes its own data.
REMEMBERING = ("tmaze", "pixel-tmaze")
# What else to say to `dfplan train` there.
TRAINED_BY = {"closed-door": ("recipe=history",), "tmaze": ("task=memory",), "pixel-tmaze": ("task=memory",)}
# A series that nobody acts on, of which futures are forecast.
SERIES, FORECASTING = "none", ("train", "forecast")
ONE_TOKEN = {
    "planner": "history",
    "planner.num_candidates": 1,
    "planner.horizon": 8,
    "controller": "actions",
    "controller.replan_every": 8,
}


def with_environment(command: str, options: Sequence[str]) -> list[str]:
    """The options, where ``env=<Gymnasium id>`` has become the options of an environment one by one.

    A name of neither a configuration nor an environment is left as it is, to be refused with those that there are.

    Raises:
        UserError: it names what the command cannot be of.
    """
    named = [option.removeprefix("env=") for option in options if option.startswith("env=")]
    if command in ("eval", "record") and named and named[-1] in REMEMBERING:
        return [*usual_options(named[-1], options), *options]
    if named and named[-1] == SERIES:
        if command not in FORECASTING:
            raise UserError(
                f"env=none is a series that nobody acts on, and `dfplan {command}` is of what acts; give another env=, "
                "or `dfplan forecast`"
            )
        return ["task=forecast", *options] if command == "train" else list(options)
    if command not in SHORT or not named or named[-1] in group_choices("env") or not _exists(named[-1]):
        return list(options)
    given, env_id = {name_of(option) for option in options}, named[-1]
    env_name = env_id.replace("/", "-")
    told = {"env.id": env_id, "env.name": env_name, "env.num_tokens": NUM_TOKENS}
    if not given & {"task", "recipe"}:  # which may have no such groups
        told |= _suiting(env_name).get(command, {})
    return [
        *(f"{name}={value}" for name, value in told.items() if name not in given),
        *(option for option in options if not option.startswith("env=")),
    ]


def usual_options(env_name: str, options: Sequence[str]) -> list[str]:
    """What `dfplan eval` chooses in an environment by itself, where ``options`` do not say it."""
    usual = {} if env_name in group_choices("env") else _suiting(env_name)["eval"]
    if env_name in REMEMBERING:
        usual = ONE_TOKEN
    given = {name_of(option) for option in options}
    return [f"{name}={value}" for name, value in usual.items() if name not in given]


def _suiting(env_name: str) -> Mapping[str, Mapping[str, Any]]:
    if env_name.startswith(SHOWN_BY_SCRIPTS):
        return SCRIPTED
    return CHUNKS if env_name in SHOWN_BY_PEOPLE else SHORT


def known_ids() -> list[str]:
    """Ids that Gymnasium knows here, once one has been looked for."""
    import gymnasium

    return list(gymnasium.registry)


def _exists(env_id: str) -> bool:
    if not env_id[:1].isalnum() or ":" in env_id or "," in env_id:
        return False  # what a colon precedes is a package that would be imported
    if env_id in installed("domains"):
        return True
    import gymnasium

    from dfplan.domains.gymnasium import register_known

    try:
        register_known(env_id)
        gymnasium.spec(env_id)
    except gymnasium.error.Error:
        return False
    return True
