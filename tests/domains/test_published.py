"""Data of published experts: what a policy file may be, how lesser policies are made, and what is written."""

import hashlib
import json
import pickle
from dataclasses import replace
from pathlib import Path

import gymnasium
import h5py
import numpy as np
import pytest
from gymnasium import spaces
from safetensors.numpy import save_file

from dfplan.cli.main import main
from dfplan.data.formats import read
from dfplan.domains.find import find_domain
from dfplan.domains.published.drive import Driver
from dfplan.domains.published.lesser import LEEWAY, Band, Lesser, find_lesser
from dfplan.domains.published.policy import Policy, read_policy
from dfplan.domains.published.worlds import EXPERT, FAILING, WORLDS, World
from dfplan.errors import UserError

SIZES = {"observation_dim": 2, "action_dim": 1, "env_id": "Balance-v0"}


class Balance(gymnasium.Env):
    """A slope that steepens: an episode of 40 steps pays 1 for each, and ends where one is off it."""

    observation_space = spaces.Box(-9, 9, (2,))
    action_space = spaces.Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.steps = self.np_random.uniform(-0.2, 0.2), 0
        return self._shown(), {}

    def step(self, action):
        self.place = 1.2 * self.place + 0.5 * float(action[0]) + 0.05 * self.np_random.normal()
        self.steps += 1
        off = abs(self.place) > 1
        return self._shown(), 1.0 - abs(self.place), off, False, {"success": self.steps >= 20 and not off}

    def _shown(self):
        return np.array([self.place, 1.0])


gymnasium.register("Balance-v0", Balance, max_episode_steps=40)


@pytest.fixture(autouse=True)
def balance_is_published(monkeypatch, tmp_path):
    qualities = {"expert": (EXPERT,), "medium": (Band(0.35, 0.6),), "mixed": (Band(0.1, 0.3), Band(0.3, 0.7), EXPERT)}
    world = World(
        "balance/best", "github.com/somebody/balance (commit 0000000)", False, 0.5, 400, qualities, (2.0, 40.0)
    )
    monkeypatch.setitem(WORLDS, "Balance-v0", world)
    monkeypatch.setitem(WORLDS, "Hand-v0", world)
    monkeypatch.setenv("DFPLAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def tensors(**changed):
    """An actor as soft actor-critic has it: two hidden layers, a head for how widely it draws; pushes back."""
    signs = np.array([[1, 0], [-1, 0], [0, 1], [1, 1]], np.float32)
    pushes = np.array([[-1.5, 1.5, 0, 0]], np.float32)
    made = {
        "layers.0.weight": signs,
        "layers.0.bias": np.zeros(4, np.float32),
        "layers.1.weight": np.eye(4, dtype=np.float32),
        "layers.1.bias": np.zeros(4, np.float32),
        "layers.2.weight": pushes,
        "layers.2.bias": np.zeros(1, np.float32),
        "log_std.weight": np.zeros((1, 4), np.float32),
        "log_std.bias": np.full(1, -2, np.float32),
    } | changed
    return {name: values for name, values in made.items() if values is not None}


def write_policy(path, metadata=None, **changed):
    save_file(tensors(**changed), path, metadata=metadata)
    return path


@pytest.fixture
def expert(tmp_path):
    return write_policy(tmp_path / "expert.safetensors")


def test_a_sample_is_drawn_before_it_is_squashed(expert):
    policy, origin = read_policy(expert, **SIZES)
    shown = np.array([0.4, 1.0])
    assert policy.act(shown, None) == pytest.approx(np.tanh([-0.6]), rel=1e-6)
    generator = np.random.default_rng(0)
    drawn = np.arctanh([policy.act(shown, generator)[0] for _ in range(4000)])
    assert drawn.mean() == pytest.approx(-0.6, abs=0.01)
    assert drawn.std() == pytest.approx(np.exp(-2), rel=0.05)
    assert origin == {
        "file": "expert.safetensors",
        "file_sha256": hashlib.sha256(expert.read_bytes()).hexdigest(),
        "source": "unknown",
    }


def test_a_hand_is_scaled_as_its_authors_do(tmp_path):
    changed = {"log_std.weight": None, "log_std.bias": None, "log_std": np.full(1, -1, np.float32)}
    scales = {"in_shift": [1.0, 0.0], "in_scale": [2.0, 1.0], "out_shift": [0.5], "out_scale": [3.0]}
    path = write_policy(tmp_path / "hand", **changed, **{name: np.array(x, np.float32) for name, x in scales.items()})
    policy, _ = read_policy(path, **SIZES)
    inner = np.tanh(np.tanh([-0.3, 0.3, 1.0, 0.7])) @ [-1.5, 1.5, 0, 0]
    assert policy.act(np.array([0.4, 1.0]), None) == pytest.approx([3 * inner + 0.5], rel=1e-5)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"layers.0.weight": np.full((4, 2), np.nan, np.float32)}, "layers.0.weight has numbers that are not finite"),
        ({"log_std.bias": np.full(1, np.inf, np.float32)}, "log_std.bias has numbers that are not finite"),
        ({"layers.0.weight": np.zeros((4, 3), np.float32)}, "takes observations of 3"),
        ({"layers.2.weight": np.zeros((1, 5), np.float32)}, "no network"),
        ({"layers.1.bias": None}, "layers.1 has a weight of [4, 4] and a bias of None"),
        ({"log_std.bias": None, "log_std.weight": None}, "log_std of shape None"),
        ({"layers.0.bias": np.zeros(4, np.int64)}, "must hold floating-point numbers"),
        ({"critic.weight": np.zeros(3, np.float32)}, "critic.weight"),
        ({"in_shift": np.zeros(2, np.float32)}, "in_shift without in_scale"),
    ],
)
def test_what_is_no_policy_is_refused_by_name(tmp_path, changed, expected):
    path = write_policy(tmp_path / "p.safetensors", **changed)
    with pytest.raises(UserError, match="policy=") as told:
        read_policy(path, **SIZES)
    assert expected in str(told.value)
    assert "\n" not in str(told.value)


