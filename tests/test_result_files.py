"""Result files: added and never edited, of a commit that everybody can check out, of weights that a checksum names."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
# Not of one date: the record of the training of each bundled model, which changes with the model.
OF_BUNDLED_WEIGHTS = "benchmarks/training"
FILES = sorted(
    str(path.relative_to(ROOT))
    for path in ROOT.glob("benchmarks/*/results/**/*.json")
    if not path.is_relative_to(ROOT / OF_BUNDLED_WEIGHTS)
)
RULE_SINCE = "f477c3b796d3c401b06952203668e0755eae7cc0"  # files were edited before
WITHOUT_WEIGHTS = {
    "data_statistics",
    "env_speed",
    "faults",
    "mutation",
    "reading",
    "redesign",
    "training_speed",
}  # benchmarks that use none, or those that the commits in their records bundle
WITHOUT_WEIGHTS_THEMSELVES = {"bound", "oracle", "waypoints"}  # what is scored and has none

# From before the rules. Nothing may be added here.
OLD_AND_DIRTY = {
    "benchmarks/forward_speed/results/2026-11-25-2059.json",
    "benchmarks/futures/results/2026-11-25-2045.json",
    "benchmarks/horizon_cost/results/2026-11-25-2058.json",
    "benchmarks/maze_scores/results/2026-11-22_maze2d-large-actions_seed2.json",
    "benchmarks/maze_scores/results/2026-11-22_multi2d-large-actions_seed2.json",
    "benchmarks/pixel_maze/results/2026-11-25-2349.json",
    "benchmarks/realtime/results/2026-11-25-2032_score.json",
    "benchmarks/repa/results/2026-11-26-0053.json",
    "benchmarks/side_by_side/results/2026-11-25-2047_maze2d-large-fixed.json",
    "benchmarks/side_by_side/results/2026-11-25-2047_maze2d-large-random.json",
    "benchmarks/side_by_side/results/2026-11-25-2047_maze2d-medium-fixed.json",
    "benchmarks/side_by_side/results/2026-11-25-2047_maze2d-medium-random.json",
    "benchmarks/side_by_side/results/2026-11-25-2047_maze2d-umaze-fixed.json",
    "benchmarks/side_by_side/results/2026-11-25-2047_maze2d-umaze-random.json",
}
OLD_AND_OF_UNNAMED_WEIGHTS = {
    "benchmarks/forward_speed/results/2026-11-25-2059.json",
    "benchmarks/forward_speed/results/2026-11-25-2354.json",
    "benchmarks/horizon_cost/results/2026-11-25-2058.json",
    "benchmarks/image_ddpm/results/2026-11-25-2318_3000-steps_seed0.json",
    "benchmarks/image_ddpm/results/2026-11-25-2321_3000-steps_seed1.json",
    "benchmarks/image_ddpm/results/2026-11-25-2325_3000-steps_seed2.json",
    "benchmarks/maze_scores/results/2026-11-22_maze2d-large-rnn-pursuit.json",
    "benchmarks/maze_scores/results/2026-11-22_maze2d-umaze-actions.json",
    "benchmarks/maze_scores/results/2026-11-22_maze2d-umaze-pursuit.json",
    "benchmarks/maze_scores/results/2026-11-22_multi2d-large-rnn-pursuit.json",
    "benchmarks/maze_scores/results/2026-11-22_multi2d-umaze-actions.json",
    "benchmarks/maze_scores/results/2026-11-22_multi2d-umaze-pursuit.json",
    "benchmarks/memory/results/2026-11-25-2339_tmaze.json",
    "benchmarks/memory/results/2026-11-26-0012_pixel-tmaze.json",
    "benchmarks/memory/results/2026-11-26-0254_pixel-tmaze.json",
    "benchmarks/memory/results/2026-11-26-0345_tmaze.json",
    "benchmarks/realtime/results/2026-11-25-1941_score.json",
    "benchmarks/realtime/results/2026-11-25-1948_soak.json",
    "benchmarks/realtime/results/2026-11-25-2008_slowed-faults.json",
    "benchmarks/realtime/results/2026-11-25-2010_score.json",
    "benchmarks/realtime/results/2026-11-25-2013_observations.json",
    "benchmarks/realtime/results/2026-11-25-2025_faults.json",
    "benchmarks/realtime/results/2026-11-25-2026_score.json",
    "benchmarks/realtime/results/2026-11-25-2032_score.json",
    "benchmarks/realtime/results/2026-11-25-2033_observations.json",
    "benchmarks/realtime/results/2026-11-25-2039_score.json",
    "benchmarks/realtime/results/2026-11-25-2210_score.json",
    "benchmarks/realtime/results/2026-11-26-0506_soak.json",
    "benchmarks/realtime/results/2026-11-26-0524_slowed-faults.json",
    "benchmarks/repa/results/2026-11-26-0001.json",
    "benchmarks/repa/results/2026-11-26-0053.json",
    "benchmarks/repa/results/2026-11-26-0311.json",
    "benchmarks/robustness/results/2026-11-25-2342.json",
    "benchmarks/tokenizers/results/2026-11-25-2350.json",
    "benchmarks/tokenizers/results/2026-11-26-0048.json",
    "benchmarks/visual_shift/results/2026-11-26-0313.json",
    "benchmarks/visual_shift/results/2026-11-26-0554.json",
}
NOT_OF_WEIGHTS = {
    ("dataset", "sha256"),
    ("dataset", "content"),
    ("", "record_sha256"),
}  # checksums, and in what part of a record


def git(*arguments: str) -> str:
    command = ["git", "-c", "safe.directory=*", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def checksums(value: Any, *, of: str = "") -> Iterator[str]:
    """Every SHA-256 in a record, but those of the data and of the record itself."""
    match value:
        case dict():
            for name, each in value.items():
                if isinstance(each, str) and name.endswith("sha256") and (of, name) not in NOT_OF_WEIGHTS:
                    yield each
                yield from checksums(each, of=name)
        case list():
            for each in value:
                yield from checksums(each, of=of)


@pytest.mark.parametrize("name", FILES)
def test_a_result_is_of_a_clean_commit(name):
    commit = json.loads((ROOT / name).read_text())["commit"]
    assert len(commit.removesuffix("-dirty")) == 40
    assert not commit.endswith("-dirty") or name in OLD_AND_DIRTY, "measure again from a clean commit"


def test_a_commit_of_a_result_can_be_checked_out_or_the_log_says_which_took_its_place():
    try:
        known = set(git("rev-list", "HEAD").split())
        is_whole = git("rev-parse", "--is-shallow-repository").strip() == "false"
    except subprocess.CalledProcessError:
        is_whole = False
    if not is_whole:
        pytest.skip("no whole history of this folder")
    told = (ROOT / "docs" / "log" / "2026" / "mazes.md").read_text().partition("Which commits do the result files")[2]
    commits = {name: json.loads((ROOT / name).read_text())["commit"].removesuffix("-dirty") for name in FILES}
    gone = {name: each for name, each in commits.items() if each not in known and f"{each[:8]} " not in told}
    assert not gone, "measure from a commit of main; one of a branch is gone once that is put on top of others"


@pytest.mark.parametrize("name", [name for name in FILES if name.split("/")[1] not in WITHOUT_WEIGHTS])
def test_a_result_names_its_weights_by_their_checksum(name):
    record = json.loads((ROOT / name).read_text())
    found = list(checksums(record))
    assert all(len(each) == 64 for each in found)
    if str(record.get("planner")) in WITHOUT_WEIGHTS_THEMSELVES:
        return
    assert found or name in OLD_AND_OF_UNNAMED_WEIGHTS, "write describe_weights(...) into the record"


def test_no_result_was_edited_after_it_was_added():
    folders = [f"benchmarks/{path.parent.name}/results" for path in ROOT.glob("benchmarks/*/results")]
    folders.remove(f"{OF_BUNDLED_WEIGHTS}/results")
    try:
        edited = git("log", "--format=", "--diff-filter=M", "--name-only", f"{RULE_SINCE}..HEAD", "--", *folders)
    except subprocess.CalledProcessError:
        pytest.skip("no history of this folder")
    not_committed = git("diff", "--name-only", "--diff-filter=M", "HEAD", "--", *folders)
    assert (edited + not_committed).split() == [], "results are added, never edited: give a new one a new name"
