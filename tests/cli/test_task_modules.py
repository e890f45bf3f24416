"""Tasks are found among those that come with dfplan, by names that no file and no command line can add to."""

import subprocess
import sys
from dataclasses import fields

import pytest

from dfplan.cli.folders import group_choices
from dfplan.cli.main import main
from dfplan.cli.schema import flatten, train_schema
from dfplan.cli.task_modules import find_task, is_group
from dfplan.errors import UserError

TASKS = group_choices("task")


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_a_module_with_settings_and_build(name):
    module = find_task(name)
    assert callable(module.build)
    options = {name for name, _ in flatten(train_schema(name))}
    for each in fields(module.Settings):
        assert (each.name if is_group(each) else f"task.{each.name}") in options
        assert each.name not in ("name", "task")


@pytest.mark.parametrize("name", ["os", "groups", "inputs", "..cli.main", "forcing.Settings", "", "antigravity"])
def test_no_other_module_can_be_had(name):
    before = set(sys.modules)
    with pytest.raises(UserError, match=r"choose .*forcing"):
        find_task(name)
    assert set(sys.modules) == before


def test_a_foreign_config_can_choose_a_task_but_not_bring_one(tmp_path, capsys, monkeypatch):
    (tmp_path / "task").mkdir()
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')")
    (tmp_path / "task" / "mine.yaml").write_text("name: evil\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["train", "--config-dir", str(tmp_path), "task=mine"]) == 2
    assert "unknown task 'evil'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["task=forcin"], "unknown task 'forcin' (did you mean 'forcing'?)"),
        (["task=null"], "task must be chosen"),
        (["task.widht=3"], "no option 'task.widht'"),
        (["task=diffuser", "diffusion.schedule=cosine"], "no option 'diffusion.schedule'"),
        (["task.name=diffusor"], "unknown task 'diffusor'"),
        (["model=diffuser", "data=none"], "give task=diffuser"),
        (["data=none"], "give a data set"),
    ],
)
def test_a_mistake_is_one_line(words, expected, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "training.compiled=false", *words]) == 2
    captured = capsys.readouterr().err
    assert expected in captured
    assert captured.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_help_lists_the_options_of_the_task(capsys):
    assert main(["train", "task=diffuser", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "model.horizon=384" in shown
    assert "training.learning_rate=0.0002" in shown
    assert "diffusion." not in shown


def test_help_loads_neither_torch_nor_numpy():
    program = (
        "import sys; from dfplan.cli.main import main; main(['train', '--help']); "
        "print(bool({'torch', 'numpy'} & sys.modules.keys()))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.rstrip().endswith("False")
