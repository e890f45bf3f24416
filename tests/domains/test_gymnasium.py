"""Environments of Gymnasium as domains: their sizes, their data, and what makes a plan good there."""

import json
import sys
from dataclasses import fields
from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from pendulum import write_pendulum

import dfplan
from dfplan import plugins
from dfplan.cli.any_environment import with_environment
from dfplan.cli.compose import compose_options, reading, to_schema
from dfplan.cli.main import main
from dfplan.data.formats import read
from dfplan.data.formats.minari_writer import write
from dfplan.domains.find import find_domain
from dfplan.domains.gymnasium import GymnasiumDomain
from dfplan.domains.maze.domain import MazeDomain
from dfplan.errors import UserError
from dfplan.models.description import action_bounds
from dfplan.models.inverse_dynamics import load_inverse_dynamics
from dfplan.planner.acting import REPLAN_ACTIONS, REPLAN_CHUNKS
from dfplan.planner.settings import CHUNKS, SHORT_HORIZON, SHORT_PROBLEMS, PlannerSettings
from dfplan.scorers import GoalScorer, ReturnScorer
from dfplan.types import Trajectories


class ReachEnv(gymnasium.Env):
    """A point that is moved to a goal, as Gymnasium-Robotics has its environments."""

    radius, dt = 0.3, 0.04
    action_space = spaces.Box(-2, 2, (3,))
    observation_space = spaces.Dict(
        {
            "observation": spaces.Dict({"b": spaces.Box(-9, 9, (2,)), "a": spaces.Box(-9, 9, (1, 2))}),
            "achieved_goal": spaces.Box(-9, 9, (3,)),
            "desired_goal": spaces.Box(-9, 9, (3,)),
        }
    )

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.wanted = np.zeros(3), self.np_random.uniform(-1, 1, 3)
        return self._shown(), {}

    def step(self, action):
        self.place = self.place + 0.1 * action
        reward = self.compute_reward(self.place, self.wanted, {})
        return self._shown(), reward, False, False, {"is_success": reward == 0}

    def compute_reward(self, achieved, desired, info):
        return -float(np.linalg.norm(achieved - desired) > self.radius)

    def _shown(self):
        inner = {"b": np.array([3.0, 4.0]), "a": np.array([[1.0, 2.0]])}
        return {"observation": inner, "achieved_goal": self.place, "desired_goal": self.wanted}


class FixedEnv(ReachEnv):
    """One of its motors has one place to be in, and a reward is an array of one number."""

    action_space = spaces.Box(np.array([-2, -2, 1], np.float32), np.array([2, 2, 1], np.float32))

    def step(self, action):
        shown, reward, *rest = super().step(action)
        return shown, np.array([reward]), *rest


class KitchenEnv(ReachEnv):
    """Goals are dicts, as FrankaKitchen has them, and so is a part of what is observed; a camera looks on."""

    observation_space = spaces.Dict(
        observation=spaces.Dict(arm=spaces.Dict(q=spaces.Box(-9, 9, (2,)), v=spaces.Box(-9, 9, (1,)))),
        achieved_goal=spaces.Dict(kettle=spaces.Box(-9, 9, (2,)), door=spaces.Box(-9, 9, (1,))),
        desired_goal=spaces.Dict(kettle=spaces.Box(-9, 9, (2,)), door=spaces.Box(-9, 9, (1,))),
        eye=spaces.Dict(top=spaces.Box(0, 255, (8, 8, 3), np.uint8)),
    )

    def compute_reward(self, achieved, desired, info):
        apart = [np.abs(achieved[name] - desired[name]).max() for name in desired]
        return -float(max(apart) > self.radius)

    def step(self, action):
        return self._shown(), 0.0, False, False, {}

    def _shown(self):
        achieved, desired = ({"kettle": at[1:], "door": at[:1]} for at in (self.place, self.wanted))
        arm = {"q": np.array([1.0, 2.0]), "v": np.array([3.0])}
        top = np.full((8, 8, 3), 7, np.uint8)
        return {
            "observation": {"arm": arm},
            "achieved_goal": achieved,
            "desired_goal": desired,
            "eye": {"top": top},
        }


class AskingEnv(ReachEnv):
    def compute_reward(self, achieved, desired, info):
        return -info["scale"]


