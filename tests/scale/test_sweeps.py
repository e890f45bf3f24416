"""A sweep has the same results whatever runs it, does without what fails, and merges what was found."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dfplan.cli.arguments import read_words
from dfplan.cli.compose import read_launcher
from dfplan.cli.main import main
from dfplan.errors import UserError
from dfplan.evaluation.merged import SweptRun, comparable, merge

SIZE = ["env=maze2d-umaze", "goal=random", "n_episodes=1", "controller=actions", "device=cpu"]
PLANNER = ["planner.num_candidates=1", "planner.num_levels=2", "planner.horizon=32"]
EIGHT = ["seed=0,1,2,3,4,5,6,7"]
PLUGINS = {
    "joblib": "hydra_plugins.hydra_joblib_launcher",
    "slurm_local": "hydra_plugins.hydra_submitit_launcher",
    "ray": "hydra_plugins.hydra_ray_launcher",
}
# Ends the process of `dfplan` before it begins: always where a file `always` lies beside, else the first time.
KILLER = """
import os, signal, sys
from pathlib import Path
here = Path(__file__).parent
if "dfplan.cli.main" in sys.orig_argv and "seed=1" in sys.orig_argv and "-m" in sys.orig_argv:
    first = not (here / "was_killed").exists()
    (here / "was_killed").touch()
    if first or (here / "always").exists():
        os.kill(os.getpid(), signal.SIGKILL)
"""


RUN = "import sys; from dfplan.cli.main import main; sys.exit(main(sys.argv[1:]))"


def sweep(folder: Path, *words: str, path: Path | None = None) -> subprocess.CompletedProcess:
    """Run ``dfplan eval -m`` in a process of its own, which writes to ``sweep`` in the folder."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    if path is not None:
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(path), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-c", RUN, "eval", "-m", *SIZE, *words, "output=sweep"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def found(folder: Path) -> dict[str, bytes]:
    """The files of a sweep's runs and its report; of results what no clock decides."""
    files = {}
    for path in sorted((folder / "sweep").glob("[0-9]*/*")):
        if path.name == "results.json":
            files[f"{path.parent.name}/{path.name}"] = comparable(json.loads(path.read_text()))
        elif path.suffix == ".png":
            files[f"{path.parent.name}/{path.name}"] = path.read_bytes()
    return files | {"sweep.json": (folder / "sweep" / "sweep.json").read_bytes()}


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    folder = tmp_path_factory.mktemp("serial")
    answer = sweep(folder, *PLANNER, *EIGHT)
    assert answer.returncode == 0, answer.stderr
    return folder, answer.stdout


@pytest.mark.slow
@pytest.mark.parametrize("launcher", PLUGINS)
def test_eight_evaluations_are_the_same_bytes_whatever_runs_them(launcher, serial, tmp_path):
    pytest.importorskip(PLUGINS[launcher])
    answer = sweep(tmp_path, *PLANNER, *EIGHT, f"launcher={launcher}", "launcher.jobs=2")
    assert answer.returncode == 0, answer.stderr
    one_process, others = found(serial[0]), found(tmp_path)
    assert len(one_process) == 17  # of each a results.json and a picture, and the report
    assert others == one_process
    assert answer.stdout == serial[1][-len(answer.stdout) :]  # the same table, and where the report is
    assert answer.stdout.endswith("\nsweep/sweep.json\n")
    assert list((tmp_path / "sweep").rglob("*.pkl")) == []


@pytest.mark.slow
def test_the_report_is_of_what_the_runs_found(serial):
    folder, said = serial
    report = json.loads((folder / "sweep" / "sweep.json").read_text())
    records = [json.loads((folder / "sweep" / str(seed) / "results.json").read_text()) for seed in range(8)]
    returns = [record["metrics"]["raw_return"]["mean"] for record in records]
    assert len(set(returns)) > 1
    assert [run["options"] for run in report["runs"]] == [{"seed": str(seed)} for seed in range(8)]
    summary = report["summary"]["raw_return"]
    assert summary["mean"] == pytest.approx(sum(returns) / 8)
    assert summary["low"] < summary["mean"] < summary["high"]
    assert summary["highest"] == {"value": max(returns), "run": report["best"]}
    assert summary["lowest"]["value"] == min(returns)
    assert report["failed"] == []
    assert f"{report['best']} best" in said


