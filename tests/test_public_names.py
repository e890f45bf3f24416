"""What ``import dfplan`` offers: the names of the README, loaded when they are asked for, seen by type checkers."""

import ast
import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from tiny_model import tiny_model

import dfplan
from dfplan.errors import UserError

INIT = Path(dfplan.__file__)


def _seen_by_checkers():
    """Names and modules of the imports that a type checker reads."""
    (block,) = [node for node in ast.parse(INIT.read_text()).body if isinstance(node, ast.If)]
    imports = [each for each in block.body if each.module != "typing"]
    return {alias.name: each.module for each in imports for alias in each.names}


def test_every_public_name_is_what_a_type_checker_sees():
    seen = _seen_by_checkers()
    assert sorted(seen) == sorted(dfplan.__all__)
    for name, module in seen.items():
        assert getattr(dfplan, name) is getattr(importlib.import_module(module), name)
    assert set(dfplan.__all__) <= set(dir(dfplan))
    with pytest.raises(AttributeError, match="module 'dfplan' has no attribute 'walls'"):
        _ = dfplan.walls


def test_importing_takes_nothing_else_with_it():
    program = "import sys, dfplan; print([each for each in sys.modules if each.split('.')[0] in ('torch', 'numpy')])"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize("package", ["dfplan", "envs/dfplan_envs"])
def test_packages_say_that_they_are_typed(package):
    assert (INIT.parents[1] / package / "py.typed").is_file()


def test_public_signatures_have_types():
    """Of every parameter and result of the functions and methods that do not begin with an underscore."""
    bare = []
    for name, module in _seen_by_checkers().items():
        source = Path(importlib.import_module(module).__file__)
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.FunctionDef) and (not node.name.startswith("_") or node.name == "__init__"):
                own = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                bare += [
                    f"{name}: {node.name}({each.arg})" for each in own if not each.annotation and each.arg != "self"
                ]
                bare += [f"{name}: {node.name} -> ?"] if node.returns is None else []
    assert [each for each in bare if not each.endswith("(cls)")] == []


def test_three_lines_drive_a_bundled_maze_to_its_goal():
    torch.set_num_threads(1)
    env = gymnasium.make("dfplan_envs:maze2d-umaze-v1", goal="random")
    agent = dfplan.Agent(dfplan.load("maze2d-umaze"), env)
    for seed in (0, 1):
        observation, info = env.reset(seed=seed)
        for _ in range(300):
            observation, _, _, truncated, info = env.step(agent.act(observation))
        assert truncated
        assert info["success"]


def test_a_dictionary_with_its_goal_is_as_good():
    env = gymnasium.make("dfplan_envs:maze2d-umaze-v1", goal="random")
    model = tiny_model()
    plain = dfplan.Agent(model, env, seed=3)
    observation, info = env.reset(seed=0)
    expected = [plain.act(observation) for _ in range(3)]
    wrapped = dfplan.Agent(model, env, seed=3)
    shown = {"observation": observation, "desired_goal": info["goal"]}
    np.testing.assert_array_equal([wrapped.act(shown) for _ in range(3)], expected)
    plain.reset(seed=3)
    np.testing.assert_array_equal([plain.act(observation) for _ in range(3)], expected)


def test_what_does_not_fit_is_refused_in_one_line():
    with pytest.raises(
        UserError, match="no model 'maze2d-huge': give gym_pusht-PushT-v0, maze2d-large, maze2d-large-rnn"
    ):
        dfplan.load("maze2d-huge")
    with pytest.raises(UserError, match=r"observations, actions and goals of 4, 2 and 2 numbers, the environment has"):
        dfplan.Agent(tiny_model(), gymnasium.make("Pendulum-v1"))


def test_a_folder_is_loaded_as_well(tmp_path):
    folder = INIT.parent / "weights" / "maze2d-umaze"
    shutil.copytree(folder, tmp_path / "run" / "model")
    assert dfplan.load(tmp_path / "run").goal_radius == dfplan.load("maze2d-umaze").goal_radius


def test_reading_is_that_of_the_formats(tmp_path):
    np.save(tmp_path / "seen.npy", np.random.default_rng(0).normal(size=(5, 3)))
    assert isinstance(dfplan.read(tmp_path / "seen.npy"), dfplan.Trajectories)
