"""The command line from outside: help, exit status, and one readable line for every mistake."""

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dfplan import __version__
from dfplan.cli.compose import compose_options, reading
from dfplan.cli.folders import group_choices
from dfplan.cli.main import COMMANDS, HELP, main
from dfplan.cli.schema import SCHEMAS, flatten
from dfplan.domains.maze.environment import load_maze
from dfplan.errors import UserError


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DFPLAN_CACHE", str(tmp_path / "cache"))


def line_of_mistake(capsys, *words: str) -> str:
    """Run, expect exit status 2 and exactly one line on stderr, nothing on stdout; return the line."""
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("dfplan: error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def is_maze(env: str) -> bool:
    """Whether the environment of a config is one of those with a goal."""
    with reading(None):
        composed = compose_options("generate", [f"env={env}"])
    try:
        load_maze(composed.env.id)
    except UserError:
        return False
    return True


def test_help_names_every_command(capsys):
    assert main([]) == 0
    assert main(["--help"]) == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", HELP, re.MULTILINE)
    assert HELP in capsys.readouterr().out


def test_help_with_a_command_is_the_help_of_that_command(capsys):
    assert main(["verify", "--help"]) == 0
    asked = capsys.readouterr().out
    assert main(["help", "verify"]) == 0
    assert capsys.readouterr().out == asked != HELP


def test_python_dash_m_is_the_command():
    answer = subprocess.run([sys.executable, "-m", "dfplan", "--version"], capture_output=True, text=True, check=True)
    assert __version__ in answer.stdout


def test_version(capsys):
    assert main(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize("command", SCHEMAS)
def test_the_help_of_a_command_lists_every_option_with_its_value(command, capsys):
    assert main([command, "--help", "env=maze2d-umaze"]) == 0
    shown = capsys.readouterr().out
    for name, _ in flatten(SCHEMAS[command]):
        if "." not in name:
            assert re.search(rf"^  {name}=\S+\s+\S", shown, re.MULTILINE), name
    assert "env.id=maze2d-umaze-v1" in shown
    assert max(len(line) for line in shown.splitlines()) <= 118


@pytest.mark.parametrize("command", [command for command in SCHEMAS if command != "train"])
def test_no_environment_is_offered_that_a_command_refuses(command, capsys):
    assert main([command, "--help"]) == 0
    offered = re.search(r"^  env=.*?(?=^  \w|\Z|\n\n)", capsys.readouterr().out, re.MULTILINE | re.DOTALL)
    assert offered
    for env in group_choices("env"):
        if env == "none":
            assert (f" {env} " in f" {' '.join(offered[0].split())} ") is (command == "forecast")
            if command != "forecast":
                assert "nobody acts on" in line_of_mistake(capsys, command, f"env={env}")
            continue
        taken = (
            command != "generate"
            or env in ("closed-door", "swap", "pixel-swap", "discs", "pixel-discs")
            or is_maze(env)
        )
        assert (f" {env} " in f" {' '.join(offered[0].split())} ") is taken, env
        if not taken:
            assert "`dfplan train task=memory`" in line_of_mistake(capsys, command, f"env={env}")
            assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["evla"], "did you mean 'eval'"),
        (["eval", "env=maze2d-larg"], "did you mean 'maze2d-large'"),
        (["eval", "env=null"], "env must be chosen"),
        (["eval", "n_episode=3"], "did you mean 'n_episodes'"),
        (["eval", "replan_every=3"], "did you mean 'controller.replan_every'"),
        (["eval", "+x=1"], "has no option 'x'"),
        (["eval", "n_episodes=many"], "must be a whole number; got 'many'"),
        (["eval", "n_episodes=0"], "at least 1; got 0"),
        (["eval", "n_episodes=1.5"], "must be a whole number"),
        (["eval", "n_episodes=null"], "got null"),
        (["eval", "env=tmaze"], "`dfplan train task=memory env=tmaze`"),
        (["eval", "env=closed-door"], "`dfplan train recipe=history env=closed-door`"),
        (["eval", "env=maze2d-eval-large"], "`dfplan train env=maze2d-eval-large`"),
        (["eval", "env=Pendulum-v1"], "`dfplan train env=Pendulum-v1 data=<a data set of it>`"),
        (["eval", "seed=-1"], "at least 0"),
        (["eval", "goal=everywhere"], "must be one of fixed, random"),
        (["eval", "planner.pyramid_offset=nan"], "finite number; got nan"),
        (["eval", "planner.pyramid_offset=inf"], "finite number; got inf"),
        (["eval", "seed=1,2"], "with -m"),
        (["eval", "n_episodes=[1"], "cannot read the option"),
        (["eval", "experiment=nothing"], "unknown experiment"),
        (["eval", "seed"], "expected key=value"),
        (["eval", "--seed"], "unknown flag"),
        (["bench", "agents=defalt"], "did you mean 'default'"),
        (["bench", "agents=fast,fast"], "'fast' twice"),
        (["bench", "agents=[]"], "one or more words"),
        (["bench", "agents=a", "+options_of.a=[planer=fast]"], "options_of.a: dfplan eval has no option 'planer'"),
        (
            ["bench", "agents=a", "+options_of.a=[planner.pyramid_offset=-1]"],
            "options_of.a: planner.pyramid_offset must be at least 0",
        ),
        (["bench", "agents=a", "+options_of.a=[env=maze2d-umaze]"], "env is the same for all agents"),
        (["bench", "agents=a", "+options_of.a=[experiment=x]"], "experiment is the same for all agents"),
        (["bench", "agents=a", "+options_of.a=[view=mujoco]"], "view is of `dfplan eval` alone"),
        (["bench", "timing_seconds=0"], "above 0"),
        (["train", "training.learning_rate=0"], "above 0"),
        (["train", "training.learning_rate=nan"], "finite"),
        (["train", "model=perceptron"], "choose chunks, diffuser, far, rnn, small, transformer"),
        (["plan", "start=1"], "start must be 2 numbers, for instance start=1,1; got [1.0]"),
        (["plan", "start=[1,2,3]"], "start must be 2 numbers"),
        (["plan", "goal=[nan,1]"], "finite numbers"),
        (["plan", "goal=[a,b]"], "goal must be a list in brackets, such as [1,2] or [[1,2,3]] or null; got 'a'"),
        (["plan", "planner.guidance.keep_out=abc"], "keep_out must be a list in brackets, such as [1,2] or"),
        (["plan", "planner.horizon=1.5"], "planner.horizon must be a whole number or null; got 1.5"),
        (["plan", "threads=100000"], "threads must be at most 1024"),
        (["plan", "planner=3"], "planner must be chosen; got 'planner=3'"),
        (["plan", "env=Pendulum-v1", "goal=1,2"], "has 2 numbers, and a goal of Pendulum-v1 has 0: leave it out"),
        (["plan", "env=Pendulum-v1", "start=1,2"], "begins as it likes"),
        (["generate", "overwrite=perhaps"], "true or false"),
        (["info", "env=x"], "no options but --json"),
        (["completion", "powershell"], "bash or zsh"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing_behind(words, expected, capsys):
    assert expected in line_of_mistake(capsys, *words)
    assert list(Path().iterdir()) == []


def test_info_is_what_one_pastes_into_a_bug_report(capsys):
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    assert main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert {"dfplan", "torch", "commit", "cpu", "gpu", "threads", "weights", "configs", "cache"} <= set(facts)
    assert facts["cache"].startswith(str(Path("cache").absolute()))
    for value in facts.values():
        assert str(value) in text


def test_an_interruption_is_short(monkeypatch, capsys):
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("dfplan.cli.compose.run", interrupted)
    assert main(["eval"]) == 130
    assert capsys.readouterr().err == "dfplan: interrupted\n"


def test_hydra_prints_the_configuration(capsys):
    assert main(["eval", "--cfg", "job", "n_episodes=7"]) == 0
    assert "n_episodes: 7" in capsys.readouterr().out
    assert list(Path().iterdir()) == []


def complete(line: str) -> list[str]:
    """What bash offers for a line after which the user presses the tabulator key."""
    program = f"""
    dfplan() {{ {sys.executable} -m dfplan.cli.main "$@"; }}
    eval "$(dfplan completion bash)"
    COMP_LINE={line!r}; COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=($COMP_LINE)
    [ "${{COMP_LINE: -1}}" = " " ] && COMP_WORDS+=("")
    COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
    _dfplan_complete; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    answer = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    assert answer.stderr == ""
    return answer.stdout.split()


@pytest.mark.slow
def test_tab_completion_in_bash():
    assert complete("dfplan ev") == ["eval", "evolve"]
    assert complete("dfplan ") == list(COMMANDS)
    assert "env=maze2d-large" in complete("dfplan eval env=maze2d-la")
    assert "n_episodes=" in complete("dfplan eval env=maze2d-umaze n_")
    assert "model=rnn" in complete("dfplan train model=")
    assert "controller.replan_every=" in complete("dfplan eval controller.")


def test_a_full_disk_is_one_line(monkeypatch, capsys):
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "results.json")

    monkeypatch.setattr("dfplan.cli.compose.run", full)
    assert "no space left on the disk for results.json" in line_of_mistake(capsys, "eval")


@pytest.mark.parametrize(("given", "expected"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_threads_wait_without_taking_the_processor_from_others(given, expected):
    program = (
        "import os, sys; from dfplan.cli.main import main; main(['--version']); "
        "print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"} | given
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert found.stdout.split()[-2:] == [expected, "False"]  # said before torch is there to read it