class UnevenEnv(ReachEnv):
    observation_space = spaces.Dict({**ReachEnv.observation_space.spaces, "desired_goal": spaces.Box(-9, 9, (2,))})


class WholeEnv(ReachEnv):
    action_space = spaces.Box(0, 5, (3,), np.int64)


class StillEnv(ReachEnv):
    action_space = spaces.Box(-1, 1, (0,))


class LockedEnv(ReachEnv):
    def __init__(self):
        raise RuntimeError("no licence\nbehind it")


@pytest.fixture
def register():
    """Makes an environment known by the name ``Test-v0``."""

    def known_as_test(entry_point):
        gymnasium.register("Test-v0", entry_point=entry_point, max_episode_steps=20)

    yield known_as_test
    del gymnasium.registry["Test-v0"]


@pytest.fixture(scope="module", autouse=True)
def reach():
    gymnasium.register("TestReach-v0", entry_point=ReachEnv, max_episode_steps=20)
    yield
    del gymnasium.registry["TestReach-v0"]


def test_an_environment_without_goals_has_the_sizes_of_its_spaces():
    domain = find_domain("Pendulum-v1")
    assert (domain.spec.observation_dim, domain.spec.goal_dim, domain.spec.episode_steps) == (3, 0, 200)
    assert (domain.spec.action_bounds.low, domain.spec.action_bounds.high) == (-2, 2)
    assert domain.spec.step_seconds == 0.05


def test_what_is_achieved_stands_before_what_is_observed_which_is_flattened_by_name():
    domain = find_domain("TestReach-v0")
    assert (domain.spec.observation_dim, domain.spec.goal_dim, domain.spec.step_seconds) == (7, 3, 0.04)
    env = domain.make()
    observed, _ = env.reset(seed=0)
    assert domain.observation(observed).tolist() == [0, 0, 0, 1, 2, 3, 4]
    np.testing.assert_allclose(domain.goal(observed), env.unwrapped.wanted, rtol=1e-6)


def test_goals_and_observations_may_be_dicts_in_dicts_with_pictures_among_them(register):
    register(KitchenEnv)
    domain = GymnasiumDomain("Test-v0")
    assert (domain.spec.observation_dim, domain.spec.goal_dim) == (6, 3)
    assert domain.pictures == {"eye.top": (8, 8, 3)}
    assert domain.goal_radius == pytest.approx(0.3 * np.sqrt(3), rel=1e-4)  # as all three are moved alike
    env = domain.make()
    observed, _ = env.reset(seed=0)
    seen = domain.observation(observed)
    assert seen["numbers"].tolist() == [0, 0, 0, 1, 2, 3]
    assert (seen["eye.top"] == 7).all()
    np.testing.assert_allclose(domain.goal(observed), env.unwrapped.wanted, rtol=1e-6)


def test_where_a_reward_cannot_be_asked_how_near_is_near_is_a_share_of_the_data(register):
    register(AskingEnv)
    assert GymnasiumDomain("Test-v0").goal_radius is None


@pytest.mark.parametrize(
    ("entry_point", "said"),
    [
        (UnevenEnv, "an achieved goal of 3 numbers and a desired one of 2"),
        (WholeEnv, r"takes Box\(0, 5, \(3,\), int64\); .* floating-point"),
        (StillEnv, r"bounded box; Test-v0 takes Box\(\[\]"),
        (LockedEnv, "env=Test-v0 cannot be made: no licence$"),
    ],
)
def test_an_environment_that_cannot_be_planned_in_is_refused_in_one_line(register, entry_point, said):
    register(entry_point)
    with pytest.raises(UserError, match=said):
        GymnasiumDomain("Test-v0")


def test_a_motor_that_stands_still_and_a_reward_in_an_array_are_planned_with(register):
    register(FixedEnv)
    domain = GymnasiumDomain("Test-v0")
    bounds = {name: each.tolist() for name, each in vars(domain.spec.action_bounds).items()}
    assert action_bounds({"action_bounds": bounds}, action_dim=3).low.tolist() == [-2, -2, 1]
    with domain.protocol().begin(range(2), seed=0) as episodes:
        assert episodes.step(np.tile([0.0, 0.0, 1.0], (2, 1))).rewards.tolist() == [-1, -1]


