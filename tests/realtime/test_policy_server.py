"""The policy server: what it serves, what it refuses, and that nothing a client sends brings it down."""

import json
import os
import resource
import socket
import struct
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from fake_planner import FakeClock, FakePlanner, fake_agent

from dfplan.errors import UserError
from dfplan.realtime.policy_server import PolicyClient, PolicyServer
from dfplan.realtime.stream import ConnectionLostError
from dfplan.realtime.wire import MAX_BYTES, WireError, encode


class Doubling:
    """A policy that doubles what it sees."""

    def reset(self, *, seed, goal):
        if len(goal) != 2:
            raise UserError("a goal has two numbers")
        self.begun = (seed, goal.tolist())

    def act(self, observation):
        return 2 * observation, SimpleNamespace(source="plan", faults=("stale", "late_plan"))


@contextmanager
def serving(policy, **options):
    """A server at work, and still at work at the end."""
    server = PolicyServer(policy, **({"idle_timeout": 0.3} | options))
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
        assert thread.is_alive()
    finally:
        server.stop()
        thread.join()


@pytest.fixture
def server():
    with serving(Doubling()) as server:
        yield server


@pytest.fixture
def planner_agent():
    return fake_agent(FakePlanner(FakeClock()), period=None)


@pytest.fixture
def client(server):
    client = PolicyClient(server.address)
    yield client
    client.close()


def test_a_client_is_served_on_this_machine_alone(server, client):
    assert server.address[0] == "127.0.0.1"
    client.reset(seed=3, goal=np.array([1.0, 2.0]))
    for value in (1.5, -2.0):
        action, source, faults = client.act(np.array([value, 0.25]))
        np.testing.assert_array_equal(action, [2 * value, 0.5])
        assert (source, faults) == ("plan", ("stale", "late_plan"))
    assert server._policy.begun == (3, [1.0, 2.0])


def test_refusals_come_as_one_line_and_the_client_may_go_on(client):
    with pytest.raises(WireError, match="act is not understood here; send reset, then act"):
        client.act(np.zeros(2))
    with pytest.raises(WireError, match="a goal has two numbers"):
        client.reset(seed=0, goal=np.zeros(3))
    client.reset(seed=0, goal=np.zeros(2))
    with pytest.raises(WireError, match="cannot be sent"):
        client.act(np.array([np.nan, 0.0]))
    assert client.act(np.ones(2))[0].tolist() == [2, 2]


class Unruly:
    """A policy that does whatever it is told to."""

    def __init__(self):
        self.does = self.resets = None

    def reset(self, *, seed, goal):
        if self.resets is not None:
            self.resets()

    def act(self, observation):
        return (np.zeros(2), GOOD) if self.does is None else self.does()


GOOD = SimpleNamespace(source="plan", faults=())


def raising(error):
    def act():
        raise error

    return act


def informing(**changes):
    return lambda: (np.zeros(2), SimpleNamespace(**({"source": "plan", "faults": ()} | changes)))


def recursing():
    return recursing()


def itself():
    inside = []
    inside.append(inside)
    return inside


