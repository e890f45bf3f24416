"""The ``config.json`` of a run, which may be anybody's, is values: nothing of it is imported, looked up or built."""

import json
import os
import sys
from functools import reduce

import pytest

from dfplan.cli.commands.train import MAX_CONFIG_BYTES, recorded, resumed
from dfplan.cli.compose import compose_options, reading, to_schema
from dfplan.cli.main import main
from dfplan.errors import UserError

NESTED = {}
for _ in range(300):
    NESTED = {"model": NESTED}


def config(*words):
    with reading(None):
        return to_schema("train", compose_options("train", words))


def run_of_somebody(folder, **changes):
    """A run folder whose record has a few values of its own, by dotted names."""
    fresh = config("training.compiled=false", "training.matrix_precision=bfloat16")
    saved = {"config": recorded(fresh, None), "training": {"num_steps": 5}}
    for name, value in changes.items():
        place, *parts = saved["config"], *name.split("__")
        for part in parts[:-1]:
            place = place[part]
        place[parts[-1]] = value
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(saved))
    return folder


def test_a_record_comes_back_as_it_was_written(tmp_path):
    path = "C:\\runs (1)\\ü ${oc.env:HOME}"
    folder = run_of_somebody(tmp_path / path, data=path)
    again = resumed(config(f"resume={folder}"), given=["resume"])
    assert (again.data, again.resume, again.training.num_steps) == (path, str(folder), 5)


def refused(capsys, folder) -> str:
    assert main(["train", f"resume={folder}"]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert line.rstrip("\n").isprintable()
    return line


def test_no_module_is_imported(tmp_path, capsys, monkeypatch):
    (tmp_path / "canary_of_resume.py").write_text("raise SystemExit('ran')")
    monkeypatch.syspath_prepend(tmp_path)
    folder = run_of_somebody(tmp_path / "run", env__id="canary_of_resume:maze2d-umaze-v1")
    assert "env.id must be letters, digits" in refused(capsys, folder)
    task = {"name": "aligned-forcing", "camera": "canary_of_resume:x"}
    refused(capsys, run_of_somebody(tmp_path / "run", task=task))
    assert "canary_of_resume" not in sys.modules


@pytest.mark.parametrize("name", ["data", "env__name", "device"])
def test_nothing_is_looked_up(tmp_path, capsys, monkeypatch, name):
    monkeypatch.setenv("SECRET_OF_THE_TEST", "revealed")
    monkeypatch.setenv("DFPLAN_CACHE", str(tmp_path / "cache"))
    folder = run_of_somebody(tmp_path / "run", **{name: "x-${oc.env:SECRET_OF_THE_TEST}"})
    if name == "device":  # is not taken from a record
        assert resumed(config(f"resume={folder}"), given=["resume"]).device == "auto"
        return
    line = refused(capsys, folder)
    assert "revealed" not in line
    assert "${oc.env:SECRET_OF_THE_TEST}" in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("data", "\x1b]0;title\x07.hdf5"),
        ("data", "a\x00b.hdf5"),
        ("data", "x" * 5000 + ".hdf5"),
        ("data", ["generated"]),
        ("env", "maze2d-umaze"),
        ("env", {"_target_": "os.system"}),
        ("env__name", "../../elsewhere"),
        ("env__id", None),
        ("task", [1]),
        ("task", {"name": "os"}),
        ("windows", 3),
        ("training", []),
        ("seed", "${oc.env:HOME}"),
        ("seed", {"a": 1}),
        ("no_such_option", 1),
        ("model", NESTED),
        ("hydra", {"job": {}}),
        ("model__width", 1e400),
        ("model__width", "???"),
    ],
)
def test_what_no_training_wrote_is_one_line(tmp_path, capsys, monkeypatch, name, value):
    monkeypatch.setenv("DFPLAN_CACHE", str(tmp_path / "cache"))
    refused(capsys, run_of_somebody(tmp_path / "run", **{name: value}))


def places(values, above=()):
    """The place of every value and of every group, as names from the outermost inwards."""
    for name, value in values.items():
        yield *above, name
        if isinstance(value, dict):
            yield from places(value, (*above, name))


def test_whatever_stands_in_a_place_is_a_configuration_or_refused(tmp_path):
    folder = run_of_somebody(tmp_path / "run")
    saved = (folder / "config.json").read_text()
    asked = config(f"resume={folder}")
    refusals = 0
    for names in places(json.loads(saved)):
        for value in (5, None, [1], {"a": 1}):
            changed = json.loads(saved)
            *above, last = names
            reduce(dict.__getitem__, above, changed)[last] = value
            (folder / "config.json").write_text(json.dumps(changed))
            try:
                resumed(asked, given=["resume"])
            except UserError:
                refusals += 1
    assert refusals > 100


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"config": 1, "training": {}}', b"[" * 100_000, b'{"config":' * 900 + b"1" + b"}" * 900,
     b" " * (MAX_CONFIG_BYTES + 1), b"\xff\xfe", b'{"config": {"a": ' + b"1" * 5000 + b'}, "training": {}}'],
)  # fmt: skip
def test_another_file_is_one_line(tmp_path, capsys, content):
    (tmp_path / "config.json").write_bytes(content)
    line = refused(capsys, tmp_path)
    assert "no readable config.json there" in line or "no option" in line


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(UserError, match="no readable config"):
        resumed(config(f"resume={tmp_path}"), given=["resume"])
