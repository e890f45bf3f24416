"""The agent in real mazes: seeds decide, rows are independent, plans are made when they should be."""

import gymnasium
import numpy as np
import pytest
from tiny_model import DENOISERS, POINT_MASS, line_model, tiny_denoiser, tiny_model

from dfplan.agent import MPCAgent, PlannedActions, ShootingTracker
from dfplan.errors import UserError
from dfplan.planner import Planner, PlannerSettings

STATES = np.array([[1.0, 1.0, 0.0, 0.0], [1.0, 2.0, 0.5, 0.0], [2.0, 1.0, 0.0, -0.5], [3.0, 3.0, 0.0, 0.0]])
GOALS = np.array([[1.0, 3.0], [3.0, 5.0], [2.0, 4.0], [1.0, 1.0]])


def _agent(model=None, *, controller=None, replan_every=8, horizon=20, settings=None, on_plan=None, **options):
    planner = Planner(model or tiny_model(), settings=PlannerSettings(**({"num_candidates": 2} | (settings or {}))))
    return MPCAgent(
        planner,
        controller=controller or PlannedActions(),
        replan_every=replan_every,
        horizon=horizon,
        on_plan=on_plan,
        **options,
    )


def _shooting():
    return ShootingTracker(POINT_MASS, goal_radius=0.5)


def _roll_out(agent, *, seeds, num_steps=24, env_id="maze2d-open-v0"):
    """Actions ``(n, steps, 2)`` and observations ``(n, steps + 1, 4)`` in one environment per seed."""
    envs = [gymnasium.make(f"dfplan_envs:{env_id}", goal="random") for _ in seeds]
    starts = [env.reset(seed=seed) for env, seed in zip(envs, seeds, strict=True)]
    observations = [np.stack([state for state, _ in starts])]
    agent.reset(seeds=seeds, goals=np.stack([info["goal"] for _, info in starts]))
    actions = []
    for _ in range(num_steps):
        actions.append(agent.act(observations[-1]))
        steps = [env.step(action) for env, action in zip(envs, actions[-1], strict=True)]
        observations.append(np.stack([step[0] for step in steps]))
    for env in envs:
        env.close()
    return np.stack(actions, axis=1), np.stack(observations, axis=1)


@pytest.mark.parametrize("name", DENOISERS)
@pytest.mark.parametrize("env_id", ["maze2d-open-v0", "maze2d-umaze-v1"])
def test_the_same_seeds_give_the_same_episode(name, env_id):
    model = tiny_model(tiny_denoiser(name))
    first, again, other = (_roll_out(_agent(model), seeds=seeds, env_id=env_id) for seeds in ([3], [3], [4]))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])
    actions = first[0]
    assert actions.dtype == np.float32
    assert np.abs(actions).max() <= 1
    assert actions.std() > 0.1


