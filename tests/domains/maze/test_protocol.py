"""Roll-outs in the real environments: known scores, independence of batching, and what a bad agent is told."""

from dataclasses import replace

import gymnasium
import numpy as np
import pytest

from dfplan.domains.maze.protocol import MazeProtocol
from dfplan.errors import UserError
from dfplan.evaluation.rollout import evaluate_agent
from dfplan.types import Plan, PlanEvent
from dfplan_envs import build_maze

STATES_AND_FRAMES = ("maze2d-open-v0", "pixelmaze-open-v1")


class StraightAgent:
    """Drives straight at the goal with a PD law, plus a little noise of its own so that its seeds matter."""

    on_plan = None

    def reset(self, *, seeds, goals):
        self.generators = [np.random.default_rng(seed) for seed in seeds]
        self.goals = goals

    def act(self, observations):
        noise = np.array([generator.normal(scale=0.1, size=2) for generator in self.generators])
        force = 8 * (self.goals - observations[:, :2]) - 1.5 * observations[:, 2:] + noise
        return np.clip(force, -1, 1).astype(np.float32)


class BlindAgent(StraightAgent):
    """Acts at random, whatever it is shown."""

    def act(self, observations):
        return np.array([generator.uniform(-1, 1, size=2) for generator in self.generators], np.float32)


class PlanningAgent(StraightAgent):
    """Reports a plan for every environment at the start, and for the first one alone at step 10."""

    def reset(self, *, seeds, goals):
        super().reset(seeds=seeds, goals=goals)
        self.step = 0

    def act(self, observations):
        if self.step in (0, 10):
            indices = np.arange(len(observations) if self.step == 0 else 1)
            points = np.zeros((len(indices), 4, 4))  # (0, 0) lies in a wall of every maze
            points[:, 2:, :2] = 2.0  # and (2, 2) is free in the open one
            empty, steps = np.zeros((len(indices), 1)), np.full(len(indices), 4)
            plan = Plan(points, empty[..., None], empty, steps, steps, empty[:, 0], 1)
            plan = replace(plan, evaluations=steps * 2, token_evaluations=steps * 10)
            self.on_plan(PlanEvent(indices=indices, step=self.step, plan=plan, seconds=0.5 * len(indices)))
        self.step += 1
        return super().act(observations)


def _evaluate(agent, **changes):
    arguments = {"env_id": "maze2d-open-v0", "num_episodes": 6, "num_envs": 3, "seed": 0} | changes
    how = {name: arguments.pop(name) for name in ("goal", "vectorization") if name in arguments}
    protocol = MazeProtocol(arguments.pop("env_id"), **how)
    return Found(evaluate_agent(agent, protocol, **arguments), protocol)


class Found:
    """Roll-outs as arrays."""

    def __init__(self, rollouts, protocol):
        self.positions = np.stack(rollouts.states)[..., :2]
        self.starts, self.goals = self.positions[:, 0], np.stack(rollouts.goals)[:, 0]
        self.rewards, self.at_goal = np.stack(rollouts.rewards), np.stack(rollouts.success)
        self.scores, self.plans = protocol.scores(rollouts), rollouts.plans


def test_driving_straight_succeeds_in_the_open_maze():
    rollouts = _evaluate(StraightAgent(), num_episodes=14, num_envs=14)
    assert rollouts.scores.success.all()
    assert (rollouts.goals == [2, 3]).all()
    distance = np.linalg.norm(rollouts.positions[:, 1:] - rollouts.goals[:, None], axis=-1)
    np.testing.assert_array_equal(rollouts.at_goal, distance <= 0.5)
    np.testing.assert_array_equal(rollouts.rewards, rollouts.at_goal)


@pytest.mark.parametrize(("name", "ceiling"), [("umaze", 200.1), ("medium", 222.1), ("large", 296.8)])
def test_who_starts_at_the_goal_and_stays_scores_the_ceiling(name, ceiling):
    maze = build_maze(name)
    num_cells = len(maze.free_cells)
    rollouts = _evaluate(StraightAgent(), env_id=f"maze2d-{name}-v1", num_episodes=num_cells, num_envs=num_cells)
    (episode,) = np.flatnonzero((np.round(rollouts.starts) == maze.goal_cell).all(axis=1))
    assert rollouts.scores.normalized_return[episode] == pytest.approx(ceiling, abs=0.05)
    assert rollouts.scores.first_touch_step[episode] == 1
    assert rollouts.scores.normalized_return.max() == rollouts.scores.normalized_return[episode]