class Trap:
    def __reduce__(self):
        return Path("was-run").touch, ()


def test_what_could_run_is_not_read(tmp_path):
    path = tmp_path / "policy.pkl"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(UserError, match="pickled networks"):
        read_policy(path, **SIZES)
    assert not Path("was-run").exists()
    with pytest.raises(UserError, match="activation 'eval'"):
        read_policy(write_policy(tmp_path / "odd", metadata={"activation": "eval"}), **SIZES)


def test_a_direction_is_the_same_for_every_strength(expert):
    policy, _ = read_policy(expert, **SIZES)
    one, two = (policy.disturbed(strength, seed=5) for strength in (0.1, 0.2))
    first, second = (each.layers[0][0] - policy.layers[0][0] for each in (one, two))
    np.testing.assert_allclose(2 * first, second, atol=1e-6)
    assert one.checksum != two.checksum
    assert one.checksum == policy.disturbed(0.1, seed=5).checksum
    assert policy.disturbed(0.1, seed=6).checksum != one.checksum


def test_a_policy_that_is_poor_only_by_its_noise_is_not_taken(expert):
    policy, _ = read_policy(expert, **SIZES)

    def poor_by_noise(tried: Policy, episodes: int, sampled: bool) -> np.ndarray:
        return np.full(episodes, 50.0 if sampled else 100.0)

    best = Lesser(policy, 0.0, 0, 100.0, 100.0)
    with pytest.raises(UserError, match="35 to 60 %"):
        find_lesser(best, Band(0.35, 0.6), strongest=0.5, trial=poor_by_noise, first_direction=0)


def test_a_policy_whose_episodes_differ_too_much_is_not_taken(expert):
    policy, _ = read_policy(expert, **SIZES)

    def unsteady(tried: Policy, episodes: int, sampled: bool) -> np.ndarray:
        return np.resize(
            [48.0, 48, 48, 300, 31, 0, 0, 0, 0, 0], episodes
        )  # mean 47.5, and of 40 episodes it errs by 14

    def steady(tried: Policy, episodes: int, sampled: bool) -> np.ndarray:
        return np.resize([40.0, 55.0], episodes)

    best = Lesser(policy, 0.0, 0, 100.0, 100.0)
    with pytest.raises(UserError, match="35 to 60 %"):
        find_lesser(best, Band(0.35, 0.6), strongest=0.5, trial=unsteady, first_direction=0)
    assert find_lesser(best, Band(0.35, 0.6), strongest=0.5, trial=steady, first_direction=3).direction == 3


