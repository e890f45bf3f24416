"""Generate, train, resume, evaluate and plan through the command line, with real files at a tiny size."""

import json
import re
from pathlib import Path

import pytest

from dfplan.cli.build import resolve_compiled
from dfplan.cli.commands import train as train_command
from dfplan.cli.main import main
from dfplan.errors import UserError

ENV = "env=maze2d-umaze"
TINY = (
    "model.width=16",
    "model.num_layers=1",
    "training.batch_size=4",
    "training.log_every=1",
    "env.window_tokens=3",
    "training.compiled=false",
    "resynthesis.num_steps=2000",
)
FAST = ("planner.num_candidates=2", "planner.num_levels=2", "planner.horizon=32", "threads=1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("commands")


@pytest.fixture(autouse=True)
def in_the_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DFPLAN_CACHE", str(folder / "cache"))


@pytest.fixture(scope="module")
def dataset(folder):
    path = folder / "umaze.hdf5"
    assert main(["generate", ENV, "num_steps=3000", f"output={path}"]) == 0
    return path


@pytest.fixture(scope="module")
def trained(folder, dataset):
    run = folder / "trained run"  # a space, as people have them
    words = ["train", ENV, f"data={dataset}", f"output={run}", "training.num_steps=2", "threads=1", *TINY]
    assert main(words) == 0
    return run


def last_line(capsys) -> str:
    return capsys.readouterr().out.rstrip().splitlines()[-1]


def test_generate_prints_the_file_and_refuses_to_overwrite_it(dataset, capsys):
    before = dataset.read_bytes()
    assert main(["generate", ENV, "num_steps=3000", f"output={dataset}"]) == 2
    assert "overwrite=true" in capsys.readouterr().err
    assert main(["generate", ENV, "num_steps=100", f"output={dataset.parent}"]) == 2
    assert "is a folder" in capsys.readouterr().err
    assert dataset.read_bytes() == before
    assert main(["generate", ENV, "num_steps=50", "output=other.hdf5"]) == 0
    assert last_line(capsys) == "other.hdf5"
    assert main(["generate", ENV, "num_steps=60", "output=other.hdf5", "overwrite=true"]) == 0


def test_a_training_leaves_weights_and_a_record(trained):
    assert (trained / "model" / "model.safetensors").is_file()
    config = json.loads((trained / "config.json").read_text())
    assert config["config"]["model"]["width"] == 16
    assert config["training"]["num_steps"] == 2
    description = (trained / "model" / "model.json").read_text()
    assert str(trained.parent) not in description  # weights are given away; paths of this machine are nobody's business


def test_a_resumed_run_keeps_its_configuration(trained, capsys):
    record = json.loads((trained / "config.json").read_text())["config"]
    assert "collected_share" not in record["windows"]  # as in runs from before there was that option
    assert main(["train", f"resume={trained}", "training.num_steps=3", "threads=1"]) == 0
    assert last_line(capsys) == str(trained / "model")
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert max(line["step"] for line in lines) == 3
    assert main(["train", f"resume={trained}", "model=rnn"]) == 2
    assert "leave out model" in capsys.readouterr().err
    assert main(["train", f"resume={trained}", "training.batch_size=8"]) == 2
    assert "leave out training.batch_size" in capsys.readouterr().err


def test_the_arithmetic_of_muon_is_measured_once_and_kept(dataset, capsys, monkeypatch):
    monkeypatch.setattr(train_command, "fastest_precision", lambda device: "float32")
    words = ["train", ENV, f"data={dataset}", "output=measured", "training.num_steps=1", "threads=1", *TINY]
    assert main(words) == 0
    monkeypatch.setattr(train_command, "fastest_precision", lambda device: "bfloat16")  # resumed on another machine
    assert main(["train", "resume=measured", "training.num_steps=2", "threads=1"]) == 0
    record = json.loads(Path("measured/config.json").read_text())["config"]
    assert record["training"]["matrix_precision"] == "float32"
    assert main(["train", "resume=measured", "training.matrix_precision=bfloat16"]) == 2
    assert "leave out training.matrix_precision" in capsys.readouterr().err


def test_a_run_from_before_the_precision_was_chosen_goes_on_in_bfloat16(dataset, capsys):
    precision = "training.matrix_precision=bfloat16"
    words = ["train", ENV, f"data={dataset}", "output=before", "training.num_steps=1", "threads=1", precision, *TINY]
    assert main(words) == 0
    record = json.loads(Path("before/config.json").read_text())["config"]
    assert "matrix_precision" not in record["training"]  # as in records of runs that knew no other
    assert main(["train", "resume=before", "training.num_steps=2", "threads=1"]) == 0
    assert json.loads(Path("before/config.json").read_text())["config"] == record


def test_windows_that_are_held_want_ways_that_end_standing(dataset, capsys):
    words = ["train", ENV, f"data={dataset}", "training.num_steps=1", "threads=1", *TINY]
    assert main([*words, "resynthesis.num_steps=0"]) == 2
    assert "windows=collected" in capsys.readouterr().err
    assert main([*words, "resynthesis.shortest_hold=15"]) == 2
    assert "windows.held_steps=16" in capsys.readouterr().err


def test_a_folder_that_is_no_run_cannot_be_resumed(folder, capsys):
    assert main(["train", f"resume={folder / 'nothing'}"]) == 2
    assert "no readable config.json" in capsys.readouterr().err


def test_eval_ends_with_the_path_of_its_results(trained, capsys):
    words = ["eval", ENV, f"weights={trained}", "n_episodes=2", "goal=random", "seed=5", "controller=actions", *FAST]
    assert main([*words, "controller.replan_every=0"]) == 0
    results = Path(last_line(capsys))
    record = json.loads(results.read_text())
    assert record["env"] == "maze2d-umaze"
    assert (record["goal"], record["controller"], record["n_episodes"], record["seed"]) == ("random", "actions", 2, 5)
    assert {"planner", "device", "commit", "metrics", "episodes"} <= set(record)
    assert record["config"]["planner"]["num_levels"] == 2
    assert (results.parent / "rollouts.png").read_bytes().startswith(b"\x89PNG")


def test_bench_ends_with_the_path_of_its_results(trained, capsys):
    options = ["planner.num_candidates=1", "planner.num_levels=1", "planner.horizon=32", f"weights={trained}"]
    words = [f"+options_of.one=[{','.join(options)}]", f"+options_of.other=[{','.join(options)},controller=actions]"]
    sizes = ["n_episodes=2", "n_envs=2", "n_plans=1", "seed=5", "threads=1"]
    assert main(["bench", ENV, "goal=random", "agents=one,other", *words, *sizes]) == 0
    results = Path(last_line(capsys))
    record = json.loads(results.read_text())
    assert (record["env"], record["goal"], record["n_episodes"], record["seed"]) == ("maze2d-umaze", "random", 2, 5)
    one, other = record["agents"]
    assert (one["name"], one["controller"], other["controller"]) == ("one", "shooting", "actions")
    assert one["options"] == options
    assert one["weights"]["training_seed"] == 0
    assert one["num_parameters"] == other["num_parameters"] > 1000
    assert set(one["cost"]) == {"1", "2"}
    assert one["against_first"] is None
    assert other["against_first"]["difference"]["mean"] is not None
    assert (results.parent / "bench.png").read_bytes().startswith(b"\x89PNG")
    assert main(["verify", str(results)]) == 0
    assert "comparison of agents on maze2d-umaze, whole" in capsys.readouterr().out


def test_a_sweep_puts_every_point_into_a_folder_of_its_own(trained, capsys):
    words = ["eval", "-m", ENV, f"weights={trained}", "n_episodes=1", "seed=1,2", *FAST]
    assert main([*words, "controller=actions", "controller.replan_every=0"]) == 0
    found = re.findall(r"^runs/sweeps/\S+/results.json$", capsys.readouterr().out.replace(f"{Path.cwd()}/", ""), re.M)
    assert [Path(each).parent.name for each in found] == ["0", "1"]
    assert [json.loads(Path(each).read_text())["seed"] for each in found] == [1, 2]


def test_weights_of_another_maze_are_spoken_of(trained, capsys):
    words = ["eval", "env=maze2d-open", f"weights={trained}", "n_episodes=1", "controller.replan_every=0", *FAST]
    assert main(words) == 0
    assert "were trained on maze2d-umaze, not on maze2d-open" in capsys.readouterr().err


def test_scores_are_told_even_if_the_picture_cannot_be_written(trained, capsys, monkeypatch):
    def full_disk(*arguments, **options):
        raise UserError("no space left for rollouts.png")

    monkeypatch.setattr("dfplan.domains.maze.pictures.draw_rollouts", full_disk)
    words = ["eval", ENV, f"weights={trained}", "n_episodes=1", "controller.replan_every=0", *FAST]
    assert main(words) == 2
    captured = capsys.readouterr()
    assert json.loads(Path(captured.out.rstrip().splitlines()[-1]).read_text())["n_episodes"] == 1
    assert "no space left for rollouts.png" in captured.err


def test_plan_draws_a_picture(trained, capsys):
    assert main(["plan", ENV, f"weights={trained}", "start=1,1", "goal=3,3", "output=drawn", *FAST]) == 0
    assert last_line(capsys) == "drawn/plan.png"
    assert Path("drawn/plan.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.parametrize("max_nodes", [0, 5])
def test_a_tree_of_plans_is_drawn_and_evaluated(trained, max_nodes, capsys):
    words = [ENV, f"weights={trained}", "planner=mctg", f"planner.tree.max_nodes={max_nodes}", *FAST]
    assert main(["plan", *words, "start=1,1", "goal=3,3", f"output=tree {max_nodes}"]) == 0
    assert last_line(capsys) == f"tree {max_nodes}/plan.png"
    assert Path(f"tree {max_nodes}/tree.png").read_bytes().startswith(b"\x89PNG")
    assert main(["eval", *words, "n_episodes=1", "controller.replan_every=0", f"output=evaluated {max_nodes}"]) == 0
    record = json.loads(Path(f"evaluated {max_nodes}/results.json").read_text())
    assert record["config"]["planner"]["search"] == "tree"


def test_a_tree_without_an_end_is_refused(trained, capsys):
    words = ["planner=mctg", "planner.tree.max_nodes=null"]
    assert main(["plan", ENV, f"weights={trained}", *words]) == 2
    assert "give tree.max_nodes, tree.max_evaluations or budget_ms" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["start=2,1"], "start=2,1 lies in a wall or outside the maze; the nearest free point is start=2.4,1"),
        (["goal=99,99"], "nearest free point is goal=3.2,3.2"),
    ],
)
def test_a_position_in_a_wall_is_refused_with_the_nearest_free_one(trained, words, expected, capsys):
    assert main(["plan", ENV, f"weights={trained}", *words]) == 2
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["eval", "weights=nowhere"], "no such folder"),
        (["eval", "env=maze2d-open"], "no weights for maze2d-open come with dfplan"),
        (["eval", "env=maze2d-open", "weights=bundled-rnn"], "no weights for maze2d-open-rnn come with dfplan"),
        (["eval", "device=quantum"], "device must be auto, cpu"),
        (["eval", "device=cuda:99"], "use device=cpu"),
        (["train", "data=nowhere.hdf5"], "nowhere.hdf5"),
        (["train", "data=elsewhere"], "no data set at elsewhere"),
    ],
)
def test_what_does_not_exist_is_one_line(words, expected, capsys):
    assert main(words) == 2
    captured = capsys.readouterr().err
    assert expected in captured
    assert captured.count("\n") == 1


