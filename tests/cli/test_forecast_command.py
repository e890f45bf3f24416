"""`dfplan train env=none` and `dfplan forecast`, as they are typed, on tables of numbers."""

import json

import numpy as np
import pytest

from dfplan.cli.main import main

SMALL = ("training.num_steps=3", "training.batch_size=4", "model.width=16", "model.num_layers=1", "env.window_tokens=4")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    walk = 20 + np.cumsum(np.random.default_rng(0).normal(size=(120, 3)), axis=0)
    np.savetxt(folder / "walk.csv", walk, delimiter=",", header="tea,coffee,milk", comments="")
    np.save(folder / "narrow.npy", walk[:, :2])
    status = main(["train", "env=none", f"data={folder / 'walk.csv'}", f"output={folder / 'run'}", "threads=1", *SMALL])
    assert status == 0
    return folder


def forecast(folder, *options):
    return main(["forecast", f"weights={folder / 'run'}", "num_futures=4", "num_steps=7", "num_levels=2", *options])


def test_a_table_goes_from_file_to_fans_of_futures(folder, tmp_path, capsys):
    assert forecast(folder, f"data={folder / 'walk.csv'}", f"output={tmp_path / 'f'}") == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "f" / "results.json")
    futures = np.load(tmp_path / "f" / "futures.npz", allow_pickle=False)
    assert futures["futures"].shape == (1, 4, 7, 3)
    assert (futures["episode"].tolist(), futures["row"].tolist()) == ([0], [120])
    assert json.loads((tmp_path / "f" / "results.json").read_text())["scores"] == {}
    assert (tmp_path / "f" / "fans.png").stat().st_size > 5000


def test_backtests_are_of_rows_that_are_not_shown(folder, tmp_path, capsys):
    """What comes after an origin changes no future of it, and rivals stand beside."""
    rows = np.loadtxt(folder / "walk.csv", delimiter=",", skiprows=1)
    np.savetxt(tmp_path / "other.csv", np.concatenate([rows[:-7], rows[-7:] + 3.0]), delimiter=",")
    for name, data in {"a": folder / "walk.csv", "b": tmp_path / "other.csv"}.items():
        assert forecast(folder, f"data={data}", "backtests=2", f"output={tmp_path / name}") == 0
    found = [np.load(tmp_path / name / "futures.npz", allow_pickle=False) for name in "ab"]
    assert found[0]["row"].tolist() == [106, 113]
    np.testing.assert_array_equal(found[0]["futures"], found[1]["futures"])
    scores = [json.loads((tmp_path / name / "results.json").read_text())["scores"] for name in "ab"]
    assert list(scores[0]) == ["dfplan", "random walk", "last value", "constant velocity"]
    assert scores[0]["dfplan"]["crps"] != scores[1]["dfplan"]["crps"]
    assert "random walk" in capsys.readouterr().out


def test_of_many_that_are_drawn_few_may_stand_for_all(folder, tmp_path):
    assert forecast(folder, f"data={folder / 'walk.csv'}", "num_drawn=12", f"output={tmp_path / 'f'}") == 0
    assert np.load(tmp_path / "f" / "futures.npz", allow_pickle=False)["futures"].shape == (1, 4, 7, 3)


def test_what_is_wrong_is_one_line(folder, tmp_path, capsys):
    run, walk = f"weights={folder / 'run'}", f"data={folder / 'walk.csv'}"
    wrong = {
        ("forecast", run, f"data={folder / 'narrow.npy'}"): "has 2 numbers a row, and the weights forecast 3",
        ("forecast", run, walk, "backtests=1", "num_steps=119"): "has 2 rows of history before its last 119",
        ("forecast", run): "a forecast needs data=",
        ("forecast", walk, "weights=bundled"): "no weights for none come with dfplan",
        ("forecast", run, walk, "num_futures=5", "num_drawn=4"): "num_drawn=4 is fewer than num_futures=5",
        ("eval", "env=none", run): "nobody acts on",
        ("train", "env=none"): "env=none has no data of its own",
        ("train", "env=none", "task=forcing", walk): "task=forcing is not for none",
        ("train", "env=Pendulum-v1", "task=forecast", walk): "task=forecast is not for Pendulum-v1",
    }
    for words, message in wrong.items():
        assert main([*words, f"output={tmp_path / 'never'}"]) == 2
        error = capsys.readouterr().err
        assert message in error, error
        assert error.count("\n") == 1
    assert not (tmp_path / "never").exists()