class NoText(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class ExitsWhenRead(Exception):
    def __str__(self):
        raise SystemExit(1)


RAISED = (RuntimeError, IndexError, KeyError, AssertionError, OSError, MemoryError, StopIteration, SystemExit)
RAISED = (*RAISED, GeneratorExit, UserWarning, ConnectionLostError, TimeoutError, UnicodeError, NoText, WireError)
RAISED = (*RAISED, ExitsWhenRead, KeyboardInterrupt)
ACTIONS = {
    "nan": np.array([np.nan, 0]),
    "inf": np.array([np.inf, 0]),
    "a number": 0.0,
    "nothing": None,
    "text": "ab",
    "a matrix": np.zeros((2, 2)),
    "ragged": [[1], [1, 2]],
    "complex": np.zeros(2, complex),
    "bools": np.zeros(2, bool),
    "objects": [object()] * 2,
    "itself": itself(),
    "masked": np.ma.array([1.0, 2.0], mask=[0, 1]),
    "huge": np.zeros(10**6),
    "large whole numbers": [10**400, 0],
}
MISBEHAVIOURS = {
    **{f"raises {each.__name__}": raising(each("boom")) for each in RAISED},
    **{f"acts {name}": lambda action=action: (action, GOOD) for name, action in ACTIONS.items()},
    "recursion": recursing,
    "no pair": lambda: np.zeros(2),
    "nothing at all": lambda: None,
    "three": lambda: (np.zeros(2), GOOD, GOOD),
    "no info": lambda: (np.zeros(2), None),
    "a source that is none": informing(source=3),
    "faults that are none": informing(faults=None),
    "faults of numbers": informing(faults=(1, 2)),
    "long faults": informing(faults=("x" * 2000,)),
    "long source": informing(source="x" * 2000),
}


@pytest.mark.filterwarnings("ignore")
def test_the_server_outlives_whatever_its_policy_does():
    policy = Unruly()
    with serving(policy) as server:
        for name, misbehaviour in MISBEHAVIOURS.items():
            client = PolicyClient(server.address)
            policy.does = misbehaviour
            client.reset(seed=0, goal=np.zeros(2))
            with pytest.raises(WireError):
                client.act(np.zeros(4))
            policy.does = None
            assert client.act(np.zeros(4))[1] == "plan", name  # the same session goes on
            client.close()
        for error in RAISED:
            client = PolicyClient(server.address)
            policy.resets = raising(error("boom"))
            with pytest.raises(WireError):
                client.reset(seed=0, goal=np.zeros(2))
            with pytest.raises(WireError, match="send reset, then act"):
                client.act(np.zeros(4))
            policy.resets = None
            client.reset(seed=0, goal=np.zeros(2))
            client.close()


@pytest.mark.parametrize("action", [[0, 0], (0.5, 1), np.zeros(2, np.float32), np.zeros(2, np.int8), np.zeros(0)])
def test_a_policy_may_answer_in_whatever_container(action):
    policy = Unruly()
    policy.does = lambda: (action, GOOD)
    with serving(policy) as server:
        client = PolicyClient(server.address)
        client.reset(seed=0, goal=np.zeros(2))
        np.testing.assert_array_equal(client.act(np.zeros(4))[0], action)
        client.close()


def test_a_stop_is_an_affair_of_the_session_it_came_from(planner_agent):
    with serving(planner_agent) as server:
        stranger = PolicyClient(server.address)
        for far in ([1e30, 1e30], [1.0], [], [0.0, 0.0, 0.0], [1e308, 0.0]):
            with pytest.raises(WireError, match="a goal must lie between"):
                stranger.reset(seed=0, goal=np.array(far))
        stranger.reset(seed=0, goal=np.ones(2))
        sources = [stranger.act(np.full(4, 1e18))[1] for _ in range(30)]
        assert sources[-1] == "stopped"
        assert planner_agent.is_stopped
        honest = PolicyClient(server.address)
        stranger.close()
        honest.reset(seed=0, goal=np.ones(2))
        assert [honest.act(np.ones(4))[1] for _ in range(3)][-1] in ("safe", "plan")
        assert [honest.act(np.full(4, 1e18))[1] for _ in range(30)][-1] == "stopped"
        honest.reset(seed=1, goal=np.ones(2))  # its owner lets it go
        assert honest.act(np.ones(4))[1] != "stopped"
        honest.close()


def test_one_client_after_the_other(server):
    for _ in range(5):
        client = PolicyClient(server.address)
        client.reset(seed=0, goal=np.zeros(2))
        client.close()


def _raw(server, content, *, timeout=2.0):
    """What the server answers to bytes, until it closes or is silent."""
    with socket.create_connection(server.address, timeout=timeout) as connection:
        connection.sendall(content)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while received := connection.recv(65536):
            answer += received
        return answer


def _framed(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (_framed(b"{}"), b"version None"),
        (_framed(b"\x80\x04\x95"), b"not readable as JSON"),
        (_framed(b"[" * 10**5), b"not readable as JSON"),
        (_framed(b'{"version": 1, "kind": "plan"}'), b"plan has the fields"),
        (_framed(b'{"version": 1, "kind": "pong"}'), b"not understood here"),
        ((MAX_BYTES + 1).to_bytes(4, "big"), b"is announced, at most"),
        (b"GET / HTTP/1.1\r\n\r\n", b"is announced, at most"),
        (b"\x00\x00", b""),
        (b"", b""),
    ],
)
def test_nonsense_is_answered_in_one_line(server, client, content, said):
    client.close()
    assert said in _raw(server, content)
    PolicyClient(server.address).close()