def generate(*words):
    return main(["generate", "env=Balance-v0", *words])


def test_the_file_is_read_inspected_and_says_how_it_was_made(expert, capsys):
    assert generate("quality=mixed", f"policy={expert}", "num_steps=900", "output=mixed.hdf5") == 0
    answer = capsys.readouterr()
    assert answer.out.splitlines()[-1] == "mixed.hdf5"
    assert "on D4RL's scale, where 100 is an expert" in answer.err
    with h5py.File("mixed.hdf5") as file:
        made, rows = json.loads(file.attrs["metadata"]), {key: file[key][()] for key in ("rewards", "infos/policy")}
    assert (made["regenerated"], made["quality"], made["env_id"]) == (True, "mixed", "Balance-v0")
    assert [each["rows"] for each in made["policies"]] == [[0, 300], [300, 600], [600, 900]]
    poor, middling, best = (each["chosen_by"]["sampled"] for each in made["policies"])
    assert 0.1 * best <= poor <= 0.3 * best <= middling <= 0.7 * best
    assert made["policies"][1]["chosen_by"]["mean_actions"] <= LEEWAY * 0.7 * best
    assert made["policies"][2]["strength"] == 0
    np.testing.assert_array_equal(rows["infos/policy"], np.repeat([0, 1, 2], 300))
    data = read("mixed.hdf5")
    assert len(data.starts) - 1 == sum(each["episodes"] for each in made["policies"])
    assert data.rewards is not None
    assert data.rewards.sum() == pytest.approx(rows["rewards"].sum())
    assert main(["inspect", "data=mixed.hdf5"]) == 0


def test_lesser_policies_can_share_one_direction(expert, monkeypatch):
    def directions(output):
        assert generate("quality=mixed", f"policy={expert}", "num_steps=90", f"output={output}") == 0
        with h5py.File(output) as file:
            return [each["direction"] for each in json.loads(file.attrs["metadata"])["policies"][:2]]

    apart, world = directions("apart.hdf5"), WORLDS["Balance-v0"]
    monkeypatch.setattr(find_domain("Balance-v0"), "world", replace(world, one_direction=True))
    together = directions("together.hdf5")
    assert apart[0] == together[0] == together[1] != apart[1]


def test_returns_on_record_are_those_of_whole_episodes(expert):
    assert generate("quality=expert", f"policy={expert}", "num_steps=100", "output=a.hdf5") == 0
    with h5py.File("a.hdf5") as file:
        (told,), rewards = json.loads(file.attrs["metadata"])["policies"], file["rewards"][()]
        ends = np.flatnonzero(file["terminals"][()] | file["timeouts"][()])
        timeouts = file["timeouts"][()]
    assert ends.tolist() == [39, 79, 99]
    assert timeouts[ends].all()
    assert told["episodes"] == 3
    assert told["return"]["mean"] == pytest.approx(rewards[:80].sum() / 2, rel=1e-4)
    assert told["success"] == 1


def test_a_seed_gives_the_same_rows_and_another_seed_others(expert):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert generate("quality=medium", f"policy={expert}", "num_steps=90", f"seed={seed}", f"output={name}.h5") == 0
    rows = []
    for name in "abc":
        with h5py.File(f"{name}.h5") as file:
            rows.append(file["observations"][()])
    np.testing.assert_array_equal(rows[0], rows[1])
    assert not np.array_equal(rows[0], rows[2])


