"""An inspection finds what contradicts itself in data of any robot, and nothing in motion as it was recorded."""

from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from robot_data import STEP, robot, trajectories

from dfplan.data.inspection import inspect
from dfplan.data.inspection.motion import find_leaps
from dfplan.data.inspection.steps import find_pairs
from dfplan.domains.maze.generate import generate_maze2d
from dfplan.types import Bounds

BOUNDS = Bounds(-np.ones(2, np.float32), np.ones(2, np.float32))


def recorded(env_id, policy, *, episodes, seed=0):
    """Roll-outs of an environment as arrays of a D4RL file."""
    env = gymnasium.make(env_id)
    generator = np.random.default_rng(seed)
    rows = {key: [] for key in ("observations", "actions", "rewards", "terminals", "timeouts")}
    for episode in range(episodes):
        observation, _ = env.reset(seed=seed + episode)
        ended = False
        while not ended:
            action = policy(observation, generator).astype(np.float32)
            following, reward, terminated, truncated, _ = env.step(action)
            values = (observation, action, reward, terminated, truncated and not terminated)
            for key, value in zip(rows, values, strict=True):
                rows[key].append(value)
            observation, ended = following, terminated or truncated
    kinds = {"terminals": bool, "timeouts": bool}
    return {key: np.array(value, kinds.get(key, np.float32)) for key, value in rows.items()}


ROBOTS = {
    "a point": robot,
    "Pendulum": lambda: recorded("Pendulum-v1", lambda _, generator: generator.uniform(-2, 2, 1), episodes=8),
    "MountainCar": lambda: recorded(
        "MountainCarContinuous-v0",
        lambda seen, generator: np.clip(np.sign(seen[1:]) + 0.5 * generator.normal(size=1), -1, 1),
        episodes=6,
    ),
}


@pytest.mark.parametrize("make", ROBOTS.values(), ids=ROBOTS.keys())
def test_nothing_is_found_in_motion_as_it_was_recorded(make):
    assert inspect(trajectories(make())).findings == ()


def test_a_position_is_paired_with_its_velocity_and_the_time_of_a_step():
    pairs = find_pairs(trajectories(robot()))
    assert [(each.coordinate, each.velocity) for each in pairs] == [(0, 2), (1, 3)]
    np.testing.assert_allclose([each.step_time for each in pairs], STEP, rtol=0.03)


def test_stale_observations_of_maze2d_are_named_and_not_refused():
    arrays = generate_maze2d("maze2d-umaze-v1", num_steps=20_000, seed=0)
    arrays["timeouts"][-1] = True
    found = inspect(trajectories({**arrays, "rewards": arrays["rewards"].astype(np.float32)}))
    assert not found.wrong
    assert {each.kind for each in found.findings} == {"stale rows", "flags"}


def without_rows(arrays, out):
    """Rows taken out, ends kept where they are left."""
    return {key: each[~out] for key, each in arrays.items()}


@pytest.mark.parametrize("make", ROBOTS.values(), ids=ROBOTS.keys())
@pytest.mark.parametrize("every", [3, 4])
def test_rows_that_were_taken_out_again_and_again_are_noticed(make, every):
    arrays = make()
    number = np.arange(len(arrays["rewards"]))
    ends = arrays["terminals"] | arrays["timeouts"]
    data = trajectories(without_rows(arrays, (number % every == every - 1) & ~ends))
    assert "missing rows" in {each.kind for each in inspect(data).findings}


@pytest.mark.parametrize("make", [lambda: robot(episodes=24), ROBOTS["Pendulum"]], ids=["a point", "Pendulum"])
@pytest.mark.parametrize("what", ["noise", "of other rows", "negated in half"])
def test_actions_that_explain_nothing_are_doubted(make, what):
    data = trajectories(make())
    generator = np.random.default_rng(1)
    odd = (np.searchsorted(data.starts, np.arange(len(data)), side="right") % 2 == 0)[:, None]
    actions = {
        "noise": generator.normal(size=data.actions.shape).astype(np.float32),
        "of other rows": data.actions[generator.permutation(len(data))],
        "negated in half": np.where(odd, -data.actions, data.actions),
    }[what]
    found = inspect(replace(data, actions=actions))
    assert "actions" in {each.kind for each in found.findings}
    assert not found.wrong


def test_an_episode_with_negated_actions_is_named():
    data = trajectories(robot())
    actions = data.actions.copy()
    actions[data.starts[2] : data.starts[3]] *= -1
    (finding,) = inspect(replace(data, actions=actions)).findings
    assert (finding.kind, finding.where, finding.wrong) == ("actions", "episode 2, row 0", False)


@pytest.mark.parametrize(("factor", "units"), [(1000, "millimetres"), (180 / np.pi, "degrees")])
@pytest.mark.parametrize("dimensions", [[0], [0, 1, 2, 3]], ids=["a position", "all"])
def test_an_episode_in_other_units_is_named(factor, units, dimensions):
    data = trajectories(robot())
    observations = data.observations.copy()
    observations[data.starts[4] : data.starts[5], dimensions] *= factor
    found = inspect(replace(data, observations=observations)).wrong
    assert found[0].kind == "units"
    assert found[0].where == "episode 4, row 0"
    assert units in found[0].said or len(dimensions) > 1  # of which each has its own range


def test_an_episode_of_another_step_time_is_named():
    data = trajectories(robot(steps=160))
    second = slice(data.starts[2], data.starts[3])
    keep = np.ones(len(data), bool)
    keep[second] = np.arange(160) % 2 == 0
    starts = np.append(0, np.cumsum(np.add.reduceat(keep, data.starts[:-1])))
    arrays = {name: each[keep] for name, each in data.per_row().items()}
    (finding, *_) = inspect(replace(data, starts=starts, **arrays)).wrong
    assert (finding.kind, finding.where) == ("step time", "episode 2, row 0")


