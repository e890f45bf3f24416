"""Messages between processes: JSON behind a length, each kind with a fixed schema. Nothing in one can execute."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

VERSION = 1
MAX_BYTES = 2**20  # of one message; a plan of 800 steps is some 60 kB
HEADER_BYTES = 4
MAX_TEXT = 1000
MAX_INTEGER = 2**63 - 1

# What a message of each kind holds. A vector is a list of finite numbers, a matrix a list of equally long vectors.
SCHEMAS: Mapping[str, Mapping[str, str]] = {
    # A planner process: it says that it is ready, then answers each request with a plan or a failure, a ping at once.
    "ready": {"action_dim": "integer", "observation_dim": "integer", "plan_seconds": "number"},
    "request": {
        "id": "integer",
        "seed": "integer",
        "episode": "integer",
        "step": "integer",
        "observation": "vector",
        "observation_noise": "vector",
        "goal": "vector",
        "committed": "matrix",
        "passed": "vector",  # per way-point that plans must pass, 1 where it was passed before
    },
    "plan": {
        "id": "integer",
        "seconds": "number",
        "context_level": "number",
        "steps_per_point": "integer",
        "arrival": "integer",
        "value": "number",
        "observations": "matrix",
        "actions": "matrix",
        "rewards": "vector",
        "broken": "text",  # names of constraints that the plan does not keep
    },
    "failure": {"id": "integer", "text": "text"},
    "ping": {},
    "pong": {},
    # A robot in another process: sensed at every tick, answered by a command; finished at the end of an episode.
    "sensed": {"step": "integer", "stamp": "number", "observation": "vector", "goal": "vector"},
    "command": {"step": "integer", "action": "vector"},
    "finished": {"steps": "integer", "unanswered": "integer", "late": "integer", "score": "number"},
    # A policy server: reset is answered with begun, act with action, whatever is wrong with an error.
    "reset": {"seed": "integer", "goal": "vector"},
    "begun": {},
    "act": {"observation": "vector"},
    "action": {"action": "vector", "source": "text", "faults": "text"},
    "error": {"text": "text"},
}
# What need not be said: planner programs that know of no constraints neither ask nor answer for them.
UNSAID: Mapping[str, Mapping[str, Any]] = {"request": {"passed": []}, "plan": {"broken": ""}}


class WireError(ValueError):
    """A message that is not what its schema says; the text names what was found."""


@dataclass(frozen=True)
class Message:
    """One message: its kind and its fields, numbers as Python's or as float64 arrays."""

    kind: str
    fields: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]


def encode(kind: str, **fields: Any) -> bytes:
    """Return a message as bytes, its length in front.

    Raises:
        WireError: the fields are not those of the schema, a number is not finite, or it is too long.
    """
    plain = {name: _plain(value) for name, value in fields.items()}
    try:
        body = json.dumps({"version": VERSION, "kind": kind, **plain}, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise WireError(f"{kind}: cannot be sent: {error}") from error
    _check_fields(kind, plain)
    if len(body) > MAX_BYTES:
        raise WireError(f"{kind}: {len(body)} bytes, at most {MAX_BYTES} can be sent")
    return len(body).to_bytes(HEADER_BYTES, "big") + body


def decode(body: bytes) -> Message:
    """Return the message in ``body`` (without the length).

    Raises:
        WireError: it is not JSON, of another version or an unknown kind, or breaks its schema.
    """
    try:
        content = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise WireError(f"not readable as JSON: {str(error)[:200]}") from error
    if not isinstance(content, dict):
        raise WireError(f"a message is a JSON object; got a {type(content).__name__}")
    version, kind = content.pop("version", None), content.pop("kind", None)
    if type(version) is not int or version != VERSION:
        raise WireError(f"version {_short(version)}; this dfplan speaks {VERSION}")
    if not isinstance(kind, str):
        raise WireError(f"a kind is text; got {_short(kind)}")
    return Message(kind, _check_fields(kind, content))


def body_length(header: bytes) -> int:
    """Bytes that follow a header.

    Raises:
        WireError: more than are allowed. What comes after such a header cannot be made sense of.
    """
    length = int.from_bytes(header, "big")
    if length > MAX_BYTES:
        raise WireError(f"a message of {length} bytes is announced, at most {MAX_BYTES} are allowed")
    return length


def _check_fields(kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields with lists as arrays."""
    schema = SCHEMAS.get(kind)
    if schema is None:
        raise WireError(f"unknown kind {_short(kind)}; known are {', '.join(SCHEMAS)}")
    fields = {**UNSAID.get(kind, {}), **fields}
    if set(fields) != set(schema):
        raise WireError(f"{kind} has the fields {', '.join(schema) or 'none'}; got {_short(sorted(map(str, fields)))}")
    return {name: _CHECKS[what](f"{kind}.{name}", fields[name]) for name, what in schema.items()}


def _integer(name: str, value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MAX_INTEGER:
        raise WireError(f"{name} must be a whole number from 0 to 2**63 - 1; got {_short(value)}")
    return value


def _number(name: str, value: Any) -> float:
    return float(_array(name, value, dimensions=0))


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise WireError(f"{name} must be text of at most {MAX_TEXT} characters; got {_short(value)}")
    return value


def _array(name: str, value: Any, *, dimensions: int) -> np.ndarray:
    values = value if dimensions == 2 else [value]
    values = values if dimensions else [values]
    if not isinstance(values, list) or not all(_is_numbers(row) for row in values):
        raise WireError(f"{name} must be a {_NAMES[dimensions]}; got {_short(value)}")
    if len({len(row) for row in values}) > 1:
        raise WireError(f"{name} must have rows of one length")
    try:
        array = np.array(value, dtype=np.float64)
    except OverflowError as error:
        raise WireError(f"{name} holds a number that is too large") from error
    if not np.isfinite(array).all():
        raise WireError(f"{name} holds a number that is not finite")
    return array.reshape(0, 0) if dimensions == 2 and not values else array


def _vector(name: str, value: Any) -> np.ndarray:
    return _array(name, value, dimensions=1)


def _matrix(name: str, value: Any) -> np.ndarray:
    return _array(name, value, dimensions=2)


def _is_numbers(row: Any) -> bool:
    return isinstance(row, list) and all(type(each) in (int, float) for each in row)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


_NAMES = ("number", "list of numbers", "list of lists of numbers")
_CHECKS = {"integer": _integer, "number": _number, "text": _text, "vector": _vector, "matrix": _matrix}