class FaultyEnv(ReachEnv):
    """Goes wrong as ``fault`` says."""

    fault = "reset"

    @property
    def dt(self):
        raise RuntimeError("not yet")

    def reset(self, *, seed=None, options=None):
        if self.fault == "reset":
            raise RuntimeError("no motor\nsecond line")
        shown, told = super().reset(seed=seed, options=options)
        return shown if self.fault == "old reset" else (shown, told)

    def step(self, action):
        if self.fault == "step":
            raise KeyError("arm")
        shown, _, *rest = super().step(action)
        return shown, self.fault, *rest


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("reset", r"its reset\(\) raised RuntimeError: no motor second line \(test_gymnasium.py, line \d+\)"),
        ("old reset", r"its reset\(\) must give 2 values, the last of them a dict"),
        ("step", r"its step\(\) raised KeyError: 'arm' \(test_gymnasium.py"),
        (float("nan"), r"its step\(\) gave the reward nan, and one finite number"),
        (None, "gave the reward None"),
        ([0.5, 0.5], r"gave the reward \[0.5, 0.5\]"),
    ],
)
def test_what_goes_wrong_in_an_environment_is_told_with_where(register, monkeypatch, fault, said):
    monkeypatch.setattr(FaultyEnv, "fault", 0.0)
    register(FaultyEnv)
    domain = GymnasiumDomain("Test-v0")
    assert domain.spec.step_seconds is None
    monkeypatch.setattr(FaultyEnv, "fault", fault)
    with pytest.raises(UserError, match=said), domain.protocol().begin(range(2), seed=0) as episodes:
        episodes.step(np.zeros((2, 3)))


@pytest.mark.parametrize("part", [lambda env_id: 1 / 0, lambda env_id: None], ids=["raises", "is none"])
def test_a_domain_of_a_package_that_is_none_is_told_by_its_name(monkeypatch, part):
    monkeypatch.setattr(plugins, "installed", lambda _: {"Broken-v0": SimpleNamespace(load=lambda: part)})
    with pytest.raises(UserError, match=r"the domain of Broken-v0, which an installed package brings, raised \w+Error"):
        find_domain("Broken-v0")


def test_a_mujoco_that_fetch_does_not_run_on_is_named_by_its_version(monkeypatch):
    def make():
        assert False, "joint_type"  # what Gymnasium-Robotics does from MuJoCo 3.12 on  # noqa: B011, PT015

    monkeypatch.setitem(sys.modules, "gymnasium_robotics", SimpleNamespace(make=make))
    gymnasium.register("TestFetch-v0", entry_point="gymnasium_robotics:make")
    with pytest.raises(UserError, match=r"does not run on MuJoCo \d+\.\d+\.\d+: .* pip install 'dfplan\[robots\]'"):
        GymnasiumDomain("TestFetch-v0")
    del gymnasium.registry["TestFetch-v0"]


def test_how_near_a_goal_is_near_enough_is_found_by_the_rewards():
    assert find_domain("TestReach-v0").goal_radius == pytest.approx(0.3, rel=1e-4)


def test_a_plan_is_towards_the_goal_of_the_episode_or_the_one_that_is_given():
    domain = find_domain("TestReach-v0")
    usual = domain.situation(start=None, goal=None, seed=3)
    given = domain.situation(start=None, goal=[0.5, -0.5, 0.25], seed=3)
    np.testing.assert_array_equal(usual.observation, given.observation)
    assert given.goal.tolist() == [0.5, -0.5, 0.25] != usual.goal.tolist()
    with pytest.raises(UserError, match="has 2 numbers, and a goal of TestReach-v0 has 3"):
        domain.situation(start=None, goal=[0.5, -0.5], seed=3)


def test_mazes_are_a_domain_of_their_own_and_other_names_are_refused():
    assert isinstance(find_domain("maze2d-umaze-v1"), MazeDomain)
    with pytest.raises(UserError, match="no environment 'NoSuchThing-v0'"):
        find_domain("NoSuchThing-v0")