@pytest.mark.slow
def test_a_run_that_is_killed_is_run_again_and_one_that_always_is_is_named(tmp_path):
    pytest.importorskip(PLUGINS["joblib"])
    (tmp_path / "sitecustomize.py").write_text(KILLER)
    words = ["agent=waypoints", "seed=0,1", "launcher=joblib", "launcher.jobs=2"]
    (again := tmp_path / "again").mkdir()
    answer = sweep(again, *words, path=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert "1 run failed and will be run again: attempt 2" in answer.stderr
    runs = json.loads((again / "sweep" / "sweep.json").read_text())["runs"]
    assert [(run["status"], run["attempts"], run["output"]) for run in runs] == [(0, 1, "0"), (0, 2, "1-retry1")]
    (tmp_path / "always").touch()
    (never := tmp_path / "never").mkdir()
    answer = sweep(never, *words, "launcher.retries=0", path=tmp_path)
    assert answer.returncode == 137
    assert "1 of 2 runs failed: seed=1 (exit status 137: its process was lost; see" in " ".join(answer.stderr.split())
    report = json.loads((never / "sweep" / "sweep.json").read_text())
    assert (report["failed"], report["best"], report["summary"]["raw_return"]["runs"]) == ([1], 0, 1)


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DFPLAN_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_here_one_that_fails_leaves_the_others_alone(empty, capsys):
    words = ["eval", "-m", *SIZE, "weights=nowhere", "agent=waypoints,trained", "launcher.retries=0"]
    assert main(words) == 2
    captured = capsys.readouterr()
    assert "agent=trained (exit status 2: " in " ".join(captured.err.split())
    report = json.loads(Path(captured.out.split()[-1]).read_text())
    assert (report["failed"], [run["status"] for run in report["runs"]]) == ([1], [0, 2])
    assert "weights=nowhere" in report["common"]


def test_a_sweep_with_a_mistake_does_not_begin(empty, capsys):
    assert main(["eval", "-m", *SIZE, "seed=0,-1"]) == 2
    assert "seed=-1: seed must be" in capsys.readouterr().err
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["launcher=joblib"], "launcher=joblib says what runs the points of a sweep; add -m"),
        (["-m", "launcher=cluster"], "launcher.name must be one of serial, joblib, slurm, slurm_local, ray"),
        (["-m", "launcher.job=2"], "has no option 'launcher.job' (did you mean 'launcher.jobs'?)"),
        (["-m", "launcher.retries=two"], "launcher.retries must be a whole number"),
        (["-m", "launcher.jobs=0"], "launcher.jobs must be at least 1"),
        (["-m", "hydra/launcher=joblib"], "what runs a sweep is said by launcher=joblib"),
        (["-m", "hydra.launcher.n_jobs=2"], "a setting of Hydra"),
    ],
)
def test_what_runs_a_sweep_is_checked(empty, capsys, words, said):
    assert main(["eval", *SIZE, *words]) == 2
    assert said in capsys.readouterr().err
    assert list(empty.iterdir()) == []


def test_what_runs_a_sweep_is_not_for_a_configuration_to_say(empty, capsys):
    (empty / "conf" / "extra").mkdir(parents=True)
    (empty / "conf" / "extra" / "evil.yaml").write_text("# @package _global_\nlauncher: {name: ray, address: evil:1}\n")
    assert main(["eval", "-m", "+extra=evil", *SIZE, "seed=0,1", "--config-dir", "conf"]) == 2
    assert "has no option 'launcher'" in capsys.readouterr().err


def test_a_launcher_that_is_not_installed_says_what_to_install(empty, capsys, monkeypatch):
    monkeypatch.setattr("dfplan.cli.launchers.find_spec", lambda name: None)
    assert main(["eval", "-m", *SIZE, "launcher=ray"]) == 2
    assert "launcher=ray needs hydra-ray-launcher: pip install 'dfplan[ray]'" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("sbatch") is not None, reason="Slurm is here")
def test_slurm_is_asked_for_where_it_is(empty, capsys):
    pytest.importorskip(PLUGINS["slurm_local"])
    assert main(["eval", "-m", *SIZE, "launcher=slurm"]) == 2
    assert "sbatch, which is not here" in capsys.readouterr().err
    assert list(empty.iterdir()) == []


def test_options_of_a_launcher_are_read_by_their_kinds():
    said = read_words("eval", ["-m", "launcher=slurm", "launcher.jobs=64", "launcher.partition=gpu", "seed=1"])
    assert said.options == ["seed=1"]
    launcher = read_launcher("eval", said.launcher)
    assert (launcher.name, launcher.jobs, launcher.partition, launcher.retries) == ("slurm", 64, "gpu", 1)
    with pytest.raises(UserError, match=r"launcher\.retries must be"):
        read_launcher("eval", ["launcher.retries=-1"])


def test_generated_files_do_not_overwrite_each_other(empty, capsys):
    assert main(["generate", "-m", "env=maze2d-umaze", "num_steps=300", "seed=0,1", "output=data"]) == 0
    assert sorted(each.name for each in Path("data").iterdir() if each.suffix == ".hdf5") == ["0.hdf5", "1.hdf5"]
    assert Path("data/0.hdf5").read_bytes() != Path("data/1.hdf5").read_bytes()
    assert capsys.readouterr().out.endswith("data/sweep.json\n")
    assert main(["verify", "data/sweep.json"]) == 0
    assert "the record of a sweep of dfplan generate, 2 runs, whole" in capsys.readouterr().out


def _record(**changes):
    metrics = {"return": {"mean": 1.0, "low": 0.5, "high": 1.5}, "plan_seconds": {"p50": changes.pop("p50", 0.1)}}
    return {"env": "x", "metrics": metrics, "date": "today", "wall_seconds": 1.0, "episodes": [1.0]} | changes


def test_records_are_compared_but_for_what_a_clock_says():
    assert comparable(_record()) == comparable(_record(date="tomorrow", wall_seconds=2.0, p50=0.3))
    assert comparable(_record()) != comparable(_record(episodes=[1.0000001]))
    changed = _record()
    changed["metrics"]["return"]["mean"] = 1.0000001
    assert comparable(_record()) != comparable(changed)


def test_a_mean_over_runs_counts_each_once_and_none_that_failed():
    def run(number, mean, status=0):
        metrics = {} if mean is None else {"return": {"mean": mean, "low": None, "high": None}}
        return SweptRun(number, {"seed": str(number)}, str(number), status, 1, metrics)

    merged = merge("eval", [run(0, 1.0), run(1, 4.0, status=3), run(2, None, status=2)], common=["env=x"])
    assert merged["summary"]["return"]["mean"] == 2.5
    assert (merged["failed"], merged["best"]) == ([2], 1)
    assert merge("train", [run(0, None)], common=[])["best"] is None
