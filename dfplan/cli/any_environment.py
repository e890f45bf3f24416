"""Lets ``env=`` name any environment of Gymnasium, and chooses what suits it, by configs/usual.yaml."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from omegaconf import OmegaConf

from dfplan.cli.arguments import name_of
from dfplan.cli.folders import config_folder, group_choices
from dfplan.errors import UserError
from dfplan.plugins import installed

AS_EVAL = ("eval", "record", "evolve")  # which act in the same way
COMMANDS = ("train", *AS_EVAL, "plan", "bench", "export", "generate")  # that any environment can be given to
# A series that nobody acts on, of which futures are forecast.
SERIES, FORECASTING = "none", ("train", "forecast")
NUM_TOKENS = 6  # of a training window, unless something else is said: somewhat more than a plan looks ahead


def with_environment(command: str, options: Sequence[str]) -> list[str]:
    """The options, where ``env=<Gymnasium id>``, or a file that draws it, has become those of it one by one.

    A name of neither a configuration nor an environment is left as it is, to be refused with those that there are.

    Raises:
        UserError: it names what the command cannot be of.
    """
    named = [option.removeprefix("env=") for option in options if option.startswith("env=")]
    if named and named[-1] == SERIES:
        if command not in FORECASTING:
            raise UserError(
                f"env=none is a series that nobody acts on, and `dfplan {command}` is of what acts; give another env=, "
                "or `dfplan forecast`"
            )
        return ["task=forecast", *options] if command == "train" else list(options)
    if command not in COMMANDS or not named:
        return list(options)
    drawn_by = [option.removeprefix("layout=") for option in options if option.startswith("layout=")]
    if named[-1] in group_choices("env") and not drawn_by:
        return [*usual_options(named[-1], options), *options] if command in AS_EVAL else list(options)
    from dfplan.domains.find import find_drawn  # slow to import

    if drawn := find_drawn(named[-1], layout=drawn_by[-1] if drawn_by else None):
        told = {f"env.{name.removeprefix('env_')}": value for name, value in vars(drawn).items()}
        return _instead(told, [option for option in options if not option.startswith("layout=")])
    if not _exists(named[-1]):
        return list(options)
    env_name = named[-1].replace("/", "-")
    told = {"env.id": named[-1], "env.name": env_name, "env.window_tokens": NUM_TOKENS}
    if not {name_of(option) for option in options} & {"task", "recipe"}:  # which may have no such groups
        told |= _usual(env_name).get("eval" if command in AS_EVAL else command, {})
    return _instead(told, options)


def _instead(told: Mapping[str, Any], options: Sequence[str]) -> list[str]:
    """The options with what is told in place of ``env=``, as far as they do not say it themselves."""
    given = {name_of(option) for option in options}
    return [
        *(f"{name}={value}" for name, value in told.items() if name not in given),
        *(option for option in options if not option.startswith("env=")),
    ]


def usual_options(env_name: str, options: Sequence[str]) -> list[str]:
    """What `dfplan eval` chooses in an environment by itself, where ``options`` do not say it."""
    given = {name_of(option) for option in options}
    return [f"{name}={value}" for name, value in _usual(env_name).get("eval", {}).items() if name not in given]


def untold(env_name: str) -> tuple[str, ...]:
    """What else has to be said to `dfplan train` in an environment."""
    return tuple(_usual(env_name).get("untold", ()))


def makes_its_data(env_name: str) -> bool:
    """Whether training makes its own data in an environment, so that `dfplan generate` has none to make."""
    return "task=memory" in untold(env_name)


def _usual(env_name: str) -> Mapping[str, Any]:
    """What is chosen in an environment by itself, by command; nothing for one that has a file and is not named."""
    has_file = env_name in group_choices("env")
    for each in _all_usual():
        if any(fnmatchcase(env_name, name) and not (has_file and name == "*") for name in each["environments"]):
            return each
    return {}


@cache
def _all_usual() -> list[dict[str, Any]]:
    found: Any = OmegaConf.to_container(OmegaConf.load(config_folder() / "usual.yaml"))
    return found


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
