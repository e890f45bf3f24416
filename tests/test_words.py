"""What is said is said in words that a person would use, and the core says nothing of mazes."""

import re
from pathlib import Path

import pytest

from dfplan.errors import counted


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 episodes"), (1, "1 episode"), (2, "2 episodes"), (10_000, "10,000 episodes")]
)
def test_one_is_no_plural(number, said):
    assert counted(number, "episode") == said


ROOT = Path(__file__).parents[1] / "dfplan"
OF_MAZES = re.compile(r"maze|\bwalls?\b|point.?mass|(?<![a-z])position", re.IGNORECASE)
# Names of environments and weights that are given as examples, the domain's own address, and a clock on a wall.
NAMES = re.compile(
    r"(?:maze2d|pixelmaze)-?\w*|PointMaze\w*|domains[./]maze[.\w/]*|wall (?:seconds|time|clock)", re.IGNORECASE
)
# Files outside of domains and baselines that still say so: none may be added, what is mended is taken out.
STILL = {
    "agent/__init__.py",
    "cli/any_environment.py",
    "cli/arguments.py",
    "cli/commands/plan.py",
    "cli/commands/train.py",
    "cli/python.py",
    "cli/schema.py",
    "data/d4rl_file.py",
    "data/formats/d4rl.py",
    "data/generate.py",
    "data/inspection/motion.py",
    "data/inspection/steps.py",
    "data/inspection/units.py",
    "data/jumps.py",
    "data/minari_data.py",
    "data/sources.py",
    "measured.py",
    "models/forcing_model.py",
    "models/inverse_dynamics.py",
    "models/tokenizers/keypoints.py",
    "models/transformer.py",
    "planner/constraints.py",
    "planner/objectives/distance_field.py",
    "planner/objectives/predicted_plan.py",
    "planner/objectives/regions.py",
    "planner/objectives/waypoints.py",
    "planner/world_model.py",
    "realtime/motion.py",
    "scorers/__init__.py",
    "scorers/nothing_measured.py",
    "tasks/diffuser.py",
    "tasks/forcing.py",
    "tasks/inverse_dynamics.py",
    "tasks/memory.py",
    "tasks/pixel_forcing.py",
    "tasks/trajectory_windows.py",
    "training/alignment.py",
    "training/autoencoding.py",
    "training/keypoints.py",
    "types.py",
}


def says_so(path):
    return any(OF_MAZES.search(NAMES.sub("", line)) for line in path.read_text().splitlines())


def test_outside_of_its_domain_nothing_is_said_of_mazes():
    files = (path.relative_to(ROOT) for path in sorted(ROOT.rglob("*.py")) if says_so(path))
    assert {str(each) for each in files if each.parts[0] not in ("domains", "baselines")} == STILL
