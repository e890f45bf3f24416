"""Normalised data has mean 0 and standard deviation 1, and comes back unchanged."""

import dataclasses

import numpy as np
import pytest
import torch
from tiny_model import tiny_trajectories

from dfplan.errors import UserError
from dfplan.tokens import Normalizer


@pytest.fixture(scope="module")
def trajectories():
    return tiny_trajectories(num=20, num_steps=40)


@pytest.fixture
def normalizer(trajectories):
    return Normalizer.fit(trajectories)


def test_fitted_data_is_standardised(normalizer, trajectories):
    for values in (
        normalizer.actions(torch.from_numpy(trajectories.actions)),
        normalizer.observations(torch.from_numpy(trajectories.observations)),
    ):
        torch.testing.assert_close(values.mean(dim=0), torch.zeros(values.shape[1]), rtol=0, atol=1e-5)
        torch.testing.assert_close(values.std(dim=0, correction=0), torch.ones(values.shape[1]), rtol=0, atol=1e-5)


def test_round_trips(normalizer):
    generator = torch.Generator().manual_seed(0)
    actions, rewards = torch.randn(3, 7, 2, generator=generator), torch.rand(3, 7, generator=generator)
    observations = torch.randn(3, 7, 4, generator=generator)
    torch.testing.assert_close(normalizer.actions_back(normalizer.actions(actions)), actions)
    torch.testing.assert_close(normalizer.rewards_back(normalizer.rewards(rewards)), rewards)
    torch.testing.assert_close(normalizer.observations_back(normalizer.observations(observations)), observations)


def test_a_position_is_normalised_as_the_first_numbers_of_an_observation(normalizer):
    observations = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(normalizer.observations(observations[:, :2]), normalizer.observations(observations)[:, :2])
    assert torch.equal(
        normalizer.observations_back(observations[:, :2]), normalizer.observations_back(observations)[:, :2]
    )


def test_rewards_fill_minus_one_to_one(normalizer):
    assert normalizer.rewards(torch.tensor([0.0, 0.5, 1.0])).tolist() == [-1.0, 0.0, 1.0]


def test_state_travels_through_a_blank_one(normalizer):
    loaded = Normalizer.blank(action_dim=2, observation_dim=4)
    values = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(loaded.observations(values), values)
    loaded.load_state_dict(normalizer.state_dict())
    assert torch.equal(loaded.observations(values), normalizer.observations(values))
    assert not list(normalizer.parameters())


def test_a_dimension_that_never_varies_is_centred_and_kept(trajectories):
    actions = trajectories.actions.copy()
    actions[:, 1] = 0.3
    fitted = Normalizer.fit(dataclasses.replace(trajectories, actions=actions))
    assert float(fitted.action_std[1]) == 1
    torch.testing.assert_close(fitted.actions(torch.tensor([[0.0, 0.3]]))[:, 1], torch.zeros(1))


def test_rewards_on_record_are_standardised_and_shares_of_steps_are_not_measured(trajectories):
    rewards = np.linspace(-30, -10, len(trajectories)).astype(np.float32)
    paid = dataclasses.replace(trajectories, rewards=rewards)
    fitted = Normalizer.fit(paid, rewards_recorded=True)
    normal = fitted.rewards(torch.from_numpy(rewards))
    assert (abs(float(normal.mean())), abs(float(normal.std()) - 1)) < (1e-4, 1e-2)
    torch.testing.assert_close(fitted.rewards_back(normal), torch.from_numpy(rewards))
    assert Normalizer.fit(paid).rewards(torch.tensor([0.0, 1.0])).tolist() == [-1, 1]
    with pytest.raises(UserError, match="has no rewards"):
        Normalizer.fit(trajectories, rewards_recorded=True)


def test_values_that_are_not_finite_are_named(trajectories):
    observations = trajectories.observations.copy()
    observations[5, 2] = np.nan
    with pytest.raises(UserError, match=r"observation dimensions \[2\].*not finite"):
        Normalizer.fit(dataclasses.replace(trajectories, observations=observations))
