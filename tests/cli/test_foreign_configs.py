"""Configurations from elsewhere hold values: nothing runs, is looked up, written, or read from outside the folder."""

import os

import pytest

from dfplan.cli.foreign_configs import MAX_BYTES, MAX_ENTRIES, check_config_folder
from dfplan.cli.main import main
from dfplan.errors import UserError


def put(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def refused(capsys, folder, *words) -> str:
    """The one line with which an evaluation refuses a folder; nothing has been run or written."""
    assert (
        main(["eval", "env=maze2d-umaze", "n_episodes=1", "agent=waypoints", *words, "--config-dir", str(folder)]) == 2
    )
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def test_plain_values_pass(tmp_path):
    put(
        tmp_path,
        "planner/mine.yaml",
        "defaults: [default, _self_]\nnum_levels: 3\npyramid_offset: 1.5\nname: '&x *y'\n",
    )
    put(
        tmp_path, "experiment/mine.yaml", "# @package _global_\ndefaults:\n  - override /controller: actions\nseed: 3\n"
    )
    put(tmp_path, "empty.yaml", "")
    put(tmp_path, "nothing.yaml", "---\n")
    put(tmp_path, "lists.yaml", "defaults: []\n1: x\na: [1, 2]\n")
    put(tmp_path, "README.md", "what these are, and ${anything}")
    check_config_folder(tmp_path)


def test_a_foreign_planner_and_experiment_are_used(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "ü ${oc.env:HOME}, 'x'"
    put(folder, "planner/mine.yaml", "defaults: [default, _self_]\nnum_levels: 3\n")
    put(folder, "experiment/mine.yaml", "# @package _global_\ndefaults:\n  - override /planner: mine\nseed: 3\n")
    assert main(["eval", "experiment=mine", "--config-dir", str(folder), "--cfg", "job"]) == 0
    shown = capsys.readouterr().out
    assert "num_levels: 3" in shown
    assert "\nseed: 3" in shown
    assert main(["plan", "planner=mine", f"--config-dir={folder.name}", "--help"]) == 0
    assert "planner.num_levels=3" in capsys.readouterr().out


SETS = "hydra:\n  job:\n    env_set: {PATH: /tmp}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("_target_: os.system\n", "names a Python object"),
        ("deep: [{a: {_target_: x}}]\n", "names a Python object"),
        ("a: {_args_: [x]}\n", "names a Python object"),
        ("a: !!python/object/apply:os.system [ls]\n", "carries the tag tag:yaml.org,2002:python/object"),
        ("a: !!str x\n", "carries the tag"),
        ("a: &a 1\nb: *a\n", r"uses the alias \*a"),
        ("<<: {b: 1}\n", "a key that is no word"),
        ("? [a, b]\n: 1\n", "a key that is no word"),
        ("a: [\n", "not readable as YAML"),
        ("a: 1\n---\nhydra: 1\n", "not readable as YAML"),
        ("[" * 5000, "nested more than 50 deep"),
        ("a: " + "x" * MAX_BYTES, "larger than 65,536 bytes"),
        (SETS, "sets 'hydra'"),
        ("# @package _global_\n" + SETS, "sets 'hydra'"),
        ('"\\x68ydra": {job: 1}\n', "sets 'hydra'"),
        ("a: [{b: {hydra.job.name: x}}]\n", "sets 'hydra.job.name'"),
        ("hydra/callbacks: x\n", "sets 'hydra/callbacks'"),
        ("# @package hydra.callbacks.evil\na: 1\n", "the one package there is here is _global_"),
        ("a: 1\n#@package hydra\n", "the one package there is here is _global_"),
        ("# @package _group_\n", "the one package there is here is _global_"),
        ("# @package _global_.hydra\n", "the one package there is here is _global_"),
        ("defaults:\n  - override hydra/job_logging: x\n", "sets 'override hydra/job_logging'"),
        ("defaults:\n  - /hydra/callbacks/x\n", "in its defaults is no name"),
        ("defaults: [g@hydra.callbacks]\n", "in its defaults is no name"),
        ("defaults: [{g@hydra.job: x}]\n", "sets 'g@hydra.job'"),
        ("defaults: [{g@a.b: x}]\n", "in its defaults is no name"),
        ("defaults: [../../outside]\n", "in its defaults is no name"),
        ("defaults: [{planner: ../../../outside}]\n", "in its defaults is no name"),
        ("a: ${oc.env:HOME}\n", "looks something up"),
        ("a: [x, {b: 'x${oc.create:{}}'}]\n", "looks something up"),
        ("${a}: 1\n", "looks something up"),
        ('a: "\\x24{b}"\n', "looks something up"),
        ("a: 1\na: 2\n", "found duplicate key a"),
        ("null: 1\n", "Incompatible key type"),
        ("a: " + "9" * 5000, "not readable as YAML"),
        ("5\n", "no names with their values"),
        ("word\n", "no names with their values"),
        ("- a\n", "no names with their values"),
        ("defaults: null\n", "no list of names"),
        ("defaults: {a: b}\n", "no list of names"),
        ("defaults: [5]\n", "no list of names"),
        ("defaults: [[a]]\n", "no list of names"),
        ("defaults: [{a: b, c: d}]\n", "no list of names"),
        ("defaults: [{a: [b, c]}]\n", "no list of names"),
    ],
)
@pytest.mark.parametrize("name", ["evil.yaml", "evil.yml", "evil.YAML"])
def test_anything_else_is_refused_with_the_file_named(tmp_path, text, said, name):
    put(tmp_path, f"planner/{name}", text)
    with pytest.raises(UserError, match=said) as caught:
        check_config_folder(tmp_path)
    assert name in str(caught.value)