@pytest.mark.parametrize("goal", ["fixed", "random", "detour"])
def test_results_do_not_depend_on_how_many_environments_run_side_by_side(goal):
    env_id = "maze2d-umaze-v1" if goal == "detour" else "maze2d-open-v0"
    together, in_threes, alone = (_evaluate(StraightAgent(), env_id=env_id, goal=goal, num_envs=n) for n in (6, 4, 1))
    for other in (in_threes, alone):
        np.testing.assert_array_equal(together.positions, other.positions)
        np.testing.assert_array_equal(together.goals, other.goals)
        np.testing.assert_array_equal(together.rewards, other.rewards)


@pytest.mark.parametrize("goal", ["fixed", "random", "detour"])
@pytest.mark.parametrize("vectorization", ["sync", "async"])
def test_results_do_not_depend_on_how_environments_run_side_by_side(goal, vectorization):
    env_id = "maze2d-umaze-v1" if goal == "detour" else "maze2d-open-v0"
    changes = {"env_id": env_id, "goal": goal, "num_episodes": 3, "num_envs": 2}
    batched, other = (_evaluate(StraightAgent(), **changes, vectorization=each) for each in ("batched", vectorization))
    for name in ("positions", "goals", "rewards", "at_goal"):
        np.testing.assert_array_equal(getattr(batched, name), getattr(other, name))


@pytest.mark.parametrize("vectorization", ["batched", "sync", "async"])
def test_positions_are_measured_whatever_is_observed(vectorization):
    changes = {"goal": "random", "num_episodes": 3, "num_envs": 2, "vectorization": vectorization}
    states, frames = (_evaluate(BlindAgent(), env_id=env_id, **changes) for env_id in STATES_AND_FRAMES)
    for name in ("positions", "goals", "rewards", "at_goal"):
        np.testing.assert_array_equal(getattr(states, name), getattr(frames, name))
    np.testing.assert_array_equal(states.scores.normalized_return, frames.scores.normalized_return)


def test_the_first_episodes_of_a_longer_evaluation_are_those_of_a_shorter_one():
    np.testing.assert_array_equal(
        _evaluate(StraightAgent(), num_episodes=8).positions[:5], _evaluate(StraightAgent(), num_episodes=5).positions
    )


def test_episodes_equal_those_of_the_single_environment():
    """One episode replayed by hand through gymnasium.make gives the very same positions."""
    rollouts = _evaluate(StraightAgent(), num_episodes=1, seed=3)
    env_seed, agent_seed = (int(word) for word in np.random.SeedSequence([3, 0]).generate_state(2))
    recorded = []
    agent = StraightAgent()
    agent.act = lambda observations: recorded.append(StraightAgent.act(agent, observations)) or recorded[-1]
    _evaluate(agent, num_episodes=1, seed=3)
    assert agent.generators[0].bit_generator.seed_seq.entropy == agent_seed
    env = gymnasium.make("maze2d-open-v0")
    start = _start_of(rollouts, seed=3)
    observation, _ = env.reset(seed=env_seed, options={"start": start})
    positions = [observation[:2]]
    for action in recorded:
        observation, *_ = env.step(action[0])
        positions.append(observation[:2])
    np.testing.assert_array_equal(rollouts.positions[0], np.array(positions, np.float32))


def _start_of(rollouts, *, seed):
    """The start in full precision; the roll-outs hold it in float32."""
    cells = build_maze("open").free_cells
    order = np.random.default_rng([seed]).permutation(len(cells))
    sequence = np.random.SeedSequence([seed, 0])
    start = cells[order[0]] + np.random.default_rng(sequence.spawn(1)[0]).uniform(-0.1, 0.1, size=2)
    np.testing.assert_array_equal(start.astype(np.float32), rollouts.starts[0])
    return start