def test_data_of_a_quality_lie_beside_each_other(expert, tmp_path):
    assert generate("quality=expert", f"policy={expert}", "num_steps=50") == 0
    assert (tmp_path / "cache" / "datasets" / "Balance-v0-expert.hdf5").is_file()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["env=Balance-v0", "quality=expert"], "balance/best of github.com/somebody/balance (commit 0000000)"),
        (["env=Balance-v0", "policy=nowhere.safetensors", "quality=expert"], "nowhere.safetensors: no such file"),
        (["env=Balance-v0", "quality=best"], "quality must be one of expert, medium, mixed"),
        (["env=Balance-v0", "noise=0.1"], "noise= does not apply to data of Balance-v0; what does: policy=, quality="),
        (
            ["env=maze2d-umaze", "quality=expert"],
            "quality= does not apply to data of maze2d-umaze-v1; what does: noise=",
        ),
        (["env=closed-door", "policy=x"], "policy= does not apply to data of closed-door-v0; what does: noise="),
        (["env=Pendulum-v1"], "no procedure is known that makes data of Pendulum-v1"),
    ],
)
def test_what_does_not_apply_is_one_line(words, expected, capsys):
    assert main(["generate", *words]) == 2
    told = capsys.readouterr().err.strip()
    assert expected in told
    assert "\n" not in told
    assert list(Path().iterdir()) == []


def test_a_quality_must_be_said(expert, capsys):
    assert generate(f"policy={expert}", "output=a.hdf5") == 2
    assert "quality= must be one of expert, medium, mixed for data of Balance-v0; got none" in capsys.readouterr().err
    assert not Path("a.hdf5").exists()


def test_fewer_steps_than_policies_are_refused(expert, capsys):
    assert generate("quality=mixed", f"policy={expert}", "num_steps=2", "output=a.hdf5") == 2
    assert "at least 3" in capsys.readouterr().err
    assert not Path("a.hdf5").exists()


def test_an_interruption_leaves_the_former_file(expert, monkeypatch):
    words = ("quality=expert", f"policy={expert}", "num_steps=60", "output=a.hdf5")
    assert generate(*words) == 0
    before = Path("a.hdf5").read_bytes()

    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(Driver, "episode", interrupted)
    assert generate(*words, "seed=1", "overwrite=true") != 0
    assert Path("a.hdf5").read_bytes() == before
    assert sorted(each.name for each in Path().iterdir()) == ["a.hdf5", "a.hdf5.sha256", "expert.safetensors"]


def test_hands_fail_by_success_and_the_expert_drives_a_third():
    world = WORLDS["AdroitHandDoor-v1"]
    assert world.qualities["mixed"] == (*FAILING, EXPERT, EXPERT)
    assert world.scored_by_success
    assert "medium" not in world.qualities


def test_returns_are_told_on_the_scale_of_d4rl(expert):
    protocol = find_domain("Balance-v0").protocol()
    assert "regenerated" in protocol.rows["normalized_return"][1]
    assert protocol.reference == (2.0, 40.0)


def test_hopper_is_driven_by_its_own_id(tmp_path):
    pytest.importorskip("imageio")  # which Gymnasium's MuJoCo environments import
    width, rng = 8, np.random.default_rng(0)
    still = {name: np.zeros(shape, np.float32) for name, shape in (("layers.0.weight", (width, 11)),)}
    still |= {"layers.0.bias": np.zeros(width, np.float32), "layers.1.bias": np.zeros(width, np.float32)}
    still |= {"layers.1.weight": rng.normal(size=(width, width)).astype(np.float32)}
    still |= {"layers.2.weight": np.zeros((3, width), np.float32), "layers.2.bias": np.zeros(3, np.float32)}
    still |= {"log_std.weight": np.zeros((3, width), np.float32), "log_std.bias": np.full(3, -3, np.float32)}
    path = write_policy(tmp_path / "still.safetensors", **still)
    words = ("env=Hopper-v5", "quality=expert", f"policy={path}", "num_steps=200", "output=hopper.hdf5")
    assert main(["generate", *words]) == 0
    data = find_domain("Hopper-v5").load("hopper.hdf5", say=print)
    assert data.observations.shape[1:] == (11,)
    assert data.terminations is not None
    assert data.terminations.any()


def test_a_scale_of_other_episodes_is_none():
    assert WORLDS["AdroitHandPen-v1"].reference is None  # D4RL's pen has 100 steps, this one 200
    assert WORLDS["AdroitHandDoor-v1"].reference == (-56.512833, 2880.5693087298737)
