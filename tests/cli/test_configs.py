"""Every shipped configuration composes, fits its schema, and says what each option means."""

import gymnasium
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import dfplan_envs  # noqa: F401 - registers the environments
from dfplan.cli.compose import plain, readable_errors, to_schema
from dfplan.cli.folders import config_folder, group_choices
from dfplan.cli.schema import SCHEMAS, flatten
from dfplan.errors import UserError

GROUPS = {
    "eval": ("env", "planner", "controller", "experiment"),
    "bench": ("env",),
    "plan": ("env", "planner"),
    "train": ("env", "task", "model", "retrace", "windows", "diffusion", "training", "logger", "recipe"),
    "generate": ("env",),
    "export": ("env", "planner"),
}
CHOICES = [
    (command, group, choice)
    for command, groups in GROUPS.items()
    for group in groups
    for choice in group_choices(group)
]
# Groups of one task only, and the task.
TASK_GROUPS = {"frames": "pixel-forcing"}


# What somebody has to say.
REQUIRED = {"record": ["data=made.hdf5"]}


def composed(command: str, *overrides: str):
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return to_schema(command, compose(command, overrides=[*REQUIRED.get(command, []), *overrides]))


@pytest.mark.parametrize("command", SCHEMAS)
def test_defaults_compose_and_are_plain_values(command):
    config = plain(composed(command))
    names = {name for name, each in flatten(SCHEMAS[command]) if "." not in name}
    assert set(config) == names


@pytest.mark.parametrize(("command", "group", "choice"), CHOICES)
def test_every_choice_of_every_group_composes(command, group, choice):
    composed(command, f"{group}={choice}")


@pytest.mark.parametrize("group", TASK_GROUPS)
def test_every_choice_of_a_group_of_one_task_composes(group):
    for choice in group_choices(group):
        composed("train", f"task={TASK_GROUPS[group]}", f"{group}={choice}")


def test_every_group_has_choices_and_every_file_is_reached():
    files = set(config_folder().rglob("*.yaml"))
    reached = {config_folder() / group / f"{choice}.yaml" for _, group, choice in CHOICES}
    reached |= {config_folder() / group / f"{choice}.yaml" for group in TASK_GROUPS for choice in group_choices(group)}
    assert files == reached | {config_folder() / f"{command}.yaml" for command in SCHEMAS}


@pytest.mark.parametrize("choice", group_choices("env"))
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
    for choice, config in found.items():
        expected = "random" if choice.startswith("multi2d") else "fixed"
        assert config.goal == expected, choice
        assert config.env.name.removeprefix("maze2d-") in choice
        assert (config.controller.name if config.agent == "trained" else config.agent) in choice
        assert config.n_episodes >= 100


@pytest.mark.parametrize("command", SCHEMAS)
def test_every_number_refuses_words_nan_and_values_out_of_range(command):
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
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