def test_a_client_that_stops_in_the_middle_of_a_message_is_let_go(server):
    with socket.create_connection(server.address) as silent:
        silent.sendall(b"\x00\x00\x00\x50{")
        began = time.monotonic()
        waiting = PolicyClient(server.address)
        waiting.reset(seed=0, goal=np.zeros(2))
        assert time.monotonic() - began < 2
        waiting.close()


def test_a_server_that_does_not_answer_or_has_gone_is_told():
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        client = PolicyClient(deaf.getsockname(), timeout=0.05)
        with pytest.raises(TimeoutError, match=r"not answered within 0\.05 s"):
            client.reset(seed=0, goal=np.zeros(2))
        deaf.accept()[0].close()
        with pytest.raises(ConnectionLostError):
            client.reset(seed=0, goal=np.zeros(2))
        client.close()


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next():
    policy = Unruly()
    with serving(policy) as server:
        client = PolicyClient(server.address, timeout=0.2)
        client.reset(seed=0, goal=np.zeros(2))

        def late():
            time.sleep(0.3)
            return np.ones(2), GOOD

        policy.does = late
        with pytest.raises(TimeoutError):
            client.act(np.zeros(2))
        policy.does = None
        time.sleep(0.2)
        assert client.act(np.zeros(2))[0].tolist() == [0, 0]
        client.close()


class Hanging(Doubling):
    """Hangs in ``reset`` or ``act`` until it is let go."""

    def __init__(self, where):
        self.where, self.go_on = where, threading.Event()

    def reset(self, *, seed, goal):
        if self.where == "reset":
            self.go_on.wait()

    def act(self, observation):
        if self.where == "act":
            self.go_on.wait()
        return super().act(observation)


@pytest.mark.parametrize("where", ["reset", "act"])
def test_a_policy_that_hangs_is_answered_for_and_serves_again_once_it_returns(where):
    policy = Hanging(where)
    with serving(policy, answer_timeout=0.5, idle_timeout=3.0, turn_timeout=0.0) as server:
        first, second = (PolicyClient(server.address, timeout=5) for _ in range(2))
        if where == "act":
            first.reset(seed=0, goal=np.zeros(2))
        try:
            hung = (
                partial(first.reset, seed=0, goal=np.zeros(2)) if where == "reset" else partial(first.act, np.ones(2))
            )
            with pytest.raises(WireError, match=r"the policy has not answered within 0\.5 s"):
                hung()
            for client in (first, second):
                began = time.monotonic()
                with pytest.raises(WireError, match="busy: the policy still works on an earlier request"):
                    client.reset(seed=0, goal=np.zeros(2))
                assert time.monotonic() - began < 0.4
        finally:
            policy.where = None
            policy.go_on.set()
        time.sleep(0.2)
        second.reset(seed=0, goal=np.zeros(2))
        assert second.act(np.ones(2))[0].tolist() == [2, 2]  # and not what came too late


def test_a_server_stops_at_once_and_a_stranger_is_answered_while_its_policy_hangs():
    policy = Hanging("act")
    server = PolicyServer(policy)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        client = PolicyClient(server.address, timeout=0.2)
        client.reset(seed=0, goal=np.zeros(2))
        with pytest.raises(TimeoutError):
            client.act(np.ones(2))
        stranger = PolicyClient(server.address, timeout=1)
        with pytest.raises(WireError, match="send reset, then act"):
            stranger.act(np.ones(2))
        server.stop()
        thread.join(timeout=1)
        assert not thread.is_alive()
    finally:
        policy.go_on.set()
        server.stop()
        thread.join()


def test_a_limit_to_answers_is_above_0():
    with pytest.raises(UserError, match="answer_timeout must be above 0 seconds; got 0"):
        PolicyServer(Doubling(), answer_timeout=0)


def forever(server, contents, *, every):
    """A client that sends the ``contents`` for ever, in a thread; returns what ends it."""
    stop, connection = threading.Event(), socket.create_connection(server.address)

    def send():
        with connection, suppress(OSError):
            while not stop.is_set():
                for content in contents:
                    connection.sendall(content)
                    stop.wait(every)

    def end():
        stop.set()
        thread.join()

    thread = threading.Thread(target=send)
    thread.start()
    return end


