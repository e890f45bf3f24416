"""No module of the project can execute what a file says: no pickle, no unsafe loaders, nothing built by name."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("dfplan", "envs", "benchmarks", "integrations", "examples", "docs")
SOURCES = sorted(path for folder in FOLDERS for path in ROOT.glob(f"{folder}/**/*.py"))
BANNED_MODULES = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "runpy", "ctypes", "imp"}
# `module.function`; a star stands for every function of the module that is called so.
BANNED_CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "importlib.import_module",
    "os.system",
    "os.popen",
    "subprocess.getoutput",
    "numpy.save",
    "numpy.fromregex",
    "pandas.read_pickle",
    "torch.load",
    "torch.save",
    "torch.jit.load",
    "torch.hub.load",
    "torch.export.load",
    "torch.package.PackageImporter",
    "yaml.load",
    "yaml.load_all",
    "yaml.full_load",
    "yaml.unsafe_load",
    "hydra.utils.instantiate",
    "hydra.utils.call",
    "hydra.utils.get_class",
    "hydra.utils.get_method",
    "hydra.utils.get_object",
    "onnx.load_external_data_for_model",
}
# Endings of calls, whatever they are called on.
BANNED_METHODS = ("accelerator.load_state", ".read_pickle", ".register_custom_ops_library")


def banned_in(source: str) -> list[str]:
    """Names of the banned imports and calls of a module, whatever they are imported as."""
    tree, names, found = ast.parse(source), {}, []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [each.name for each in node.names if each.name.partition(".")[0] in BANNED_MODULES]
            names |= {each.asname: each.name for each in node.names if each.asname}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [node.module] if node.module.partition(".")[0] in BANNED_MODULES else []
            names |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            name = _full_name(node, names)
            # Not only called: a banned function may be handed on.
            found += [name] if name in BANNED_CALLS else []
        if isinstance(node, ast.Call):
            name = _full_name(node.func, names)
            found += [name] if name.endswith(BANNED_METHODS) else []
            for each in node.keywords:
                off = isinstance(each.value, ast.Constant) and each.value.value is False
                found += [f"{name}({each.arg})"] if each.arg in ("shell", "allow_pickle") and not off else []
                on = isinstance(each.value, ast.Constant) and each.value.value is True
                found += [f"{name}({each.arg})"] if each.arg == "weights_only" and not on else []
    return found


def _full_name(node: ast.expr, names: dict[str, str]) -> str:
    """The dotted name of an expression with its first part resolved by the imports."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ".".join(["", *reversed(parts)])
    return ".".join([names.get(node.id, node.id), *reversed(parts)])


# The one place that imports by a name that a file may say, and it refuses those that do not come with dfplan: see
# test_task_modules. Those that make system calls that Python does not have; they read no file. The package loads its
# own modules by a table of its own, and commands, of the names that main lists: none of them comes from a file.
ALLOWED = {
    "dfplan/__init__.py": ["importlib.import_module"],
    "dfplan/cli/compose.py": ["importlib.import_module"],
    "dfplan/cli/main.py": ["importlib.import_module"],
    "dfplan/realtime/priority.py": ["ctypes"],
    "dfplan/cli/task_modules.py": ["importlib.import_module"],
    "dfplan/realtime/launch.py": ["ctypes"],
}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_can_execute_what_a_file_says(path):
    assert banned_in(path.read_text()) == ALLOWED.get(str(path.relative_to(ROOT)), [])


def test_every_folder_of_code_is_searched():
    searched = {path.relative_to(ROOT).parts[0] for path in SOURCES}
    holding_code = {path.parent.name for path in ROOT.glob("*/*.py")} | {
        path.relative_to(ROOT).parts[0] for path in ROOT.glob("*/*/*.py")
    }
    assert holding_code - {"tests", ".venv", "build", "dist"} <= searched


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import torch.nn, dill as d",
        "from cloudpickle import loads",
        "from joblib import load",
        "import torch\ntorch.load(path)",
        "import torch as t\nt.load(path)",
        "from torch import load as read\nread(path)",
        "import torch\nread = torch.load",
        "import torch\ntorch.export.load(path)",
        "from torch import jit\njit.load(path)",
        "eval(text)",
        "list(map(exec, texts))",
        "import builtins\n__import__(name)",
        "from hydra.utils import instantiate\ninstantiate(config)",
        "from hydra import utils\nutils.get_class(name)",
        "import hydra\nhydra.utils.call(config)",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "import numpy as np\nnp.load(path, allow_pickle=flag)",
        "import numpy as np\nnp.save(path, array)",
        "import yaml\nyaml.load(text, Loader)",
        "import subprocess\nsubprocess.run(text, shell=True)",
        "import os\nos.system(text)",
        "import importlib\nimportlib.import_module(name)",
        "accelerator.load_state(folder)",
        "options.register_custom_ops_library(path)",
        "load(path, weights_only=False)",
    ],
)
def test_the_search_finds_what_is_banned(source):
    assert banned_in(source)


@pytest.mark.parametrize(
    "source",
    [
        "import re\nre.compile(text)",
        "import torch\ntorch.compile(module)",
        "import numpy as np\nnp.load(path, allow_pickle=False)",
        "import json\njson.load(file)",
        "model.eval()",
        "import torch\nmodule.load_state_dict(tensors)",
        "import yaml\nyaml.safe_load(text)",
        "import torch\ntorch.export.save(program, buffer)",
    ],
)
def test_the_search_leaves_alone_what_is_safe(source):
    assert banned_in(source) == []


def test_configs_name_no_python_object():
    for path in ROOT.glob("configs/**/*.yaml"):
        assert "_target_" not in path.read_text(), path