def test_one_agent_can_be_reset_and_repeats_itself():
    agent = _agent()
    first, again = (_roll_out(agent, seeds=[5, 6])[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("controller", [PlannedActions, _shooting])
@pytest.mark.parametrize("settings", [{}, {"eta": 1.0}])
def test_four_at_once_are_four_alone(controller, settings):
    # Lines with some spread: random networks are chaotic over many replannings, and rounding depends on the batch.
    model = line_model(spread=0.3)
    together, _ = _roll_out(_agent(model, controller=controller(), settings=settings), seeds=[1, 2, 3, 4])
    for row, seed in enumerate([1, 2, 3, 4]):
        alone, _ = _roll_out(_agent(model, controller=controller(), settings=settings), seeds=[seed])
        np.testing.assert_allclose(alone[0], together[row], atol=1e-3)


@pytest.mark.parametrize(
    ("replan_every", "expected"), [(8, [0, 8, 16]), (5, [0, 5, 10, 15, 20]), (16, [0, 16]), (0, [0])]
)
def test_plans_are_made_every_so_many_steps(replan_every, expected):
    events = []
    _roll_out(_agent(replan_every=replan_every, horizon=24, on_plan=events.append), seeds=[1, 2])
    assert [event.step for event in events] == expected
    for event in events:
        assert event.indices.tolist() == [0, 1]
        assert len(event.plan.actions) == 2
        assert event.seconds > 0


def _push_out(controller, *, replan_when, pushed_at=None, pushed=1.0, num_steps=40):
    """Drive one straight line in the open maze; at one step the ball is set aside. Returns steps and reasons."""
    events = []
    agent = _agent(
        line_model(num_tokens=40),
        controller=controller,
        replan_every=0,
        horizon=160,
        replan_when=replan_when,
        on_plan=events.append,
    )
    env = gymnasium.make("dfplan_envs:maze2d-open-v0", goal="random")
    state, info = env.reset(seed=0, options={"start": (1, 1), "goal": (3, 5)})
    agent.reset(seeds=[0], goals=info["goal"][None])
    for step in range(num_steps):
        if step == pushed_at:
            env.unwrapped.ball.set_state(state[0] + pushed, *(float(each) for each in state[1:]))
            state = state + np.array([pushed, 0, 0, 0])
        state, *_ = env.step(agent.act(state[None])[0])
    env.close()
    return [event.step for event in events], [reason for event in events for reason in event.reasons]


@pytest.mark.parametrize("controller", [PlannedActions, _shooting])
def test_a_pushed_agent_plans_anew_at_that_very_step(controller):
    steps, reasons = _push_out(controller(), replan_when=0.8, pushed_at=20)
    assert steps == [0, 20]
    assert reasons == ["scheduled", "disagreement"]


@pytest.mark.parametrize("controller", [PlannedActions, _shooting])
@pytest.mark.parametrize("case", [{"replan_when": 0.8}, {"replan_when": 0.8, "pushed_at": 20, "pushed": 0.1}])
def test_an_undisturbed_agent_keeps_its_plan(controller, case):
    assert _push_out(controller(), **case) == ([0], ["scheduled"])


def test_without_a_limit_of_disagreement_a_push_changes_nothing():
    assert _push_out(PlannedActions(), replan_when=None, pushed_at=20)[0] == [0]


def test_only_the_pushed_environment_plans_anew_and_the_schedule_counts_from_its_last_plan():
    events = []
    agent = _agent(line_model(), horizon=80, replan_every=10, replan_when=1.0, on_plan=events.append)
    agent.reset(seeds=range(2), goals=np.array([[5.0, 1.0], [5.0, 2.0]]))
    states = np.array([[1.0, 1.0, 0.0, 0.0], [1.0, 2.0, 0.0, 0.0]])
    for step in range(18):
        moved = states + np.array([0.05 * step, 0, 0, 0])
        moved[1, 1] += 1.5 * (step >= 6)
        agent.act(moved)
    assert [(event.step, event.indices.tolist(), event.reasons.tolist()) for event in events] == [
        (0, [0, 1], ["scheduled", "scheduled"]),
        (6, [1], ["disagreement"]),
        (10, [0], ["scheduled"]),
        (16, [1], ["scheduled"]),
    ]


def _drive(*states, replan_every=0, **options):
    """Events of an agent that is shown these states one after the other and told of nothing."""
    events = []
    agent = _agent(line_model(), horizon=80, replan_every=replan_every, on_plan=events.append, **options)
    agent.reset(seeds=range(len(states[0])), goals=np.tile([5.0, 1.0], (len(states[0]), 1)))
    for each in states:
        agent.act(np.array(each, np.float64))
    return [(event.step, event.indices.tolist(), event.reasons.tolist()) for event in events]


def test_where_the_observation_jumps_an_episode_has_begun_and_is_planned_for():
    there, elsewhere = [1.0, 1.0, 0.0, 0.0], [3.0, 3.0, 0.0, 0.0]
    assert _drive(*[[there, there]] * 3, *[[there, elsewhere]] * 3) == [
        (0, [0, 1], ["scheduled"] * 2),
        (3, [1], ["disagreement"]),
    ]


@pytest.mark.parametrize("moving", [[0.0, 0.0], [-4.0, 0.0], [4.0, 3.0]])
def test_an_episode_may_begin_at_rest_or_in_another_motion(moving):
    before, after = [[1.0, 1.0, 4.0, 0.0]], [[1.0, 3.0, *moving]]
    assert [step for step, *_ in _drive(before, before, after)] == [0, 2]


def test_who_moves_on_was_pushed_and_noise_and_a_lost_frame_are_no_jump():
    before = [[1.0, 1.0, 4.0, 0.0]]
    assert len(_drive(before, [[1.0, 3.0, 4.0, 0.1]])) == 1
    generator = np.random.default_rng(0)
    noisy = [np.array(before) + 0.05 * generator.standard_normal((1, 4)) for _ in range(50)]
    assert len(_drive(*noisy)) == 1
    assert len(_drive(*([[1.0 + 0.1 * step, 1.0, 5.0, 0.0]] for step in range(20)))) == 1


def test_a_shrinking_horizon_begins_anew_with_the_next_episode():
    there, elsewhere = [[1.0, 1.0, 0.0, 0.0]], [[3.0, 3.0, 0.0, 0.0]]
    events = _drive(*[there] * 40, *[elsewhere] * 2, episode_steps=40)
    assert [step for step, *_ in events] == [0, 0]


@pytest.mark.parametrize("controller", [PlannedActions, _shooting])
def test_a_vector_environment_that_resets_itself_leaves_no_stale_plan(controller):
    """Told of the reset or not, the plans are made at the same steps."""
    env = gymnasium.make_vec("dfplan_envs:maze2d-open-v0", num_envs=3, max_episode_steps=60)
    made = []
    for told in (True, False):
        steps = []
        agent = _agent(
            line_model(num_tokens=40),
            controller=controller(),
            replan_every=0,
            horizon=160,
            on_plan=lambda event, steps=steps: steps.append((event.indices.tolist(), event.plan.observations[0, 0])),
        )
        observations, info = env.reset(seed=0)
        agent.reset(seeds=range(3), goals=info["goal"])
        for step in range(150):
            if told and step in (60, 120):
                agent.restart(np.arange(3), goals=info["goal"])
            actions = agent.act(observations)
            observations, *_ = env.step(actions)
            if step in (59, 119):
                observations, _ = env.reset(seed=step)
        made.append(steps)
    env.close()
    for told, alone in zip(*made, strict=True):
        assert told[0] == alone[0]
        np.testing.assert_allclose(told[1], alone[1], atol=1e-6)


def test_a_plan_that_ran_out_is_followed_by_another():
    events = []
    agent = _agent(line_model(), horizon=4, replan_every=10, on_plan=events.append)  # one token is four steps
    agent.reset(seeds=[0], goals=np.array([[5.0, 1.0]]))
    actions = [agent.act(np.array([[1.0 + 0.05 * step, 1.0, 5.0, 0.0]])) for step in range(12)]
    assert [(event.step, *event.reasons) for event in events] == [(0, "scheduled"), (4, "ended"), (8, "ended")]
    np.testing.assert_allclose(np.concatenate(actions), np.tile([1.0, 0.0], (12, 1)), atol=1e-4)


def test_at_the_goal_the_planned_actions_are_played_on():
    # The model plans to stop dead at the goal; the agent enters the disc and every later plan is made inside it.
    events = []
    agent = _agent(line_model(), horizon=40, replan_every=2, on_plan=events.append)
    agent.reset(seeds=[0], goals=np.array([[1.22, 1.0]]))
    actions = np.concatenate([agent.act(np.array([[1.0 + 0.05 * min(step, 4), 1.0, 0, 0]])) for step in range(8)])
    assert [event.step for event in events] == [0, 2, 4, 6]
    for event in events:
        assert event.plan.arrival.tolist() == [1]
        np.testing.assert_array_equal(actions[event.step : event.step + 2], event.plan.actions[0, :2])
    assert actions[:, 0].tolist() == pytest.approx([1, 1, 1, 1, 0, 0, 0, 0], abs=1e-4)


@pytest.mark.parametrize(("episode_steps", "expected"), [(None, [20, 20, 20, 20]), (24, [20, 16, 8, 4])])
def test_a_shrinking_horizon_looks_no_further_than_the_episode(episode_steps, expected):
    events = []
    agent = _agent(horizon=20, replan_every=8, episode_steps=episode_steps, on_plan=events.append)
    agent.reset(seeds=[0], goals=np.array([[14.0, 14.0]]))  # too far for any plan to end early
    for _ in range(25):
        agent.act(STATES[:1])
    assert [int(event.plan.num_steps[0]) for event in events] == expected


def test_between_plans_the_planned_actions_are_played():
    events = []
    actions, _ = _roll_out(_agent(replan_every=8, on_plan=events.append), seeds=[1], num_steps=24)
    for event in events:
        played = min(8, int(event.plan.num_steps[0]))
        part = slice(event.step, event.step + played)
        np.testing.assert_array_equal(actions[0, part], event.plan.actions[0, :played])


def test_only_those_outside_their_disc_are_planned_for():
    events = []
    agent = _agent(line_model(), controller=_shooting(), on_plan=events.append)
    goals = GOALS.copy()
    goals[2] = STATES[2, :2]
    agent.reset(seeds=range(4), goals=goals)
    agent.act(STATES)
    assert events[0].indices.tolist() == [0, 1, 3]
    agent.reset(seeds=range(4), goals=STATES[:, :2])
    actions = agent.act(STATES * [1, 1, 0, 0])
    assert len(events) == 1
    assert (actions == 0).all()


def test_lines_and_shooting_score_in_the_open_maze():
    agent = _agent(line_model(num_tokens=40), controller=_shooting(), replan_every=0, horizon=160)
    env = gymnasium.make("dfplan_envs:maze2d-open-v0")
    observation, info = env.reset(seed=0)
    agent.reset(seeds=[0], goals=info["goal"][None])
    rewards = []
    for _ in range(env.get_wrapper_attr("maze").max_episode_steps):
        observation, reward, _, truncated, _ = env.step(agent.act(observation[None])[0])
        rewards.append(reward)
    env.close()
    assert truncated
    first = int(np.argmax(rewards))
    assert first < 80
    assert all(rewards[first:])


def test_predict_has_the_shapes_of_stable_baselines():
    agent = _agent()
    agent.reset(seeds=[0], goals=GOALS[:1])
    action, state = agent.predict(STATES[0], episode_start=np.array([True]), deterministic=True)
    assert action.shape == (2,)
    assert state is None
    agent.reset(seeds=range(4), goals=GOALS)
    actions, state = agent.predict(STATES, state=(STATES,))
    assert actions.shape == (4, 2)
    assert state == (STATES,)


def test_predict_is_act():
    acted, predicted = [], []
    for found, method in ((acted, "act"), (predicted, "predict")):
        agent = _agent()
        agent.reset(seeds=range(4), goals=GOALS)
        for _ in range(10):
            result = getattr(agent, method)(STATES)
            found.append(result if method == "act" else result[0])
    np.testing.assert_array_equal(acted, predicted)


def test_an_episode_start_begins_with_a_new_plan():
    events = []
    agent = _agent(on_plan=events.append, replan_every=0)
    agent.reset(seeds=range(4), goals=GOALS)
    for episode_start in (True, False, False, True, False):
        agent.predict(STATES, episode_start=np.full(4, episode_start))
    assert [event.step for event in events] == [0, 0]


@pytest.mark.parametrize("controller", [PlannedActions, _shooting])
def test_an_episode_start_of_some_rows_leaves_the_others_alone(controller):
    model, starts = line_model(spread=0.3), np.array([False, True, False, True])
    some, none = (_agent(model, controller=controller(), replan_every=0) for _ in range(2))
    events = []
    some.on_plan = events.append
    for agent in (some, none):
        agent.reset(seeds=range(4), goals=GOALS)
    for step in range(6):
        acted = [agent.predict(STATES, episode_start=starts & (step == 3))[0] for agent in (some, none)]
        np.testing.assert_array_equal(acted[0][~starts], acted[1][~starts])
    assert [(event.step, event.indices.tolist()) for event in events] == [(0, [0, 1, 2, 3]), (0, [1, 3])]
    fresh = _agent(model, controller=controller(), replan_every=0)
    fresh.reset(seeds=range(4), goals=GOALS)
    fresh.act(STATES)
    fresh.restart(np.arange(4), goals=GOALS[::-1])
    swapped = fresh.act(STATES)
    again = _agent(model, controller=controller(), replan_every=0)
    again.reset(seeds=range(4), goals=GOALS)
    again.act(STATES)
    again.restart(np.array([2]), goals=GOALS[1:2])
    np.testing.assert_array_equal(again.act(STATES)[2], swapped[2])


@pytest.mark.parametrize("sizes", [{"replan_every": -1}, {"replan_every": 1.5}, {"horizon": 0}, {"horizon": "8"}])
def test_sizes_that_make_no_sense_are_refused(sizes):
    with pytest.raises(UserError, match=r"(replan_every|horizon|seed) must be a whole number from [01]; got"):
        _agent(**sizes)


@pytest.mark.parametrize(
    ("goals", "complaint"),
    [
        (GOALS[:3], r"got 4 seeds and goals of shape \(3, 2\)"),
        (np.zeros((4, 3)), r"goals must have shape \(4, 2\), one row per environment; got \[4, 3\]"),
        (np.zeros(4), r"goals must have shape \(4, 2\), one row per environment; got \[4\]"),
        (GOALS * np.nan, "goals must be finite; row 0 is not"),
    ],
)
def test_goals_that_make_no_sense_are_refused(goals, complaint):
    with pytest.raises(UserError, match=complaint):
        _agent(controller=_shooting()).reset(seeds=range(4), goals=goals)


@pytest.mark.parametrize(
    ("observations", "complaint"),
    [
        (STATES[:3], r"began 4 episodes, act\(\) got observations of shape \(3, 4\); call reset"),
        (STATES[:, :3], r"observations must have shape \(4, 4\), one row per environment; got \[4, 3\]"),
        (np.add(STATES, [[0], [np.inf], [0], [0]]), "observations must be finite; row 1 is not"),
    ],
)
def test_observations_that_make_no_sense_are_refused(observations, complaint):
    agent = _agent(controller=_shooting())
    agent.reset(seeds=range(4), goals=GOALS)
    agent.act(STATES)  # the second step makes no plan, and looks all the same
    with pytest.raises(UserError, match=complaint):
        agent.act(observations)


def test_acting_before_reset_is_refused():
    with pytest.raises(UserError, match=r"reset\(\) began 0 episodes, act\(\) got observations of shape \(1, 4\)"):
        _agent().predict(STATES[0])
