"""The LeRobot plug-in against LeRobot where that is installed (`make lerobot`), elsewhere against a stand-in of it."""

import importlib.util
import json
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch

import dfplan

PLUGIN = Path(__file__).parents[2] / "integrations" / "lerobot_policy_dfplan" / "src"
IS_REAL = importlib.util.find_spec("lerobot") is not None
STATE, ENV = "observation.state", "observation.environment_state"


@pytest.fixture(scope="module", autouse=True)
def lerobot():
    """LeRobot, or its stand-in, and our plug-in beside it."""
    before = list(sys.path)
    sys.path[:0] = [str(PLUGIN)] if IS_REAL else [str(PLUGIN), str(Path(__file__).with_name("lerobot_stand_in"))]
    yield
    sys.path[:] = before
    if not IS_REAL:
        for name in [name for name in sys.modules if name.split(".")[0] in ("lerobot", "lerobot_policy_dfplan")]:
            del sys.modules[name]


def _config(*, inputs=(4, 2), acts=2, **options):
    """Of the large maze, where nothing else is said: state and goal are shown."""
    from lerobot.configs import FeatureType, PolicyFeature
    from lerobot_policy_dfplan import DfplanConfig

    kinds = {STATE: FeatureType.STATE, ENV: FeatureType.ENV}
    features = {
        "input_features": {
            name: PolicyFeature(kinds[name], (size,)) for name, size in zip(kinds, inputs, strict=False)
        },
        "output_features": {"action": PolicyFeature(FeatureType.ACTION, (acts,))},
    }
    usual = {"weights": "maze2d-large", "num_candidates": 2, "horizon": 160, "device": "cpu"}
    return DfplanConfig(**usual | features | options)


def _policy(**options):
    from lerobot_policy_dfplan import DfplanPolicy

    return DfplanPolicy(_config(**options))


def _pushing(**options):
    """Of PushT: disc and corners are shown, and both were observed in two steps."""
    usual = {"weights": "gym_pusht-PushT-v0", "num_candidates": None, "horizon": None}
    return _policy(**usual | {"inputs": (2, 16), "observation_features": [STATE, ENV], "n_obs_steps": 2} | options)


def _batch(*, batch=1, goal=(7.0, 9.0)):
    return {
        STATE: torch.tensor([[1.0, 1.0, 0.0, 0.0]]).repeat(batch, 1),
        ENV: torch.tensor([goal]).repeat(batch, 1),
    }


def _scene(step):
    """Disc and corners of PushT at a step, moving."""
    return {STATE: torch.full((1, 2), 200.0 + step), ENV: torch.linspace(150, 350, 16)[None] + 2 * step}


def test_lerobot_finds_everything_by_its_name():
    from lerobot.configs import PreTrainedConfig

    config = _config()
    cls, module = type(config), type(config).__module__
    assert PreTrainedConfig.get_choice_class("dfplan") is cls
    assert config.type == "dfplan"
    # As lerobot.policies.factory does: sibling modules and names by convention.
    modeling = sys.modules[module.replace("configuration_", "modeling_")]
    policy = getattr(modeling, cls.__name__.removesuffix("Config") + "Policy")
    assert policy.config_class is cls
    assert policy.name == "dfplan"
    processing = sys.modules[module.replace("configuration_", "processor_")]
    before, after = processing.make_dfplan_pre_post_processors(config, dataset_stats=None)
    assert torch.equal(before(_batch())[STATE], _batch()[STATE])
    assert torch.equal(after(torch.ones(1, 2)), torch.ones(1, 2))
    assert (PLUGIN.parent / "pyproject.toml").read_text().count('name = "lerobot_policy_dfplan"') == 1


def test_the_configuration_says_what_lerobot_asks():
    config = _config(chunk_size=8, n_obs_steps=3)
    assert config.action_delta_indices == list(range(8))
    assert config.observation_delta_indices == [-2, -1, 0]
    assert config.reward_delta_indices is config.get_scheduler_preset() is None
    assert config.get_optimizer_preset().lr > 0


@pytest.mark.parametrize("options", [{"controller": "fly"}, {"chunk_size": 0}, {"n_obs_steps": 0}, {"replan_every": 0}])
def test_settings_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match="must"):
        _config(**options)


@pytest.mark.parametrize("features", ["input_features", "output_features"])
def test_a_robot_without_vectors_or_action_is_refused(features):
    with pytest.raises(ValueError, match=r"dfplan needs vectors in the input features"):
        _policy(**{features: {}})


@pytest.mark.parametrize(
    ("make", "options", "said"),
    [
        (_policy, {"inputs": (5, 2)}, r"observe 4 numbers, the robot shows observation\.state \(5\)"),
        (_policy, {"inputs": (4, 3)}, r"a goal of 2 numbers, and observation\.environment_state has 3"),
        (_policy, {"inputs": (4,)}, r"a goal of 2 numbers, and observation\.environment_state has 0.* by goal$"),
        (_policy, {"acts": 3}, "act with 2 numbers, the robot takes"),
        (
            _pushing,
            {"observation_features": None},
            r"observe 36 numbers.*name those of the training data in their order",
        ),
        (
            _pushing,
            {"n_obs_steps": 1},
            r"n_obs_steps=1 of observation\.state, observation\.environment_state are taken",
        ),
        (_pushing, {"observation_features": [STATE, "observation.arm"]}, r"observation\.arm"),
    ],
)
def test_another_robot_than_that_of_the_weights_is_refused_and_told_what_would_fit(make, options, said):
    with pytest.raises(ValueError, match=said):
        make(**options)


