"""The real-time agent on a clock that only the test moves: what it does when everything or nothing goes well."""

from dataclasses import replace

import numpy as np
import pytest
from fake_planner import FakeClock, FakePlanner, counting_plan, fake_agent, fake_supervisor, maze_gate

from dfplan.errors import UserError
from dfplan.planner.constraints import Constraints
from dfplan.planner.obligations import Obligations
from dfplan.realtime import ActionQueue, ObservationGate, RealtimeAgent
from dfplan.realtime.plans import plan_of_actions
from dfplan.types import Bounds

SEEN = np.array([1.0, 2.0, 0.0, 0.0])
PERIOD = 0.05


def run(agent, planner, observations, *, period=PERIOD, deadline=False):
    """Act once a period on each observation; actions ``(n, 2)`` and infos."""
    actions, infos = [], []
    for observation in observations:
        begins = planner.clock.now
        action, info = agent.act(observation, deadline=begins + period if deadline else None)
        actions.append(action)
        infos.append(info)
        planner.clock.now = begins + period
    return np.array(actions), infos


@pytest.fixture
def planner():
    return FakePlanner(FakeClock())


def test_the_first_plan_is_waited_for_where_the_deadline_allows_it(planner):
    _, infos = run(fake_agent(planner), planner, [SEEN], deadline=True)
    assert (infos[0].source, infos[0].joined, infos[0].plan_age, infos[0].faults) == ("plan", True, 0, ())
    planner.latency = 0.06
    actions, infos = run(fake_agent(planner), planner, [SEEN] * 3, deadline=True)
    assert [info.source for info in infos] == ["safe", "plan", "plan"]
    assert [info.joined for info in infos] == [False, True, False]
    np.testing.assert_allclose(
        actions[:, 0], [0, 0, 0.001], atol=1e-7
    )  # having stood still, it begins at the beginning


def test_without_a_deadline_nothing_is_waited_for(planner):
    _, infos = run(fake_agent(planner), planner, [SEEN] * 2)
    assert [info.source for info in infos] == ["safe", "plan"]


def test_a_plan_that_is_used_up_when_it_joins_is_not_enough(planner):
    lengths = iter([64, 2, 64])
    planner.make_plan = lambda request: counting_plan(request, num_steps=next(lengths))
    planner.latency = 0.3
    agent = fake_agent(planner, plan_timeout=10.0, period=None, replan_every=4)
    for _ in range(10):
        agent.act(SEEN, deadline=np.inf)
    assert len(planner.requests) == 2  # the second plan is under way, and no time has passed
    planner.clock.advance(0.3)
    _, info = agent.act(SEEN, deadline=np.inf)
    assert (len(planner.requests), info.source, info.plan_age) == (3, "plan", 0)


def test_an_endless_deadline_is_the_agent_that_waits(planner):
    planner.latency = 3.0
    agent = fake_agent(planner, plan_timeout=10.0, period=None)
    _, info = agent.act(SEEN, deadline=np.inf)
    assert (info.source, info.faults) == ("plan", ())


@pytest.mark.parametrize("latency", [0.03, 0.12, 0.31])
def test_plans_join_without_a_jump_at_the_step_they_have_reached(planner, latency):
    planner.latency = latency
    actions, infos = run(fake_agent(planner, plan_timeout=1.0), planner, [SEEN] * 100)
    joins = [info for info in infos if info.joined]
    delay = int(latency / PERIOD) + 1
    assert [info.step for info in joins] == [delay + (16 + 0) * index for index in range(len(joins))]
    assert all(info.plan_age == delay == info.delay_steps for info in joins)
    assert all(info.jump < 1e-6 for info in joins)
    assert all(info.context_level == 0.25 for info in joins)
    np.testing.assert_allclose(actions[delay:, 0], np.arange(100 - delay) / 1000, atol=1e-6)  # on and on, in step
    assert [info.source for info in infos[delay:]] == ["plan"] * (100 - delay)
    assert all(len(request["committed"]) == delay for request in planner.requests[1:])