def test_damaged_weights_are_one_line(trained, tmp_path, capsys):
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "model.json").write_bytes((trained / "model" / "model.json").read_bytes())
    content = bytearray((trained / "model" / "model.safetensors").read_bytes())
    content[-5] ^= 1
    (damaged / "model.safetensors").write_bytes(content)
    assert main(["eval", ENV, f"weights={damaged}"]) == 2
    captured = capsys.readouterr().err
    assert captured.count("\n") == 1
    assert "model.safetensors" in captured


def test_a_chosen_output_folder_with_results_is_not_touched(trained, tmp_path, capsys):
    kept = tmp_path / "results.json"
    kept.write_text("earlier")
    assert main(["eval", ENV, f"weights={trained}", "n_episodes=1", f"output={tmp_path}", *FAST]) == 2
    assert "already exists" in capsys.readouterr().err
    assert kept.read_text() == "earlier"


def test_training_is_compiled_where_there_is_a_compiler(tmp_path, monkeypatch):
    said = []
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert resolve_compiled(None, say=said.append) is False
    assert "without torch.compile" in said[0]
    with pytest.raises(UserError, match=r"training\.compiled=false"):
        resolve_compiled(True, say=said.append)
    (tmp_path / "g++").touch(mode=0o755)
    assert resolve_compiled(None, say=said.append) is True
    assert resolve_compiled(False, say=said.append) is False
