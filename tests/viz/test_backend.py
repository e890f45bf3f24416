"""Pictures are files: whatever backend the surroundings want, they are drawn."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import dfplan

PACKAGE = Path(dfplan.__file__).parent
DRAWING = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if any(line.startswith(("import matplotlib", "from matplotlib")) for line in path.read_text().splitlines())
)


def test_whoever_draws_imports_what_sees_to_the_backend_first():
    outside = [path for path in DRAWING if PACKAGE / "viz" not in path.parents]
    assert outside
    for path in outside:
        imports = [each for each in ast.parse(path.read_text()).body if isinstance(each, ast.Import | ast.ImportFrom)]
        names = [getattr(each, "module", None) or each.names[0].name for each in imports]
        first = next(number for number, name in enumerate(names) if name.partition(".")[0] == "matplotlib")
        assert "dfplan.viz" in names[:first], path


@pytest.mark.slow
@pytest.mark.parametrize("path", DRAWING, ids=lambda path: path.stem)
def test_every_module_that_draws_is_imported_whatever_the_backend(path):
    module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    environment = os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    answer = subprocess.run(
        [sys.executable, "-c", f"import {module}"], env=environment, capture_output=True, check=False
    )
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "nonsense", "qtagg"])
def test_a_backend_that_is_not_here_does_not_matter(backend, tmp_path):
    program = (
        "import os\nfrom pathlib import Path\nfrom dfplan.viz.figures import save\n"
        "from matplotlib.figure import Figure\nsave(Figure(), Path('x.png'))\nprint(os.environ['MPLBACKEND'])"
    )
    environment = os.environ | {"MPLBACKEND": backend}
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip() == backend
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