def test_the_delay_is_counted_in_steps_of_the_real_rate(planner):
    planner.latency = 0.09
    agent = fake_agent(planner)
    _, infos = run(agent, planner, [SEEN] * 100, period=0.02)  # 50 Hz, though 20 Hz was planned
    assert infos[-1].delay_steps == 5
    assert agent.period == pytest.approx(0.02)
    assert infos[-1].faults == ()
    assert len(planner.requests[-1]["committed"]) == 5


def test_a_plan_that_comes_later_than_expected_is_flagged_and_meanwhile_the_queue_goes_on(planner):
    agent = fake_agent(planner)
    run(agent, planner, [SEEN] * 10)
    planner.latency = 0.18
    _, infos = run(agent, planner, [SEEN] * 12)
    assert [info.source for info in infos] == ["plan"] * 8 + ["queue"] * 2 + ["plan"] * 2
    assert [info.faults for info in infos if info.joined] == [("late_plan",)]
    assert infos[-1].delay_steps == 4


def test_the_ladder_when_the_planner_is_slower_than_its_plans_last(planner):
    planner.make_plan = lambda request: counting_plan(request, num_steps=8)
    agent = fake_agent(planner, plan_timeout=9.0)
    run(agent, planner, [SEEN] * 4)
    planner.latency = 0.99
    actions, infos = run(agent, planner, [SEEN] * 26)
    sources = [info.source for info in infos]
    assert sources == ["plan"] * 5 + ["hold"] * 4 + ["safe"] * 15 + ["plan"] * 2
    np.testing.assert_allclose(actions[5:9, 0], actions[4, 0] * np.array([1, 0.5, 0.25, 0.125]), rtol=1e-6)
    assert (actions[9:24] == 0).all()
    assert actions[24, 0] == pytest.approx(actions[4, 0] + 0.001)  # where it had stopped
    assert infos[24].faults == ("late_plan",)


def test_a_plan_asked_for_in_good_time_follows_on_a_short_one(planner):
    planner.make_plan = lambda request: counting_plan(request, num_steps=8)
    planner.latency = 0.12
    _, infos = run(fake_agent(planner), planner, [SEEN] * 60, deadline=True)
    assert [info.source for info in infos[3:]] == ["plan"] * 57


def test_blind_the_queue_goes_on_for_a_while(planner):
    agent = fake_agent(planner)
    run(agent, planner, [SEEN] * 5)
    actions, infos = run(agent, planner, [None] * 14)
    assert [info.source for info in infos] == ["queue"] * 8 + ["hold"] * 4 + ["safe"] * 2
    assert {info.faults for info in infos} == {("missing",)}
    np.testing.assert_allclose(actions[:8, 0], np.arange(4, 12) / 1000, rtol=1e-6)
    asked = len(planner.requests)
    _, infos = run(agent, planner, [SEEN] * 3)
    assert len(planner.requests) == asked + 1
    assert infos[1].joined
    assert [info.source for info in infos] == ["plan"] * 3
    assert infos[1].faults == ()


def test_a_bad_observation_never_reaches_the_planner(planner):
    bad = [SEEN * np.nan, SEEN * 1e9, SEEN[:2], None, "x"]
    agent = fake_agent(planner)
    run(agent, planner, [SEEN, *bad] * 40)
    assert len(planner.requests) > 5
    assert all((request["observation"] == SEEN).all() for request in planner.requests)


def test_too_many_bad_observations_latch_until_released(planner):
    agent = fake_agent(planner)
    run(agent, planner, [SEEN] * 3)
    _, infos = run(agent, planner, [None] * 20)
    assert infos[-1].source == "stopped"
    assert infos[-2].source == "safe"
    assert agent.is_stopped
    agent.reset(seed=1, goal=np.zeros(2))
    _, infos = run(agent, planner, [SEEN] * 3)
    assert [info.source for info in infos] == ["stopped"] * 3
    agent.release()
    assert planner.starts == 1
    _, infos = run(agent, planner, [SEEN] * 3)
    assert [info.source for info in infos] == ["safe", "plan", "plan"]


