"""Signals to stop are noted once, and no second one takes away what the first is about to save."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_task import TinyTask, train_tiny

from dfplan.training.signals import HEARD, StopSignal


def send(name):
    os.kill(os.getpid(), getattr(signal, name))


@pytest.fixture(autouse=True)
def handlers():
    """As in a program of its own, whatever started these tests."""
    before = {name: signal.getsignal(getattr(signal, name)) for name in HEARD}
    for name in HEARD:
        signal.signal(getattr(signal, name), signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)
    yield
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)


@pytest.mark.parametrize("name", HEARD)
def test_the_first_is_noted_and_later_ones_change_nothing_but_ctrl_c(name):
    with StopSignal() as stop:
        assert stop.name is None
        send(name)
        for other in set(HEARD) - {"SIGINT"}:
            send(other)
        assert stop.name == name
        with pytest.raises(KeyboardInterrupt):
            send("SIGINT")
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert stop.exit_status == 128 + getattr(signal, name)


def test_what_nohup_ignores_is_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with StopSignal() as stop:
        send("SIGHUP")
        assert stop.name is None
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


class WithItsCompiler(TinyTask):
    """Its sixth step is ended by what else a signal to all processes of a job ends."""

    def training_step(self, batch, *, generator):
        if len(self.losses) == 5:
            send("SIGUSR1")
            raise RuntimeError("c++: fatal error: killed signal terminated program cc1plus")
        return super().training_step(batch, generator=generator)


def test_a_step_that_fails_by_the_signal_itself_ends_the_training_as_the_signal_does(tmp_path, capsys):
    result = train_tiny(WithItsCompiler(), tmp_path / "run", checkpoint_every=2)
    assert (result.finished, result.exit_status) == (False, 128 + signal.SIGUSR1)
    said = " ".join(capsys.readouterr().err.split())
    assert "stopped by SIGUSR1 after step 5" in said
    assert "saved is step 4" in said
    again = train_tiny(TinyTask(), tmp_path / "run", checkpoint_every=2, resume=True)
    assert again.finished


LOSE_THE_TERMINAL = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tiny_task import Points, TinyTask, train_tiny
class Closing(Points):
    count = 0
    def sample(self, batch_size, generator):
        self.count += 1
        if self.count == 13:
            print("steps", flush=True)
            os.read(0, 1)  # the reader of standard error has gone
            os.kill(os.getpid(), signal.SIGHUP)
        return super().sample(batch_size, generator)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
result = train_tiny(TinyTask(), Path(sys.argv[2]), dataset=Closing(), progress=True, log_every=1)
sys.exit(result.exit_status)
"""


def test_a_training_whose_terminal_is_gone_saves(tmp_path):
    command = [sys.executable, "-c", LOSE_THE_TERMINAL, Path(__file__).parent, tmp_path / "run"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as training:
        assert training.stdout.readline() == b"steps\n"
        training.stderr.close()
        training.stdin.write(b"x")
        training.stdin.flush()
        assert training.wait(timeout=60) == 128 + signal.SIGHUP
    assert (tmp_path / "run" / "checkpoints" / "step-00000013").is_dir()
