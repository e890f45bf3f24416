"""Tables of the documents are those of the result files: `make tables` changes nothing."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("benchmarks/*/README.md")), *sorted(ROOT.glob("docs/**/*.md"))]


def writers() -> list[list[str]]:
    """The scripts that `make tables` calls, with their options."""
    command = ["make", "--dry-run", "--always-make", "tables"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return [line.split() for line in re.findall(r"\S*python ((?:benchmarks|docs)/.*)", said)]


def test_every_table_that_a_script_writes_is_written_by_make_tables():
    marked = {
        script for path in DOCUMENTS for script in re.findall(r"<!-- [^>]*written by (\S+) -->", path.read_text())
    }
    assert marked
    assert marked <= {script for script, *_ in writers()}


@pytest.mark.slow
def test_tables_made_anew_are_those_that_are_there(tmp_path):
    for name in ("benchmarks", "dfplan", "docs", "configs"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "README.md", tmp_path)
    for script, *options in writers():
        subprocess.run([sys.executable, script, *options], check=True, cwd=tmp_path)
    pages = [*DOCUMENTS, ROOT / "dfplan" / "weights" / "MODEL_CARD.md"]
    stale = [path for path in pages if path.read_text() != (tmp_path / path.relative_to(ROOT)).read_text()]
    assert stale == [], "run `make tables` and commit"
