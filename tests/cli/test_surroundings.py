"""Terminals, notebooks and containers that lack something: the answer comes, or one line says what lacks."""

import os
import subprocess
import sys

import pytest

from dfplan.cli.main import main

EVAL = ("eval", "env=maze2d-umaze", "agent=waypoints", "n_episodes=1", "threads=1")


def dfplan(*words, folder, **environment):
    """Run a command in another process; a value of None takes a variable out of its environment."""
    surroundings = {name: value for name, value in (os.environ | environment).items() if value is not None}
    command = [sys.executable, "-m", "dfplan.cli.main", *words]
    return subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252", "utf-8"])
def test_the_path_of_the_results_is_printed_on_any_terminal(encoding, tmp_path):
    answer = dfplan(*EVAL, "output=ergebnis", folder=tmp_path, PYTHONIOENCODING=encoding, MPLBACKEND="module://none")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.decode(encoding).splitlines()[-1] == os.path.join("ergebnis", "results.json")
    assert (tmp_path / "ergebnis" / "rollouts.png").is_file()


def test_an_error_is_printed_on_any_terminal(tmp_path):
    answer = dfplan("verify", "日本\udcff", folder=tmp_path, PYTHONIOENCODING="ascii")
    assert answer.returncode == 2
    assert b"\\u65e5\\u672c\\udcff: no such file" in answer.stderr


def test_the_path_is_printed_even_if_the_table_cannot_be(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("dfplan.cli.commands.evaluate.render_table", lambda record, rows: record["no such key"])
    with pytest.raises(KeyError):
        main([*EVAL, f"output={tmp_path / 'out'}"])
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "out" / "results.json")


@pytest.fixture
def no_home(monkeypatch, tmp_path):
    """A container whose user has no entry in the password file."""

    def unknown(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    for name in ("HOME", "XDG_CACHE_HOME", "DFPLAN_CACHE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["eval", "weights=~/x"], "~/x: no home folder is known"),
        (["eval", "planner.guidance.distance_field=~/x"], "~/x: no home folder is known"),
        (["plan", "env=maze2d-umaze", "output=~/x", "planner=fast"], "~/x: no home folder is known"),
        (["eval", "--config-dir", "~/x"], "~/x: no home folder is known"),
        (["generate", "output=~/x"], "~/x: no home folder is known"),
        (["train", "resume=~/x"], "~/x: no home folder is known"),
        (["train", "data=~/x.hdf5"], "~/x.hdf5: no home folder is known"),
        (["train"], "no home folder to keep datasets in; name a folder: DFPLAN_CACHE=<folder>"),
        (["generate"], "no home folder to keep datasets in"),
        (["verify", "~/x"], "~/x: no home folder is known"),
    ],
)
def test_no_home_folder_is_one_line(no_home, words, said, capsys):
    assert main(words) == 2
    captured = capsys.readouterr().err
    assert said in captured
    assert captured.count("\n") == 1 or "compiler" in captured


def test_info_says_that_there_is_no_home_folder(no_home, capsys):
    assert main(["info"]) == 0
    assert "none: no home folder" in capsys.readouterr().out
