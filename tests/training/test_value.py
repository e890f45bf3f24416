"""Networks learn what is still to be earned: of a chain that is solved by hand, and of two policies the better one."""

from dataclasses import replace

import numpy as np
import pytest

from dfplan.errors import UserError
from dfplan.scorers import ReturnScorer, read_scorer
from dfplan.scorers.networks import ValueNetworks
from dfplan.settings.value import ValueSettings
from dfplan.tasks.forcing import StateSettings, weigher
from dfplan.training.value import MOST, advantage_weights, targets_of, train_value
from dfplan.types import Trajectories

QUICK = ValueSettings(kind="networks", discount=0.9, expectile=0.5, num_steps=600, width=32, members=2)


def chain(rewards, *, ended, repeats=1):
    """Episodes that go through the states 0, 1, 2, ... and earn these rewards on the way."""
    length = len(rewards) + 1
    observations = np.tile(np.arange(length, dtype=np.float32), repeats)[:, None]
    terminations = np.zeros(length * repeats, bool)
    terminations[length - 2 :: length] = ended
    return Trajectories(
        observations=observations,
        actions=np.zeros((length * repeats, 1), np.float32),
        rewards=np.tile(np.append(rewards, 0).astype(np.float32), repeats),
        starts=np.arange(repeats + 1) * length,
        segment_ends=np.zeros(length * repeats, bool),
        terminations=terminations,
        source="a chain",
    )


def test_targets_are_the_next_rewards_and_what_they_lead_to():
    found = targets_of(chain([1, 2, 4], ended=False), look_ahead=2, discount=0.5)
    assert found.states.tolist() == [0, 1, 2]  # the last row leads nowhere
    assert found.rewards.tolist() == [2, 4, 4]
    assert found.next_states.tolist() == [2, 3, 3]
    assert found.discounts.tolist() == [0.25, 0.25, 0.5]


def test_after_an_episode_that_ended_for_good_there_is_nothing():
    found = targets_of(chain([1, 2, 4], ended=True, repeats=2), look_ahead=2, discount=0.5)
    assert found.discounts.tolist() == [0.25, 0, 0] * 2
    assert found.next_states.tolist() == [2, 3, 3, 6, 7, 7]


def test_the_value_of_a_chain_is_what_it_earns():
    data = chain([0, 0, 0, 10], ended=True, repeats=20)
    value = train_value(data, replace(QUICK, num_steps=2000), seed=0)  # there is a brink at the end
    np.testing.assert_allclose(value(np.arange(4.0)[:, None]), [7.29, 8.1, 9, 10], atol=0.4)
    assert value(np.full((1, 1), 4.0))[0] == pytest.approx(0, abs=0.4)  # where it has ended for good


def test_where_a_time_limit_ended_an_episode_more_is_to_be_earned():
    value = train_value(chain([1] * 4, ended=False, repeats=20), QUICK, seed=0)
    assert value(np.full((1, 1), 4.0))[0] > 3  # nothing is known of it; it is like the states before


def test_the_nearer_to_one_the_expectile_the_more_counts_who_earned_most():
    poor, rich = chain([0, 0, 0, 0], ended=True, repeats=20), chain([0, 0, 0, 10], ended=True, repeats=20)
    both = replace(
        poor,
        **{
            name: np.concatenate([getattr(poor, name), getattr(rich, name)])
            for name in ("observations", "actions", "rewards", "segment_ends", "terminations")
        },
        starts=np.append(poor.starts, poor.starts[-1] + rich.starts[1:]),
    )
    start = np.zeros((1, 1))
    mean, best = (train_value(both, replace(QUICK, expectile=each), seed=0)(start)[0] for each in (0.5, 0.95))
    assert mean == pytest.approx(7.29 / 2, abs=0.5)
    assert best > 0.75 * 7.29


def test_the_same_seed_trains_the_same_value_which_lies_in_the_range_of_what_can_be_earned():
    data = chain([0, -1, 3], ended=False, repeats=10)
    short = replace(QUICK, num_steps=20)
    first, again, other = (train_value(data, short, seed=seed) for seed in (0, 0, 1))
    states = np.linspace(-1e6, 1e6, 50)[:, None]
    np.testing.assert_array_equal(first(states), again(states))
    assert (first(states) != other(states)).any()
    assert ((first(states) >= -10) & (first(states) <= 30)).all()


def test_it_travels_in_a_bundle():
    data = chain([0, -1, 3], ended=False, repeats=10)
    scorer = ReturnScorer(0.9, train_value(data, replace(QUICK, num_steps=5), seed=0))
    described, arrays = scorer.describe()
    found = read_scorer({"scorer": scorer.kind, **described}, arrays)
    states = np.random.default_rng(0).normal(size=(3, 4, 1))
    assert isinstance(found.value, ValueNetworks)
    np.testing.assert_allclose(found.value(states), scorer.value(states), rtol=1e-5)


def test_layers_that_do_not_follow_each_other_are_refused():
    arrays = train_value(chain([0, 1], ended=False, repeats=5), replace(QUICK, num_steps=1), seed=0).arrays()
    for wrong in ({"weights.1": arrays["weights.0"]}, {"biases.2": np.zeros((2, 3))}, {"mean": np.full(1, np.nan)}):
        with pytest.raises(ValueError, match=r"layers of the value|not finite"):
            ValueNetworks.from_arrays(arrays | wrong)


def test_without_rewards_there_is_no_value():
    with pytest.raises(UserError, match="has no rewards"):
        train_value(replace(chain([1], ended=False), rewards=None), QUICK, seed=0)


def test_what_earned_more_than_expected_is_begun_at_more_often():
    poor, rich = chain([1, 1, 1], ended=True), chain([1, 1, 5], ended=True)
    value = {0: 3.0, 1: 2.0, 2: 1.0, 3: 0.0}  # as if nobody had earned more than 1 a step

    def expected(states):
        return np.vectorize(value.get)(states[..., 0])

    def weights(data, temperature):
        return advantage_weights(data, expected, num_steps=1, discount=1.0, temperature=temperature)

    np.testing.assert_allclose(weights(poor, 1.0), [1, 1, 1, 0])  # as expected; no step follows the last
    surplus = np.array([0, 0, 4])
    np.testing.assert_allclose(weights(rich, 2.0)[:3], np.exp(surplus / (2 * surplus.std())))
    assert weights(rich, 1e-3).max() == pytest.approx(MOST)


def test_an_advantage_counts_the_steps_that_were_taken():
    value = lambda states: np.zeros(states.shape[:-1])  # noqa: E731
    found = advantage_weights(chain([0, 1, 2], ended=True), value, num_steps=2, discount=0.5, temperature=1.0)
    advantages = np.array([0.5, 2, 2])
    np.testing.assert_allclose(found[:3], np.exp(advantages / advantages.std()))


def test_settings_say_how_many_steps_an_advantage_counts():
    data = chain([0, 1, 2, 5], ended=True, repeats=5)
    scorer = ReturnScorer(0.9, train_value(data, replace(QUICK, num_steps=20), seed=0))
    for steps, counted in ((None, 2), (4, 4)):
        value = replace(QUICK, temperature=1.0, advantage_steps=steps)
        weigh = weigher(scorer, replace(StateSettings(), value=value), window_steps=2)
        expected = advantage_weights(data, scorer.value, num_steps=counted, discount=0.9, temperature=1.0)
        np.testing.assert_array_equal(weigh(data), expected)
    with pytest.raises(UserError, match="give value=advantage"):
        replace(QUICK, advantage_steps=4)
