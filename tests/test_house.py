"""Rules of the house that no tool checks: nothing can execute what a file says, and imports stay light."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*ROOT.glob("dfplan/**/*.py"), *ROOT.glob("envs/**/*.py")])
BANNED_MODULES = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
BANNED_CALLS = {
    "eval",
    "exec",
    "compile",
    "torch.load",
    "torch.save",
    "np.save",
    "yaml.load",
    "yaml.unsafe_load",
    "hydra.utils.instantiate",
    "hydra.utils.call",
    "instantiate",
    "os.system",
    "importlib.import_module",
    "__import__",
}


def banned_in(source: str) -> list[str]:
    """Names of the banned imports and calls of a module."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [each.name for each in node.names if each.name.split(".")[0] in BANNED_MODULES]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names = {f"{module}.{each.name}" for each in node.names}
            found += [module] if module.split(".")[0] in BANNED_MODULES else sorted(names & BANNED_CALLS)
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            found += [name] if name in BANNED_CALLS else []
            found += [f"{name}(shell=True)" for each in node.keywords if each.arg == "shell"]
            found += [f"{name}(allow_pickle)" for each in node.keywords if each.arg == "allow_pickle"]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_can_execute_what_a_file_says(path):
    assert banned_in(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from cloudpickle import loads",
        "torch.load(path)",
        "eval(text)",
        "from hydra.utils import instantiate",
        "np.load(path, allow_pickle=True)",
        "subprocess.run(text, shell=True)",
    ],
)
def test_the_search_for_banned_calls_finds_them(source):
    assert banned_in(source)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_opens_with_its_purpose_and_can_be_read_in_one_sitting(path):
    source = path.read_text()
    assert not source.strip() or ast.get_docstring(ast.parse(source)), (
        f"{path} has no docstring that says what it is for"
    )
    assert source.count("\n") <= 450, f"{path} is too long to read in one sitting"


def test_configs_name_no_python_object():
    for path in ROOT.glob("configs/**/*.yaml"):
        assert "_target_" not in path.read_text(), path


def modules_after(statement: str) -> set[str]:
    """Names of all modules loaded in a fresh Python after a statement."""
    program = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(answer.stdout.split())


def test_importing_dfplan_and_asking_for_help_are_light():
    loaded = modules_after("import dfplan; from dfplan.cli.main import main; main(['--help'])")
    assert not loaded & {"torch", "hydra", "numpy", "gymnasium", "rich", "matplotlib"}


def test_data_and_environments_do_not_load_torch():
    loaded = modules_after(
        "import dfplan.types, dfplan.errors, dfplan.files, dfplan.data.windows, dfplan.data.generate, dfplan_envs"
    )
    assert "torch" not in loaded


def test_the_tables_of_the_readme_are_those_of_the_result_files():
    answer = subprocess.run([sys.executable, ROOT / "benchmarks" / "readme_tables.py", "--check"], check=False)
    assert answer.returncode == 0, "run `make tables` and commit the README"


def test_the_model_card_is_that_of_the_bundled_weights():
    answer = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "training" / "model_card.py", "--check"], check=False
    )
    assert answer.returncode == 0, "run benchmarks/training/model_card.py and commit dfplan/weights/MODEL_CARD.md"


def test_the_bundled_weights_are_small():
    weights = ROOT / "dfplan" / "weights"
    assert sum(path.stat().st_size for path in weights.rglob("*") if path.is_file()) <= 15_000_000


def test_what_the_readme_points_to_exists():
    readme = (ROOT / "README.md").read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", readme):
        assert (ROOT / target).exists(), target
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"make ([a-z-]+)", readme):
        assert f"\n{target}:" in makefile, target


@pytest.mark.slow
def test_the_python_examples_of_the_readme_run():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    subprocess.run([sys.executable, "-c", "\n".join(blocks)], check=True, cwd=ROOT)


def test_nothing_names_the_machine_it_was_made_on():
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=False, cwd=ROOT).stdout.split()
    for name in tracked:
        path = ROOT / name
        if path.suffix in {".py", ".md", ".yaml", ".json", ".toml", ".txt", ".jsonl"} and path != Path(__file__):
            assert not re.search(r"(?<![\w.])/(root|home|tmp|Users)/\w", path.read_text()), name
