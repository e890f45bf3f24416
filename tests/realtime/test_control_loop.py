"""The loop at a fixed rate: ticks that are due, ticks that are missed, and how it is read out."""

import numpy as np
import pytest
from fake_planner import FakeClock, FakePlanner, fake_agent

from dfplan.errors import UserError
from dfplan.realtime import run_loop

SEEN = np.array([1.0, 2.0, 0.0, 0.0])


class Robot:
    """Takes a millisecond for an observation, and as long as it is told for an action."""

    def __init__(self, clock, *, seconds=None):
        self.clock, self.seconds, self.sent = clock, dict(seconds or {}), []

    def observe(self):
        self.clock.advance(0.001)
        return SEEN, self.clock()

    def send(self, action):
        self.clock.advance(self.seconds.get(len(self.sent), 0.0))
        self.sent.append((self.clock(), action))


def _run(robot, *, num_ticks=60, **options):
    clock = robot.clock
    agent = fake_agent(FakePlanner(clock))
    return run_loop(robot, agent, rate=20, num_ticks=num_ticks, clock=clock, sleep=clock.advance, **options)


def test_every_tick_has_its_action():
    robot, infos = Robot(FakeClock()), []
    report = _run(robot, on_tick=infos.append)
    assert (report.ticks, report.missed, report.worst_second) == (60, 0, 20)
    assert len(robot.sent) == len(infos) == 60
    assert report.sources == {"plan": 60}
    assert report.faults == {}
    assert report.seconds["p50"] == pytest.approx(0.001)
    assert report.seconds["max"] == pytest.approx(0.03, abs=0.002)  # the first plan is waited for
    np.testing.assert_allclose(np.diff([at for at, _ in robot.sent])[1:], 0.05)


@pytest.mark.parametrize(("seconds", "missed", "skipped"), [(0.044, 0, 0), (0.06, 1, 0), (0.17, 3, 2)])
def test_a_tick_that_is_overrun_is_missed_and_the_next_whole_one_taken(seconds, missed, skipped):
    robot = Robot(FakeClock(), seconds={30: seconds - 0.001})
    report = _run(robot)
    assert report.missed == missed
    assert len(robot.sent) == 60 - skipped
    assert report.faults.get("missed_steps", 0) == (skipped > 0)
    assert report.worst_second < 20 or not missed
    phases = (np.array([at for at, _ in robot.sent[33:]]) - 100.2) / 0.05
    np.testing.assert_allclose(phases % 1, 0.02, atol=1e-6)


def test_a_robot_that_is_ahead_has_its_actions_earlier():
    robot = Robot(FakeClock(), seconds={20: 0.038, 30: 0.041})
    report = _run(robot, answer_by=0.8)
    assert (report.missed, len(robot.sent)) == (1, 60)
    assert robot.sent[0][0] - robot.sent[1][0] + 0.05 == pytest.approx(0.021, abs=0.002)  # the first plan is waited for
    assert report.seconds["max"] == pytest.approx(0.042)


def test_a_short_loop_has_no_worst_second():
    assert _run(Robot(FakeClock()), num_ticks=10).worst_second == 0


@pytest.mark.parametrize("options", [{"rate": 0, "num_ticks": 1}, {"rate": 20, "num_ticks": 0}])
def test_rates_that_make_no_sense_are_refused(options):
    with pytest.raises(UserError, match="rate must be above 0 and num_ticks 1 or more"):
        run_loop(Robot(FakeClock()), fake_agent(FakePlanner(FakeClock())), **options)


@pytest.mark.parametrize("answer_by", [0.0, -1.0, 1.1, float("nan")])
def test_an_answer_is_wanted_within_its_tick(answer_by):
    with pytest.raises(UserError, match="answer_by must be above 0 and at most 1"):
        _run(Robot(FakeClock()), answer_by=answer_by)