def test_what_is_no_text_is_refused(tmp_path):
    (tmp_path / "a.yaml").write_bytes("hydra: 1".encode("utf-16"))
    with pytest.raises(UserError, match="not readable as YAML"):
        check_config_folder(tmp_path)


@pytest.mark.parametrize("name", ["hydra.yaml", "hydra/callbacks/x.yaml", "g/hydra/x.yaml", "planner/HYDRA.txt"])
def test_nothing_is_named_as_settings_of_hydra(tmp_path, name):
    put(tmp_path, name, "a: 1\n")
    with pytest.raises(UserError, match="named as Hydra's own settings"):
        check_config_folder(tmp_path)


@pytest.mark.parametrize(
    "kind", ["symlink", "symlinked folder", "dangling", "hard link", "no yaml", "the folder", "above"]
)
def test_a_link_anywhere_is_refused(tmp_path, kind):
    outside = put(tmp_path, "outside/planner/x.yaml", "num_levels: 3\n")
    folder = tmp_path / "conf"
    (folder / "planner").mkdir(parents=True)
    match kind:
        case "symlink":
            (folder / "planner" / "x.yaml").symlink_to(outside)
        case "symlinked folder":
            (folder / "g").symlink_to(outside.parent)
        case "dangling":
            (folder / "x.yaml").symlink_to("nowhere")
        case "hard link":
            os.link(outside, folder / "planner" / "x.yaml")
        case "no yaml":
            (folder / "notes.txt").symlink_to(outside)
        case "the folder":
            folder = tmp_path / "link"
            folder.symlink_to(tmp_path / "outside")
        case "above":
            (tmp_path / "link").symlink_to(tmp_path / "outside")
            folder = tmp_path / "link" / "planner"
    with pytest.raises(UserError, match="link"):
        check_config_folder(folder)


def test_what_is_neither_file_nor_folder_is_refused(tmp_path):
    os.mkfifo(tmp_path / "x.yaml")
    with pytest.raises(UserError, match="neither a file nor a folder"):
        check_config_folder(tmp_path)


def test_a_folder_of_anything_is_not_searched_for_ever(tmp_path):
    for number in range(MAX_ENTRIES + 1):
        (tmp_path / f"{number}.txt").touch()
    with pytest.raises(UserError, match="more than 1,000 files"):
        check_config_folder(tmp_path)
    with pytest.raises(UserError, match="no such folder"):
        check_config_folder(tmp_path / "nothing")


def test_the_command_line_checks_before_hydra_reads(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "conf", "g/x.yaml", SETS)
    put(tmp_path / "conf", "planner/evil.yaml", "defaults:\n  - default\n  - /g/x\n  - _self_\n")
    assert "x.yaml: sets 'hydra'" in refused(capsys, tmp_path / "conf", "planner=evil")
    for sweep in ("-m", "--multirun"):
        assert "x.yaml: sets 'hydra'" in refused(capsys, tmp_path / "conf", sweep, "planner=evil", "seed=0,1")
    assert os.listdir(tmp_path) == ["conf"]


