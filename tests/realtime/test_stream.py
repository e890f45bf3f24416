"""Messages over a socket: whole ones, in order, in whatever pieces they come, and never a wait too long."""

import socket
import threading
import time

import numpy as np
import pytest

from dfplan.realtime.stream import ConnectionLostError, MessageStream
from dfplan.realtime.wire import WireError, encode


@pytest.fixture
def ends():
    """A stream and the bare socket at its other end."""
    ours, theirs = socket.socketpair()
    stream = MessageStream(ours)
    yield stream, theirs
    stream.close()
    theirs.close()


def test_messages_arrive_whole_and_in_order_in_whatever_pieces(ends):
    stream, other = ends
    sent = b"".join(encode("error", text=f"{number}") for number in range(5))
    found = []
    for byte in sent:
        other.send(bytes([byte]))
        message = stream.receive()
        if message is not None:
            found.append(message["text"])
    assert found == ["0", "1", "2", "3", "4"]
    other.send(sent)
    assert [stream.receive()["text"] for _ in range(5)] == found
    assert stream.receive() is None


def test_a_long_message_arrives():
    ours, theirs = (MessageStream(each) for each in socket.socketpair())
    actions = np.random.default_rng(0).normal(size=(800, 2))
    request = {"id": 1, "seed": 0, "episode": 0, "step": 0, "observation": np.zeros(4), "goal": np.zeros(2)}
    request |= {"observation_noise": np.zeros(4), "committed": actions, "passed": np.zeros(0)}
    ours.send(encode("request", **request), timeout=1)
    np.testing.assert_array_equal(theirs.receive(timeout=1)["committed"], actions)
    ours.close()
    theirs.close()


def test_waiting_ends_in_time(ends):
    stream, other = ends
    other.send(encode("pong")[:3])  # half a header
    began = time.monotonic()
    assert stream.receive(timeout=0.05) is None
    assert 0.04 < time.monotonic() - began < 1


def test_a_message_that_comes_while_waiting_is_taken(ends):
    stream, other = ends
    later = threading.Timer(0.05, lambda: other.send(encode("pong")))
    later.start()
    message = stream.receive(timeout=30)
    later.join()
    assert message is not None
    assert message.kind == "pong"


def test_a_side_that_has_gone_is_noticed_after_its_last_message(ends):
    stream, other = ends
    other.send(encode("pong") + encode("pong")[:-1])
    other.close()
    assert stream.receive().kind == "pong"
    with pytest.raises(ConnectionLostError):
        stream.receive()
    with pytest.raises(ConnectionLostError):
        stream.send(encode("ping"), timeout=0.1)


def test_a_side_that_takes_nothing_is_lost_after_the_time_out(ends):
    stream, _ = ends
    with pytest.raises(ConnectionLostError, match="nothing was taken for"):
        stream.send(bytes(2**24), timeout=0.01)


def test_a_side_that_takes_its_time_gets_everything(ends):
    stream, other = ends
    taken = bytearray()

    def take():
        time.sleep(0.05)  # until the system's buffer is full
        while len(taken) < 2**22:
            taken.extend(other.recv(2**20))

    reader = threading.Thread(target=take)
    reader.start()
    stream.send(bytes(2**22), timeout=30)
    reader.join(timeout=30)
    assert len(taken) == 2**22


def test_a_length_beyond_the_limit_is_refused(ends):
    stream, other = ends
    other.send(b"\x7f\xff\xff\xff")
    assert not stream.is_broken
    with pytest.raises(WireError, match="announced"):
        stream.receive()
    assert stream.is_broken


def test_a_broken_message_leaves_the_stream_usable(ends):
    stream, other = ends
    other.send(b"\x00\x00\x00\x02{}" + encode("pong"))
    with pytest.raises(WireError):
        stream.receive()
    assert not stream.is_broken
    assert stream.receive().kind == "pong"


def test_a_closed_stream_is_one_that_has_gone(ends):
    stream, other = ends
    stream.close()
    assert other.recv(1) == b""
    with pytest.raises(ConnectionLostError):
        stream.receive()
