"""`dfplan evolve`: rounds that are there are not done again, and a curve that says what each was worth."""

import json

import pytest

from dfplan.cli.main import main
from dfplan.data.formats import read

NARROW = ("model.width=16", "model.num_layers=1", "env.window_tokens=4", "windows=collected", "resynthesis=none")
TINY = ("training.num_steps=2", "training.batch_size=4", "training.compiled=false")
QUICK = ("planner.num_candidates=2", "planner.num_levels=1", "n_episodes=4", "eval_episodes=3", "keep=all")
ENV = "env=maze2d-umaze"


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evolve")
    data, run = folder / "data.hdf5", folder / "trained"
    assert main(["record", ENV, "agent=waypoints", "goal=random", f"data={data}", "n_episodes=6", "seed=1"]) == 0
    assert main(["train", ENV, f"data={data}", f"output={run}", "threads=1", *TINY, *NARROW]) == 0
    return ENV, f"data={data}", f"weights={run}"


@pytest.fixture(scope="module")
def evolved(given, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evolved") / "here"
    assert main(["evolve", *given, *TINY, *QUICK, "rounds=1", f"output={folder}"]) == 0
    return folder


def curve(folder):
    return json.loads((folder / "curve.json").read_text())["rounds"]


def test_every_round_has_weights_data_and_scores(evolved, given):
    first, second = curve(evolved)
    assert "practised" not in first
    assert second["practised"]["episodes"] == 4
    assert first["weights"]["sha256"] != second["weights"]["sha256"]
    assert first["seed"] == second["seed"] == 1000
    assert first["distance_from_data"] == second["distance_from_data"]  # the same episodes
    practised = read(evolved / "round_1" / "practised.hdf5")
    assert len(practised.starts) == 5
    assert len(practised.actions) - 4 == second["practised"]["steps_kept"]
    assert (evolved / "curve.png").stat().st_size
    assert main(["plan", given[0], f"weights={evolved}/round_1/run", f"output={evolved}/plan"]) == 0


def test_to_go_on_adds_rounds_and_repeats_none(evolved, capsys):
    before = curve(evolved)
    scores = evolved / "round_1" / "scores.json"
    made = scores.stat().st_mtime_ns
    assert main(["evolve", f"resume={evolved}", "rounds=2"]) == 0
    assert curve(evolved)[:2] == before
    assert len(curve(evolved)) == 3
    assert scores.stat().st_mtime_ns == made
    said = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in said[:3]] == ["round 0", "round 1", "round 2"]
    assert said[-1] == str(evolved / "round_2" / "run" / "model")
    assert main(["evolve", f"resume={evolved}", "keep=arrived"]) == 2
    assert "leave out keep" in capsys.readouterr().err


def test_without_a_share_nothing_is_practised(given, tmp_path):
    assert main(["evolve", *given, *TINY, *QUICK, "rounds=1", "share=0", f"output={tmp_path / 'old'}"]) == 0
    assert "practised" not in curve(tmp_path / "old")[1]
    assert not (tmp_path / "old" / "round_1" / "practised.hdf5").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["env=Pendulum-v1"], "has no goals"),
        (["env=pixelmaze-umaze"], "shows frames"),
        (["resume=nowhere"], "no readable evolution.json"),
        ([ENV, "unseen=0"], "unseen must be"),
    ],
)
def test_what_cannot_evolve_is_refused_in_a_line(words, said, capsys):
    assert main(["evolve", *words]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert said in error[-1], error
