"""A policy for other programs and machines: JSON messages over TCP, on this machine alone unless told otherwise.

No message can execute anything (see :mod:`dfplan.realtime.wire`), none is longer than a limit, and a client that is
silent is let go. There is no encryption and no password: for other machines, tunnel it (``ssh -L``).
"""

import socket
import threading
from typing import Any, Protocol

import numpy as np

from dfplan.realtime.stream import ConnectionLostError, MessageStream
from dfplan.realtime.wire import MAX_TEXT, Message, WireError, encode


class ServedPolicy(Protocol):
    """What a server serves: a :class:`~dfplan.realtime.RealtimeAgent`, or anything alike."""

    def reset(self, *, seed: int, goal: np.ndarray) -> None:
        """Begin an episode."""
        ...

    def act(self, observation: np.ndarray) -> tuple[np.ndarray, Any]:
        """The action, and where it came from: ``source`` and ``faults`` of that are told to the client."""
        ...


class PolicyServer:
    """Serves one client at a time, as a policy has one memory; others wait their turn.

    Args:
        policy: what acts.
        host: address to listen on; anything but this machine's own opens the policy to everybody there.
        port: 0 takes a free one.
        idle_timeout: seconds of silence after which a client is let go, also in the middle of a message.
    """

    def __init__(
        self, policy: ServedPolicy, *, host: str = "127.0.0.1", port: int = 0, idle_timeout: float = 10.0
    ) -> None:
        self._policy = policy
        self._idle_timeout = idle_timeout
        self._stopping = threading.Event()
        self._socket = socket.create_server((host, port), backlog=8)
        self._socket.settimeout(0.1)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on."""
        host, port = self._socket.getsockname()[:2]
        return host, port

    def serve(self) -> None:
        """Serve until :meth:`stop`."""
        while not self._stopping.is_set():
            try:
                connection, _ = self._socket.accept()
            except TimeoutError:
                continue
            stream = MessageStream(connection)
            try:
                self._serve_client(stream)
            except ConnectionLostError:
                pass  # the client has gone; the next one
            finally:
                stream.close()
        self._socket.close()

    def stop(self) -> None:
        """End :meth:`serve`, from any thread."""
        self._stopping.set()

    def _serve_client(self, stream: MessageStream) -> None:
        """Answer until the client is gone, silent, or out of step.

        Raises:
            ConnectionLostError: it is gone.
        """
        begun = False
        while not self._stopping.is_set():
            try:
                message = stream.receive(timeout=self._idle_timeout)
            except WireError as error:
                self._reply(stream, "error", text=str(error)[:MAX_TEXT])
                if stream.is_broken:
                    return
                continue
            if message is None:
                return
            kind, fields = self._answer(message, begun=begun)
            begun |= kind == "begun"
            self._reply(stream, kind, **fields)

    def _answer(self, message: Message, *, begun: bool) -> tuple[str, dict[str, Any]]:
        """Kind and fields of the answer to one message."""
        try:
            if message.kind == "reset":
                self._policy.reset(seed=message["seed"], goal=message["goal"])
                return "begun", {}
            if message.kind == "act" and begun:
                action, info = self._policy.act(message["observation"])
                return "action", {"action": action, "source": info.source, "faults": " ".join(info.faults)}
        except ValueError as error:  # the policy refuses what it is shown: UserError and its like
            return "error", {"text": str(error)[:MAX_TEXT]}
        return "error", {"text": f"{message.kind} is not understood here; send reset, then act"}

    def _reply(self, stream: MessageStream, kind: str, **fields: Any) -> None:
        stream.send(encode(kind, **fields), timeout=self._idle_timeout)


class PolicyClient:
    """Talks to a :class:`PolicyServer`; also the example of how to do it in any language.

    Args:
        address: host and port.
        timeout: seconds that an answer may take.

    Raises:
        OSError: nobody listens there.
    """

    def __init__(self, address: tuple[str, int], *, timeout: float = 5.0) -> None:
        connection = socket.create_connection(address, timeout=timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = MessageStream(connection)
        self._timeout = timeout

    def reset(self, *, seed: int, goal: np.ndarray) -> None:
        """Begin an episode.

        Raises:
            WireError: what was sent cannot be sent, or the server refuses it.
            TimeoutError: no answer in time.
            ConnectionLostError: the server has gone.
        """
        self._ask("begun", encode("reset", seed=seed, goal=goal))

    def act(self, observation: np.ndarray) -> tuple[np.ndarray, str, tuple[str, ...]]:
        """The action ``(action_dim,)`` float64, where it came from, and what was wrong; raises as :meth:`reset`."""
        answer = self._ask("action", encode("act", observation=observation))
        return answer["action"], answer["source"], tuple(answer["faults"].split())

    def close(self) -> None:
        """Leave."""
        self._stream.close()

    def _ask(self, expected: str, message: bytes) -> Message:
        self._stream.send(message, timeout=self._timeout)
        answer = self._stream.receive(timeout=self._timeout)
        if answer is None:
            raise TimeoutError(f"the policy server has not answered within {self._timeout:g} s")
        if answer.kind != expected:
            raise WireError(answer["text"] if answer.kind == "error" else f"{answer.kind} came for {expected}")
        return answer
