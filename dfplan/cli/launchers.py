"""Has Hydra's launchers run the points of a sweep: joblib, submitit (Slurm, or its local executor) and Ray.

A launcher is given a configuration that holds the number of a point and nothing else, made here: none of a
configuration of dfplan, which may be somebody else's, is in it, and Hydra's own settings are written down in
:func:`_settings`. A point is run as ``dfplan`` in a process of its own, so that one which is killed is one that failed
and no more, and so that it computes what it would alone.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig

from dfplan.cli.compose import literal
from dfplan.cli.launcher_schema import LauncherConfig
from dfplan.cli.progress import say
from dfplan.cli.sweep import Ended, Point
from dfplan.errors import UserError, counted

# By our name: Hydra's, its package, and what to install.
PLUGINS = {
    "joblib": ("joblib", "hydra_joblib_launcher", "cluster"),
    "slurm": ("submitit_slurm", "hydra_submitit_launcher", "cluster"),
    "slurm_local": ("submitit_local", "hydra_submitit_launcher", "cluster"),
    "ray": ("ray", "hydra_ray_launcher", "ray"),
}
CONFIG = "dfplan_point"


def check_installed(name: str) -> None:
    """Refuse a launcher that is not there.

    Raises:
        UserError: says what to install.
    """
    _, package, extra = PLUGINS[name]
    if find_spec("hydra_plugins") is None or find_spec(f"hydra_plugins.{package}") is None:
        raise UserError(f"launcher={name} needs {package.replace('_', '-')}: pip install 'dfplan[{extra}]'")
    if name == "slurm" and shutil.which("sbatch") is None:
        raise UserError(
            "launcher=slurm submits by Slurm's sbatch, which is not here; run it where jobs are submitted, or try it "
            "with launcher=slurm_local"
        )


@dataclass(frozen=True)
class Job:
    """A command as whoever launches carries it out, on this machine or another that has the same files.

    Attributes:
        words: of the command line of ``dfplan``.
        folder: to run it in.
        log: file for what it prints; its exit status is written beside it.
    """

    words: tuple[str, ...]
    folder: str
    log: str

    def carry_out(self) -> int:
        """Run it; its exit status, for a process that a signal ended 128 and its number, as shells have it."""
        with open(self.log, "wb") as log:
            command = [sys.executable, "-m", "dfplan.cli.main", *self.words]
            at_once = os.environ | {"PYTHONUNBUFFERED": "1"}  # else what is said last does not stand last in the file
            done = subprocess.run(command, stdout=log, stderr=log, cwd=self.folder, env=at_once, check=False)
        status = 128 - done.returncode if done.returncode < 0 else done.returncode
        self.status_file.write_text(str(status))
        return status

    @property
    def status_file(self) -> Path:
        """Where the exit status stands."""
        return Path(self.log).with_suffix(".status")

    def ended(self) -> Ended:
        """How it ended, by what it left; 1 where its process was lost before it could say."""
        status = int(self.status_file.read_text()) if self.status_file.exists() else 1
        text = Path(self.log).read_text(errors="replace") if Path(self.log).exists() else ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        reason = lines[-1].removeprefix("dfplan: error: ")[:300] if lines else "its process was lost"
        return Ended(status, f"{reason}; see {self.log}")


def carry_out(jobs: Sequence[Job], config: DictConfig) -> int:
    """What the launcher calls, in whatever process: carry out the job whose number the configuration says."""
    return jobs[int(config.point)].carry_out()


class Launched:
    """Runs points of a command by a launcher; what they print goes to ``jobs`` in the folder of the sweep."""

    def __init__(self, command: str, settings: LauncherConfig, *, folder: Path, config_folder: Path | None) -> None:
        self.command, self.settings, self.folder = command, settings, folder.absolute()
        self.config_words = [] if config_folder is None else ["--config-dir", str(config_folder)]

    def __call__(self, points: Sequence[Point]) -> list[Ended]:
        """Run them all; how each ended."""
        logs = self.folder / "jobs"
        logs.mkdir(exist_ok=True)
        jobs = [self._job(each, logs) for each in points]
        at_once = self.settings.jobs or (os.cpu_count() if self.settings.name == "slurm_local" else None)
        side_by_side = "" if at_once is None else f", {at_once} at a time"
        say(f"{counted(len(jobs), 'run')} by {self.settings.name}{side_by_side}; what they print is in {logs}")
        # submitit's local executor starts all that it is given at once
        batch = at_once if self.settings.name == "slurm_local" and at_once else len(jobs)
        for begin in range(0, len(jobs), batch):
            self._launch(jobs, range(begin, min(begin + batch, len(jobs))))
        return [each.ended() for each in jobs]

    def _job(self, point: Point, logs: Path) -> Job:
        name = f"{point.number}" + (f"-retry{point.attempt}" if point.attempt else "")
        words = (self.command, *self.config_words, *point.words)
        return Job(words, folder=str(Path.cwd()), log=str(logs / f"{name}.log"))

    def _launch(self, jobs: Sequence[Job], numbers: Sequence[int]) -> None:
        """Have jobs run, and wait for them."""
        launcher = _launcher(self.settings, partial(carry_out, tuple(jobs)), folder=self.folder / "launcher")
        try:
            launcher.launch([[f"point={number}"] for number in numbers], numbers[0])
        except Exception as error:  # whatever the launcher makes of a node or process that is gone
            say(f"{self.settings.name}: {' '.join(str(error).split())[:300] or repr(error)}")
        finally:
            ConfigStore.instance().repo.pop(f"{CONFIG}.yaml", None)
            for pickled in (self.folder / "launcher").rglob("*.pkl"):  # nothing of dfplan reads such files
                with suppress(OSError):
                    pickled.unlink()


def _launcher(settings: LauncherConfig, task: Any, *, folder: Path) -> Any:
    """Hydra's launcher, ready to be given points."""
    node = {
        "defaults": [
            {"override hydra/launcher": PLUGINS[settings.name][0]},
            {"override hydra/job_logging": "none"},
            {"override hydra/hydra_logging": "none"},
            "_self_",
        ],
        "point": None,
        "hydra": {
            "sweep": {"dir": literal(str(folder)), "subdir": "."},
            "output_subdir": None,
            "job": {"chdir": False, "name": "dfplan"},
            "launcher": _settings(settings),
        },
    }
    ConfigStore.instance().store(CONFIG, node)
    GlobalHydra.instance().clear()
    hydra = Hydra.create_main_hydra2("dfplan", create_config_search_path(None))
    config = hydra.compose_config(CONFIG, [], run_mode=RunMode.MULTIRUN)
    context = HydraContext(config_loader=hydra.config_loader, callbacks=Callbacks())
    return Plugins.instance().instantiate_launcher(hydra_context=context, task_function=task, config=config)