@pytest.mark.parametrize(
    ("command", "line"),
    [("eval", "output: precious"), ("generate", "output: precious.hdf5"), ("generate", "overwrite: true"),
     ("train", "resume: run"), ("plan", "output: precious")],
)  # fmt: skip
def test_where_to_write_is_not_for_a_configuration_to_say(tmp_path, capsys, monkeypatch, command, line):
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "conf", "extra/evil.yaml", f"# @package _global_\n{line}\n")
    assert main([command, "+extra=evil", "--config-dir", "conf"]) == 2
    assert "is said on the command line alone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: x\nid: canary:maze2d-umaze-v1\nwindow_tokens: 3\n", "env.id must be letters, digits"),
        ("name: ../../x\nid: maze2d-umaze-v1\nwindow_tokens: 3\n", "env.name must be letters, digits"),
        ('name: "\\e]0;x\\a"\nid: maze2d-umaze-v1\nwindow_tokens: 3\n', "env.name must be letters, digits"),
        ('name: "a\\0"\nid: maze2d-umaze-v1\nwindow_tokens: 3\n', "env.name must be letters, digits"),
    ],
)
def test_an_environment_is_a_name_and_no_module(tmp_path, capsys, monkeypatch, text, said):
    put(tmp_path / "conf", "env/evil.yaml", text)
    put(tmp_path, "canary.py", "raise SystemExit('ran')")
    monkeypatch.syspath_prepend(tmp_path)
    line = refused(capsys, tmp_path / "conf", "env=evil")
    assert said in line
    assert line.rstrip("\n").isprintable()


PAYLOADS = {
    "a callback": "callbacks: {evil: {_target_: pathlib.Path.touch, self: CANARY}}",
    "a made callback": "callbacks: {evil: '${oc.create:{_target_:pathlib.Path.touch,self:CANARY}}'}",
    "a launcher": "launcher: {_target_: pathlib.Path.touch, self: CANARY}",
    "a sweeper": "sweeper: {_target_: pathlib.Path.touch, self: CANARY}",
    "a log file": "job_logging: {version: 1, handlers: {x: {class: logging.FileHandler, filename: CANARY}}, "
    "root: {handlers: [x]}}",
    "an environment": "job: {env_set: {DFPLAN_CANARY: CANARY}}",
    "a working folder": "run: {dir: CANARY}\n  job: {chdir: true}",
}


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_would_run_even_if_a_folder_were_not_checked(tmp_path, capsys, monkeypatch, payload):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dfplan.cli.compose.check_config_folder", lambda folder: None)
    canary = tmp_path / "canary"
    put(tmp_path / "conf", "g/x.yaml", "hydra:\n  " + PAYLOADS[payload].replace("CANARY", str(canary)))
    put(tmp_path / "conf", "planner/evil.yaml", "defaults:\n  - default\n  - /g/x@_global_\n  - _self_\n")
    words = ["eval", "env=maze2d-umaze", "n_episodes=1", "agent=waypoints", "--config-dir", "conf", "planner=evil"]
    for more in (["output=one"], ["-m", "seed=0,1"]):
        main([*words, *more])
    assert {each.name for each in tmp_path.iterdir()} <= {"conf", "one", "runs"}
    assert "DFPLAN_CANARY" not in os.environ


def test_names_from_a_configuration_are_shown_and_not_obeyed(tmp_path, capsys):
    text = '# @package _global_\nagents: ["\\e[2J"]\noptions_of: {"\\e[2J": ["seed=1"]}\ndevice: "\\e[31m"\n'
    put(tmp_path, "extra/evil.yaml", text)
    assert main(["bench", "+extra=evil", "--config-dir", str(tmp_path), "--help"]) == 0
    assert "\x1b" not in capsys.readouterr().out
    assert main(["bench", "+extra=evil", "--config-dir", str(tmp_path)]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_text_holds_no_null_character(tmp_path, capsys):
    put(tmp_path, "experiment/evil.yaml", '# @package _global_\nweights: "a\\0b"\nagent: trained\n')
    assert main(["eval", "experiment=evil", "--config-dir", str(tmp_path)]) == 2
    assert "weights must be text" in capsys.readouterr().err
