"""Where results go: never over earlier ones."""

from pathlib import Path

import pytest

from dfplan.cli.folders import cache_folder, dataset_folder, make_run_folder
from dfplan.errors import UserError


def test_two_runs_in_the_same_second_get_a_folder_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = [make_run_folder("eval", env_name="maze2d-large", chosen=None) for _ in range(3)]
    assert len(set(folders)) == 3
    assert all(folder.is_dir() and folder.parent == Path("runs/eval/maze2d-large") for folder in folders)


def test_a_chosen_folder_with_results_is_refused(tmp_path):
    assert make_run_folder("eval", env_name="x", chosen=str(tmp_path / "new")) == tmp_path / "new"
    (tmp_path / "new" / "results.json").write_text("{}")
    with pytest.raises(UserError, match="already exists"):
        make_run_folder("eval", env_name="x", chosen=str(tmp_path / "new"))


def test_a_folder_that_cannot_be_made_is_a_readable_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot make the folder"):
        make_run_folder("eval", env_name="x", chosen=str(tmp_path / "file" / "sub"))


def test_the_cache_can_be_moved(tmp_path, monkeypatch):
    monkeypatch.setenv("DFPLAN_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    assert dataset_folder() == tmp_path / "datasets"
