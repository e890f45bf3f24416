"""Whatever a sensor, a clock or a planner says: it is flagged, nothing is raised, and actions stay in their space."""

import array
import collections
import decimal
import json

import numpy as np
import pytest
import torch
from fake_planner import HIGH, LOW, FakeClock, FakePlanner, counting_plan, fake_agent
from tiny_model import POINT_MASS

from dfplan.agent import ShootingTracker
from dfplan.errors import UserError
from dfplan.realtime import ActionQueue, PathFollower
from dfplan.realtime.motion import integrator_motion
from dfplan.realtime.wire import HEADER_BYTES, MAX_INTEGER, UNSAID, Message, decode, encode

GOOD = np.array([1.0, 2.0, 0.5, -0.5])
HUGE = 10**400
RAISED = (ValueError, KeyError, IndexError, AttributeError, ZeroDivisionError, MemoryError, RecursionError, OSError)
RAISED = (*RAISED, AssertionError, StopIteration, NotImplementedError, UserWarning, Exception)
STAMPS = (np.nan, np.inf, "1", [1.0], {}, HUGE, object(), True, 1j, np.ma.masked, 1e308, -1e308)


class Raises:
    """Reading it raises something."""

    def __init__(self, error):
        self.error = error

    def __array__(self, dtype=None, copy=None):
        raise self.error


class Gives:
    """Reading it gives something."""

    def __init__(self, value):
        self.value = value

    def __array__(self, dtype=None, copy=None):
        return self.value


class Stubborn(np.ndarray):
    """Refuses every function of NumPy."""

    __array_ufunc__ = None


def masked(*, mask):
    return np.ma.array(GOOD, mask=mask)


def itself():
    inside = []
    inside.append(inside)
    return inside


FAULTY = {
    "nothing": None,
    "text": "1 2 3 4",
    "bytes": b"1234",
    "texts": ["1", "2", "3", "4"],
    "bytes array": np.array([b"1"] * 4),
    "a dict": dict(enumerate(GOOD)),
    "a set": set(GOOD),
    "a generator": (each for each in GOOD),
    "an iterator": iter(GOOD.tolist()),
    "a range of texts": np.array(list("abcd")),
    "nones": [None] * 4,
    "one none": [1.0, None, 0.0, 0.0],
    "objects": [object()] * 4,
    "an object array": GOOD.astype(object),
    "an object array of junk": np.array([GOOD, None, "x", 3], dtype=object),
    "ragged": [[1.0], [2.0, 3.0]],
    "ragged within": [1.0, [2.0], 3.0, 4.0],
    "itself": itself(),
    "deep": json.loads("[" * 100 + "1" + "]" * 100),
    "complex": GOOD.astype(complex),
    "bools": GOOD > 0,
    "a bool among numbers": [True, 1.0, 2.0, 3.0],
    "dates": np.array(["2020-01-01"] * 4, dtype="M8[s]"),
    "durations": np.array([1] * 4, dtype="m8[s]"),
    "a record": np.zeros(4, dtype=[("x", float), ("y", float)]),
    "a record of one": np.zeros((), dtype=[("a", "f8"), ("b", "f8"), ("c", "f8"), ("d", "f8")]),
    "void": np.zeros(4, dtype="V8"),
    "decimals": [decimal.Decimal(1)] * 4,
    "huge whole numbers": [HUGE] * 4,
    "one huge whole number": [1.0, HUGE, 0.0, 0.0],
    "negative huge": [-HUGE, 0, 0, 0],
    "long doubles": np.full(4, np.longdouble("1e4000")),
    "beyond single": GOOD * 1e300,
    "the largest": np.full(4, np.finfo(float).max),
    "beyond the range": np.array([1.0, 2.0, 6.1, 0.0]),
    "the largest whole numbers": np.full(4, 2**64 - 1, dtype=np.uint64),
    "one nan": np.array([np.nan, 0, 0, 0]),
    "all nan": GOOD * np.nan,
    "inf": np.array([1.0, 2.0, np.inf, 0.0]),
    "minus inf": np.array([1.0, 2.0, -np.inf, 0.0]),
    "half nan": GOOD.astype(np.float16) * np.float16("nan"),
    "a number": 1.0,
    "0-d": np.array(1.0),
    "empty": [],
    "empty array": np.zeros(0),
    "too short": GOOD[:3],
    "too long": np.zeros(5),
    "a row": GOOD[None],
    "a column": GOOD[:, None],
    "a volume": np.zeros((4, 4, 4)),
    "as long as can be": np.broadcast_to(0.0, (2**40,)),
    "all masked": masked(mask=True),
    "one masked": masked(mask=[0, 1, 0, 0]),
    "none masked": masked(mask=False),
    "the mask itself": np.ma.masked,
    "a masked among numbers": [np.ma.masked, 2.0, 0.0, 0.0],
    "masked scalars": [np.ma.array(1.0, mask=True), 2.0, 0.0, 0.0],
    "a masked tuple": tuple(np.ma.array(each, mask=True) for each in GOOD),
    "gives masked": Gives(masked(mask=[0, 1, 0, 0])),
    "gives a list": Gives([1, 2, 3, 4]),
    "gives itself": Gives(GOOD > 0),
    "masked record": np.ma.array(GOOD, mask=True).view(np.ma.MaskedArray),
    "a tensor that is too short": torch.zeros(3),
    "a complex tensor": torch.zeros(4, dtype=torch.complex64),
    "a tensor of bools": torch.zeros(4, dtype=torch.bool),
    "a tensor with gradient": torch.zeros(4, requires_grad=True),
    "a tensor without values": torch.zeros(4, device="meta"),
    "brain floats": torch.zeros(4, dtype=torch.bfloat16),
    "a sparse tensor": torch.zeros(4).to_sparse(),
    "a memoryview of bytes": memoryview(b"1234567"),
    "a class": int,
    "a function": len,
    "a module": json,
    "ellipsis": ...,
    **{f"raises {each.__name__}": Raises(each("as asked")) for each in RAISED},
}

