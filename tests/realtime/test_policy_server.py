"""The policy server: what it serves, what it refuses, and that nothing a client sends brings it down."""

import json
import socket
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from dfplan.errors import UserError
from dfplan.realtime.policy_server import PolicyClient, PolicyServer
from dfplan.realtime.stream import ConnectionLostError
from dfplan.realtime.wire import MAX_BYTES, WireError


class Doubling:
    """A policy that doubles what it sees."""

    def reset(self, *, seed, goal):
        if len(goal) != 2:
            raise UserError("a goal has two numbers")
        self.begun = (seed, goal.tolist())

    def act(self, observation):
        return 2 * observation, SimpleNamespace(source="plan", faults=("stale", "late_plan"))


@pytest.fixture
def server():
    server = PolicyServer(Doubling(), idle_timeout=0.3)
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield server
    server.stop()
    thread.join()


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
