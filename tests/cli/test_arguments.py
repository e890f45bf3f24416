"""Words after the command: flags are told from options, texts stay as typed, what Hydra would misread is rewritten."""

import pytest

from dfplan.cli.arguments import for_hydra, read_words, split_options
from dfplan.cli.compose import compose_options, reading, to_schema
from dfplan.cli.schema import flatten, schema_of, text_options
from dfplan.cli.sweep import alternatives, combinations
from dfplan.errors import UserError
from dfplan.ranges import closest


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("start=1,1", "start=[1,1]"),
        ("start=1.5,-2e0", "start=[1.5,-2e0]"),
        ("start=(7, 9)", "start=[7,9]"),
        ("goal=[7,9]", "goal=[7,9]"),
        ("goal=1.3, 0.7,0.5", "goal=[1.3,0.7,0.5]"),
        ("goal=null", "goal=null"),
        ("planner.pyramid_offset=2", "planner.pyramid_offset=2"),
        ("planner.guidance.waypoints=7,1", "planner.guidance.waypoints=[[7,1]]"),
        ("planner.guidance.waypoints=[7,1]", "planner.guidance.waypoints=[[7,1]]"),
        ("planner.guidance.waypoints=[[7,1],[5,4]]", "planner.guidance.waypoints=[[7,1],[5,4]]"),
        ("planner.guidance.keep_out=4,5,0.8", "planner.guidance.keep_out=[[4,5,0.8]]"),
        ("planner.guidance.keep_in=null", "planner.guidance.keep_in=null"),
        ("agents=default,fast", "agents=[default,fast]"),
        ("agents=fast", "agents=[fast]"),
        ("agents=[fast]", "agents=[fast]"),
    ],
)
def test_words_are_rewritten_for_hydra(word, expected):
    assert for_hydra("plan", word) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("[planner=fast]", ["planner=fast"]),
        ("planner=fast,controller=actions", ["planner=fast", "controller=actions"]),
        ("[a=[[1,2],[3,4]],b=1]", ["a=[[1,2],[3,4]]", "b=1"]),
        ("['planner=fast']", ["planner=fast"]),
        ('["weights=a, b]",seed=1]', ["weights=a, b]", "seed=1"]),
        ("[weights=it's,seed=1]", ["weights=it's", "seed=1"]),
        ("[]", []),
    ],
)
def test_options_of_an_agent_are_split_at_commas(value, expected):
    assert split_options(value) == expected


PATHS = [
    "a b", "a=b", "a%b", "a@b", "a#1", "a,b", "[a]", "{a}", "a'b", 'a"b', "'x'", "a\\b", "C:\\runs\\a", "a\\", "\\'",
    "ü/日本", "~/x", "../x", "a&b;c*d?e!f", "${oc.env:HOME}", "\\${a}", "$a", "007", "1e3", "1_000", "0x10", "10.20",
    "-5", "2026-11-28", "true", "null", "nan", "off", "12:30", "a\tb", "a\nb", " a ", "choice(a,b)", "glob(*)",
    "???", "a/???", "????",
]  # fmt: skip
TEXTS = {
    "eval": ("output", "weights", "tokenizer", "controller.inverse", "planner.guidance.distance_field"),
    "plan": ("output", "weights"),
    "bench": ("output",),
    "generate": ("policy", "output"),
    "export": ("output", "weights"),
    "train": ("output", "data", "resume"),
}


def arrived(command, *words):
    """The configuration that a command is given."""
    with reading(None):
        return to_schema(command, compose_options(command, words))


def value_of(config, key):
    for name in key.split("."):
        config = getattr(config, name)
    return config


@pytest.mark.parametrize("first", range(len(TEXTS["eval"])))
def test_a_path_arrives_as_typed(first):
    paths = PATHS[first :: len(TEXTS["eval"])]
    for turn in range(0, len(paths), len(TEXTS["eval"])):
        said = dict(zip(TEXTS["eval"], paths[turn:], strict=False))
        config = arrived("eval", *(f"{key}={path}" for key, path in said.items()))
        assert {key: value_of(config, key) for key in said} == said


@pytest.mark.parametrize("path", ["C:\\runs (1)\\ü, 'x' ${oc.env:HOME}", "007", "null", "???"])
@pytest.mark.parametrize("command", TEXTS)
def test_a_path_arrives_as_typed_in_every_option_of_every_command(command, path):
    config = arrived(command, *(f"{key}={path}" for key in TEXTS[command]))
    assert {value_of(config, key) for key in TEXTS[command]} == {path}