def _settings(settings: LauncherConfig) -> dict[str, Any]:
    """What we have in the words of the plugin; what is None is left as it has it."""
    match settings.name:
        case "joblib":
            return {"n_jobs": settings.jobs or -1}
        case "slurm":
            said = {
                "cpus_per_task": settings.cpus,
                "mem_gb": settings.memory_gb,
                "partition": settings.partition,
                "account": settings.account,
                "qos": settings.qos,
                "array_parallelism": settings.jobs,
            }
        case "slurm_local":
            said = {}
        case _:
            return _ray_settings(settings)
    said |= {"timeout_min": settings.minutes, "gpus_per_node": settings.gpus}
    return {name: literal(value) for name, value in said.items() if value is not None}


def _ray_settings(settings: LauncherConfig) -> dict[str, Any]:
    start = {"address": settings.address, "log_to_driver": False}
    if settings.address is None:
        # Else workers run at niceness 15: what is timed would be measured as nowhere else, and wait on a busy machine.
        os.environ.setdefault("RAY_worker_niceness", "0")
        start |= {"num_cpus": settings.jobs or os.cpu_count(), "include_dashboard": False}
    remote = {"num_cpus": settings.cpus or 1, "num_gpus": settings.gpus or 0, "max_retries": 0}
    return {"ray": {"init": {name: literal(value) for name, value in start.items()}, "remote": remote}}
