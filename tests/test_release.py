"""The release script finds what is wrong with a package, installs what it says, and says what it did not run."""

import argparse
import importlib.util
import io
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks" / "releases"


@pytest.fixture
def script(monkeypatch):
    """A function that imports a script of the benchmark by its name."""

    def load(name: str):
        monkeypatch.syspath_prepend(str(FOLDER.parent))
        monkeypatch.syspath_prepend(str(FOLDER))
        spec = importlib.util.spec_from_file_location(f"releases_{name}", FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look for their module
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Wheel and source distribution of the tree as it is."""
    pytest.importorskip("hatchling", reason="packages are built by hatchling, of the extra dev")
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(folder)], cwd=ROOT, check=True)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


@pytest.mark.slow
def test_packages_hold_all_of_the_project(script, built):
    """Weights, configurations and types in the wheel, tests and documents in the source distribution."""
    packages = script("packages")
    wheel, sdist = built
    tracked = packages.tracked_files()
    assert packages.faults_of_wheel(wheel, tracked) == []
    # What nobody has committed or ignored yet goes with a source distribution, which the script itself would tell.
    assert [each for each in packages.faults_of_sdist(sdist, tracked) if " lacks " in each] == []
    with zipfile.ZipFile(wheel) as archive:
        assert {
            *("dfplan/py.typed", "dfplan_envs/py.typed", "dfplan/configs/eval.yaml"),
            "dfplan/weights/maze2d-umaze/model.safetensors",
        } <= set(archive.namelist())


@pytest.mark.slow
def test_a_file_that_lacks_or_is_foreign_is_named(script, built, tmp_path):
    packages = script("packages")
    wheel = tmp_path / "changed.whl"
    with zipfile.ZipFile(built[0]) as whole, zipfile.ZipFile(wheel, "w") as changed:
        for name in whole.namelist():
            if name != "dfplan/py.typed":
                changed.writestr(name, whole.read(name))
        changed.writestr("dfplan/notes.txt", "mine")
    assert packages.faults_of_wheel(wheel, packages.tracked_files()) == [
        "changed.whl lacks dfplan/py.typed",
        "changed.whl holds dfplan/notes.txt, which is not of the project",
    ]


def test_of_a_source_distribution_files_are_compared_without_its_own(script, tmp_path):
    packages = script("packages")
    sdist = tmp_path / "some-1.0.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        for name in ("PKG-INFO", "README.md", "left-over"):
            archive.addfile(tarfile.TarInfo(f"some-1.0/{name}"), io.BytesIO())
    assert packages.faults_of_sdist(sdist, ["README.md", "tests/test_it.py"]) == [
        "some-1.0.tar.gz lacks tests/test_it.py",
        "some-1.0.tar.gz holds left-over, which is not of the project",
    ]


def test_nothing_that_git_ignores_is_of_the_project():
    command = ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout == ""


def test_a_python_is_found_by_its_version_or_not_at_all(script):
    environments = script("environments")
    this = "{}.{}".format(*sys.version_info)
    assert environments.find_python(this) == Path(sys.executable)
    assert environments.find_python("2.99") is None


@pytest.mark.slow
def test_an_environment_is_clean_but_for_what_is_lent(script, tmp_path):
    environments = script("environments")
    python = Path(sys.executable)
    clean = environments.Environment.make(tmp_path / "clean", python)
    with pytest.raises(environments.FailedError, match="No module named 'numpy'"):
        clean.run("python", "-c", "import numpy", cwd=tmp_path)
    lender = Path(sysconfig.get_path("purelib"))
    lent = environments.Environment.make(tmp_path / "lent", python, lender=lender)
    assert lent.run("python", "-c", "import numpy; print('here')", cwd=tmp_path) == "here\n"


def test_a_lender_that_holds_dfplan_itself_is_refused(script, tmp_path):
    run = script("run")
    (tmp_path / "dfplan-0.1.0.dist-info").mkdir()
    parser = argparse.ArgumentParser()
    arguments = argparse.Namespace(lend=[f"3.12={tmp_path}"], refuse=parser.error)
    with pytest.raises(SystemExit):
        run.lenders(arguments)


ROW = {"python": "3.11", "package": "wheel", "returns": [250.0, 227.0]}


@pytest.mark.parametrize(
    ("rows", "faults", "right"),
    [
        ([ROW], [], True),
        ([], [], False),
        ([ROW, {"python": "3.11", "package": "sdist", "failed": "no torch"}], [], False),
        ([ROW], ["a wheel lacks py.typed"], False),
    ],
)
def test_what_was_not_run_is_said_and_what_failed_is_not_right(rows, faults, right, script, capsys):
    record = {"rows": rows, "faults": faults, "not_run": {"3.13": "no python3.13 on PATH"}}
    assert script("run").tell(record) is right
    assert "NOT RUN: Python 3.13: no python3.13 on PATH" in capsys.readouterr().out


def test_returns_that_differ_between_environments_are_said(script, capsys):
    record = {"rows": [ROW, ROW | {"returns": [250.0, 226.0]}], "faults": [], "not_run": {}}
    assert script("run").tell(record)
    assert "end differently" in capsys.readouterr().out


def test_changes_that_no_version_has_are_counted(script):
    packages = script("packages")
    unreleased = (ROOT / "CHANGELOG.md").read_text().partition("## [Unreleased]")[2].partition("\n## [")[0]
    assert packages.unreleased_changes() == unreleased.count("\n- ") > 0


def test_the_versions_of_mujoco_are_the_ends_of_what_is_allowed(script):
    oldest, newest = script("mujoco_versions").VERSIONS
    allowed = (ROOT / "pyproject.toml").read_text()
    assert f'"mujoco>={oldest.removesuffix(".0")},<{int(newest.split(".")[0]) + 1}"' in allowed
    assert f"mujoco=={newest}\n" in (ROOT / "constraints.txt").read_text()
