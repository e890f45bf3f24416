"""Where results go: never over earlier ones."""

import multiprocessing
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dfplan.cli.folders import cache_folder, dataset_folder, make_run_folder, make_sweep_folder, release, take
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


def at_once(function, *arguments):
    """Call a function in four processes at one instant; what each returns, or the one line of its error."""
    with multiprocessing.get_context("fork").Pool(4) as pool:
        return pool.starmap(_at_the_instant, [(time.time() + 0.3, function, arguments)] * 4, chunksize=1)


def _at_the_instant(instant, function, arguments):
    time.sleep(max(0, instant - time.time()))
    try:
        return str(function(*arguments))
    except UserError as error:
        return f"refused: {error}"


def default_folder():
    return make_run_folder("eval", env_name="maze2d-large", chosen=None)


def chosen_folder(path):
    return make_run_folder("eval", env_name="maze2d-large", chosen=str(path))


def test_commands_of_one_instant_get_a_folder_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for function in (default_folder, make_sweep_folder):
        folders = at_once(function)
        assert len(set(folders)) == 4
        assert all(Path(folder).is_dir() for folder in folders)


@pytest.mark.parametrize("name", ["new", "new/within/it", "there"])
def test_of_commands_of_one_instant_one_takes_the_chosen_folder(tmp_path, name):
    (tmp_path / "there").mkdir()
    answers = at_once(chosen_folder, tmp_path / name)
    refusals = [answer for answer in answers if answer != str(tmp_path / name)]
    assert len(refusals) == 3
    assert all("is being written to by process" in answer for answer in refusals)


def test_a_folder_is_free_again_when_a_command_has_failed_in_it(tmp_path):
    for _ in range(2):
        make_run_folder("eval", env_name="x", chosen=str(tmp_path / "new"))
        release()
        assert list((tmp_path / "new").iterdir()) == []


def test_a_mark_that_was_left_says_how_to_go_on(tmp_path):
    (tmp_path / ".taken").write_text("process 1 on elsewhere")
    with pytest.raises(
        UserError, match=rf"by process 1 on elsewhere; .* or delete {tmp_path}/.taken if that has ended"
    ):
        make_run_folder("eval", env_name="x", chosen=str(tmp_path))


def test_a_folder_whose_command_was_killed_is_free_again(tmp_path):
    script = (
        "import os, signal; from dfplan.cli.folders import make_run_folder; "
        f"make_run_folder('eval', env_name='x', chosen={str(tmp_path)!r}); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    assert (tmp_path / ".taken").exists()
    assert make_run_folder("eval", env_name="x", chosen=str(tmp_path)) == tmp_path
    release()
    assert list(tmp_path.iterdir()) == []


def test_a_mark_of_a_process_that_lives_is_kept(tmp_path):
    (tmp_path / ".taken").write_text(f"process {os.getppid()} on {platform.node()}")
    with pytest.raises(UserError, match=f"by process {os.getppid()}"):
        make_run_folder("eval", env_name="x", chosen=str(tmp_path))
    assert (tmp_path / ".taken").exists()


def test_no_name_is_no_folder():
    with pytest.raises(UserError, match="name a folder"):
        make_run_folder("eval", env_name="x", chosen="")


def test_a_folder_that_cannot_be_made_is_a_readable_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot make the folder"):
        make_run_folder("eval", env_name="x", chosen=str(tmp_path / "file" / "sub"))
    with pytest.raises(UserError, match="is a file"):
        make_run_folder("eval", env_name="x", chosen=str(tmp_path / "file"))


def test_the_cache_can_be_moved(tmp_path, monkeypatch):
    monkeypatch.setenv("DFPLAN_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    assert dataset_folder() == tmp_path / "datasets"


def test_a_file_that_is_being_written_to_is_called_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(".data.hdf5.taken").write_text(f"process {os.getpid()} on {platform.node()}")
    monkeypatch.setattr("dfplan.cli.folders._is_over", lambda mark: False)
    with pytest.raises(UserError, match=r"^output=data\.hdf5 is being written to by process"):
        take(Path(".data.hdf5.taken"), chosen=Path("data.hdf5"))


def test_without_a_home_folder_the_cache_is_to_be_named_in_full(monkeypatch):
    monkeypatch.setattr(Path, "expanduser", _no_home)
    for named in (None, "~/cache"):
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.delenv("DFPLAN_CACHE", raising=False)
        if named:
            monkeypatch.setenv("DFPLAN_CACHE", named)
        with pytest.raises(UserError, match="name a folder: DFPLAN_CACHE=<folder>"):
            cache_folder()


def _no_home(path):
    raise RuntimeError("Could not determine home directory.")
