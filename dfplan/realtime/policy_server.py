"""A policy for other programs and machines: JSON messages over TCP, on this machine alone unless told otherwise.

No message can execute anything (see :mod:`dfplan.realtime.wire`), none is longer than a limit, and a client that is
silent is let go; a policy that hangs is answered for. There is no encryption and no password: for other machines,
tunnel it (``ssh -L``).
"""

import selectors
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dfplan.arrays import as_numbers
from dfplan.errors import UserError
from dfplan.realtime.episode import ActInfo
from dfplan.realtime.policy_worker import Answer, PolicyWorker, refusal
from dfplan.realtime.stream import ConnectionLostError, MessageStream, SocketSelector
from dfplan.realtime.wire import Message, WireError, encode

_LOOK = 0.1  # seconds between two looks at whose time is over
_TIME_TO_SPEAK = 1.0  # seconds that a client has, however many others come


class ServedPolicy(Protocol):
    """What a server serves: a :class:`~dfplan.realtime.RealtimeAgent`, or anything alike.

    Whatever it raises or returns, and if it never does, the server goes on. All calls come from one thread, one after
    the other. Where it has a ``release()``, that is called before each reset: a stop is an affair of the session that
    it came from.
    """

    def reset(self, *, seed: int, goal: np.ndarray) -> None:
        """Begin an episode."""
        ...

    def act(self, observation: np.ndarray) -> tuple[np.ndarray, ActInfo]:
        """The action, and where it came from: ``source`` and ``faults`` of that are told to the client."""
        ...


@dataclass(eq=False)
class _Client:
    """A connection.

    Attributes:
        stream: to the client.
        heard_at: when its last message came, or a part of an answer went.
        reset: a reset that waits for the client's turn; nothing more is read from the client until then.
        asked: its message that the policy works on; nothing is read from it meanwhile.
        is_sending: whether a part of an answer is still to be taken by the client; nothing is read until it is.
        has_more: whether another message may have arrived already.
        was_ended: whether its session has ended because others waited.
    """

    stream: MessageStream
    heard_at: float
    reset: Message | None = None
    asked: Message | None = None
    is_sending: bool = False
    has_more: bool = False
    was_ended: bool = False

    @property
    def may_speak(self) -> bool:
        """Whether its next message is wanted."""
        return self.reset is None and self.asked is None and not self.is_sending