@pytest.mark.parametrize(
    ("env_id", "complaint"),
    [("CartPole-v1", "bounded box; CartPole-v1 takes Discrete"), ("FrozenLake-v1", "FrozenLake-v1 takes Discrete")],
)
def test_spaces_that_nothing_can_be_planned_in_are_named(env_id, complaint):
    with pytest.raises(UserError, match=complaint):
        GymnasiumDomain(env_id)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_pendulum(tmp_path_factory.mktemp("pendulum") / "pendulum.hdf5", num_episodes=3)


def test_data_of_another_robot_are_refused(file):
    with pytest.raises(UserError, match=r"observations of 3 and actions of 1 numbers; TestReach-v0 has 7, of which"):
        find_domain("TestReach-v0").load(str(file), say=print)


def test_without_goals_plans_are_scored_by_rewards_and_the_value_of_where_they_end(file):
    domain = find_domain("Pendulum-v1")
    data = domain.load(str(file), say=print)
    scorer = domain.fit_scorer(data)
    assert isinstance(scorer, ReturnScorer)
    hanging, upright = np.array([-1.0, 0, 0]), np.array([1.0, 0, 0])
    assert scorer.value(upright) > scorer.value(hanging)
    reach = find_domain("TestReach-v0")
    assert isinstance(reach.fit_scorer(data), GoalScorer)


def test_inverse_dynamics_are_learned_of_any_robot_in_the_units_of_its_actions(file, tmp_path):
    words = ["task=inverse-dynamics", "env=Pendulum-v1", f"data={file}", "resynthesis=none", "training.num_steps=1000"]
    assert main(["train", *words, "threads=1", f"output={tmp_path / 'run'}"]) == 0
    inverse = load_inverse_dynamics(tmp_path / "run" / "model")
    data = read(file)
    rows = np.arange(100, 190)
    acted = inverse.actions(data.observations[rows], data.observations[rows + 1], np.ones(90, np.float32))
    assert acted.shape == (90, 1)
    assert np.corrcoef(acted[:, 0], data.actions[rows, 0])[0, 1] > 0.9  # torques of up to 2