def test_velocities_that_contradict_the_declared_step_time_are_doubted():
    assert inspect(replace(trajectories(robot()), step_seconds=STEP)).findings == ()
    (finding,) = inspect(replace(trajectories(robot()), step_seconds=2 * STEP)).findings
    assert finding.kind == "step time"


def test_bounds_that_are_hardly_used_are_doubted():
    data = trajectories(robot(), action_bounds=BOUNDS)
    assert inspect(data).findings == ()
    (finding,) = inspect(replace(data, actions=data.actions / 1000)).findings
    assert (finding.kind, finding.wrong) == ("bounds", False)


@pytest.mark.parametrize(("value", "wrong"), [(5, False), (-60, True)])
def test_an_action_far_from_all_others_is_named(value, wrong):
    data = trajectories(robot())
    actions = data.actions.copy()
    actions[200, 1] = value
    (finding,) = inspect(replace(data, actions=actions)).findings
    assert (finding.kind, finding.where, finding.wrong) == ("far values", "episode 2, row 40", wrong)
    assert f"action 1 is {value}" in finding.said


def test_a_row_of_a_sensor_that_fell_out_is_named():
    data = trajectories(robot())
    observations = data.observations.copy()
    observations[200] = -999
    finding = inspect(replace(data, observations=observations)).wrong[0]
    assert (finding.kind, finding.where) == ("far values", "episode 2, row 40")


def test_an_angle_that_begins_anew_is_named():
    turned = np.cumsum(np.full(900, 0.1)) + np.random.default_rng(0).normal(size=900) / 100
    angles = (turned + np.pi) % (2 * np.pi) - np.pi
    arrays = robot(episodes=9, steps=100)
    arrays["observations"] = np.column_stack([arrays["observations"], angles]).astype(np.float32)
    (finding,) = inspect(trajectories(arrays)).findings
    assert finding.kind == "angles"
    assert "observation 4" in finding.said


@pytest.mark.parametrize(("rows", "word"), [(1, "late"), (-1, "early")])
def test_flags_that_are_a_row_off_are_told_from_leaps(rows, word):
    arrays = robot()
    arrays["timeouts"] = np.roll(arrays["timeouts"], rows)
    arrays["timeouts"][-1] = True
    arrays["timeouts"][0] = False
    finding = inspect(trajectories(arrays)).wrong[0]
    assert finding.kind == "flags"
    assert f"one row too {word}" in finding.fix


def test_episodes_without_rewards_actions_or_a_second_row_are_inspected():
    data = trajectories(robot(episodes=3, steps=2))
    bare = replace(data, rewards=None, terminations=None, truncations=None, actions=np.zeros((6, 0), np.float32))
    summary = inspect(bare).summary
    assert summary["lengths"]["max"] == 2
    assert summary["ends"] == {"terminated": None, "truncated": None, "neither": None}
    single = replace(bare, starts=np.arange(7))
    assert inspect(single).summary["episodes"] == 6


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("kind", ["still", "counting", "switches", "huge", "tiny", "held", "walk"])
def test_nothing_makes_an_inspection_fail(kind, seed):
    generator = np.random.default_rng(seed)
    rows = int(generator.integers(40, 600))
    observations = generator.normal(size=(rows, 3))
    match kind:
        case "still":
            observations[:] = 1
        case "counting":
            observations[:, 0] = np.arange(rows)
        case "switches":
            observations = observations > 1
        case "huge":
            observations *= 1e30
        case "tiny":
            observations *= 1e-30
        case "held":
            observations = observations[np.arange(rows) // 5]
        case "walk":
            observations = np.cumsum(observations, axis=0)
    ends = np.isin(np.arange(rows), [*generator.integers(0, rows, size=generator.integers(0, 20)), rows - 1])
    arrays = {
        "observations": observations.astype(np.float32),
        "actions": generator.normal(size=(rows, 2)).astype(np.float32),
        "rewards": generator.normal(size=rows).astype(np.float32),
        "terminals": np.zeros(rows, bool),
        "timeouts": ends,
    }
    found = inspect(trajectories(arrays))
    assert found.summary["episodes"] == ends.sum()
    assert all(str(each) for each in found.findings)


def test_a_whirl_leaps_nowhere():
    """Two joints swing slowly, and in three of forty episodes whirl, as Reacher does by a hand of the wrong sign."""
    generator, steps = np.random.default_rng(0), 50
    episodes = []
    for episode in range(40):
        whirl = 2.4 if episode % 13 == 12 else 0.0  # radians a step
        turned = np.cumsum(whirl + generator.normal(0, 0.02, (steps, 2)), axis=0) + generator.uniform(-3, 3, 2)
        episodes.append(np.concatenate([np.cos(turned), np.sin(turned)], axis=1))
    observations = np.concatenate(episodes).astype(np.float32)
    ends = np.arange(len(observations)) % steps == steps - 1
    arrays = {"observations": observations, "actions": np.zeros((len(observations), 1), np.float32)}
    rewards = np.zeros(len(observations), np.float32)
    data = trajectories(arrays | {"rewards": rewards, "terminals": np.zeros_like(ends), "timeouts": ends})
    assert not len(find_leaps(data, find_pairs(data)))
    begins = data.starts[3]  # an end that no flag tells, in a slow one, is found nonetheless
    joined = replace(data, starts=np.delete(data.starts, 3))
    assert find_leaps(joined, find_pairs(joined)).tolist() == [begins - 1]
