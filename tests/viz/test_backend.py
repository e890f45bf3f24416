"""Pictures are files: whatever backend the surroundings want, they are drawn."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "nonsense", "qtagg"])
def test_a_backend_that_is_not_here_does_not_matter(backend, tmp_path):
    program = (
        "import os, numpy as np\nfrom pathlib import Path\nfrom dfplan.viz.images import draw_image_grid\n"
        "draw_image_grid(np.zeros((1, 8, 8, 3)), path=Path('x.png'))\nprint(os.environ['MPLBACKEND'])"
    )
    environment = os.environ | {"MPLBACKEND": backend}
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip() == backend
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