def test_an_id_becomes_the_options_that_suit_short_problems_where_nothing_else_is_said():
    told = with_environment("train", ["env=Pendulum-v1", "data=x", "windows=default"])
    assert {"env.id=Pendulum-v1", "env.name=Pendulum-v1", "resynthesis=none", "windows=default"} <= set(told)
    assert {"model=small", "env.window_tokens=6", "training=short"} <= set(told)
    assert "windows=short" not in told
    for options in (["env=maze2d-large"], ["env=no-such"], ["env=os:system"], ["data=x"]):
        assert with_environment("train", options) == options


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["train", "env=Pendulum-v1"], "data=generated is for mazes"),
        (
            ["train", "env=Pendulum-v1", "data=none", "task=autoencoder"],
            "task=autoencoder is not for Pendulum-v1, for which there are",
        ),
        (["eval", "env=Pendulum-v1", "goal=random"], "goal=random is not for"),
        (["eval", "env=Pendulum-v1"], "no weights for Pendulum-v1 come with dfplan"),
        (["eval", "env=Pendulum-v1", "weights=bundled-rnn"], "no weights for Pendulum-v1-rnn"),
        (["train", "env=CartPole-v1", "data=x.hdf5"], "bounded box"),
        (["train", "env=Pendulm-v1", "data=x.hdf5"], "or the id of an environment of Gymnasium"),
        (["train", "env=Pendulm-v1", "data=x.hdf5"], "did you mean 'Pendulum-v1'?"),
        (["train", "env=mine:Slide-v0", "data=x.hdf5"], "env=mine:Slide-v0: no module is imported because an option"),
        (["eval", "env=ogbench/pointmaze-gigant-stitch-v0"], "did you mean 'ogbench/pointmaze-giant-stitch-v0'?"),
        (["eval", "env=metaworld/pushh-v3"], "unknown env 'metaworld/pushh-v3' (did you mean 'metaworld/push-v3'?)"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(words, complaint, capsys):
    assert main(words) == 2
    told = capsys.readouterr().err
    assert complaint in told
    assert told.count("\n") == 1


@pytest.fixture
def minari_data(tmp_path, monkeypatch) -> str:
    """Episodes of a hand that moves the point to its goal, as Minari keeps them."""
    pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    env = gymnasium.make("TestReach-v0", disable_env_checker=True)
    rows = {"observations": [], "actions": [], "goals": [], "achieved_goals": []}
    num_episodes, num_steps = 6, 20
    for episode in range(num_episodes):
        shown, _ = env.reset(seed=episode)
        for step in range(num_steps + 1):
            action = np.clip(5 * (shown["desired_goal"] - shown["achieved_goal"]), -2, 2)
            vector = np.concatenate([shown["observation"]["a"].ravel(), shown["observation"]["b"]])
            for name, value in zip(rows, (vector, action, shown["desired_goal"], shown["achieved_goal"]), strict=True):
                rows[name].append(value)
            if step < num_steps:
                shown = env.step(action)[0]
    arrays = {name: np.array(values, np.float32) for name, values in rows.items()}
    count = len(arrays["actions"])
    data = Trajectories(
        **arrays,
        starts=np.arange(num_episodes + 1) * (num_steps + 1),
        segment_ends=np.zeros(count, bool),
        source="by hand",
        rewards=np.zeros(count, np.float32),
    )
    write("mine/reach-v0", data, task="reach")
    return "minari:mine/reach-v0"


def test_names_in_data_stay_where_an_environment_has_none(tmp_path):
    rows = {"observations": np.zeros((9, 3), np.float32), "actions": np.zeros((9, 1), np.float32)}
    rows |= {"segment_ends": np.zeros(9, bool), "rewards": np.zeros(9, np.float32)}
    data = Trajectories(**rows, starts=np.array([0, 9]), source="x", observation_names=("cos", "sin", "speed"))
    assert find_domain("Pendulum-v1").take(data, say=print).observation_names == ("cos", "sin", "speed")


def test_data_with_goals_begin_with_what_was_achieved(minari_data):
    data = find_domain("TestReach-v0").load(minari_data, say=print)
    assert data.observations.shape[1] == 7
    np.testing.assert_array_equal(data.observations[:, :3], read(minari_data).achieved_goals)


@pytest.mark.slow
def test_where_goals_are_told_there_is_no_value_to_train(minari_data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert (
        main(["train", "env=TestReach-v0", f"data={minari_data}", "value.kind=networks", "training.num_steps=1"]) == 2
    )
    assert "value.kind=networks is for plans that are scored by rewards" in capsys.readouterr().err


def test_a_newcomer_with_goals_goes_from_minari_to_an_evaluated_planner(minari_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny = ["training.num_steps=2", "training.compiled=false", "model.width=16", "model.num_layers=1", "threads=1"]
    assert main(["train", "env=TestReach-v0", f"data={minari_data}", "output=run", *tiny]) == 0
    few = ["n_episodes=2", "planner.num_candidates=2", "controller.replan_every=10", "output=scores"]
    assert main(["eval", "env=TestReach-v0", "weights=run", *few]) == 0
    metrics = json.loads((tmp_path / "scores" / "results.json").read_text())["metrics"]
    assert 0 <= metrics["success_rate"]["mean"] <= 1
    assert metrics["steps"]["mean"] == 20
    env, model = find_domain("TestReach-v0").make(), dfplan.load(tmp_path / "run")
    shown = ("achieved_goal.0", "achieved_goal.1", "achieved_goal.2")
    seen = ("observation.a.0", "observation.a.1", "observation.b.0", "observation.b.1")
    assert tuple(model.metadata["observation_names"]) == shown + seen
    agent = dfplan.Agent(model, env)
    shown, _ = env.reset(seed=0)
    for _ in range(3):
        action = agent.act(shown)
        assert env.action_space.contains(action)
        shown = env.step(action)[0]
    with pytest.raises(UserError, match=r"7, 3 and 3 numbers, the environment has \(3, 1, 0\)"):
        dfplan.Agent(dfplan.load(tmp_path / "run"), gymnasium.make("Pendulum-v1"))
    for given, said in (
        (gymnasium.wrappers.RescaleAction(env, np.float32(-1), np.float32(1)), "take the wrapper of actions off"),
        (gymnasium.make_vec("TestReach-v0"), "one environment of gymnasium.make; got SyncVectorEnv; .*MPCAgent"),
        ("TestReach-v0", "one environment of gymnasium.make; got str"),
    ):
        with pytest.raises(UserError, match=said):
            dfplan.Agent(model, given)
    for asked, said in (
        ({"planner": "fast"}, "planner must be a dfplan.Planner"),
        ({"controller": "shooting"}, "controller must be one such as"),
        ({"replan_every": "2"}, "replan_every must be a whole number"),
    ):
        with pytest.raises(UserError, match=said):
            dfplan.Agent(model, env, **asked)
    with pytest.raises(UserError, match=r"model must be a planner of dfplan\.load; got 'run'"):
        dfplan.Agent("run", env)
    with pytest.raises(UserError, match="numbers as the environment shows them; got a tuple"):
        dfplan.Agent(model, env).act(env.reset(seed=0))


@pytest.mark.parametrize(
    ("words", "settings", "replan_every"),
    [((), SHORT_PROBLEMS, REPLAN_ACTIONS), (("planner=chunks", "controller=chunks"), CHUNKS, REPLAN_CHUNKS)],
)
def test_the_library_plans_short_problems_as_the_command_line_does(words, settings, replan_every):
    with reading(None):
        config = to_schema("eval", compose_options("eval", ["env=Pendulum-v1", *words]))
    shared = {each.name for each in fields(PlannerSettings)} - {"guidance"}
    assert {name: getattr(config.planner, name) for name in shared} == {
        name: getattr(settings, name) for name in shared
    }
    assert config.planner.horizon == SHORT_HORIZON
    assert (config.controller.name, config.controller.replan_every) == ("actions", replan_every)


def test_weights_of_one_long_token_are_a_sample_half_of_which_is_carried_out(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DFPLAN_CACHE", str(tmp_path / "cache"))
    long = ["windows=chunks", "model=chunks", "diffusion=chunks", "env.window_tokens=1", "training.num_steps=2"]
    assert main(["train", "env=Pendulum-v1", f"data={file}", *long, "output=run"]) == 0
    agent, env = (
        dfplan.Agent(dfplan.load(tmp_path / "run"), gymnasium.make("Pendulum-v1")),
        gymnasium.make("Pendulum-v1"),
    )
    plans = []
    agent._agent.on_plan = plans.append
    shown, _ = env.reset(seed=0)
    for _ in range(8):
        shown = env.step(agent.act(shown))[0]
    assert agent.planner.settings.num_candidates == 1
    assert len(plans) == 2


@pytest.mark.slow
def test_a_newcomer_goes_from_a_file_to_an_evaluated_planner_in_two_commands(file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tiny = ["training.num_steps=2", "training.compiled=false", "model.width=16", "model.num_layers=1", "threads=1"]
    assert main(["train", "env=Pendulum-v1", f"data={file}", "output=run", *tiny]) == 0
    few = ["n_episodes=2", "planner.num_candidates=2", "controller.replan_every=50", "output=scores"]
    assert main(["eval", "env=Pendulum-v1", "weights=run", *few]) == 0
    assert capsys.readouterr().out.rstrip().endswith("results.json")
    assert (tmp_path / "scores" / "rollouts.png").is_file()
    alone = ["n_envs=1", *few[:-1], "output=alone"]  # how many run side by side changes nothing
    assert main(["eval", "env=Pendulum-v1", "weights=run", *alone]) == 0
    one, other = (
        [each["return"] for each in json.loads((tmp_path / name / "results.json").read_text())["episodes"]]
        for name in ("scores", "alone")
    )
    np.testing.assert_allclose(one, other, rtol=1e-3)


def test_what_earned_more_is_learned_more_by_a_word(file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DFPLAN_CACHE", str(tmp_path / "cache"))
    words = ["train", "env=Pendulum-v1", f"data={file}", "training.num_steps=2", "training.batch_size=8"]
    few = ["value.num_steps=3", "value.width=8"]
    assert main([*words, "value=advantage", "windows.collected_share=0.3", *few, "output=run"]) == 0
    record = json.loads((tmp_path / "run" / "config.json").read_text())
    assert record["config"]["value"]["temperature"] == 0.5
    capsys.readouterr()
    for wrong, complaint in (
        (["windows.collected_share=0.3"], "windows.collected_share is for windows that are not as the data are"),
        (["value.temperature=0.5"], "give value=networks"),
    ):
        assert main([*words, *wrong]) == 2
        assert complaint in capsys.readouterr().err
