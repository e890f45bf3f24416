"""PushT: three layouts of the same demonstrations, what is made of them, and what is measured."""

import importlib.util
import json

import numpy as np
import pytest

from dfplan.cli.main import main
from dfplan.data.formats import read
from dfplan.domains.pusht_demonstrations import HELD, as_numbers, as_points, laid_out, scene_of
from dfplan.domains.pusht_scene import MIRRORED, TARGET, TARGET_ANGLE, corners, coverage, mirrored, onto_target
from dfplan.errors import UserError

ENV_ID = "gym_pusht/PushT-v0"
LENGTHS = (12, 20)
ON_TARGET = corners(np.array(TARGET), np.array(TARGET_ANGLE))


def recording(seed=0):
    """A disc beside a T that drifts to near the target: states and actions as Diffusion Policy has them."""
    generator, states, actions = np.random.default_rng(seed), [], []
    for length in LENGTHS:
        share = np.linspace(1, 0.05, length)[:, None]
        places = np.array([256, 256]) + share * generator.uniform(-60, 60, 2)
        angles = np.mod(TARGET_ANGLE + share * generator.uniform(-1, 1), 2 * np.pi)
        states.append(np.concatenate([places + np.array([60, -40]), places, angles], axis=1))
        actions.append(np.round(places + np.array([55, -35])))
    return {
        "states": np.concatenate(states).astype(np.float32),
        "actions": np.concatenate(actions).astype(np.float32),
        "episode_ends": np.cumsum(LENGTHS),
    }


def shown(states):
    return corners(as_points(states[:, 2:4].astype(float))[:, 0], states[:, 4].astype(float))


def write_npz(folder, arrays, **more):
    np.savez(folder / "pusht.npz", **arrays, keypoints=np.zeros((sum(LENGTHS), 18), np.float32), **more)
    return folder / "pusht.npz"


def write_zarr(folder, arrays):
    zarr = pytest.importorskip("zarr")
    root = zarr.open_group(folder / "pusht_cchi_v7_replay.zarr", mode="w", zarr_format=2)
    root.create_array("data/state", data=arrays["states"])
    root.create_array("data/action", data=arrays["actions"])
    root.create_array("data/keypoint", data=np.zeros((sum(LENGTHS), 9, 2), np.float32))
    root.create_array("data/n_contacts", data=np.zeros((sum(LENGTHS), 1), np.float32))
    root.create_array("data/img", data=np.zeros((sum(LENGTHS), 4, 4, 3), np.float32))
    root.create_array("meta/episode_ends", data=arrays["episode_ends"])
    return folder / "pusht_cchi_v7_replay.zarr"


def write_lerobot(folder, arrays):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    frames = np.concatenate([np.arange(length) for length in LENGTHS])
    columns = {
        "observation.state": list(arrays["states"][:, :2]),
        "observation.environment_state": list(as_numbers(shown(arrays["states"]))),
        "action": list(arrays["actions"]),
        "next.reward": np.zeros(sum(LENGTHS), np.float32),
        "next.done": np.isin(np.arange(sum(LENGTHS)), arrays["episode_ends"] - 1),
        "next.success": np.zeros(sum(LENGTHS), bool),
        "episode_index": np.repeat(np.arange(len(LENGTHS)), LENGTHS),
        "frame_index": frames,
        "timestamp": (frames / 10).astype(np.float32),
    }
    kinds = {"next.done": "bool", "next.success": "bool", "episode_index": "int64", "frame_index": "int64"}
    features = {name: {"dtype": kinds.get(name, "float32"), "shape": [1], "names": None} for name in columns}
    path = folder / "pusht_keypoints"
    (path / "meta").mkdir(parents=True)
    info = {"codebase_version": "v3.0", "fps": 10, "features": features}
    (path / "meta" / "info.json").write_text(json.dumps(info))
    (path / "data" / "chunk-000").mkdir(parents=True)
    table = arrow.table({name: arrow.array(each) for name, each in columns.items()})
    parquet.write_table(table, path / "data" / "chunk-000" / "file-000.parquet")
    return path