@pytest.mark.parametrize(("mode", "failure"), [("dead", "planner_died"), ("hung", "planner_hung")])
def test_a_planner_that_is_gone_is_replaced_and_the_queue_goes_on(planner, mode, failure):
    agent = fake_agent(planner)
    run(agent, planner, [SEEN] * 5)
    planner.mode = mode
    _, infos = run(agent, planner, [SEEN] * 30)
    noticed = next(index for index, info in enumerate(infos) if info.faults)
    assert infos[noticed].faults == (failure,)
    assert noticed <= (1 if mode == "dead" else 11)
    assert infos[noticed].source == "queue"
    assert infos[-1].source == "plan"
    assert sum(bool(info.faults) for info in infos) == 1
    assert planner.starts == 2


def test_a_planner_that_freezes_just_after_an_answer_is_noticed_within_a_period_and_the_time_out(planner):
    """The next ping is some milliseconds into its tick, and looks come at the beginning of ticks."""
    agent, frozen = fake_agent(planner), None
    send = planner.send

    def send_late(message):
        planner.clock.advance(0.004)
        send(message)

    planner.send = send_late
    run(agent, planner, [SEEN] * 6)
    planner.send = lambda message: planner.clock.advance(0.004)  # takes what is sent, and answers no more
    frozen, infos = planner.clock.now - PERIOD + 0.004, []
    while not (infos and infos[-1].faults):
        infos += run(agent, planner, [SEEN])[1]
    assert infos[-1].faults == ("planner_hung",)
    assert planner.clock.now - PERIOD - frozen < PERIOD + 0.5


def test_a_planner_is_given_time_by_slow_loops_and_by_robots_that_wait(planner):
    planner.latency = 0.2
    for period in (1.0, None):
        _, infos = run(fake_agent(planner, period=period), planner, [SEEN] * 4, period=1.0)
        assert [info.faults for info in infos] == [()] * 4, period
        assert infos[-1].source == "plan"


def test_a_planner_that_does_not_recover_latches_and_a_release_starts_it_again(planner):
    planner.heals = False
    agent = fake_agent(planner)
    run(agent, planner, [SEEN] * 5)
    planner.mode = "dead"
    _, infos = run(agent, planner, [SEEN] * 5)
    assert [info.source for info in infos] == ["queue", "queue", "stopped", "stopped", "stopped"]
    starts = planner.starts
    run(agent, planner, [SEEN] * 50)
    assert planner.starts == starts
    planner.heals = True
    agent.release()
    _, infos = run(agent, planner, [SEEN] * 10)
    assert infos[-1].source == "plan"


def test_failures_of_planning_latch_too_and_a_plan_in_between_forgives(planner):
    agent = fake_agent(planner, replan_every=8)
    failed = []
    for _ in range(3):
        planner.mode = "well"
        run(agent, planner, [SEEN] * 12)
        planner.mode = "failing"
        while not failed or not failed[-1].faults:
            failed += run(agent, planner, [SEEN])[1]
            assert len(failed) < 100
        assert (failed[-1].faults, failed[-1].detail) == (("planner_failed",), "no plan")
        assert failed.pop().source == "plan"
    _, infos = run(agent, planner, [SEEN] * 5)
    assert [info.source for info in infos] == ["plan", "stopped", "stopped", "stopped", "stopped"]


def test_a_new_plan_is_asked_for_early_where_the_robot_is_not_where_it_should_be(planner):
    agent = fake_agent(planner, tolerance=0.5)
    run(agent, planner, [SEEN] * 5)
    asked = len(planner.requests)
    run(agent, planner, [SEEN + np.array([0.4, 0, 0, 0])])
    assert len(planner.requests) == asked
    run(agent, planner, [SEEN + np.array([0.6, 0, 0, 0])])
    assert len(planner.requests) == asked + 1