def test_starts_are_spread_evenly_over_the_start_cells_of_d4rl():
    maze = build_maze("open")
    rollouts = _evaluate(StraightAgent(), num_episodes=2 * len(maze.free_cells), num_envs=30)
    cells = np.round(rollouts.starts)
    assert (np.abs(rollouts.starts - cells) <= 0.1).all()
    assert sorted(map(tuple, cells)) == sorted([*map(tuple, maze.free_cells), *map(tuple, maze.free_cells)])
    other = _evaluate(StraightAgent(), num_episodes=3, seed=1)
    assert not np.array_equal(np.round(other.starts), cells[:3])


def test_random_goals_are_drawn_near_free_cells_and_told_to_the_agent():
    agent = StraightAgent()
    rollouts = _evaluate(agent, goal="random", num_episodes=6, num_envs=6)
    np.testing.assert_array_equal(agent.goals, rollouts.goals)
    assert len(np.unique(np.round(rollouts.goals), axis=0)) > 2
    assert (np.abs(rollouts.goals - np.round(rollouts.goals)) <= 0.1).all()


def test_on_a_detour_the_straight_line_leads_into_a_wall():
    """The arms of the U-maze end two cells apart with a wall between."""
    agent = StraightAgent()
    rollouts = _evaluate(agent, env_id="maze2d-umaze-v1", goal="detour", num_episodes=4, num_envs=4)
    np.testing.assert_array_equal(agent.goals, rollouts.goals)
    pairs = np.stack([np.round(rollouts.starts), np.round(rollouts.goals)], axis=1).astype(int)
    assert sorted(pairs.tolist()) == [[[1, 1], [3, 1]]] * 2 + [[[3, 1], [1, 1]]] * 2
    assert not rollouts.scores.success.any()


def test_plans_are_timed_per_environment_and_held_against_the_walls():
    heard = []
    agent = PlanningAgent()
    agent.on_plan = heard.append
    rollouts = _evaluate(agent, num_episodes=5, num_envs=4)
    assert rollouts.plans.points.tolist() == [8, 4, 4, 4, 8]
    assert rollouts.plans.misplaced_points.tolist() == [4, 2, 2, 2, 4]
    assert rollouts.plans.seconds == [0.5] * 7
    assert rollouts.plans.evaluations == [8] * 7
    assert rollouts.plans.token_evaluations == [40] * 7
    assert rollouts.plans.largest_batch == 4
    assert len(heard) == 4
    assert agent.on_plan == heard.append


def test_progress_reaches_the_end_in_steps_of_the_batch():
    seen = []
    _evaluate(StraightAgent(), num_episodes=5, num_envs=3, on_progress=lambda done, total: seen.append((done, total)))
    assert seen[:2] == [(3, 750), (6, 750)]
    assert seen[-1] == (750, 750)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (np.zeros((2, 2)), r"shape \(3, 2\)"),
        (np.full((3, 2), np.nan), "environment 0 of the batch got"),
        (np.array([[0, 0], [0, np.inf], [0, 0]]), "environment 1 of the batch got"),
        (np.full((3, 2), "left"), "finite numbers"),
    ],
)
def test_unusable_actions_are_refused_with_where_and_what(actions, message):
    agent = StraightAgent()
    agent.act = lambda observations: actions
    with pytest.raises(UserError, match=message) as caught:
        _evaluate(agent)
    assert "episodes 0 to 2 of maze2d-open-v0, at step 0" in caught.value.__notes__[0]


def test_an_agent_that_fails_is_shown_with_the_step_and_its_callback_is_put_back():
    agent = StraightAgent()
    agent.act = lambda observations: 1 / 0
    with pytest.raises(ZeroDivisionError) as caught:
        _evaluate(agent)
    assert "at step 0" in caught.value.__notes__[0]
    assert agent.on_plan is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"env_id": "maze2d-huge-v1"}, "maze2d-huge"),
        ({"env_id": "CartPole-v1"}, "not a maze"),
        ({"goal": "moving"}, "'fixed' .*, 'random' .* or 'detour'"),
        ({"num_episodes": 0}, "n_episodes must be at least 1"),
        ({"num_envs": 0}, "n_envs must be at least 1"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"vectorization": "parallel"}, "vectorization must be one of batched, sync, async; got 'parallel'"),
    ],
)
def test_unusable_arguments_are_refused(changes, message):
    with pytest.raises(UserError, match=message):
        _evaluate(StraightAgent(), **changes)