USABLE = {
    "a list": GOOD.tolist(),
    "a tuple": tuple(GOOD),
    "single": GOOD.astype(np.float32),
    "half": GOOD.astype(np.float16),
    "long double": GOOD.astype(np.longdouble),
    "whole numbers": np.array([1, 2, 0, 0]),
    "bytes as numbers": np.array([1, 2, 0, 0], dtype=np.uint8),
    "the other way round": GOOD.astype(">f8"),
    "read-only": np.frombuffer(GOOD.tobytes()),
    "backwards": GOOD[::-1][::-1],
    "strided": np.repeat(GOOD, 2)[::2],
    "a memoryview": memoryview(GOOD),
    "an array.array": array.array("d", GOOD),
    "a tensor": torch.from_numpy(GOOD),
    "scalars of NumPy": [np.float64(each) for each in GOOD],
    "a subclass that refuses": GOOD.view(Stubborn),
    "a record array": GOOD.view(np.recarray),
    "gives an array": Gives(GOOD),
    "a deque": collections.deque(GOOD),
}


@pytest.fixture
def planner():
    return FakePlanner(FakeClock())


def shooting():
    return PathFollower(ShootingTracker(POINT_MASS, goal_radius=0.5), motion=integrator_motion(POINT_MASS))


def act(agent, planner, observation, **options):
    """One tick; the action must be finite, inside, and the caller's own."""
    action, info = agent.act(observation, **options)
    assert action.shape == (2,)
    assert np.isfinite(action).all()
    assert ((action >= LOW) & (action <= HIGH)).all()
    planner.clock.advance(0.05)
    return info


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("follower", [ActionQueue, shooting])
@pytest.mark.parametrize("name", FAULTY)
def test_an_observation_that_is_none_is_flagged(planner, follower, name):
    agent = fake_agent(planner, follower=follower())
    for _ in range(3):
        act(agent, planner, GOOD)
    info = act(agent, planner, FAULTY[name])
    assert set(info.faults) & {"missing", "type", "shape", "not_finite", "range"}, info
    assert info.source == "queue"
    assert act(agent, planner, GOOD).source == "plan"
    assert all((request["observation"] == GOOD).all() for request in planner.requests)


