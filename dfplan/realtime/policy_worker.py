"""The thread that a server's policy works in: one call at a time, and one that hangs holds up nobody else."""

import queue
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from dfplan.realtime.wire import MAX_TEXT, encode

Call = Callable[[], bytes]
"""Asks the policy and returns an encoded message."""


@dataclass(frozen=True)
class Answer:
    """What came of a call.

    Attributes:
        message: an encoded message, of kind ``error`` where the policy failed or took too long.
        succeeded: whether it is what the call returned.
    """

    message: bytes
    succeeded: bool


class PolicyWorker:
    """Runs calls in a daemon thread, so that neither a server nor the end of the process waits for one that hangs.

    A call that takes too long is answered with a fault. It cannot be ended, so that the policy stays busy until it
    returns, if it ever does; its answer is thrown away then.

    Args:
        timeout: seconds that a call may take.
    """

    def __init__(self, *, timeout: float) -> None:
        self._timeout = timeout
        self._calls, self._answers = queue.SimpleQueue[Call | None](), queue.SimpleQueue[Answer]()
        self._told, self._tells = socket.socketpair()  # a byte for each answer wakes up whoever selects
        self._told.setblocking(False)
        self._began: float | None = None  # when the awaited call began
        self.is_busy = False
        self._thread = threading.Thread(target=self._work, daemon=True, name="dfplan policy")

    @property
    def is_awaited(self) -> bool:
        """Whether the answer to a call is still to come from :meth:`answer`."""
        return self._began is not None

    def fileno(self) -> int:
        """A descriptor that is ready to be read when an answer is there, for selectors."""
        return self._told.fileno()

    def submit(self, call: Call) -> Answer | None:
        """Begin a call whose answer :meth:`answer` gives; at once a fault if the policy still works on another."""
        self.answer()
        if self.is_busy:
            return _fault("busy: the policy still works on an earlier request; try again later")
        if not self._thread.is_alive():
            self._thread.start()
        self._began, self.is_busy = time.monotonic(), True
        self._calls.put(call)
        return None

    def answer(self) -> Answer | None:
        """The answer to the awaited call, if it is there or its time is over."""
        with suppress(BlockingIOError):
            self._told.recv(64)
        given = None if self._answers.empty() else self._answers.get()
        self.is_busy &= given is None
        if self._began is None:  # nobody waits for it any more
            return None
        if given is None and time.monotonic() - self._began > self._timeout:
            given = _fault(f"the policy has not answered within {self._timeout:g} s")
        if given is not None:
            self._began = None
        return given

    def close(self) -> None:
        """End the thread, once the call that it is in returns."""
        self._calls.put(None)
        self._told.close()
        if not self._thread.is_alive():
            self._tells.close()

    def _work(self) -> None:
        with self._tells:
            while (call := self._calls.get()) is not None:
                self._answers.put(_answer_of(call))
                with suppress(OSError):  # nobody is there any more
                    self._tells.send(b"\0")


def _answer_of(call: Call) -> Answer:
    """What a call returns; whatever else becomes of it, also an exit, is the policy's own doing and a fault."""
    try:
        return Answer(call(), succeeded=True)
    except ValueError as error:  # it refuses what it is shown: UserError and its like
        return _fault(_text_of(error))
    except BaseException as error:
        return _fault(f"the policy failed: {type(error).__name__}: {_text_of(error)}")


def refusal(text: str) -> bytes:
    """An encoded message of kind ``error``."""
    return encode("error", text=text[:MAX_TEXT])


def _fault(text: str) -> Answer:
    return Answer(refusal(text), succeeded=False)


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:
        return "an error without a text"
