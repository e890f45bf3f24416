"""The supervisor: one request at a time, and a new process for one that died, hangs or talks nonsense."""

import numpy as np
import pytest
from fake_planner import HIGH, LOW, FakeClock, FakePlanner, counting_plan, fake_supervisor

from dfplan.errors import UserError
from dfplan.realtime.plans import plan_fields, plan_from
from dfplan.realtime.supervisor import PlanningSupervisor, Request
from dfplan.realtime.wire import HEADER_BYTES, WireError, decode, encode


def request(step=0):
    return Request(
        episode=0,
        step=step,
        seed=1,
        observation=np.zeros(4),
        observation_noise=np.zeros(4),
        goal=np.ones(2),
        committed=np.zeros((0, 2)),
    )


@pytest.fixture
def planner():
    return FakePlanner(FakeClock())


def test_starting_waits_until_the_planner_is_ready(planner):
    planning = PlanningSupervisor(planner, action_low=LOW, action_high=HIGH, observation_dim=4, clock=planner.clock)
    planning.start()
    assert planning.is_ready
    assert planner.clock.now == pytest.approx(100.2)
    assert planning.plan_seconds == pytest.approx(0.03)


def test_starting_without_waiting_becomes_ready_later(planner):
    planning = PlanningSupervisor(planner, action_low=LOW, action_high=HIGH, observation_dim=4, clock=planner.clock)
    planning.start(wait=False)
    planning.update()
    assert planning.is_down
    planner.clock.advance(0.2)
    planning.update()
    assert planning.is_ready


def test_a_planner_that_does_not_start_is_told_at_once(planner):
    planner.heals, planner.mode = False, "hung"
    planning = PlanningSupervisor(
        planner, action_low=LOW, action_high=HIGH, observation_dim=4, clock=planner.clock, start_timeout=3
    )
    with pytest.raises(UserError, match=r"did not start: planner_start_timeout silent for 3\.000 s"):
        planning.start()


def test_a_planner_of_another_robot_is_refused(planner):
    planning = PlanningSupervisor(planner, action_low=LOW, action_high=HIGH, observation_dim=6, clock=planner.clock)
    with pytest.raises(UserError, match="observations of 2 and 4 numbers, the loop of 2 and 6"):
        planning.start()


def test_a_plan_comes_back_with_its_request(planner):
    planning = fake_supervisor(planner)
    asked = request(step=5)
    assert planning.submit(asked).failure is None
    assert planning.is_busy
    assert planning.update().answer is None
    planner.clock.advance(0.03)
    answer = planning.update().answer
    assert answer.request is asked
    assert answer.context_level == 0.25
    assert answer.plan.actions.shape == (1, 64, 2)
    assert answer.plan.actions[0, 1, 0] == pytest.approx(0.006)
    assert planning.is_ready


@pytest.mark.parametrize(("mode", "failure", "after"), [("dead", "planner_died", 0.0), ("hung", "planner_hung", 0.5)])
@pytest.mark.parametrize("busy", [True, False])
def test_a_planner_that_is_gone_is_noticed_within_a_period_and_the_time_out(planner, mode, failure, after, busy):
    planning = fake_supervisor(planner)
    if busy:
        planning.submit(request())
    planner.mode = mode
    went, period, noticed = planner.clock(), 0.05, None
    while noticed is None:
        planner.clock.advance(period)
        noticed = planning.update().failure or planning.ping().failure
    assert noticed == failure
    assert planner.clock() - went <= period + after + 1e-9
    assert planning.is_down
    assert planner.starts == 2
    planner.clock.advance(0.2)
    planning.update()
    assert planning.is_ready


def test_the_ping_of_an_idle_planner_is_answered_and_costs_no_request(planner):
    planning = fake_supervisor(planner)
    for _ in range(100):
        assert planning.ping().failure is None
        assert not planning.is_ready
        assert planning.update().failure is None
        assert planning.is_ready
        planner.clock.advance(0.05)
    assert planner.starts == 1


def test_a_planner_that_fails_stays_and_is_asked_again(planner):
    planning = fake_supervisor(planner)
    planner.mode = "failing"
    planning.submit(request())
    planner.clock.advance(0.03)
    update = planning.update()
    assert (update.failure, update.detail) == ("planner_failed", "no plan")
    assert planning.is_ready
    assert planner.starts == 1


@pytest.mark.parametrize(
    "change",
    [
        {"actions": np.full((64, 2), 1.1)},
        {"actions": np.zeros((64, 3))},
        {"actions": np.zeros((0, 2))},
        {"observations": np.zeros((15, 4))},
        {"observations": np.zeros((16, 5))},
        {"steps_per_point": 0},
    ],
)
def test_a_plan_that_makes_no_sense_costs_the_planner_its_life(planner, change):
    planning = fake_supervisor(planner)
    planner.make_plan = lambda asked: counting_plan(asked) | change
    planning.submit(request())
    planner.clock.advance(0.03)
    assert planning.update().failure == "planner_bad_answer"
    assert planner.starts == 2


def test_an_answer_that_nobody_asked_for_is_nonsense(planner):
    planning = fake_supervisor(planner)
    planner._due = [(0.0, encode("failure", id=1, text="?"))]
    update = planning.update()
    assert (update.failure, update.detail) == ("planner_bad_answer", "failure while idle")


def test_planning_time_is_the_slowest_of_the_last_sixteen(planner):
    planning = fake_supervisor(planner)
    for latency in (0.1, *[0.02] * 16):
        planner.latency = latency
        planning.submit(request())
        planner.clock.advance(latency)
        planning.update()
        slowest = planning.plan_seconds
        assert slowest == pytest.approx(0.1) or latency == 0.02
    assert slowest == pytest.approx(0.02)


def test_a_process_that_cannot_be_started_again_is_dead_not_an_error(planner):
    planning = fake_supervisor(planner)
    planner.heals, planner.mode = False, "dead"

    def refuse():
        raise OSError("no more processes")

    planner.start = refuse
    assert [planning.update().failure for _ in range(3)] == ["planner_died"] * 3
    with pytest.raises(UserError, match="cannot be started: no more processes"):
        planning.start()


def test_time_outs_that_make_no_sense_are_refused(planner):
    with pytest.raises(UserError, match="time-outs must be above 0"):
        fake_supervisor(planner, plan_timeout=0.0)


def test_a_plan_is_the_same_after_its_journey():
    asked = decode(encode("request", id=1, **vars(request()))[HEADER_BYTES:])
    sent = encode("plan", id=1, seconds=0.1, context_level=0.0, **counting_plan(asked))
    limits = {"action_low": LOW, "action_high": HIGH, "observation_dim": 4}
    plan = plan_from(decode(sent[HEADER_BYTES:]), **limits)
    again = plan_from(decode(encode("plan", id=1, seconds=0.1, context_level=0.0, **plan_fields(plan))[4:]), **limits)
    for name in ("observations", "actions", "rewards", "arrival", "num_steps", "value"):
        np.testing.assert_array_equal(getattr(plan, name), getattr(again, name))
    with pytest.raises(WireError, match="outside the action space"):
        plan_from(decode(sent[HEADER_BYTES:]), **limits | {"action_high": np.full(2, 0.01)})
