"""Any environment that shows pictures, alone or beside numbers: from a data set of Minari to an evaluated planner."""

import json

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from dfplan.cli.main import main
from dfplan.data.formats import read
from dfplan.domains.find import find_domain
from dfplan.errors import UserError

SIDE, STEPS, EPISODES = 16, 12, 10
PICTURE = spaces.Box(0, 255, (SIDE, SIDE, 3), np.uint8)


class Slide(gymnasium.Env):
    """A bright column that is pushed along a picture, and earns by being in its middle."""

    action_space = spaces.Box(-1, 1, (1,), np.float32)

    def __init__(self, cameras: int = 1, has_state: bool = True) -> None:
        names = ["front", "wrist"][:cameras]
        self.alone = cameras == 1 and not has_state
        shown = dict.fromkeys(names, PICTURE) | ({"state": spaces.Box(-99, 99, (2,), np.float32)} if has_state else {})
        self.observation_space = PICTURE if self.alone else spaces.Dict(shown)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = float(self.np_random.uniform(2, SIDE - 3))
        return self.observed(), {}

    def step(self, action):
        self.place = float(np.clip(self.place + action[0], 0, SIDE - 1))
        return self.observed(), -abs(self.place - SIDE / 2), False, False, {}

    def observed(self):
        picture = np.zeros(PICTURE.shape, np.uint8)
        picture[:, round(self.place)] = 255
        shown = {"front": picture, "wrist": picture.swapaxes(0, 1), "state": np.float32([self.place, 1])}
        return picture if self.alone else {name: shown[name] for name in self.observation_space.spaces}


KINDS = {
    "TestSlide-v0": {},
    "TestSlideAlone-v0": {"has_state": False},
    "TestSlideTwice-v0": {"cameras": 2, "has_state": False},
}
for env_id, kind in KINDS.items():
    gymnasium.register(env_id, f"{__name__}:Slide", max_episode_steps=STEPS, kwargs=kind)


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """Random episodes of an environment, as Minari keeps them."""
    minari = pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    monkeypatch.setenv("DFPLAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def record(env_id: str) -> str:
        env, generator, episodes = gymnasium.make(env_id, disable_env_checker=True), np.random.default_rng(0), []
        for number in range(EPISODES):
            seen, actions, rewards = [env.reset(seed=number)[0]], generator.uniform(-1, 1, (STEPS, 1)), []
            for action in actions.astype(np.float32):
                shown, reward, *_ = env.step(action)
                seen.append(shown)
                rewards.append(reward)
            named = isinstance(seen[0], dict)
            observed = {name: np.stack([each[name] for each in seen]) for name in seen[0]} if named else np.stack(seen)
            episodes.append(
                minari.data_collector.EpisodeBuffer(
                    id=number,
                    observations=observed,
                    actions=actions.astype(np.float32),
                    rewards=rewards,
                    terminations=[False] * STEPS,
                    truncations=[*[False] * (STEPS - 1), True],
                )
            )
        spaces_of = {"observation_space": env.observation_space, "action_space": env.action_space}
        minari.create_dataset_from_buffers("mine/slide-v0", buffer=episodes, data_format="hdf5", **spaces_of)
        return "minari:mine/slide-v0"

    return record


@pytest.mark.parametrize(
    ("env_id", "names", "state_dim"),
    [
        ("TestSlide-v0", ["front"], 2),
        ("TestSlideAlone-v0", ["image"], 0),
        ("TestSlideTwice-v0", ["front", "wrist"], 0),
    ],
)
def test_pictures_are_read_row_by_row_beside_the_numbers(env_id, names, state_dim, recorded):
    data = read(recorded(env_id))
    rows = EPISODES * (STEPS + 1)
    assert data.observations.shape == (rows, state_dim)
    assert data.pictures is not None
    assert list(data.pictures) == names
    shown = data.pictures[names[0]].at(np.arange(rows))
    assert shown.shape == (rows, *PICTURE.shape)
    if state_dim:
        np.testing.assert_array_equal(shown[:, 0, :, 0].argmax(axis=1), data.observations[:, 0].round())
    assert find_domain(env_id).load("minari:mine/slide-v0", say=print).pictures


def test_data_without_the_pictures_of_the_environment_are_refused(recorded):
    source = recorded("TestSlideAlone-v0")
    with pytest.raises(UserError, match="record the data set with what the environment shows"):
        find_domain("TestSlideTwice-v0").load(source, say=print)


TINY = ["training.num_steps=2", "training.batch_size=4", "training.compiled=false", "training.warmup_steps=1"]


@pytest.mark.parametrize(
    "env_id", [pytest.param(each, marks=[pytest.mark.slow][: n > 0]) for n, each in enumerate(KINDS)]
)
def test_a_newcomer_with_pictures_goes_from_minari_to_an_evaluated_planner(env_id, recorded, tmp_path):
    common = [f"env={env_id}", f"data={recorded(env_id)}", *TINY, "threads=1", "device=cpu"]
    assert main(["train", "task=autoencoder", *common, "task.width=8", "task.pooled=4", "output=eyes"]) == 0
    seeing = ["frames.tokenizer=eyes", "frames.stack=2", "frames.stride=1"]
    assert main(["train", *common, *seeing, "model.width=16", "model.num_layers=1", "output=run"]) == 0
    few = ["n_episodes=2", "planner.num_candidates=2", "controller.replan_every=6", "threads=1"]
    assert main(["eval", f"env={env_id}", "weights=run", *few, "output=scores"]) == 0
    metrics = json.loads((tmp_path / "scores" / "results.json").read_text())["metrics"]
    assert metrics["steps"]["mean"] == STEPS
    assert main(["plan", f"env={env_id}", "weights=run", "output=plan"]) == 0
    assert main(["verify", "run"]) == 0
    assert main(["train", "task=behaviour-cloning", *common, *seeing, "output=bc"]) == 0
    assert main(["eval", f"env={env_id}", "weights=bc", "n_episodes=2", "report=false", "output=bc-scores"]) == 0


@pytest.mark.parametrize("task", ["forcing", "inverse-dynamics", "behaviour-cloning"])
def test_how_to_look_is_not_said_where_there_is_nothing_to_see(tmp_path, monkeypatch, capsys, task):
    monkeypatch.chdir(tmp_path)
    maze = ["env=maze2d-umaze", "num_steps=2000", "output=u.hdf5"]
    assert main(["generate", *maze]) == 0
    asked = ["train", "env=maze2d-umaze", "data=u.hdf5", f"task={task}", "frames.tokenizer=eyes"]
    assert main(asked) == 2
    assert "maze2d-umaze shows no pictures" in capsys.readouterr().err
