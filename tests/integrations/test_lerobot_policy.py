"""The LeRobot plug-in against the contract of LeRobot, which a stand-in holds where LeRobot itself is not installed."""

import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch

from dfplan.cli.folders import bundled_weights

PLUGIN = Path(__file__).parents[2] / "integrations" / "lerobot_policy_dfplan" / "src"
WEIGHTS = str(bundled_weights() / "maze2d-large")


@pytest.fixture(scope="module", autouse=True)
def lerobot():
    """LeRobot, or its stand-in, and our plug-in beside it."""
    before = list(sys.path)
    sys.path[:0] = [str(PLUGIN), str(Path(__file__).with_name("lerobot_stand_in"))]
    yield
    sys.path[:] = before
    for name in [name for name in sys.modules if name.split(".")[0] in ("lerobot", "lerobot_policy_dfplan")]:
        del sys.modules[name]


def _config(**options):
    from lerobot.configs import FeatureType, PolicyFeature
    from lerobot_policy_dfplan import DfplanConfig

    features = {
        "input_features": {
            "observation.state": PolicyFeature(FeatureType.STATE, (4,)),
            "observation.environment_state": PolicyFeature(FeatureType.ENV, (2,)),
        },
        "output_features": {"action": PolicyFeature(FeatureType.ACTION, (2,))},
    }
    return DfplanConfig(**{"weights": WEIGHTS, "num_candidates": 2, "horizon": 160} | features | options)


def _policy(**options):
    from lerobot_policy_dfplan import DfplanPolicy

    return DfplanPolicy(_config(**options))


def _batch(*, batch=1, goal=(7.0, 9.0)):
    return {
        "observation.state": torch.tensor([[1.0, 1.0, 0.0, 0.0]]).repeat(batch, 1),
        "observation.environment_state": torch.tensor([goal]).repeat(batch, 1),
    }


def test_lerobot_finds_everything_by_its_name():
    from lerobot.configs import PreTrainedConfig

    config = _config()
    cls, module = type(config), type(config).__module__
    assert PreTrainedConfig.registry["dfplan"] is cls
    assert config.type == "dfplan"
    # As lerobot.policies.factory does: sibling modules and names by convention.
    modeling = sys.modules[module.replace("configuration_", "modeling_")]
    policy = getattr(modeling, cls.__name__.removesuffix("Config") + "Policy")
    assert policy.config_class is cls
    assert policy.name == "dfplan"
    processing = sys.modules[module.replace("configuration_", "processor_")]
    before, after = processing.make_dfplan_pre_post_processors(config, dataset_stats=None)
    assert before(1) == after(1) == 1
    assert (PLUGIN.parent / "pyproject.toml").read_text().count('name = "lerobot_policy_dfplan"') == 1


def test_the_configuration_says_what_lerobot_asks():
    config = _config(chunk_size=8)
    assert config.action_delta_indices == list(range(8))
    assert config.observation_delta_indices is config.reward_delta_indices is config.get_scheduler_preset() is None
    assert config.get_optimizer_preset().lr > 0


@pytest.mark.parametrize("options", [{"controller": "fly"}, {"chunk_size": 0}, {"chunk_size": 801, "horizon": 800}])
def test_settings_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match="must"):
        _config(**options)


@pytest.mark.parametrize("features", ["input_features", "output_features"])
def test_a_robot_without_state_goal_or_action_is_refused(features):
    with pytest.raises(ValueError, match=r"dfplan needs the input features observation\.state"):
        _policy(**{features: {}})


@pytest.mark.slow
def test_one_observation_without_history_is_enough_for_a_chunk():
    policy = _policy(chunk_size=24)
    for batch in (1, 3, 1):
        chunk = policy.predict_action_chunk(_batch(batch=batch))
        assert chunk.shape == (batch, 24, 2)
        assert chunk.dtype == torch.float32
        assert torch.isfinite(chunk).all()
        assert chunk.abs().max() <= 1


@pytest.mark.parametrize("controller", ["pursuit", "actions"])
def test_actions_come_one_a_step_and_a_reset_repeats_them(controller):
    policy, found = _policy(controller=controller), []
    for _ in range(2):
        policy.reset()
        found.append(torch.stack([policy.select_action(_batch(batch=2)) for _ in range(3)]))
    assert found[0].shape == (3, 2, 2)
    assert torch.equal(*found)


def test_dropped_actions_are_planned_anew():
    policy = _policy(controller="actions")
    first, second = (policy.select_action(_batch()) for _ in range(2))
    policy.drop_queued_actions()
    third = policy.select_action(_batch())
    assert not torch.equal(third, second)
    assert not torch.equal(third, first)  # another plan, from other noise


def test_a_saved_policy_is_the_same(tmp_path):
    from lerobot_policy_dfplan import DfplanPolicy

    policy = _policy(chunk_size=16)
    policy.save_pretrained(tmp_path)
    again = DfplanPolicy.from_pretrained(tmp_path)
    assert again.config.weights == str(tmp_path / "dfplan")
    assert torch.equal(policy.predict_action_chunk(_batch()), again.predict_action_chunk(_batch()))
    with pytest.raises(FileNotFoundError, match="fetch it first"):
        DfplanPolicy.from_pretrained("somebody/somewhere")


def test_what_is_not_offered_is_said():
    policy = _policy()
    with pytest.raises(NotImplementedError, match="dfplan train"):
        policy.forward({})
    with pytest.raises(ValueError, match=r"the batch has no observation\.environment_state"):
        policy.select_action({"observation.state": torch.zeros(1, 4)})
    assert policy.get_optim_params()["params"]


@pytest.mark.parametrize("batch", [1, 2])
def test_a_chunk_begins_with_what_is_left_of_the_one_before(batch):
    policy = _policy(chunk_size=16)
    assert policy.supports_rtc()
    left = torch.linspace(-0.5, 0.5, 20).view(10, 2)
    for given in (left, left.expand(batch, -1, -1)):
        chunk = policy.predict_action_chunk(_batch(batch=batch), inference_delay=4, prev_chunk_left_over=given)
        torch.testing.assert_close(chunk[:, :4], left[:4].expand(batch, -1, -1), rtol=0, atol=1e-5)
        assert not torch.allclose(chunk[:, 4:10], left[4:].expand(batch, -1, -1), atol=0.05)


@pytest.mark.slow
def test_an_episode_as_lerobot_drives_it():
    policy = _policy(num_candidates=16, horizon=800)
    env = gymnasium.make("dfplan_envs:maze2d-large-v1")
    observation, info = env.reset(seed=1000)
    policy.reset()
    rewards = []
    for _ in range(400):
        batch = {
            "observation.state": torch.as_tensor(observation)[None].float(),
            "observation.environment_state": torch.as_tensor(info["goal"])[None].float(),
        }
        observation, reward, _, _, info = env.step(policy.select_action(batch)[0].numpy())
        rewards.append(reward)
    assert np.mean(rewards[300:]) == 1
