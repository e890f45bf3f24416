"""Practice: what is chosen is what the data lack, and what is kept of it is what happened."""

import numpy as np
import pytest

from dfplan.cli.commands.record import as_trajectories
from dfplan.data.windows import WindowDataset
from dfplan.domains.find import find_domain
from dfplan.evaluation.practice import Chosen, choose_unseen, mix, tasks_shown, worth_learning
from dfplan.evaluation.rollout import evaluate_agent
from dfplan.settings.windows import WindowSettings

WINDOWS = WindowSettings(held_steps=0)


@pytest.fixture(scope="module")
def domain():
    return find_domain("maze2d-umaze-v1")


@pytest.fixture(scope="module")
def protocol(domain):
    return domain.protocol(goal="random")


@pytest.fixture(scope="module")
def rollouts(domain, protocol):
    return evaluate_agent(domain.agents()["waypoints"](), protocol, num_episodes=6, num_envs=6, seed=5000)


def test_chosen_episodes_are_those_of_these_numbers(protocol):
    with protocol.begin(range(5), seed=3) as running:
        starts, goals = running.begun.states, running.begun.goals
    chosen = Chosen(protocol, [4, 1])
    with chosen.begin(range(2), seed=3) as running:
        np.testing.assert_array_equal(running.begun.states, starts[[4, 1]])
        np.testing.assert_array_equal(running.begun.goals, goals[[4, 1]])
    assert chosen.most_steps == protocol.most_steps


def test_what_was_done_is_no_longer_unseen(domain, protocol, rollouts):
    data = as_trajectories(rollouts, domain)
    shown = tasks_shown(data, WINDOWS, domain, seed=0)
    how = {"num_episodes": 5, "share": 0.5, "num_envs": 4, "seed": 5000}
    numbers, distances = choose_unseen(protocol, domain, shown, **how)
    assert numbers == sorted(set(numbers))
    assert set(numbers) >= {6, 7, 8, 9}  # the six that were driven are among the ten that are drawn
    assert distances.min() > 0
    everything, far = choose_unseen(protocol, domain, shown, **{**how, "share": 1.0})
    assert everything == [0, 1, 2, 3, 4]
    assert far.max() < distances.max()


def test_what_arrived_is_kept_to_its_goal_and_as_long_there_at_most(domain, protocol, rollouts):
    arrived = np.array([episode["success"] for episode in protocol.measure(rollouts).episodes])
    assert arrived.any()
    kept = worth_learning(rollouts, arrived, keep="arrived")
    assert len(kept) == arrived.sum()
    for each, success, states, goals in zip(kept.rewards, kept.success, kept.states, kept.goals, strict=True):
        came = int(np.argmax(success))
        assert success[-1]
        assert len(each) <= 2 * (came + 1)
        assert np.linalg.norm(states[-1, :2] - goals[-1]) <= 0.5
    failed = worth_learning(rollouts, np.zeros(6, bool), keep="all")
    assert len(failed) == 6
    assert len(worth_learning(rollouts, np.zeros(6, bool), keep="arrived")) == 0


def test_a_mixture_has_about_the_share_that_is_asked_for_and_no_window_crosses_a_seam(domain, rollouts):
    old = as_trajectories(rollouts, domain)
    new = as_trajectories(worth_learning(rollouts, np.arange(6) < 2, keep="arrived"), domain)
    mixed = mix(old, [new], share=0.6)
    share = 1 - len(old) / len(mixed)
    assert share == pytest.approx(0.6, abs=0.1)
    np.testing.assert_array_equal(mixed.observations[len(old) :][: len(new)], new.observations)
    batch = WindowDataset(mixed, WINDOWS, num_tokens=4).sample(200, np.random.default_rng(0))
    steps = np.abs(np.diff(batch.observations[..., :2], axis=1)).max(axis=-1)
    assert steps.max() < WINDOWS.steps_per_point * 0.06  # no faster than the ball may be
    assert mix(old, [], share=0.5) is old
    assert mix(old, [new], share=0.0) is old