def test_missed_steps_are_flagged_and_the_plan_goes_on_where_the_clock_is(planner):
    agent = fake_agent(planner)
    run(agent, planner, [SEEN] * 10)
    planner.clock.advance(3 * PERIOD)
    action, info = agent.act(SEEN)
    assert info.faults == ("missed_steps",)
    assert info.step == 13
    assert action[0] == pytest.approx(0.012)


def test_an_action_that_is_not_finite_never_leaves(planner):
    class Broken:
        remaining = 5

        def act(self, observation):
            return np.array([np.nan, 0.0])

        def reset(self, goal): ...
        def join(self, plan, *, observation, elapsed): ...
        def advance(self, steps): ...
        def upcoming(self, num_steps):
            return np.zeros((0, 2))

        def disagreement(self, observation):
            return 0.0

        def needs_plan(self, observation):
            return True

    actions, infos = run(fake_agent(planner, follower=Broken()), planner, [SEEN] * 5)
    assert (actions == 0).all()
    assert [info.source for info in infos] == ["safe", "safe", "stopped", "stopped", "stopped"]
    assert all("bad_action" in info.faults for info in infos[:3])


def test_an_overrun_deadline_is_flagged(planner):
    agent = fake_agent(planner)
    _, info = agent.act(SEEN, deadline=planner.clock.now - 0.01)
    assert info.faults == ("late_action",)
    assert info.source == "safe"


def test_noise_goes_with_the_request(planner):
    agent = fake_agent(planner, gate=maze_gate(drift=np.array([2.0, 2.0, 0.0, 0.0])))
    agent.act(SEEN, stamp=planner.clock.now - 0.1)
    np.testing.assert_allclose(planner.requests[0]["observation_noise"], [0.2, 0.2, 0, 0])


def test_a_plan_of_the_last_episode_is_dropped(planner):
    agent = fake_agent(planner)
    run(agent, planner, [SEEN])
    agent.reset(seed=1, goal=np.array([3.0, 3.0]))
    _, infos = run(agent, planner, [SEEN] * 3)
    assert [info.joined for info in infos] == [False, True, False]
    assert planner.requests[-1]["goal"].tolist() == [3.0, 3.0]
    assert planner.requests[-1]["episode"] == 1
    assert infos[1].plan_age == 1


def test_seeds_decide_the_plans(planner):
    for seed in (3, 3, 4):
        agent = fake_agent(planner)
        agent.reset(seed=seed, goal=np.zeros(2))
        run(agent, planner, [SEEN])
    seeds = [request["seed"] for request in planner.requests]
    assert seeds[0] == seeds[1] != seeds[2]


def test_the_safe_action_sees_the_last_good_observation(planner):
    planner.latency = 0.4
    agent = fake_agent(planner, safe_action=lambda seen: np.zeros(2) if seen is None else seen[:2] / 10)
    actions, _ = run(agent, planner, [None, SEEN, None])
    np.testing.assert_allclose(actions, [[0, 0], [0.1, 0.2], [0.1, 0.2]], rtol=1e-6)


def test_acting_before_an_episode_has_begun_is_refused(planner):
    agent = fake_agent(planner)
    agent._episode = None
    with pytest.raises(UserError, match="no episode has begun"):
        agent.act(SEEN)


@pytest.mark.parametrize("goal", [np.array([np.nan, 0]), np.zeros((1, 2)), 5.0])
def test_a_goal_that_makes_no_sense_is_refused(planner, goal):
    with pytest.raises(UserError, match="a goal must be one row of finite numbers"):
        fake_agent(planner).reset(seed=0, goal=goal)


FAR = [[1e30, 1e30], [12.1, 0.0], [0.0, -1e308], [1.0], [1.0, 2.0, 3.0], []]
STRANGE = [None, "here", [True, False], [None, None], np.ma.array([1.0, 2.0], mask=[0, 1]), [10**400, 0], 1j]


