"""Goals inside observations, and Stable-Baselines3's own evaluation running our agent."""

import gymnasium
import numpy as np
import pytest
from tiny_model import POINT_MASS, line_model

from dfplan.agent import GoalObservation, GoalPolicy, MPCAgent, ShootingTracker
from dfplan.errors import UserError
from dfplan.planner import Planner, PlannerSettings


def _policy(*, on_plan=None):
    model = line_model(num_tokens=40)
    planner = Planner(model, settings=PlannerSettings(num_candidates=1))
    shooting = ShootingTracker(POINT_MASS, goal_radius=0.5)
    return GoalPolicy(MPCAgent(planner, controller=shooting, replan_every=64, horizon=160, on_plan=on_plan), seed=0)


def _env(goal="random"):
    return GoalObservation(gymnasium.make("dfplan_envs:maze2d-open-v0", goal=goal))


def test_the_goal_is_in_the_observation():
    env = _env()
    for seed in (0, 1):
        observation, info = env.reset(seed=seed)
        assert env.observation_space.contains(observation)
        np.testing.assert_array_equal(observation["desired_goal"], info["goal"])
        observation = env.step(np.ones(2, np.float32))[0]
        assert env.observation_space.contains(observation)
        np.testing.assert_array_equal(observation["desired_goal"], info["goal"])
        np.testing.assert_array_equal(observation["achieved_goal"], observation["observation"][:2])


def test_environments_without_flat_observations_or_goals_are_refused():
    with pytest.raises(UserError, match="flat observations"):
        GoalObservation(_env())
    with pytest.raises(UserError, match="tells no goal"):
        GoalObservation(gymnasium.make("MountainCarContinuous-v0")).reset()


def test_episodes_are_driven_to_goals_that_change():
    env, policy, touched = _env(), _policy(), []
    for seed in range(3):
        observation, _ = env.reset(seed=seed)
        first = True
        for _ in range(100):
            action, state = policy.predict(observation, episode_start=np.array([first]))
            assert action.shape == (2,)
            assert state is None
            observation, *_, info = env.step(action)
            first = False
        touched.append(info["success"])
    assert touched == [True] * 3


def test_a_row_begins_anew_where_it_is_said_and_where_its_goal_has_changed():
    events = []
    policy = _policy(on_plan=events.append)
    observation = {"observation": np.tile([1.0, 1.0, 0, 0], (3, 1)), "desired_goal": np.full((3, 2), 4.0)}
    policy.predict(observation)
    policy.predict(observation, episode_start=np.array([False, True, False]))
    observation["desired_goal"][2] = 3.0
    policy.predict(observation, episode_start=np.zeros(3, bool))
    policy.predict(observation)
    assert [event.indices.tolist() for event in events] == [[0, 1, 2], [1], [2]]
    policy.predict({name: value[:2] for name, value in observation.items()})
    assert events[-1].indices.tolist() == [0, 1]


def test_an_observation_without_a_goal_is_refused():
    with pytest.raises(UserError, match="has no 'desired_goal'; wrap the environment in GoalObservation"):
        _policy().predict({"observation": np.zeros(4)})


@pytest.mark.parametrize("num_envs", [1, 3])
def test_stable_baselines_evaluates_our_agent(num_envs):
    evaluation = pytest.importorskip("stable_baselines3.common.evaluation")
    from stable_baselines3.common.vec_env import DummyVecEnv

    env = DummyVecEnv([_env] * num_envs)
    env.seed(0)
    returns, lengths = evaluation.evaluate_policy(
        _policy(), env, n_eval_episodes=6, return_episode_rewards=True, warn=False
    )
    assert len(returns) == 6
    assert min(returns) > 0.4 * max(lengths)  # every episode arrives, towards a goal of its own
