"""A page changes nothing about the results, is left out when asked, and does without what is not installed."""

import json
import sys

import pytest

from dfplan.cli.main import main
from dfplan.evaluation.report import RECORD_SEAL

COST = ("plan_seconds", "wall_seconds", "date", RECORD_SEAL)
WORDS = ["env=maze2d-umaze", "n_episodes=2", "planner.num_candidates=2", "threads=1"]


def results(folder):
    """A results file less what the running of it costs."""
    record = json.loads((folder / "results.json").read_text())
    del record["metrics"]["plan_seconds"]
    return {name: value for name, value in record.items() if name not in COST}


@pytest.mark.slow
def test_results_are_the_same_with_and_without_a_page(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)  # as where it is not installed
    assert main(["eval", *WORDS, f"output={tmp_path / 'with'}"]) == 0
    said = capsys.readouterr()
    assert said.err.count("imageio-ffmpeg is not installed: pip install 'dfplan[video]'") == 1
    assert said.out.splitlines()[-1] == str(tmp_path / "with" / "results.json")
    page = (tmp_path / "with" / "report.html").read_text()
    assert "<video" not in page
    assert page.count('data-kind="episode"') == 2
    assert main(["eval", *WORDS, "report=false", f"output={tmp_path / 'without'}"]) == 0
    said = capsys.readouterr()
    assert "report" not in said.out.replace(str(tmp_path), "")
    assert not (tmp_path / "without" / "report.html").exists()
    assert results(tmp_path / "with") == results(tmp_path / "without")
