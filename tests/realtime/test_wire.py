"""Messages: what goes in comes out, and whatever breaks the schema is refused in one line."""

import json

import numpy as np
import pytest

from dfplan.realtime.wire import HEADER_BYTES, MAX_BYTES, WireError, body_length, decode, encode

REQUEST = {
    "id": 7,
    "seed": 2**62,
    "episode": 0,
    "step": 3,
    "observation": np.array([0.1, -2.5e-17, 3.0, 4.0]),
    "observation_noise": np.zeros(4),
    "goal": np.array([1.0, 9.0]),
    "committed": np.array([[0.5, -1.0], [1 / 3, 1.0]]),
    "passed": np.array([1.0, 0.0]),
}


def body(**changes) -> bytes:
    """The body of an ``act`` message with something changed."""
    return json.dumps({"version": 1, "kind": "act", "observation": [1, 2.5]} | changes).encode()


def test_a_message_comes_out_as_it_went_in():
    sent = encode("request", **REQUEST)
    assert body_length(sent[:HEADER_BYTES]) == len(sent) - HEADER_BYTES
    message = decode(sent[HEADER_BYTES:])
    assert message.kind == "request"
    for name, value in REQUEST.items():
        np.testing.assert_array_equal(message[name], value)
    assert message["committed"].dtype == np.float64


def test_planners_without_constraints_need_not_speak_of_them():
    asked = {name: value for name, value in REQUEST.items() if name != "passed"}
    assert decode(encode("request", **asked)[HEADER_BYTES:])["passed"].shape == (0,)
    told = {"id": 7, "seconds": 0.1, "context_level": 0.0, "steps_per_point": 8, "arrival": 9, "value": -9.0}
    planned = {"observations": np.ones((1, 4)), "actions": np.ones((8, 2)), "rewards": np.ones(1)}
    assert decode(encode("plan", **told, **planned)[HEADER_BYTES:])["broken"] == ""


def test_an_empty_matrix_has_no_rows():
    message = decode(encode("request", **REQUEST | {"committed": np.zeros((0, 2))})[HEADER_BYTES:])
    assert message["committed"].shape == (0, 0)


def test_numbers_of_numpy_are_plain_numbers():
    assert decode(encode("reset", seed=np.int64(5), goal=np.ones(2, np.float32))[HEADER_BYTES:])["seed"] == 5


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"observation": np.array([np.nan])}, "act: cannot be sent: Out of range float"),
        ({"observation": [object()]}, "act: cannot be sent"),
        ({}, r"act has the fields observation; got \[\]"),
        ({"observation": np.ones(2), "extra": 1}, "act has the fields observation; got"),
        ({"observation": np.ones((2, 2))}, "act.observation must be a list of numbers"),
        ({"observation": np.ones(MAX_BYTES // 4)}, "bytes, at most 1048576 can be sent"),
    ],
)
def test_what_cannot_be_sent_is_refused(fields, complaint):
    with pytest.raises(WireError, match=complaint):
        encode("act", **fields)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not readable as JSON"),
        (b"\xff\xfe", "not readable as JSON"),
        (b"[" * 100_000, "not readable as JSON"),
        (b"1" * 5000, "not readable as JSON"),
        (b"[]", "a message is a JSON object; got a list"),
        (body(version=2), "version 2; this dfplan speaks 1"),
        (body(kind=["act"]), "a kind is text"),
        (body(kind="__class__"), "unknown kind"),
        (body(observation=None), "must be a list of numbers; got None"),
        (body(observation=[True]), "must be a list of numbers"),
        (body(observation=["1"]), "must be a list of numbers"),
        (body(observation=[[1]]), "must be a list of numbers"),
        (body(observation=[10**400]), "number that is too large"),
        (body().replace(b"2.5", b"NaN"), "NaN is no number"),
        (body().replace(b"2.5", b"-Infinity"), "-Infinity is no number"),
        (body().replace(b"2.5", b"1e999"), "holds a number that is not finite"),
        (body(more=1), "act has the fields observation"),
    ],
)
def test_what_breaks_the_schema_is_refused(content, complaint):
    with pytest.raises(WireError, match=complaint):
        decode(content)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"id": -1}, "request.id must be a whole number"),
        ({"id": 2**63}, "request.id must be a whole number"),
        ({"id": 1.0}, "request.id must be a whole number"),
        ({"id": True}, "request.id must be a whole number"),
        ({"committed": [[1, 2], [3]]}, "request.committed must have rows of one length"),
        ({"committed": [1, 2]}, "request.committed must be a list of lists of numbers"),
        ({"committed": {}}, "request.committed must be a list of lists of numbers"),
    ],
)
def test_each_field_has_its_type(change, complaint):
    plain = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in REQUEST.items()}
    with pytest.raises(WireError, match=complaint):
        decode(json.dumps({"version": 1, "kind": "request"} | plain | change).encode())


def test_text_is_short_text():
    for text in (5, "x" * 1001):
        with pytest.raises(WireError, match=r"error\.text must be text of at most 1000 characters"):
            encode("error", text=text)
    assert decode(encode("error", text="ü")[HEADER_BYTES:])["text"] == "ü"


def test_a_number_is_one_number():
    for value in ([1.0], "1", None):
        with pytest.raises(WireError, match=r"ready\.plan_seconds must be a number"):
            encode("ready", action_dim=2, observation_dim=4, plan_seconds=value)
    assert decode(encode("ready", action_dim=2, observation_dim=4, plan_seconds=1)[HEADER_BYTES:])["plan_seconds"] == 1


def test_an_announced_length_has_a_limit():
    assert body_length(MAX_BYTES.to_bytes(4, "big")) == MAX_BYTES
    with pytest.raises(WireError, match="4294967295 bytes is announced"):
        body_length(b"\xff\xff\xff\xff")


def test_random_bytes_are_refused_and_nothing_else_happens():
    generator = np.random.default_rng(0)
    whole = encode("request", **REQUEST)[HEADER_BYTES:]
    for _ in range(3000):
        content = bytearray(whole)
        for position in generator.integers(len(content), size=generator.integers(1, 4)):
            content[position] = generator.integers(256)
        try:
            message = decode(bytes(content))
        except WireError:
            continue
        assert all(np.isfinite(message[name]).all() for name in ("observation", "goal", "committed"))
