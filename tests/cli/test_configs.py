"""Every shipped configuration composes, fits its schema, and says what each option means."""

from dataclasses import fields

import gymnasium
import pytest
from hydra import compose
from omegaconf import OmegaConf

import dfplan_envs  # noqa: F401 - registers the environments
from dfplan.cli.any_environment import COMMANDS, SERIES
from dfplan.cli.compose import GROUPS as DECLARED_SCHEMAS
from dfplan.cli.compose import plain, readable_errors, reading, to_schema
from dfplan.cli.folders import DECLARED, config_folder, group_choices
from dfplan.cli.schema import SCHEMAS, flatten
from dfplan.cli.structure import values_of
from dfplan.domains.frames_settings import FramesSettings
from dfplan.errors import UserError
from dfplan.planner.settings import PlannerSettings
from dfplan.settings.diffusion import DiffusionSettings
from dfplan.settings.resynthesis import ResynthesisSettings
from dfplan.settings.value import ValueSettings
from dfplan.settings.windows import WindowSettings
from dfplan.training.settings import Settings

GROUPS = {
    "eval": ("env", "planner", "controller", "experiment"),
    "bench": ("env",),
    "plan": ("env", "planner"),
    "train": (
        *("env", "task", "model", "resynthesis", "windows", "diffusion", "value", "frames"),
        *("training", "logger", "recipe"),
    ),
    "generate": ("env",),
    "export": ("env", "planner"),
}
CHOICES = [
    (command, group, choice)
    for command, groups in GROUPS.items()
    for group in groups
    for choice in group_choices(group)
]
# What somebody has to say.
REQUIRED = {"record": ["data=made.hdf5"]}


def composed(command: str, *overrides: str):
    with reading(None):
        return to_schema(command, compose(command, overrides=[*REQUIRED.get(command, []), *overrides]))


@pytest.mark.parametrize("command", SCHEMAS)
def test_defaults_compose_and_are_plain_values(command):
    config = plain(composed(command))
    names = {name for name, each in flatten(SCHEMAS[command]) if "." not in name}
    assert set(config) == names


@pytest.mark.parametrize(("command", "group", "choice"), CHOICES)
def test_every_choice_of_every_group_composes(command, group, choice):
    composed(command, f"{group}={choice}")


def test_every_group_has_choices_and_every_file_is_reached():
    files = set(config_folder().rglob("*.yaml"))
    choices = {(group, choice) for _, group, choice in CHOICES}
    reached = {config_folder() / group / f"{choice}.yaml" for group, choice in choices - set(DECLARED.items())}
    assert files == reached | {config_folder() / f"{each}.yaml" for each in (*SCHEMAS, "usual")}


def test_what_is_usual_in_an_environment_can_be_chosen():
    for each in OmegaConf.to_container(OmegaConf.load(config_folder() / "usual.yaml")):
        assert set(each) <= {"environments", "untold", *COMMANDS}
        for group, choice in [pair for command in COMMANDS for pair in each.get(command, {}).items()]:
            assert "." in group or choice in group_choices(group), (each["environments"], group)
        for group, choice in (word.split("=") for word in each.get("untold", ())):
            assert choice in group_choices(group)


LIBRARY = {
    "planner": PlannerSettings,
    "windows": WindowSettings,
    "diffusion": DiffusionSettings,
    "resynthesis": ResynthesisSettings,
    "value": ValueSettings,
    "frames": FramesSettings,
    "training": Settings,
}


@pytest.mark.parametrize("group", LIBRARY)
def test_what_is_shipped_as_default_is_the_default_of_the_library(group):
    """Nothing between the declarations and a run says another value, and what is declared twice says the same."""
    (command,) = [name for name in ("plan", "train") if group in GROUPS[name]]
    shipped, declared = getattr(composed(command), group), DECLARED_SCHEMAS[group]
    assert shipped == declared()
    for each in fields(LIBRARY[group]):
        if each.name in shipped.__dict__ and each.name != "guidance":
            assert (each.default, each.metadata) == (
                declared.__dataclass_fields__[each.name].default,
                declared.__dataclass_fields__[each.name].metadata,
            )


@pytest.mark.parametrize("group", DECLARED)
def test_a_variant_says_only_what_differs(group):
    default = values_of(DECLARED_SCHEMAS[group])
    for path in (config_folder() / group).glob("*.yaml"):
        own = {name: value for name, value in OmegaConf.load(path).items() if name != "defaults"}
        assert not [name for name, value in own.items() if default[name] == value], path


@pytest.mark.parametrize("choice", sorted({*group_choices("env")} - {SERIES}))  # in which nobody acts
def test_an_environment_config_names_a_real_environment(choice):
    config = composed("generate", f"env={choice}").env
    assert config.name == choice
    assert gymnasium.spec(config.id).id == config.id
    assert config.id.rpartition("-")[0] == config.name


@pytest.mark.parametrize("command", SCHEMAS)
def test_every_option_has_a_meaning(command):
    for name, each in flatten(SCHEMAS[command]):
        assert each.metadata["meaning"], name


def test_every_published_number_has_its_own_experiment():
    found = {choice: composed("eval", f"experiment={choice}") for choice in group_choices("experiment")}
    pusht = found.pop("pusht")
    assert (pusht.env.id, pusht.n_episodes, pusht.seed) == ("gym_pusht/PushT-v0", 100, 1000)
    for choice in [each for each in found if each.startswith("pointmaze-")]:
        config = found.pop(choice)
        assert (config.env.id, config.n_episodes, config.n_envs) == (f"ogbench/{choice}-v0", 100, 1)
        assert (config.env.name, config.seed) == (f"ogbench-{choice}-v0", 1000)
    for choice, config in found.items():
        expected = "random" if choice.startswith("multi2d") else "fixed"
        assert config.goal == expected, choice
        assert config.env.name.removeprefix("maze2d-") in choice
        if not choice.endswith("cloning"):  # which has no plan that a controller could follow
            driven = config.controller.name.replace("shooting", "pursuit")  # as in the names of committed results
            assert (driven if config.agent == "trained" else config.agent) in choice
        assert config.n_episodes >= 100


@pytest.mark.parametrize("command", SCHEMAS)
def test_every_number_refuses_words_nan_and_values_out_of_range(command):
    with reading(None):
        defaults = compose(command, overrides=REQUIRED.get(command, []))
    for name, each in flatten(SCHEMAS[command]):
        limits, wrong = each.metadata, []
        if each.type in (int, float):
            wrong += ["word", float("nan")]
        wrong += [limits["low"] - 1] if limits.get("low") is not None else []
        wrong += [limits["high"] + 1] if limits.get("high") is not None else []
        wrong += [limits["above"]] if limits.get("above") is not None else []
        wrong += ["no such word"] if limits.get("choices") else []
        for value in wrong:
            changed = defaults.copy()
            OmegaConf.update(changed, name, value)
            with pytest.raises(UserError, match=name), readable_errors(command):
                to_schema(command, changed)
