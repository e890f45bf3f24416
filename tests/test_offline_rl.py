"""Peers in the benchmarks of worlds: what they learn from, in which episodes they are measured, their result files."""

import argparse
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import gymnasium
import h5py
import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
HAS_D3RLPY = importlib.util.find_spec("d3rlpy") is not None
needs_d3rlpy = pytest.mark.skipif(not HAS_D3RLPY, reason="d3rlpy has an environment of its own: make peers")


@pytest.fixture
def script(monkeypatch):
    """Imports a script of the folder by its name, as its neighbours do."""
    monkeypatch.syspath_prepend(str(FOLDER))
    yield __import__
    for name in ("offline_rl", "experts", "worlds", "records"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def hopper(tmp_path_factory):
    """A file of Hopper, driven at random: episodes that end, one that is cut off by hand, one that goes on."""
    pytest.importorskip("imageio", reason="MuJoCo's robots have an environment of their own: make peers")
    path = tmp_path_factory.mktemp("data") / "hopper-mixed.hdf5"
    env, rows = gymnasium.make("Hopper-v5"), {}
    env.action_space.seed(0)
    observation, _ = env.reset(seed=0)
    for step in range(300):
        action = env.action_space.sample()
        after, reward, terminated, _, _ = env.step(action)
        told = {"observations": observation, "actions": action, "rewards": reward, "terminals": terminated}
        told["timeouts"] = step == 150 and not terminated
        for name, value in told.items():
            rows.setdefault(name, []).append(value)
        observation = env.reset()[0] if terminated or told["timeouts"] else after
    with h5py.File(path, "w") as file:
        for name, values in rows.items():
            file[name] = np.array(values, bool if name in ("terminals", "timeouts") else np.float32)
        file.attrs["metadata"] = json.dumps({"by": "chance"})
    return path


def call(*words):
    """The script, as the benchmarks call it."""
    subprocess.run([sys.executable, str(FOLDER / "offline_rl.py"), *map(str, words)], check=True)


@needs_d3rlpy
def test_steps_are_those_of_the_data_sets_of_d3rlpy(script, hopper):
    from d3rlpy.dataset import MDPDataset, TransitionMiniBatch

    with h5py.File(hopper) as file:
        told = {name: file[name][:] for name in ("observations", "actions", "rewards", "terminals", "timeouts")}
    told["timeouts"][-1] = True  # d3rlpy knows no episode that goes on
    flags = {name: told.pop(name).astype(np.float32) for name in ("terminals", "timeouts")}
    theirs = MDPDataset(**told, **flags)
    steps = [(each, step) for each in theirs.episodes for step in range(each.transition_count)]
    expected = TransitionMiniBatch.from_transitions([theirs.transition_picker(*step) for step in steps])
    ours = script("offline_rl").Transitions.read(hopper)
    assert len(ours.steps) == theirs.transition_count
    found = ours.batch(ours.steps)
    for name in ("observations", "actions", "rewards", "next_observations", "next_actions", "terminals", "intervals"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    whole = [each.rewards.sum(dtype=np.float64) for each in theirs.episodes][: len(ours.returns)]
    np.testing.assert_allclose(ours.returns, whole)
    assert len(ours.returns) == len(theirs.episodes) - 1


@needs_d3rlpy
@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["td3_bc", "iql", "cql"])
def test_a_policy_is_measured_in_the_episodes_of_dfplan_eval(script, hopper, tmp_path, algorithm):
    offline_rl = script("offline_rl")
    trained = [f"algorithm={algorithm}", "env=Hopper-v5", f"data={hopper}", "seed=1", "cpu_minutes=4", "steps=3"]
    for name in ("first", "again"):
        call("train", *trained, "threads=1", f"output={tmp_path / name}")
    files = {path.name for path in (tmp_path / "first").iterdir()}
    assert files == {"policy.safetensors", "policy.json"}  # nothing that could run code when it is loaded
    policy, described = offline_rl.load(tmp_path / "first")
    assert described["sha256"] == offline_rl.load(tmp_path / "again")[1]["sha256"]
    assert described["steps"] == 3
    call(
        "eval", "env=Hopper-v5", f"weights={tmp_path / 'first'}", "n_episodes=2", "seed=7", f"output={tmp_path / 'out'}"
    )
    record = json.loads((tmp_path / "out" / "results.json").read_text())
    assert record["weights"]["sha256"] == described["sha256"]
    env = gymnasium.make("Hopper-v5")
    for number, episode in enumerate(record["episodes"]):
        observation, _ = env.reset(seed=int(np.random.SeedSequence([7, number]).generate_state(2)[0]))
        total, over = 0.0, False
        while not over:
            action = policy.predict(observation[None].astype(np.float32))[0]
            observation, reward, terminated, truncated, _ = env.step(action)
            total, over = total + reward, terminated or truncated
        assert episode["return"] == pytest.approx(total, rel=1e-3)


@needs_d3rlpy
@pytest.mark.slow
def test_as_many_steps_are_trained_as_fit_into_the_time(script, hopper, tmp_path):
    words = ["algorithm=td3_bc", "env=Hopper-v5", f"data={hopper}", "seed=1", "cpu_minutes=0.1"]
    call("train", *words, f"output={tmp_path / 'run'}")
    described = script("offline_rl").load(tmp_path / "run")[1]
    assert described["steps"] > 50
    assert 2 < described["cpu_seconds"] < 18


@needs_d3rlpy
def test_an_environment_whose_actions_are_not_between_one_and_minus_one_is_refused(script, hopper):
    offline_rl = script("offline_rl")
    with pytest.raises(SystemExit, match="between -1 and 1"):
        offline_rl.check_actions(offline_rl.find_domain("Pendulum-v1").spec, data=offline_rl.Transitions.read(hopper))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("diffuser", ["training.num_steps=2", "training.batch_size=4", "model.width=16", "model.num_layers=1"]),
        pytest.param("td3_bc", ["steps=2"], marks=needs_d3rlpy),
    ],
)
def test_rows_can_be_measured_apart(script, hopper, tmp_path, row, words):
    worlds = script("worlds")
    (tmp_path / hopper.name).write_bytes(hopper.read_bytes())
    arguments = argparse.Namespace(rows=[row], runs=tmp_path, trainings=[0], episodes=2, seed=5000, set=words, note="")
    rows = {row: worlds.PEERS[row]}
    told = {"policy": Path("none"), "words": (), "rows": rows, "of_data": ["data"], "arguments": arguments}
    record = script("experts").measure_task("hopper-mixed", "Hopper-v5", "mixed", **told)
    assert record["part"] == row
    assert list(record["rows"]) == ["data", row]
    assert list(record["figures"]) == ["hopper-mixed.data", f"hopper-mixed.{row}"]
    assert record["figures"][f"hopper-mixed.{row}"]["n"] == 2
    assert list(record["cpu_seconds_of_training"]) == [f"{record['trainings_of_rows'][row]} 0"]
    assert len(record["rows"][row]["weights"][0]["sha256"]) == 64


@pytest.mark.skipif(HAS_D3RLPY, reason="d3rlpy is installed here")
def test_where_d3rlpy_is_missing_one_line_says_what_to_do():
    words = ["hopper-mixed", "--policies", "none", "--rows", "iql", "--uncommitted"]
    command = [sys.executable, str(FOLDER / "locomotion" / "run.py"), *words]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    assert "make peers" in answer.stderr.splitlines()[-1]
