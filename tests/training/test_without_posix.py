"""Where the system has no locks, no forks and two signals, as Windows: everything is imported, trained and resumed."""

import subprocess
import sys
from pathlib import Path

WITHOUT_POSIX = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import asyncio, importlib, multiprocessing.context, os, pkgutil, signal, subprocess
# What others load differs between systems; they look at the system's name and not at what it offers.
import accelerate, gymnasium, h5py, hydra, matplotlib.pyplot, mujoco, psutil, rich, torch, torch._dynamo
for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
for name in ("fork", "register_at_fork", "O_NOFOLLOW", "sched_setscheduler", "SCHED_FIFO", "getuid", "setsid"):
    delattr(os, name)
for name in ("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU", "SIGKILL", "SIGALRM"):
    delattr(signal, name)
import dfplan
for module in pkgutil.walk_packages(dfplan.__path__, "dfplan."):
    importlib.import_module(module.name)
from tiny_task import TinyTask, train_tiny
folder = Path(sys.argv[2])
assert train_tiny(TinyTask(), folder, num_steps=10).finished
assert train_tiny(TinyTask(), folder, num_steps=20, resume=True).finished
"""


def test_a_training_runs_and_resumes(tmp_path):
    command = [sys.executable, "-c", WITHOUT_POSIX, Path(__file__).parent, tmp_path / "run"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert (tmp_path / "run" / "checkpoints" / "step-00000020").is_dir()
