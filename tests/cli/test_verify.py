"""``dfplan verify`` says what a file is, and with status 2 and one line which file is not whole."""

import json
import os

import h5py
import numpy as np
import pytest
import torch

from dfplan.cli.commands.verify import MAX_RECORD_BYTES
from dfplan.cli.folders import bundled_weights
from dfplan.cli.main import main
from dfplan.cli.progress import say
from dfplan.data.check_dataset import check_in_another_process
from dfplan.data.d4rl_file import write_d4rl
from dfplan.evaluation.report import write_record
from dfplan.models.bundle import save_bundle
from dfplan.models.forcing_model import load_forcing_model
from dfplan.training.checkpoint import save_checkpoint

ROWS = {
    "observations": np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32),
    "actions": np.random.default_rng(1).normal(size=(30, 2)).astype(np.float32),
    "timeouts": np.arange(30) % 10 == 9,
}


def verified(capsys, *paths) -> str:
    assert main(["verify", *map(str, paths)]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def refused(capsys, path) -> str:
    assert main(["verify", str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def test_weights_are_told_by_their_folder_and_by_either_file(capsys):
    folder = bundled_weights() / "maze2d-umaze"
    for path in (folder, folder / "model.json", folder / "model.safetensors"):
        said = verified(capsys, path)
        assert "the weights of a transformer for maze2d-umaze" in said
        assert said.endswith("whole\n")


def test_a_run_is_all_of_its_checkpoints_and_its_model(tmp_path, capsys):
    for step in (5, 10):
        metadata = {"config": {}, "state": {}, "metrics": {}}
        save_checkpoint(tmp_path / "checkpoints", step=step, tensors={"a": torch.ones(3)}, metadata=metadata, keep=2)
    assert "checkpoints of steps 5, 10, all whole\n" in verified(capsys, tmp_path)
    assert "a checkpoint, 1 tensors, 12 bytes, whole" in verified(capsys, tmp_path / "checkpoints" / "step-00000005")
    save_bundle(tmp_path / "model", {"a": torch.ones(3)}, {"kind": "tiny"})
    assert "all whole; model: a bundle, 1 tensors" in verified(capsys, tmp_path)
    damaged = tmp_path / "checkpoints" / "step-00000005" / "model.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert str(damaged) in refused(capsys, tmp_path)


def test_a_dataset_is_checked_against_its_note(tmp_path, capsys):
    path = write_d4rl(tmp_path / "data.hdf5", ROWS, metadata={})
    assert "a data set, 30 rows in 3 trajectories, whole" in verified(capsys, path)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert f"{path} is damaged or was changed" in refused(capsys, path)
    path.with_name("data.hdf5.sha256").unlink()
    path = write_d4rl(tmp_path / "data.hdf5", ROWS, metadata={})
    path.with_name("data.hdf5.sha256").unlink()
    assert "readable, but no .sha256 beside it" in verified(capsys, path)


def test_a_reader_that_dies_is_a_damaged_dataset(tmp_path, monkeypatch):
    path = tmp_path / "data.hdf5"
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(ValueError, match=r"data.hdf5: reading it crashes the HDF5 library"):
        check_in_another_process(path)


def test_a_record_is_checked_by_its_seal(tmp_path, capsys):
    path = write_record({"env": "maze2d-open", "metrics": {}}, path=tmp_path / "results.json")
    assert "the record of an evaluation of maze2d-open, whole" in verified(capsys, path)
    text = path.read_text()
    path.write_text(text.replace("maze2d-open", "maze2d-easy"))
    assert "damaged or changed" in refused(capsys, path)
    path.write_text(text.replace("record_sha256", "record_sha257"))  # the seal itself is hit
    assert "damaged or changed" in refused(capsys, path)
    path.write_text(text[:-10])
    assert "not readable as JSON" in refused(capsys, path)
    path.write_text(json.dumps({"env": "maze2d-open", "metrics": {}}))
    assert "without record_sha256 nothing tells" in verified(capsys, path)
    path.write_text("[]")
    assert "no record of an evaluation" in refused(capsys, path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("model.pt", b"PK\x03\x04", "a zip archive, which dfplan neither writes nor reads"),
        ("model.pkl", b"\x80\x04\x95", "a pickle, which"),
        ("data.npz.gz", b"\x1f\x8b\x08", "a gzip file"),
        ("notes.txt", b"hello", "nothing that dfplan writes"),
        ("empty", b"", "nothing that dfplan writes"),
        ("data.hdf5", b"no HDF5", "not an HDF5 file"),
    ],
)
def test_what_is_not_ours_is_refused_by_name(tmp_path, capsys, name, content, said):
    (tmp_path / name).write_bytes(content)
    assert said in refused(capsys, tmp_path / name)


def test_places_with_nothing_in_them_are_refused(tmp_path, capsys):
    assert "no such file or folder" in refused(capsys, tmp_path / "nowhere")
    assert "neither a run" in refused(capsys, tmp_path)
    (tmp_path / "checkpoints").mkdir()
    assert "no checkpoint in it" in refused(capsys, tmp_path)
    assert "takes paths only" in refused(capsys, "--all")


def test_how_to_use_it(capsys):
    assert main(["verify"]) == 0
    assert "usage: dfplan verify PATH" in capsys.readouterr().out


@pytest.mark.slow
def test_an_export_is_verified_and_planned_with(tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    words = ["export", "env=maze2d-umaze", f"output={tmp_path / 'exported'}", "planner.num_candidates=2"]
    assert main(words) == 0
    folder = tmp_path / "exported"
    assert capsys.readouterr().out.rstrip().endswith(str(folder))
    num_tokens = load_forcing_model(bundled_weights() / "maze2d-umaze").num_tokens
    for path in (folder, folder / "denoise.onnx", folder / "manifest.json"):
        assert f"an exported planner, windows of {num_tokens} tokens" in verified(capsys, path)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["planner"]["num_candidates"] == 2
    assert manifest["env"]["name"] == "maze2d-umaze"
    (folder / "denoise.pt2").unlink()
    assert "denoise.pt2: missing" in refused(capsys, folder)
    assert main(words) == 2
    assert "not an empty folder" in capsys.readouterr().err
    assert main(["export", "env=maze2d-large", "weights=bundled-rnn", f"output={tmp_path / 'rnn'}"]) == 2
    assert "only the transformer can be exported" in capsys.readouterr().err


def test_a_folder_of_runs_is_all_in_it(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for maze in ("maze2d-large", "maze2d-umaze"):
        for time in ("2026-11-28_10-00-00", "2026-11-28_10-00-01"):
            write_record({"env": maze, "metrics": {}}, path=tmp_path / "runs" / "eval" / maze / time / "results.json")
    (tmp_path / "runs" / "plan" / "maze2d-large" / "x").mkdir(parents=True)
    save_bundle(tmp_path / "runs" / "train" / "x" / "model", {"a": torch.ones(3)}, {"kind": "tiny"})
    write_d4rl(tmp_path / "runs" / "data.hdf5", ROWS, metadata={})
    (tmp_path / "runs" / "loop").symlink_to(tmp_path / "runs")
    lines = verified(capsys, "runs/eval").splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        f"runs/eval/{maze}/2026-11-28_10-00-0{second}" for maze in ("maze2d-large", "maze2d-umaze") for second in (0, 1)
    ]
    assert all(line.endswith(", whole") for line in lines)
    assert len(verified(capsys, "runs").splitlines()) == 6
    damaged = tmp_path / "runs" / "eval" / "maze2d-umaze" / "2026-11-28_10-00-01" / "results.json"
    damaged.write_text(damaged.read_text()[:-10])
    assert main(["verify", "runs/eval"]) == 2
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 3
    assert "2026-11-28_10-00-01/results.json: damaged" in captured.err


def test_folders_in_folders_end_somewhere(tmp_path, capsys):
    (tmp_path / "/".join("a" * 50)).mkdir(parents=True)
    assert "more than 10 folders deep" in refused(capsys, tmp_path)


HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202egnp\r\x9b31m"


def test_what_a_file_says_is_shown_and_not_obeyed(tmp_path, capsys):
    def is_text(line):
        return all(each.isprintable() for each in line.removesuffix("\n"))

    record = write_record({"env": HOSTILE, "metrics": {}}, path=tmp_path / "results.json")
    assert is_text(verified(capsys, record))
    assert "\\x1b]0;owned\\x07" in verified(capsys, record)
    record.write_text(json.dumps({"env": "x\nother: the weights of a transformer, whole", "metrics": {}}))
    assert verified(capsys, record).count("\n") == 1
    (tmp_path / "note.json").write_text(HOSTILE)
    assert is_text(refused(capsys, tmp_path / "note.json"))
    assert is_text(refused(capsys, tmp_path / HOSTILE))
    save_bundle(tmp_path / "model", {"a": torch.ones(3)}, {"layout": {HOSTILE: 1}, "model": {"name": HOSTILE}})
    assert is_text(refused(capsys, tmp_path / "model"))
    with h5py.File(tmp_path / "data.hdf5", "w") as file:
        file[HOSTILE.replace("/", "")] = 1
    assert is_text(refused(capsys, tmp_path / "data.hdf5"))
    say(f"the dataset is {HOSTILE}")
    assert is_text(capsys.readouterr().err)


@pytest.mark.parametrize("content", [{"env": 3, "metrics": {}}, {"env": None, "agents": []}, {}, {"metrics": {}}])
def test_a_record_of_nothing_is_none(tmp_path, capsys, content):
    (tmp_path / "results.json").write_text(json.dumps(content))
    assert "no record of an evaluation" in refused(capsys, tmp_path / "results.json")


def test_a_record_is_not_read_beyond_its_bounds(tmp_path, capsys):
    with (tmp_path / "results.json").open("wb") as file:
        file.truncate(MAX_RECORD_BYTES + 1)
    assert "larger than" in refused(capsys, tmp_path / "results.json")
    (tmp_path / "results.json").unlink()
    os.mkfifo(tmp_path / "results.json")
    assert "a special one" in refused(capsys, tmp_path)


def test_a_name_may_begin_with_a_dash(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_bundle(tmp_path / "-x", {"a": torch.ones(3)}, {"kind": "tiny"})
    assert verified(capsys, "-x").startswith("-x: a bundle")