class PolicyServer:
    """Serves one session at a time, as a policy has one memory; other clients wait for their turn.

    A session begins with a reset. While nobody waits it lasts as long as the client likes. Once another client has sent
    its reset, it ends when its turn is over or the client is silent for too long: its next ``act`` is answered with an
    error, and a reset makes it wait for its next turn. Who has no session keeps nobody out, whatever it sends.

    Args:
        policy: what acts.
        host: address to listen on; anything but this machine's own opens the policy to everybody there.
        port: 0 takes a free one.
        idle_timeout: seconds of silence after which a client is let go, also in the middle of a message.
        answer_timeout: seconds that the policy may take for an answer. Beyond, its client is told of a fault, and until
            the policy returns, if it ever does, every further request is answered at once that it is busy.
        turn_timeout: seconds that a session lasts at least, while others wait; None is three times ``idle_timeout``.
        max_clients: connections at a time; beyond, whoever has been silent longest and does not wait is let go.
    """

    def __init__(
        self,
        policy: ServedPolicy,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        idle_timeout: float = 10.0,
        answer_timeout: float = 10.0,
        turn_timeout: float | None = None,
        max_clients: int = 64,
    ) -> None:
        if not answer_timeout > 0:
            raise UserError(f"answer_timeout must be above 0 seconds; got {answer_timeout}")
        self._policy = policy
        self._worker = PolicyWorker(timeout=answer_timeout)
        self._idle_timeout = idle_timeout
        self._turn_timeout = 3 * idle_timeout if turn_timeout is None else turn_timeout
        self._max_clients = max_clients
        self._stopping = threading.Event()
        self._socket = socket.create_server((host, port), backlog=128)
        self._socket.setblocking(False)
        self._listens_from = 0.0
        self._clients: list[_Client] = []
        self._waiting: list[_Client] = []  # for their turn, first come, first served
        self._session: _Client | None = None
        self._session_began = 0.0

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on."""
        host, port = self._socket.getsockname()[:2]
        return host, port

    def serve(self) -> None:
        """Serve until :meth:`stop`."""
        try:
            while not self._stopping.is_set():
                self._serve_once()
        finally:
            for client in list(self._clients):
                self._drop(client)
            self._socket.close()
            self._worker.close()

    def stop(self) -> None:
        """End :meth:`serve`, from any thread."""
        self._stopping.set()

    def _serve_once(self) -> None:
        """Take one message of everybody who has sent one, and see whose time is over."""
        with SocketSelector() as selector:
            selector.register(self._worker, selectors.EVENT_READ)
            if time.monotonic() >= self._listens_from and self._has_place():
                selector.register(self._socket, selectors.EVENT_READ)
            for client in self._clients:
                if client.is_sending or client.may_speak:
                    event = selectors.EVENT_WRITE if client.is_sending else selectors.EVENT_READ
                    selector.register(client.stream.fileno(), event, client)
            some_have_more = any(each.has_more and each.may_speak for each in self._clients)
            ready = [key.data for key, _ in selector.select(0.0 if some_have_more else _LOOK)]
        for client in list(self._clients):
            if client in ready or (client.has_more and client.may_speak):
                self._attend(client)
        if None in ready:
            self._accept()
        if (answer := self._worker.answer()) is not None and self._session is not None:
            self._tell(self._session, answer)
        self._pass_turns_on()

    def _has_place(self) -> bool:
        return len(self._clients) < self._max_clients or self._longest_silent() is not None

    def _longest_silent(self) -> _Client | None:
        """Who makes place for others: no session, none waited for, and nothing said for a while."""
        others = [each for each in self._clients if each is not self._session and each.reset is None]
        client = min(others, key=lambda each: each.heard_at, default=None)
        return None if client is None or time.monotonic() - client.heard_at < _TIME_TO_SPEAK else client

    def _accept(self) -> None:
        """Take in who knocks, a few at a time."""
        for _ in range(8):
            if len(self._clients) >= self._max_clients:
                if (silent := self._longest_silent()) is None:
                    return
                self._drop(silent)
            try:
                connection, _ = self._socket.accept()
            except BlockingIOError:
                return
            except OSError:  # gone again, or no descriptors are left: whoever is there already is served meanwhile
                self._listens_from = time.monotonic() + _LOOK
                return
            self._clients.append(_Client(MessageStream(connection), heard_at=time.monotonic()))

    def _drop(self, client: _Client) -> None:
        client.stream.close()
        self._clients.remove(client)
        if client in self._waiting:
            self._waiting.remove(client)
        if client is self._session:
            self._session = None

    def _attend(self, client: _Client) -> None:
        """Go on sending to a client, or take its next message."""
        try:
            if client.is_sending:
                client.is_sending = not client.stream.flush()
                client.heard_at = time.monotonic()
                return
            message = client.stream.receive()
        except ConnectionLostError:
            self._drop(client)
            return
        except WireError as error:
            client.has_more = not client.stream.is_broken
            self._reply(client, refusal(str(error)))
            if client.stream.is_broken and client in self._clients:
                self._drop(client)
            return
        client.has_more = message is not None
        if message is None:
            return
        client.heard_at = time.monotonic()
        if message.kind != "reset":
            self._act(client, message)
        elif client is self._session and not (self._waiting and self._turn_is_over()):
            self._begin(client, message)
        else:
            if client is self._session:
                self._session = None
            client.reset = message
            self._waiting.append(client)

    def _turn_is_over(self) -> bool:
        assert self._session is not None
        now = time.monotonic()
        silent = now - self._session.heard_at > self._idle_timeout
        return silent or now - self._session_began > self._turn_timeout

    def _pass_turns_on(self) -> None:
        """Let silent clients go, end a session whose turn is over, and begin the next; not while one is answered."""
        if self._worker.is_awaited:
            return
        now = time.monotonic()
        for client in list(self._clients):
            if client.reset is None and now - client.heard_at > self._idle_timeout:
                self._drop(client)
        if self._session is not None and self._waiting and self._turn_is_over():
            self._session.was_ended, self._session = True, None
        while self._session is None and self._waiting:
            client = self._waiting.pop(0)
            message, client.reset = client.reset, None
            assert message is not None
            self._begin(client, message)

    def _begin(self, client: _Client, message: Message) -> None:
        """Begin an episode for a client; the session is its own, until that fails."""
        goes_on, self._session = client is self._session, client
        if not (goes_on and self._waiting):  # or a client that resets for ever would keep others out
            self._session_began = time.monotonic()

        def reset() -> bytes:
            if release := getattr(self._policy, "release", None):
                release()
            self._policy.reset(seed=message["seed"], goal=message["goal"])
            return encode("begun")

        self._ask(client, message, reset)

    def _act(self, client: _Client, message: Message) -> None:
        """Answer anything but a reset."""
        if client.was_ended:
            return self._reply(client, refusal("the turn is over, as others wait; send reset to wait for the next one"))
        if message.kind != "act" or client is not self._session:
            return self._reply(client, refusal(f"{message.kind} is not understood here; send reset, then act"))

        def act() -> bytes:
            action, info = self._policy.act(message["observation"])
            numbers = as_numbers(action)
            if numbers is None:
                raise TypeError(f"an action is a row of numbers; got {type(action).__name__}")
            return encode("action", action=numbers, source=info.source, faults=" ".join(info.faults))

        return self._ask(client, message, act)

    def _ask(self, client: _Client, message: Message, call: Callable[[], bytes]) -> None:
        """Have the policy work on a message of the session; :meth:`_tell` follows."""
        client.asked = message
        if (busy := self._worker.submit(call)) is not None:
            self._tell(client, busy)

    def _tell(self, client: _Client, answer: Answer) -> None:
        """Give a client what the policy answered; a reset that failed ends its session."""
        message, client.asked = client.asked, None
        if message is not None and message.kind == "reset":
            client.was_ended &= not answer.succeeded
            self._session = client if answer.succeeded else None
        self._reply(client, answer.message)

    def _reply(self, client: _Client, answer: bytes) -> None:
        try:
            client.stream.post(answer)
            client.is_sending = not client.stream.flush()
            client.heard_at = time.monotonic()
        except ConnectionLostError:
            self._drop(client)


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
        self._owed = 0  # answers that came too late, or are still to come

    def reset(self, *, seed: int, goal: np.ndarray) -> None:
        """Begin an episode.

        Raises:
            WireError: what was sent cannot be sent, or the server refuses it.
            TimeoutError: no answer in time; a reset waits for the client's turn. What comes later is not taken for the
                answer to anything else.
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
        deadline = time.monotonic() + self._timeout
        self._stream.send(message, timeout=self._timeout)
        self._owed += 1
        while self._owed:
            answer = self._stream.receive(timeout=deadline - time.monotonic())
            if answer is None:
                raise TimeoutError(f"the policy server has not answered within {self._timeout:g} s")
            self._owed -= 1
        if answer.kind != expected:
            raise WireError(answer["text"] if answer.kind == "error" else f"{answer.kind} came for {expected}")
        return answer
