"""Words after the command: what Hydra would misread is rewritten or refused."""

import pytest

from dfplan.cli.arguments import closest, prepare
from dfplan.errors import UserError


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("start=1,1", "start=[1,1]"),
        ("start=1.5,-2e0", "start=[1.5,-2e0]"),
        ("start=(7, 9)", "start=[7,9]"),
        ("goal=[7,9]", "goal=[7,9]"),
        ("goal=null", "goal=null"),
        ("weights=runs/a-b/model_1", "weights=runs/a-b/model_1"),
        ("weights=my runs (old)/x", "weights='my runs (old)/x'"),
        ("weights=it's", "weights='it\\'s'"),
        ("weights='quoted'", "weights='quoted'"),
        ("planner.slope=2", "planner.slope=2"),
        ("planner.guidance.waypoints=7,1", "planner.guidance.waypoints=[[7,1]]"),
        ("planner.guidance.waypoints=[7,1]", "planner.guidance.waypoints=[[7,1]]"),
        ("planner.guidance.waypoints=[[7,1],[5,4]]", "planner.guidance.waypoints=[[7,1],[5,4]]"),
        ("planner.guidance.keep_out=4,5,0.8", "planner.guidance.keep_out=[[4,5,0.8]]"),
        ("planner.guidance.keep_in=null", "planner.guidance.keep_in=null"),
        ("planner.guidance.distance_field=my map.npz", "planner.guidance.distance_field='my map.npz'"),
    ],
)
def test_words_are_rewritten_for_hydra(word, expected):
    assert prepare("plan", [word]) == [expected]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("agents=default,fast", "agents=[default,fast]"),
        ("agents=fast", "agents=[fast]"),
        ("agents=[fast]", "agents=[fast]"),
        ("+options_of.a=[planner=fast]", "+options_of.a=['planner=fast']"),
        ("options_of.a=planner=fast,controller=actions", "options_of.a=['planner=fast','controller=actions']"),
        ("options_of.a=[a=[[1,2],[3,4]],b=1]", "options_of.a=['a=[[1,2],[3,4]]','b=1']"),
        ("options_of.a=['planner=fast']", "options_of.a=['planner=fast']"),
        ("options_of.a=[]", "options_of.a=[]"),
    ],
)
def test_names_and_options_of_agents_are_written_as_they_come(word, expected):
    assert prepare("bench", [word]) == [expected]


@pytest.mark.parametrize("word", ["start=1", "start=1,", "start=1,a", "goal=1,2,3", "start=", "goal=random"])
def test_a_position_is_two_numbers(word):
    with pytest.raises(UserError, match="must be two numbers"):
        prepare("plan", [word])


def test_the_goal_of_an_evaluation_is_a_word():
    assert prepare("eval", ["goal=random"]) == ["goal=random"]


@pytest.mark.parametrize("words", [["foo"], ["--foo"], ["-x"], ["--config-dir"]])
def test_what_is_no_option_is_refused(words):
    with pytest.raises(UserError, match=r"expected key=value|unknown flag|needs a value"):
        prepare("eval", words)


def test_a_sweep_over_paths_stays_a_sweep():
    assert prepare("eval", ["-m", "weights=a,b"]) == ["-m", "weights=a,b"]


def test_closest():
    assert closest("evla", ["eval", "plan"]) == " (did you mean 'eval'?)"
    assert closest("zzz", ["eval", "plan"]) == ""
