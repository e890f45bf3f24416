"""The command on a page leads to the configuration of the record again, whatever it was begun with."""

import shlex

import pytest

from dfplan.cli.arguments import read_words
from dfplan.cli.compose import compose_options, plain, reading, to_schema
from dfplan.cli.report.command import NOT_SAME, command_of


def configured(command: str, words: list[str]) -> dict:
    with reading(None, command):
        return plain(to_schema(command, compose_options(command, read_words(command, words).options)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        ("eval", [], "dfplan eval env=maze2d-large"),
        ("eval", ["env=maze2d-umaze", "planner=mctg", "seed=7"], "dfplan eval env=maze2d-umaze planner=mctg seed=7"),
        ("eval", ["planner=fast", "planner.num_candidates=3", "controller=actions"], None),
        ("eval", ["planner.guidance.waypoints=7,1", "planner.guidance.keep_out=[[2,3.7,0.4]]"], None),
        ("eval", ["weights=it's a folder, with ${commas}", "controller.replan_when=0.5"], None),
        ("eval", ["env=Pendulum-v1", "n_episodes=4"], "dfplan eval env=Pendulum-v1 n_episodes=4"),
        ("eval", ["env=tmaze", "planner.horizon=16"], None),
        ("eval", ["experiment=maze2d-medium-actions"], None),
        ("bench", ["agents=default,fast,grid"], "dfplan bench env=maze2d-large agents=default,fast,grid"),
        ("bench", ["+options_of.mine=[planner.num_candidates=4,controller=actions]", "agents=default,mine"], None),
    ],
)
def test_the_command_leads_to_the_same_configuration(command, words, said):
    config = configured(command, [*words, "output=elsewhere", "report=false"])
    found, note = command_of(command, config)
    assert note == ""
    assert said is None or found == said
    again = configured(command, shlex.split(found)[2:])
    nothing = {"output": None, "report": None}
    assert {**again, **nothing} == {**config, **nothing}


@pytest.mark.slow
def test_it_is_said_while_other_configurations_are_read_which_go_on(tmp_path):
    (tmp_path / "planner").mkdir()
    (tmp_path / "planner" / "mine.yaml").write_text("num_candidates: 3\n")
    config = configured("eval", ["planner.num_candidates=5"])
    with reading(tmp_path, "eval"):
        assert command_of("eval", config) == ("dfplan eval env=maze2d-large planner.num_candidates=5", "")
        assert compose_options("eval", ["planner=mine"]).planner.num_candidates == 3


def test_a_configuration_of_other_times_is_said_to_be_one():
    found, note = command_of("eval", {"env": {"name": "maze2d-large", "id": "maze2d-large-v1"}, "gone": 3})
    assert found.startswith("dfplan eval")
    assert note.startswith(NOT_SAME)
    assert command_of("eval", {})[1].startswith(NOT_SAME)