@pytest.mark.parametrize("write", [write_zarr, write_lerobot])
def test_all_layouts_hold_the_same_scenes(tmp_path, write):
    arrays = recording()
    plain, other = read(write_npz(tmp_path, arrays)), read(write(tmp_path, arrays))
    np.testing.assert_allclose(scene_of(other), scene_of(plain), atol=1e-3)
    np.testing.assert_array_equal(other.actions, plain.actions)
    np.testing.assert_array_equal(other.starts, plain.starts)


def test_states_of_an_npz_are_read_by_name(tmp_path):
    arrays = recording()
    data = read(write_npz(tmp_path, arrays))
    assert data.starts.tolist() == [0, 12, 32]
    assert data.last_actions
    names = list(data.observation_names)
    np.testing.assert_array_equal(data.observations[:, names.index("state.0") :], arrays["states"])
    np.testing.assert_array_equal(data.actions, arrays["actions"])


def test_an_npz_without_states_is_refused_in_a_line(tmp_path):
    np.savez(tmp_path / "a.npz", actions=np.zeros((3, 2)), episode_ends=[3], pictures=np.zeros((3, 4)))
    with pytest.raises(UserError, match=r"must hold actions, episode_ends and states or keypoints; got .*pictures"):
        read(tmp_path / "a.npz")


def test_what_lacks_the_t_is_refused_by_name(tmp_path):
    np.savez(tmp_path / "a.npz", actions=np.zeros((3, 2)), episode_ends=[3], keypoints=np.zeros((3, 18)))
    with pytest.raises(UserError, match=r"must hold the states of Diffusion Policy.*got keypoint.0"):
        scene_of(read(tmp_path / "a.npz"))


def test_a_scene_is_moved_as_a_whole():
    scene = np.append(100 + 300j, corners(np.array(150 + 320j), np.array(2.0)))
    moved = onto_target(scene, scene[1:])
    np.testing.assert_allclose(moved[1:], ON_TARGET, atol=1e-9)
    np.testing.assert_allclose(abs(moved[:, None] - moved), abs(scene[:, None] - scene), atol=1e-9)


def test_a_mirror_leaves_the_target_as_it_is():
    np.testing.assert_allclose(mirrored(ON_TARGET)[MIRRORED], ON_TARGET, atol=1e-9)
    np.testing.assert_allclose(mirrored(mirrored(np.array([3 + 500j]))), [3 + 500j])
    assert mirrored(np.array([0j, 512 + 512j])).tolist() == [512 + 512j, 0j]


def test_the_step_before_the_first_is_the_first(tmp_path):
    pytest.importorskip("shapely")
    data = read(write_npz(tmp_path, recording()))
    scene = scene_of(data)
    made = laid_out(data, scene, as_points(data.actions)[:, 0], data.starts)
    before, now = as_points(made.observations[:, :4]).T
    np.testing.assert_allclose(now, scene[:, 0], atol=1e-4)
    np.testing.assert_allclose(before, scene[[0, *range(11), 12, *range(12, 31)], 0], atol=1e-4)
    np.testing.assert_allclose(made.rewards[:11], made.rewards[:11].clip(0, 1))
    assert made.rewards[10] == pytest.approx(min(1, coverage(scene[11:12, 1:])[0] / 0.95))


def test_a_missing_package_is_one_line(capsys, monkeypatch):
    import gymnasium

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "gym_pusht" else find(name, *rest)
    )
    monkeypatch.delitem(gymnasium.registry, ENV_ID, raising=False)
    assert main(["train", f"env={ENV_ID}", "data=pusht.npz"]) == 2
    assert capsys.readouterr().err == (
        f"dfplan: error: env={ENV_ID} comes with a package: pip install 'dfplan[pusht]'\n"
    )