@pytest.mark.parametrize("name", USABLE)
def test_numbers_are_taken_in_whatever_container(planner, name):
    agent = fake_agent(planner)
    act(agent, planner, USABLE[name])
    info = act(agent, planner, USABLE[name])
    assert (info.source, info.faults) == ("plan", ())


def test_an_interrupt_is_no_fault(planner):
    with pytest.raises(KeyboardInterrupt):
        fake_agent(planner).act(Raises(KeyboardInterrupt()))


@pytest.mark.parametrize("stamp", STAMPS)
def test_a_stamp_that_is_none_is_flagged(planner, stamp):
    agent = fake_agent(planner)
    act(agent, planner, GOOD)
    assert set(act(agent, planner, GOOD, stamp=stamp).faults) & {"stamp", "future", "stale"}
    assert act(agent, planner, GOOD).faults == ()


@pytest.mark.parametrize("deadline", [np.nan, "1", [1.0], {}, object(), True, 1j])
def test_a_deadline_that_is_none_is_flagged(planner, deadline):
    assert act(fake_agent(planner), planner, GOOD, deadline=deadline).faults == ("bad_deadline",)


@pytest.mark.parametrize("follower", [ActionQueue, shooting])
@pytest.mark.parametrize("jump", [-100.0, -0.3, 3600.0, 1e9, 1e300, 1e308, np.nan, np.inf, -np.inf])
def test_a_clock_that_jumps_is_flagged_and_soon_right_again(planner, follower, jump):
    planner.make_plan = lambda request: counting_plan(request) | {"actions": np.zeros((64, 2))}
    agent = fake_agent(planner, follower=follower())
    for _ in range(20):
        act(agent, planner, GOOD)
    before, planner.clock.now = planner.clock.now, planner.clock.now + jump
    info = act(agent, planner, GOOD)
    assert set(info.faults) & {"clock", "missed_steps"}
    if not np.isfinite(jump) or jump > 1e18:  # where no tick can be told from the next
        planner.clock.now = before
    infos = [act(agent, planner, GOOD) for _ in range(40)]
    assert agent.period == pytest.approx(0.05)
    assert (infos[-1].source, infos[-1].faults, agent.is_stopped) == ("plan", (), False)


def test_a_clock_that_stands_still_stops_nothing(planner):
    agent = fake_agent(planner)
    for _ in range(100):
        agent.act(GOOD)
    assert agent.period == pytest.approx(0.05)


ANSWER = {
    "id": 1,
    "seconds": 0.03,
    "context_level": 0.25,
    **counting_plan(Message("request", {"committed": np.zeros((0, 2)), "step": 0, "observation": GOOD})),
}
JUNK = (None, True, "x", "", [], {}, [[]], [[[1.0]]], {"a": 1}, -1, -0.5, 1e300)
JUNK = (*JUNK, float("nan"), float("inf"), HUGE, -HUGE)
HONEST = {"value": (-1, -0.5, 1e300), "rewards": ([],), "id": (), "arrival": (), "steps_per_point": ()}
HONEST["broken"] = ("x", "")


def bad_answers():
    """Names and messages ``plan`` with one thing wrong with each."""
    plain = {name: each.tolist() if isinstance(each, np.ndarray) else each for name, each in ANSWER.items()}
    for name in plain:
        if name not in UNSAID["plan"]:
            yield f"no {name}", {key: each for key, each in plain.items() if key != name}
        for junk in JUNK:
            if junk not in HONEST.get(name, ()) or isinstance(junk, bool):
                yield f"{name} {str(junk)[:12]}", plain | {name: junk}
    changes = {
        "more fields": {"more": 1},
        "another id": {"id": 2},
        "arrival beyond": {"arrival": 66},
        "arrival far beyond": {"arrival": MAX_INTEGER},
        "arrival 0": {"arrival": 0},
        "no steps to a point": {"steps_per_point": 0},
        "a point for ever": {"steps_per_point": MAX_INTEGER, "observations": []},
        "a point for ever, and arrival": {"steps_per_point": MAX_INTEGER, "observations": [], "arrival": 1},
        "long seconds": {"seconds": 1e308},
        "a level of 2": {"context_level": 2.0},
        "too few actions": {"actions": [[0.0, 0.0]] * 63},
        "actions of 3": {"actions": [[0.0] * 3] * 64},
        "actions outside": {"actions": [[1.1, 0.0]] * 64},
        "ragged actions": {"actions": [[0.0, 0.0]] * 63 + [[0.0]]},
        "far states": {"observations": [[1e6, 0.0, 0.0, 0.0]] * 16},
        "states beyond single": {"observations": [[1e39, 0.0, 0.0, 0.0]] * 16},
        "the largest states": {"observations": [[-1e308, 1e308, 0.0, 0.0]] * 16},
        "states of 5": {"observations": [[0.0] * 5] * 16},
        "too many states": {"observations": [[0.0] * 4] * 17},
        "states of text": {"observations": [["0"] * 4] * 16},
        "states of nothing": {"observations": [[None] * 4] * 16},
        "states of bools": {"observations": [[True] * 4] * 16},
    }
    yield from ((name, plain | change) for name, change in changes.items())