@pytest.mark.slow
def test_one_observation_without_history_is_enough_for_a_chunk():
    policy = _policy(chunk_size=24)
    for batch in (1, 3, 1):
        chunk = policy.predict_action_chunk(_batch(batch=batch))
        assert chunk.shape == (batch, 24, 2)
        assert chunk.dtype == torch.float32
        assert torch.isfinite(chunk).all()
        assert chunk.abs().max() <= 1


@pytest.mark.parametrize("controller", ["shooting", "actions"])
def test_actions_come_one_a_step_and_a_reset_repeats_them(controller):
    policy, found = _policy(controller=controller), []
    for _ in range(2):
        policy.reset()
        found.append(torch.stack([policy.select_action(_batch(batch=2)) for _ in range(3)]))
    assert found[0].shape == (3, 2, 2)
    assert torch.equal(*found)


def test_a_goal_that_no_robot_shows_can_be_said():
    shown, said = _policy(), _policy(inputs=(4,), goal=[7.0, 9.0])
    batch = _batch()
    assert torch.equal(shown.select_action(batch), said.select_action({STATE: batch[STATE]}))


def test_the_last_steps_are_observed_in_the_order_of_the_features():
    policy = _pushing()
    for step in range(4):
        seen, goals = policy._inputs.of(_scene(step))
    assert goals.shape == (1, 0)
    wanted = [_scene(step)[name] for name in (STATE, ENV) for step in (2, 3)]
    np.testing.assert_allclose(seen, torch.cat(wanted, dim=1).numpy())
    policy.reset()  # and the first step is as if it had been so before
    np.testing.assert_allclose(policy._inputs.of(_scene(0))[0][:, :4], 200)
    whole = {name: torch.stack([_scene(2)[name], _scene(3)[name]], dim=1) for name in (STATE, ENV)}
    np.testing.assert_allclose(policy._inputs.of(whole)[0], seen)


def test_a_bundle_that_knows_no_goals_acts_in_the_units_of_its_environment():
    policy = _pushing()
    actions = torch.cat([policy.select_action(_scene(step)) for step in range(6)])
    assert actions.shape == (6, 2)
    assert (actions >= 0).all()
    assert (actions <= 512).all()
    assert actions.max() > 1  # a place in pixels
    chunk = policy.predict_action_chunk(_scene(6))
    assert chunk.shape == (1, 8, 2)  # what is planned, and no action that is not
    assert not policy.supports_rtc()


def test_a_saved_policy_is_the_same_wherever_its_folder_lies(tmp_path):
    from lerobot_policy_dfplan import DfplanPolicy

    policy = _policy(chunk_size=16)
    policy.save_pretrained(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    again = DfplanPolicy.from_pretrained(tmp_path / "b")
    assert json.loads((tmp_path / "b" / "config.json").read_text())["weights"] == ""
    assert again.config.weights == str(tmp_path / "b" / "dfplan")
    assert torch.equal(policy.predict_action_chunk(_batch()), again.predict_action_chunk(_batch()))
    for name in ("policy_preprocessor.json", "policy_postprocessor.json"):
        assert (tmp_path / "b" / name).is_file()
    assert not [
        each for each in (tmp_path / "b").rglob("*") if each.is_file() and each.suffix not in (".json", ".safetensors")
    ]


def test_what_is_not_offered_is_said():
    policy = _policy()
    with pytest.raises(NotImplementedError, match="dfplan train"):
        policy.forward({})
    with pytest.raises(ValueError, match=r"the batch has no observation\.environment_state"):
        policy.select_action({STATE: torch.zeros(1, 4)})
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
            STATE: torch.as_tensor(observation)[None].float(),
            ENV: torch.as_tensor(info["goal"])[None].float(),
        }
        observation, reward, _, _, info = env.step(policy.select_action(batch)[0].numpy())
        rewards.append(reward)
    assert np.mean(rewards[300:]) == 1


@pytest.mark.slow
def test_pusht_is_driven_as_dfplan_drives_it():
    """The same actions as of dfplan's own agent, from what LeRobot shows of the environment."""
    pytest.importorskip("gym_pusht")
    from dfplan.domains.pusht import PushTDomain

    domain = PushTDomain()
    env = domain.make()
    agent, policy = dfplan.Agent(dfplan.load("gym_pusht-PushT-v0"), env), _pushing()
    observed, _ = env.reset(seed=1000)
    agent.reset(seed=0)
    for _ in range(20):
        shown = {name: torch.as_tensor(observed[key][-1])[None].float() for name, key in NAMES.items()}
        acted = agent.act(observed)
        np.testing.assert_allclose(policy.select_action(shown)[0].numpy(), acted, atol=0.01)
        observed, *_ = env.step(acted)
    env.close()


NAMES = {STATE: "agent_pos", ENV: "environment_state"}
