"""LeRobot's own classes and commands with our plug-in and our data sets; skipped where it is not (`make lerobot`)."""

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from local_hub import LocalHub, ask

import dfplan
from dfplan.data.formats import write
from dfplan.types import Trajectories

pytest.importorskip("lerobot", reason="LeRobot needs Python 3.12 and an environment of its own: make lerobot")
HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
BUNDLED = [  # the command of the plug-in's README
    "--policy.type=dfplan",
    "--policy.weights=gym_pusht-PushT-v0",
    "--policy.observation_features=[observation.state,observation.environment_state]",
    "--policy.n_obs_steps=2",
]
PUSHT = ["--env.type=pusht", "--env.obs_type=environment_state_agent_pos", "--eval.use_async_envs=false"]


def run(command, *words, folder, path=()):
    """Run one of LeRobot's commands without a network; what it said."""
    found = subprocess.run(
        [BIN / command, *words],
        cwd=folder,
        env={
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(folder / "hub"),
            "OMP_NUM_THREADS": "1",
            "SDL_VIDEODRIVER": "dummy",
            "PYTHONPATH": os.pathsep.join([*map(str, path), os.environ.get("PYTHONPATH", "")]),
        },
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert found.returncode == 0, found.stderr[-3000:]
    return found.stderr


def test_lerobot_discovers_the_plug_in_by_the_name_of_its_package():
    from lerobot.configs import PreTrainedConfig
    from lerobot.policies.factory import get_policy_class, make_policy_config, make_pre_post_processors
    from lerobot.utils.import_utils import register_third_party_plugins

    register_third_party_plugins()
    assert "dfplan" in PreTrainedConfig.get_known_choices()
    config = make_policy_config("dfplan", device="cpu")
    cls = get_policy_class("dfplan")
    assert (cls.__name__, cls.name, cls.config_class) == ("DfplanPolicy", "dfplan", type(config))
    before, after = make_pre_post_processors(config)
    shown = before({"observation.state": torch.tensor([1000.0, -3.0])})["observation.state"]
    assert shown.tolist() == [[1000, -3]]  # a batch of one, and nothing is normalised
    assert after(torch.tensor([[300.0, 2.0]])).tolist() == [[300, 2]]


def test_what_lerobot_asks_of_a_policy_for_real_time_chunking_is_there():
    from lerobot.rollout.inference.rtc import supports_rtc_inference
    from lerobot_policy_dfplan import DfplanPolicy
    from test_lerobot_policy import _config

    assert supports_rtc_inference(DfplanPolicy(_config()))
    served = Path(importlib.util.find_spec("lerobot").origin).with_name("async_inference") / "constants.py"
    (line,) = [line for line in served.read_text().splitlines() if line.startswith("SUPPORTED_POLICIES")]
    assert "dfplan" not in line  # its policy server, which unpickles what it is sent, takes no plug-in's


@pytest.mark.slow
def test_lerobot_eval_solves_pusht_with_bundled_weights_and_with_a_saved_policy(tmp_path):
    """By LeRobot's own command, to the end, and the same by what LeRobot's factory made and saved."""
    from lerobot.envs.configs import PushtEnv
    from lerobot.policies.factory import make_policy, make_policy_config

    features = ["observation.state", "observation.environment_state"]
    config = make_policy_config(
        "dfplan", weights="gym_pusht-PushT-v0", observation_features=features, n_obs_steps=2, device="cpu"
    )
    make_policy(config, env_cfg=PushtEnv(obs_type=PUSHT[1].partition("=")[2])).save_pretrained(tmp_path / "saved")
    words = [*PUSHT, "--policy.device=cpu", "--eval.n_episodes=2", "--eval.batch_size=2", "--seed=1000"]
    found = []
    for name, policy in {"bundled": BUNDLED, "saved": ["--policy.path=saved"]}.items():
        run("lerobot-eval", *policy, *words, f"--output_dir=by_{name}", folder=tmp_path)
        found.append(json.loads((tmp_path / f"by_{name}" / "eval_info.json").read_text()))
    bundled, saved = (each["per_task"][0]["metrics"] for each in found)
    assert bundled["sum_rewards"] == saved["sum_rewards"]
    assert len(bundled["successes"]) == 2
    assert any(bundled["successes"])
    assert min(bundled["max_rewards"]) > 0.5  # of the target, in the worse episode


@pytest.mark.slow
@pytest.mark.parametrize("inference", [["sync"], ["rtc", "--inference.queue_threshold=32"]])
def test_lerobot_rollout_drives_a_robot_by_turns_and_in_real_time(inference, tmp_path):
    """A robot plug-in of our own; in real time, the next chunk is planned while this one is carried out."""
    from lerobot_policy_dfplan import DfplanPolicy
    from test_lerobot_policy import _config

    settings = {"num_candidates": 16, "horizon": 400, "controller": "actions", "replan_every": 16, "chunk_size": 64}
    DfplanPolicy(_config(inputs=(4,), goal=[7.0, 9.0], **settings)).save_pretrained(tmp_path / "saved")
    plugin = tmp_path / "lerobot_robot_ball-0.1.dist-info"
    plugin.mkdir()
    (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: lerobot_robot_ball\nVersion: 0.1\n")
    kind, *options = inference
    said = run(
        "lerobot-rollout",
        *["--policy.path=saved", "--robot.type=ball", "--robot.log=log.json", "--robot.seed=1000"],
        *[f"--inference.type={kind}", *options, "--fps=10", "--duration=8", "--return_to_initial_position=false"],
        folder=tmp_path,
        path=(tmp_path, HERE),
    )
    assert "RTC inference error" not in said
    log = json.loads((tmp_path / "log.json").read_text())
    assert len(log["actions"]) > 20  # of 80, where nothing else runs on the machine
    assert np.abs(log["actions"]).max() <= 1
    assert np.linalg.norm(np.subtract(log["places"][-1], log["places"][0])) > 0.1  # the goal is 10 away


def test_a_policy_of_the_hub_is_that_which_was_put_there(tmp_path, monkeypatch):
    """A saved folder at a hub of this machine: nothing else of the repository is fetched."""
    from lerobot_policy_dfplan import DfplanPolicy
    from test_lerobot_policy import _batch, _config

    policy = DfplanPolicy(_config(controller="actions"))
    policy.save_pretrained(tmp_path / "saved")
    saved = (each for each in (tmp_path / "saved").rglob("*") if each.is_file())
    files = {str(each.relative_to(tmp_path / "saved")): each.read_bytes() for each in saved}
    hub = LocalHub()
    try:
        commit = hub.commit("lab/ball", files | {"optimizer.pkl": b"never"})
        ask(hub, monkeypatch, cache=tmp_path / "cache")
        again = DfplanPolicy.from_pretrained("lab/ball", revision=commit)
        assert not [each for each in hub.asked if "optimizer" in each]
    finally:
        hub.close()
    assert torch.equal(policy.select_action(_batch()), again.select_action(_batch()))


def robot(*, episodes=3, steps=20, seed=0):
    generator, rows = np.random.default_rng(seed), episodes * steps
    ends = np.arange(rows) % steps == steps - 1
    return Trajectories(
        observations=generator.normal(size=(rows, 3)).astype(np.float32),
        actions=generator.uniform(-1, 1, size=(rows, 2)).astype(np.float32),
        starts=np.arange(0, rows + 1, steps),
        segment_ends=np.zeros(rows, bool),
        source="made here",
        rewards=generator.normal(size=rows).astype(np.float32),
        terminations=np.zeros(rows, bool),
        truncations=ends,
        last_actions=True,
        step_seconds=0.05,
        observation_names=("hip", "knee", "foot"),
    )


def record(folder, data):
    """Write a data set by LeRobot's own class, frame by frame."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    vector = {"dtype": "float32", "names": None}
    names = list(data.observation_names) or None
    made = LeRobotDataset.create(
        "theirs/robot",
        fps=round(1 / data.step_seconds),
        root=folder,
        features={
            "observation.state": vector | {"shape": (data.observations.shape[1],), "names": names},
            "action": vector | {"shape": (data.actions.shape[1],)},
            "next.reward": vector | {"shape": (1,)},
        },
    )
    for row in range(len(data)):
        seen, done, earned = (torch.as_tensor(each[row]) for each in (data.observations, data.actions, data.rewards))
        made.add_frame({"observation.state": seen, "action": done, "next.reward": earned[None], "task": "walk"})
        if row + 1 in data.starts:
            made.save_episode()
    made.finalize()


def test_lerobots_own_class_reads_what_we_write(tmp_path):
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    data = robot()
    write(data, tmp_path / "ours", task="walk")
    found = LeRobotDataset("ours/robot", root=tmp_path / "ours")
    assert (len(found), found.num_episodes, found.fps) == (60, 3, 20)
    assert found.meta.features["observation.state"]["names"] == ["hip", "knee", "foot"]
    assert (found[25]["episode_index"].item(), found[25]["frame_index"].item(), found[25]["task"]) == (1, 5, "walk")
    for name, wanted in {"observation.state": data.observations, "action": data.actions}.items():
        np.testing.assert_array_equal(torch.stack([found[row][name] for row in range(60)]).numpy(), wanted)
        np.testing.assert_allclose(found.meta.stats[name]["mean"], wanted.mean(axis=0), atol=1e-6)
    rewards = [found[row]["next.reward"].item() for row in range(60)]
    np.testing.assert_array_equal(np.float32(rewards), data.rewards)
    windows = LeRobotDataset(
        "ours/robot", root=tmp_path / "ours", episodes=[1], delta_timestamps={"observation.state": [-0.05, 0.0]}
    )
    np.testing.assert_array_equal(windows[5]["observation.state"].numpy(), data.observations[24:26])


def test_we_read_what_lerobots_own_class_writes(tmp_path):
    data = robot(seed=1)
    record(tmp_path / "theirs", data)
    found = dfplan.read(str(tmp_path / "theirs"))
    for name in ("observations", "actions", "rewards", "starts"):
        np.testing.assert_array_equal(getattr(found, name), getattr(data, name))
    assert found.observation_names == data.observation_names
    assert found.step_seconds == 0.05


@pytest.mark.slow
def test_from_a_data_set_of_lerobot_to_a_policy_of_lerobot(tmp_path):
    """What LeRobot recorded of an environment is trained on, and the weights act there through LeRobot's policy."""
    from lerobot_policy_dfplan import DfplanPolicy
    from test_lerobot_policy import _config

    env, rows = gymnasium.make("Pendulum-v1"), {"observations": [], "actions": [], "rewards": []}
    env.action_space.seed(0)
    for episode in range(4):
        seen, _ = env.reset(seed=episode)
        for _ in range(100):
            acted = env.action_space.sample()
            after, earned, *_ = env.step(acted)
            for name, value in zip(rows, (seen, acted, earned), strict=True):
                rows[name].append(value)
            seen = after
    arrays = {name: np.array(values, np.float32) for name, values in rows.items()}
    record(tmp_path / "theirs", replace(robot(episodes=4, steps=100), **arrays, observation_names=()))
    few = [
        "training.batch_size=8",
        "model.width=16",
        "model.num_layers=1",
        "model.num_heads=2",
        "training.compiled=false",
    ]
    dfplan.train(tmp_path / "theirs", env="Pendulum-v1", steps=2, output=tmp_path / "run", options=few)
    usual = {"weights": str(tmp_path / "run"), "inputs": (3,), "acts": 1, "horizon": None, "num_candidates": None}
    policy = DfplanPolicy(_config(**usual))
    seen, _ = env.reset(seed=9)
    for _ in range(5):
        action = policy.select_action({"observation.state": torch.as_tensor(seen)[None]})
        assert action.shape == (1, 1)
        assert env.action_space.contains(action[0].numpy())
        seen, *_ = env.step(action[0].numpy())