BAD_ANSWERS = dict(bad_answers())


def follow(agent, planner, body):
    """What comes of a planner that answers with the bytes ``body``, or with a message that never was bytes."""
    planner._due.clear()
    planner.send = lambda message: None
    act(agent, planner, GOOD)
    planner._due = [(0.0, body)]
    planner.receive = lambda *, timeout=0.0: body if isinstance(body, Message) else decode(body)
    return act(agent, planner, GOOD)


@pytest.mark.parametrize("follower", [ActionQueue, shooting])
@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_an_answer_that_is_none_is_flagged(planner, follower, name):
    agent = fake_agent(planner, follower=follower())
    body = json.dumps({"version": 1, "kind": "plan", **BAD_ANSWERS[name]}).encode()
    info = follow(agent, planner, body)
    assert "planner_bad_answer" in info.faults, info


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_an_answer_that_was_never_checked_is_flagged(planner, name):
    info = follow(fake_agent(planner), planner, Message("plan", BAD_ANSWERS[name]))
    assert "planner_bad_answer" in info.faults or info.source == "plan", info


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 10**5, b'{"version": 1, "kind": "pong"}'])
def test_an_answer_that_is_no_message_is_flagged(planner, body):
    assert "planner_bad_answer" in follow(fake_agent(planner), planner, body).faults


def test_the_answer_itself_is_good(planner):
    body = encode("plan", **ANSWER)[HEADER_BYTES:]
    assert follow(fake_agent(planner), planner, body).joined


@pytest.mark.parametrize("seconds", [-1.0, 1e308])
def test_a_planner_that_lies_about_its_time_does_not_start(planner, seconds):
    planner.latency = seconds
    with pytest.raises(UserError, match="plan_seconds must lie between 0 and 3600"):
        fake_agent(planner)


@pytest.mark.parametrize("answer", [None, "x", [1], np.zeros(3), [[0, 0]], 1j, {}, [np.nan, 0]])
def test_a_safe_action_that_is_none_is_flagged(planner, answer):
    info = act(fake_agent(planner, safe_action=lambda seen: answer), planner, None)
    assert (info.source, info.faults) == ("safe", ("missing", "bad_safe_action"))


def test_a_safe_action_that_raises_is_flagged(planner):
    def refuse(seen):
        raise RuntimeError("as asked")

    assert "bad_safe_action" in act(fake_agent(planner, safe_action=refuse), planner, None).faults


class Unruly(ActionQueue):
    """A follower that raises where it is told to."""

    def __init__(self, where):
        super().__init__()
        self.where = where

    def join(self, plan, *, observation, elapsed):
        if self.where == "join":
            raise IndexError("as asked")
        super().join(plan, observation=observation, elapsed=elapsed)

    def act(self, observation):
        if self.where == "act":
            raise IndexError("as asked")
        return super().act(observation)


@pytest.mark.parametrize(("where", "fault"), [("join", "planner_bad_answer"), ("act", "bad_action")])
def test_a_follower_that_raises_is_flagged(planner, where, fault):
    agent = fake_agent(planner, follower=Unruly(where))
    infos = [act(agent, planner, GOOD) for _ in range(3)]
    assert fault in infos[1].faults
    assert "as asked" in infos[1].detail
