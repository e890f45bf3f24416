"""Rules of the house that no tool checks: modules say what they are for, and imports stay light."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*ROOT.glob("dfplan/**/*.py"), *ROOT.glob("envs/**/*.py")])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_opens_with_its_purpose_and_can_be_read_in_one_sitting(path):
    source = path.read_text()
    assert not source.strip() or ast.get_docstring(ast.parse(source)), (
        f"{path} has no docstring that says what it is for"
    )
    assert source.count("\n") <= 450, f"{path} is too long to read in one sitting"


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
        "import dfplan.types, dfplan.errors, dfplan.files, dfplan.data.windows, dfplan.domains, dfplan_envs, "
        "dfplan.domains.maze.generate, dfplan.domains.maze.sources"
    )
    assert "torch" not in loaded


@pytest.mark.parametrize("script", ["benchmarks/readme_tables.py", "benchmarks/maze_tables.py", "docs/site/indexes.py"])
def test_what_the_documents_tell_is_what_the_files_tell(script):
    answer = subprocess.run([sys.executable, ROOT / script, "--check"], check=False)
    assert answer.returncode == 0, "run `make tables` and commit"


def test_the_readme_is_read_in_a_minute():
    readme = (ROOT / "README.md").read_text()
    assert readme.count("\n") <= 130
    assert len(readme.encode()) <= 9_000


def test_the_model_card_is_that_of_the_bundled_weights():
    answer = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "training" / "model_card.py", "--check"], check=False
    )
    assert answer.returncode == 0, "run benchmarks/training/model_card.py and commit dfplan/weights/MODEL_CARD.md"


def test_the_bundled_weights_are_small():
    def size(*patterns: str) -> int:
        weights = ROOT / "dfplan" / "weights"
        found = {path for pattern in patterns for path in weights.glob(pattern) if path.is_file()}
        return sum(path.stat().st_size for path in found)

    assert 0 < size("maze2d-*/**/*") <= 15_000_000
    assert 0 < size("pixelmaze-*/**/*") <= 5_000_000  # two planners that see, in 16 bits
    assert size("**/*") <= 20_000_000


def test_nothing_names_the_machine_it_was_made_on():
    command = ["git", "-c", "safe.directory=*", "ls-files"]
    tracked = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.split()
    assert tracked
    for name in tracked:
        path = ROOT / name
        if path.suffix in {".py", ".md", ".yaml", ".json", ".toml", ".txt", ".jsonl"} and path != Path(__file__):
            assert not re.search(r"(?<![\w.])/(root|home|tmp|var/tmp|Users)/\w", path.read_text()), name
