"""What a plan must keep, through the command line with the bundled weights: kept, or named with status 3."""

import json
import re
import shlex
from pathlib import Path

import pytest

from dfplan.cli.main import main

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "commands.md").read_text()
# (7.0, 9.0) lies in the box: no plan can arrive without entering it.
IMPOSSIBLE = ["planner.guidance.keep_out=[[6,8,8,9.9]]", "planner.guidance.rounds=1", "threads=1"]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def steering_command() -> list[str]:
    """The words of the page's command, as printed."""
    printed = PAGE.split("## Steer a plan")[1].split("```")[1]
    return shlex.split(printed.replace("\\\n", " "))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_the_pages_command_keeps_what_it_asks_for(seed, capsys):
    program, *words = steering_command()
    assert program == "dfplan"
    assert any("keep_out" in word for word in words)
    assert any("waypoints" in word for word in words)
    assert any("max_speed" in word for word in words)
    assert main([*words, f"seed={seed}", "threads=1", f"output=seed {seed}"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"arrives at step \d+; 0% of its points lie in walls", said)
    kept = re.search(
        r"keeps what was asked: least clearance (\S+); way-points passed at steps \d+; top speed (\S+) of", said
    )
    assert kept is not None, said
    assert float(kept[1]) >= 0
    assert float(kept[2]) <= 4.0
    assert Path(f"seed {seed}/plan.png").is_file()


@pytest.mark.slow
def test_the_older_command_with_gradients_is_kept_too(capsys):
    words = "planner.num_levels=10 planner.pyramid_offset=3.5 planner.guidance.lowest_level=0"
    assert main([*steering_command()[1:], *words.split(), "planner.guidance.constraints=3", "threads=1"]) == 0
    assert "keeps what was asked" in capsys.readouterr().out


@pytest.mark.slow
def test_what_cannot_be_kept_is_named_with_status_3(capsys):
    assert main(["plan", *IMPOSSIBLE, "output=plan"]) == 3
    said = capsys.readouterr().out
    assert re.search(r"breaks keep_out: least clearance -|does not arrive", said)
    assert said.rstrip().endswith("plan.png")


@pytest.mark.slow
def test_what_is_driven_is_judged_in_record_and_table(capsys):
    words = ["n_episodes=2", "env=maze2d-umaze", "planner.guidance.max_speed=3", "threads=1", "output=driven"]
    assert main(["eval", *words]) == 0
    record = json.loads(Path("driven/results.json").read_text())
    assert record["constraints"]["kept"] == 2
    assert record["constraints"]["broken"] == {}
    assert 2.0 < record["constraints"]["top_speed"] <= 3.0
    assert "constraints kept" in capsys.readouterr().out


@pytest.mark.slow
def test_a_tree_keeps_what_it_must(capsys):
    words = [*steering_command()[2:], "planner=mctg", "planner.tree.max_nodes=20", "threads=1"]
    assert main(["plan", *words]) == 0
    assert "keeps what was asked" in capsys.readouterr().out


@pytest.mark.slow
def test_objectives_have_names(capsys):
    assert main(["plan", "objective=smoothness", "threads=1", "output=smooth"]) == 0
    assert main(["plan", "objective=smoothly"]) == 2
    said = capsys.readouterr().err
    assert "choose one of reward, distance, time, stay, smoothness, progress, or install its package" in said
    assert "(did you mean 'smoothness'?)" in said
