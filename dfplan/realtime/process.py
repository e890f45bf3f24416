"""A planner in a process of its own: it can be killed, it cannot hold up the loop, and nothing it sends is unpickled.

Why a process and not a thread: planning is many short tensor operations, and between them it holds Python's lock for
milliseconds at a time; and a thread that hangs cannot be ended, only left behind with its memory.
"""

import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from dfplan.planner.constraints import Constraints
from dfplan.realtime import launch
from dfplan.realtime.stream import ConnectionLostError, MessageStream
from dfplan.realtime.wire import Message

_SEND_TIMEOUT = 0.002  # a request is a few hundred bytes; what does not fit into the socket's buffer never will


def planner_command(
    weights: Path,
    *,
    horizon: int,
    settings: Mapping[str, float] | None = None,
    constraints: Constraints | None = None,
    threads: int = 1,
    niceness: int = 0,
) -> list[str]:
    """The command that runs dfplan's own planner: see :mod:`dfplan.realtime.planner_program`.

    Args:
        weights: folder of a bundle.
        horizon: steps that a plan looks ahead.
        settings: of :class:`dfplan.planner.PlannerSettings`, where they differ from its defaults.
        constraints: what plans must keep: regions, way-points and a speed limit; they travel as values. A
            :class:`~dfplan.realtime.RealtimeAgent` with :class:`~dfplan.planner.obligations.Obligations` of the same
            constraints tells the planner which way-points were passed, and judges what is driven.
        threads: CPU threads of one planning.
        niceness: by how much the planner steps back behind ordinary processes, 0 to 19. A loop that is
            :func:`~dfplan.realtime.priority.undisturbed` goes first anyway, and a planner that steps back plans late.

    Raises:
        UserError: functions among the constraints, which are no values.
    """
    options = [f"{name}={value:g}" for name, value in (settings or {}).items()]
    program = [sys.executable, "-m", "dfplan.realtime.planner_program"]
    return [
        *program,
        f"--weights={weights}",
        f"--horizon={horizon}",
        f"--threads={threads}",
        f"--niceness={niceness}",
        *(f"--set={option}" for option in options),
        *([f"--constraints={json.dumps(constraints.as_values())}"] if constraints else []),
    ]


class PlannerProcess:
    """Runs a command that speaks :mod:`dfplan.realtime.wire` over a socket that it inherits.

    Args:
        command: any program that calls :func:`dfplan.realtime.serving.serve_plans`; ``--socket=<descriptor>`` is added
            to its arguments.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._stream: MessageStream | None = None
        self._ending: list[subprocess.Popen[bytes]] = []

    @property
    def process_id(self) -> int | None:
        """Of the running process, or None."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start the process, in place of an old one. It takes milliseconds; the planner is ready much later."""
        self.kill()
        ours, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                _bound_to_this_process([*self._command, f"--socket={theirs.fileno()}"]),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the loop, which then lets the planner go
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._stream = MessageStream(ours)

    def send(self, message: bytes) -> None:
        """Send an encoded message.

        Raises:
            ConnectionLostError: there is nobody to take it.
        """
        self._connected().send(message, timeout=_SEND_TIMEOUT)

    def receive(self, *, timeout: float = 0.0) -> Message | None:
        """The next message within ``timeout`` seconds, or None.

        Raises:
            ConnectionLostError: the process has gone.
            WireError: what came is no message.
        """
        return self._connected().receive(timeout=timeout)

    def kill(self) -> None:
        """End the process at once, hung or not; does not wait for the system to clear it away."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        if self._process is not None:
            self._process.kill()
            self._ending.append(self._process)
            self._process = None
        self._ending = [each for each in self._ending if each.poll() is None]

    def close(self) -> None:
        """End the process and wait until it is gone."""
        self.kill()
        for each in self._ending:
            with suppress(subprocess.TimeoutExpired):
                each.wait(timeout=5)
        self._ending = []

    def _connected(self) -> MessageStream:
        if self._stream is None:
            raise ConnectionLostError("the planner process has not been started")
        return self._stream


def _bound_to_this_process(command: list[str]) -> list[str]:
    """The command as a program that ends when this process does.

    A closed socket does not tell: a process that was forked off this one holds it open, and a stopped planner does not
    look. Linux can send a signal, but sends it when the *thread* that started a program ends: so SIGKILL is only asked
    for by the main thread. For others it is SIGCONT, which does nothing but let a stopped planner look who its parent
    is (:func:`dfplan.realtime.serving.serve_plans`).

    Raises:
        FileNotFoundError: there is no such program.
    """
    if sys.platform != "linux" or not sys.executable:
        return command
    if shutil.which(command[0]) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), command[0])
    is_main = threading.current_thread() is threading.main_thread()
    sent = signal.SIGKILL if is_main else signal.SIGCONT
    return [sys.executable, "-IS", launch.__file__, str(os.getpid()), str(int(sent)), *command]