class TestInTheWorld:
    """What only gym-pusht can say."""

    @pytest.fixture(autouse=True)
    def world(self):
        pytest.importorskip("gym_pusht")
        from dfplan.domains.find import find_domain

        self.domain = find_domain(ENV_ID)
        self.env = self.domain.make()
        yield
        self.env.close()

    def put(self, disc, place, angle):
        world = self.env.unwrapped
        world.agent.position, world.agent.velocity = (disc.real, disc.imag), (0, 0)
        world.block.velocity, world.block.angular_velocity = (0, 0), 0
        world.block.angle = angle  # first, as it turns the T about another point than its place
        world.block.position = place.real, place.imag

    def push(self, disc, place, angle, actions):
        """Disc and corners ``(9,)`` after actions."""
        self.env.reset(seed=0)
        self.put(disc, place, angle)
        for action in actions:
            observed, *_ = self.env.step(np.array([action.real, action.imag], np.float32))
        return as_points(self.domain.observation(observed)[None])[0, [1, *range(10, 18)]]

    def test_corners_and_coverage_are_those_of_the_environment(self):
        self.env.reset(seed=0)
        self.put(100 + 100j, 262 + 251j, 0.9)
        observed, _, _, _, info = self.env.step(np.array([100, 100], np.float32))
        seen = as_points(self.domain.observation(observed)[None])[0]
        np.testing.assert_allclose(seen[10:], corners(np.array(262 + 251j), np.array(0.9)), atol=1e-3)
        assert coverage(seen[None, 10:])[0] == pytest.approx(info["coverage"], abs=1e-5)
        assert 0.5 < info["coverage"] < 0.95

    def test_pushes_are_the_same_in_the_mirror_and_after_moving_the_scene(self):
        place, angle, disc = 250 + 240j, 0.6, 190 + 330j
        actions = disc + np.linspace(0, 1, 15) * (70 - 60j)
        pushed = self.push(disc, place, angle, actions)
        moved_t = abs(pushed[1:] - corners(np.array(place), np.array(angle))).max()
        assert moved_t > 5
        seen = self.push(*mirrored(np.array([disc, place])), np.pi / 2 - angle, mirrored(actions))
        np.testing.assert_allclose(seen[[0, *(1 + each for each in MIRRORED)]], mirrored(pushed), atol=0.5)
        turn, way = np.exp(0.1j), 8 - 5j
        seen = self.push(turn * disc + way, turn * place + way, angle + 0.1, turn * actions + way)
        np.testing.assert_allclose(seen, turn * pushed + way, atol=0.5)

    def test_demonstrations_end_on_the_target_and_are_mirrored(self, tmp_path):
        said = []
        data = self.domain.load(str(write_npz(tmp_path, recording())), say=said.append)
        assert "never vary" in said[0]
        assert "2 of 2 episodes are moved so that the T ends on the target, all are held there for 16" in said[1]
        assert np.diff(data.starts).tolist() == [length + HELD for length in LENGTHS for _ in range(2)]
        ends = as_points(data.observations[data.starts[1:] - 1])[:, 10:]
        np.testing.assert_allclose(ends, np.broadcast_to(ON_TARGET, ends.shape), atol=1e-3)
        np.testing.assert_allclose(data.rewards[data.starts[1:] - 1], 1)
        assert data.observations.shape[1] == self.domain.spec.observation_dim

    def test_what_the_environment_recorded_is_taken_as_it_is(self):
        from dfplan.types import Trajectories

        rows = np.random.default_rng(0).uniform(0, 500, (9, 36)).astype(np.float32)
        data = Trajectories(rows, rows[:, :2], np.array([0, 9]), np.zeros(9, bool), "here", rewards=rows[:, 0])
        np.testing.assert_array_equal(self.domain.take(data, say=print).observations, rows)

    def test_from_demonstrations_to_success_and_coverage_by_commands(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        small = ["training.num_steps=2", "training.batch_size=4", "training.compiled=false", "model.width=8"]
        small.append("windows.validation_share=0")
        data = f"data={write_npz(tmp_path, recording())}"
        assert main(["train", f"env={ENV_ID}", data, *small, "threads=1", "output=trained"]) == 0
        asked = ["n_episodes=2", "weights=trained", "output=evaluated"]
        assert main(["eval", f"env={ENV_ID}", *asked]) == 0
        record = json.loads((tmp_path / "evaluated" / "results.json").read_text())
        assert record["metrics"]["success_rate"]["mean"] == 0
        assert [each["steps"] for each in record["episodes"]] == [300, 300]
        best = [each["coverage"] for each in record["episodes"]]
        assert record["metrics"]["coverage"]["mean"] == pytest.approx(np.mean(best))
        assert record["config"]["controller"]["replan_every"] == 4
        assert (tmp_path / "evaluated" / "rollouts.png").stat().st_size > 1000