ACT, RESET = encode("act", observation=np.zeros(2)), encode("reset", seed=0, goal=np.zeros(2))
HOGS = {
    "nonsense": ([_framed(b"{}")], 0.05),
    "acts without reset": ([ACT], 0.05),
    "resets": ([RESET], 0.05),
    "honest messages": ([RESET, *[ACT] * 100], 0.01),
    "as fast as it can, without reading": ([RESET, *[ACT] * 100], 0.0),
    "byte by byte": ([bytes([each]) for each in RESET], 0.1),
    "byte by byte after a reset": ([RESET, *(bytes([each]) for each in ACT)], 0.1),
    "a header, then nothing": ([b"\x00\x00\x00\x50{", *[b""] * 100], 0.1),
}


@pytest.mark.parametrize("hog", HOGS)
def test_a_client_that_sends_for_ever_keeps_nobody_out(server, hog):
    contents, every = HOGS[hog]
    end = forever(server, contents, every=every)
    try:
        time.sleep(0.1)
        for _ in range(2):
            client = PolicyClient(server.address, timeout=4)
            client.reset(seed=0, goal=np.zeros(2))
            assert client.act(np.ones(2))[0].tolist() == [2, 2]
            client.close()
    finally:
        end()


def test_a_session_lasts_while_nobody_waits_and_a_turn_while_somebody_does():
    with serving(Doubling(), turn_timeout=0.5, idle_timeout=5.0) as server:
        first, second = PolicyClient(server.address), PolicyClient(server.address)
        first.reset(seed=0, goal=np.zeros(2))
        second_act = pytest.raises(WireError, match="act is not understood here")
        with second_act:
            second.act(np.zeros(2))  # neither ends the session of the other, nor is answered
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            first.act(np.zeros(2))
        second.reset(seed=0, goal=np.zeros(2))
        with pytest.raises(WireError, match="the turn is over, as others wait; send reset"):
            first.act(np.zeros(2))
        second.act(np.zeros(2))
        first.reset(seed=0, goal=np.zeros(2))  # waits for its turn
        first.act(np.zeros(2))
        first.close()
        second.close()


def test_a_burst_of_connections_and_broken_ones_keep_nobody_out(server):
    linger = struct.pack("ii", 1, 0)
    for content in (b"", RESET[:10], RESET, RESET + ACT[:10]):
        crowd = []
        for _ in range(100):
            connection = socket.create_connection(server.address)
            connection.sendall(content)
            crowd.append(connection)
        for number, connection in enumerate(crowd):
            if number % 2:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            connection.close()
        client = PolicyClient(server.address, timeout=5)
        client.reset(seed=0, goal=np.zeros(2))
        client.close()


def test_a_server_serves_on_when_descriptors_run_out_and_beyond_the_2000th():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    many = min(2200, hard) if hard != resource.RLIM_INFINITY else 2200
    with serving(Doubling()) as server:
        late, held = socket.socket(), []
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
        try:
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            pass
        try:
            late.connect(server.address)
            time.sleep(0.3)
            resource.setrlimit(resource.RLIMIT_NOFILE, (many, hard))
            late.close()
            while held[-1] < many - 20:  # numbers are given in order, and this process has others open
                held.append(os.open(os.devnull, os.O_RDONLY))
            client = PolicyClient(server.address)
            client.reset(seed=0, goal=np.zeros(2))
            assert client.act(np.ones(2))[0].tolist() == [2, 2]
            client.close()
        finally:
            for each in held:
                os.close(each)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.slow
def test_a_hundred_thousand_mutated_messages_bring_nothing_down(server):
    generator = np.random.default_rng(0)
    whole = json.dumps({"version": 1, "kind": "reset", "seed": 5, "goal": [1.0, 2.0]}).encode()
    sent = 0
    while sent < 100_000:
        batch = []
        for _ in range(500):
            content = bytearray(whole)
            for position in generator.integers(len(content), size=generator.integers(1, 5)):
                content[position] = generator.integers(256)
            batch.append(_framed(bytes(content[: generator.integers(1, len(content) + 1)])))
        answers = _raw(server, b"".join(batch), timeout=20)
        assert answers.count(b'"kind": "error"') + answers.count(b'"kind": "begun"') == len(batch)
        sent += len(batch)
    client = PolicyClient(server.address)
    client.reset(seed=0, goal=np.zeros(2))
    client.close()