@pytest.mark.parametrize("goal", [*FAR, *STRANGE])
def test_a_goal_where_the_robot_cannot_be_is_refused_and_the_episode_goes_on(planner, goal):
    agent = fake_agent(planner)
    run(agent, planner, [SEEN] * 3)
    with pytest.raises(UserError, match="a goal must"):
        agent.reset(seed=0, goal=goal)
    _, infos = run(agent, planner, [SEEN] * 30)
    assert {info.source for info in infos} == {"plan"}
    assert all(request["goal"].tolist() == [5.0, 5.0] for request in planner.requests)


def test_goals_have_limits_of_their_own_where_they_are_no_positions(planner):
    limits = {"goal_bounds": Bounds(np.zeros(3), np.ones(3))}
    gate, follower = maze_gate(), ActionQueue()
    agent = RealtimeAgent(
        fake_supervisor(planner), gate=gate, follower=follower, replan_every=16, period=PERIOD, **limits
    )
    agent.reset(seed=0, goal=np.full(3, 0.5))
    with pytest.raises(UserError, match=r"between \[0.0, 0.0, 0.0\] and \[1.0, 1.0, 1.0\]"):
        agent.reset(seed=0, goal=np.full(3, 1.5))


def test_goals_without_limits_of_their_own_are_about_as_many_leading_numbers(planner):
    # An arm of seven joints whose goals are a place of three: no half of anything.
    gate = ObservationGate(low=np.full(7, -1.0), high=np.array([1, 1, 2, 9, 9, 9, 9.0]), max_age=0.2)
    follower = ActionQueue()
    agent = RealtimeAgent(fake_supervisor(planner), gate=gate, follower=follower, replan_every=16, period=PERIOD)
    agent.reset(seed=0, goal=np.array([0.5, 0.5, 1.5]))
    with pytest.raises(UserError, match=r"between \[-1.0, -1.0, -1.0\] and \[1.0, 1.0, 2.0\]"):
        agent.reset(seed=0, goal=np.array([0.5, 1.5, 1.5]))
    plan = plan_of_actions(np.zeros((4, 7)))
    follower.join(
        replace(plan, observations=np.zeros((1, 1, 7)), steps_per_point=4), observation=np.zeros(7), elapsed=0
    )
    assert follower.disagreement(np.array([0, 3, 4, 100, 100, 100, 100.0])) == pytest.approx(5)


@pytest.mark.parametrize("options", [{"replan_every": 0}, {"hold_steps": -1}, {"blind_steps": -1}, {"tolerance": 0.0}])
def test_settings_that_make_no_sense_are_refused(planner, options):
    with pytest.raises(UserError, match=r"must be 1 or more; got 0|blind_steps and hold_steps must be 0 or more"):
        fake_agent(planner, **options)


def test_what_must_be_kept_is_told_to_the_planner_and_judged():
    obligations = Obligations(
        Constraints(waypoints=[[2, 2], [5, 5]], max_speed=10.0), radius=0.5, seconds_per_step=0.05
    )
    planner = FakePlanner(FakeClock())
    plan = planner.make_plan
    planner.make_plan = lambda request: plan(request) | {"broken": "waypoints max_speed"}
    agent = fake_agent(planner, obligations=obligations, replan_every=1)
    infos = []
    for x in (1.0, 1.4, 1.8, None, 2.6, 6.0):
        infos.append(agent.act(None if x is None else np.array([x, 2.0, 0.0, 0.0]))[1])
        planner.clock.advance(0.05)
    assert {tuple(each["passed"].tolist()) for each in planner.requests} == {(0.0, 0.0), (1.0, 0.0)}
    assert infos[-1].broken_by_plan == ("waypoints", "max_speed")
    # 0.8 in two steps, one of them unseen, is no faster than 10 a second; 3.4 in one step is.
    assert [each.broken_by_driving for each in infos] == [()] * 5 + [("max_speed",)]
    agent.reset(seed=1, goal=np.ones(2))
    assert agent.act(np.array([1.0, 2.0, 0.0, 0.0]))[1].broken_by_driving == ()