@pytest.mark.parametrize(
    ("task", "key"),
    [
        ("lora", "task.base"),
        ("aligned-forcing", "task.encoder"),
        ("pixel-forcing", "frames.tokenizer"),
    ],
)
def test_a_path_of_a_task_arrives_as_typed(task, key):
    path = "C:\\runs (1)\\ü, 'x' ${oc.env:HOME}"
    assert value_of(arrived("train", f"task={task}", f"{key}={path}"), key) == path


def test_a_path_among_the_options_of_an_agent_arrives_as_typed():
    for path in ("007", "C:\\runs\\a b (1) ü", "${oc.env:HOME}"):
        config = arrived("bench", f"+options_of.mine=[weights={path},seed=1]", "agents=mine")
        assert config.options_of["mine"] == [f"weights={path}", "seed=1"]


def test_every_option_that_is_text_is_known():
    assert {"weights", "output", "planner.guidance.distance_field", "env.id"} <= text_options("eval")
    for task in ("lora", "pixel-forcing"):
        schema = schema_of("train", {"task": task})
        assert {name for name, each in flatten(schema) if each.type is str} <= text_options("train")


@pytest.mark.parametrize("word", ["start=1,", "start=1,a", "start=,1", "start=", "goal=random"])
def test_a_place_is_numbers(word):
    with pytest.raises(UserError, match="must be numbers"):
        for_hydra("plan", word)


def test_the_goal_of_an_evaluation_is_a_word():
    assert arrived("eval", "goal=random").goal == "random"


@pytest.mark.parametrize("words", [["foo"], ["--foo"], ["-x"], ["--config-dir"]])
def test_what_is_no_option_is_refused(words):
    with pytest.raises(UserError, match=r"expected key=value|unknown flag|needs a value"):
        read_words("eval", words)


@pytest.mark.parametrize(
    "word",
    [
        "hydra.job.env_set.PATH=/tmp", "+hydra.callbacks.x._target_=os.system", "~hydra.job", "++hydra.run.dir=x",
        "hydra/job_logging=x", "HYDRA.searchpath=[x]", "planner@hydra.callbacks=x", "+planner@x=fast",
        "planner/x=fast", "a b=1", "=1",
    ],
)  # fmt: skip
def test_settings_of_hydra_are_no_options(word):
    with pytest.raises(UserError, match=r"setting of Hydra|an option is a name"):
        read_words("eval", [word])


@pytest.mark.parametrize("word", ["planner=../../evil", "experiment=/../x", "+x=[../y]"])
def test_no_choice_leads_out_of_the_configurations(word):
    with pytest.raises(UserError, match="must be a value or the name of a choice"):
        for_hydra("eval", word)


@pytest.mark.parametrize("flag", ["--config-path=x", "--config-name=x", "-cd", "--config-di", "--info", "--run"])
def test_other_flags_of_hydra_are_unknown(flag):
    with pytest.raises(UserError, match="unknown flag"):
        read_words("eval", [flag, "x"])


def test_flags_may_stand_anywhere():
    said = read_words("eval", ["seed=1", "--config-dir", "a b", "-m", "--cfg=job", "output=--help"])
    assert said.options == ["seed=1", "output=--help"]
    assert (str(said.config_folder), said.sweep, said.help, said.show) == ("a b", True, False, True)


@pytest.mark.parametrize(
    ("command", "option", "expected"),
    [
        ("eval", "weights=007,a b,ü", ["weights=007,a b,ü"]),
        ("eval", "goal=random,detour", ["goal=random", "goal=detour"]),
        ("eval", "weights=choice(a)", ["weights=choice(a)"]),
        ("eval", "seed=0,1", ["seed=0", "seed=1"]),
        ("eval", "seed=range(2)", ["seed=0", "seed=1"]),
        ("eval", "planner=fast,default", ["planner=fast", "planner=default"]),
        ("eval", "seed=3", ["seed=3"]),
        ("plan", "start=1,1", ["start=1,1"]),
        ("plan", "start=[1,1],[2,2]", ["start=[1,1]", "start=[2,2]"]),
        ("bench", "agents=default,fast", ["agents=default,fast"]),
    ],
)
def test_an_option_of_a_sweep_stands_for_several(command, option, expected):
    assert alternatives(command, option) == expected


def test_paths_of_a_sweep_are_said_one_after_the_other():
    found = combinations("eval", ["weights=a,b", "seed=0,1", "weights=c d", "tokenizer=x,y"])
    assert [" | ".join(each) for each in found] == [
        "weights=a,b | seed=0 | tokenizer=x,y",
        "weights=a,b | seed=1 | tokenizer=x,y",
        "weights=c d | seed=0 | tokenizer=x,y",
        "weights=c d | seed=1 | tokenizer=x,y",
    ]


def test_closest():
    assert closest("evla", ["eval", "plan"]) == " (did you mean 'eval'?)"
    assert closest("zzz", ["eval", "plan"]) == ""
