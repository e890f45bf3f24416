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
    r"(?:maze2d|pixelmaze)-?\w*|\b(?:pixel-)?tmaze\b|(?:Point|Ant)Maze\w*|domains[./]maze[.\w/]*"
    r"|wall (?:seconds|time|clock)",
    re.IGNORECASE,
)


def says_so(path):
    return any(OF_MAZES.search(NAMES.sub("", line)) for line in path.read_text().splitlines())


def test_outside_of_its_domain_nothing_is_said_of_mazes():
    files = (path.relative_to(ROOT) for path in sorted(ROOT.rglob("*.py")) if says_so(path))
    assert not [str(each) for each in files if each.parts[0] not in ("domains", "baselines")]


def test_few_files_outside_meet_the_mazes_at_their_address():
    """What the package shows of them, former addresses, and what finds the ball in pictures for planners of states."""
    met = re.compile(r"^\s*(?:from|import) dfplan\.domains\.maze", re.MULTILINE)
    files = (path.relative_to(ROOT) for path in sorted(ROOT.rglob("*.py")) if met.search(path.read_text()))
    assert {str(each) for each in files if each.parts[0] not in ("domains", "baselines")} <= {
        *("__init__.py", "agent/__init__.py", "scorers/__init__.py", "data/generate.py", "data/sources.py"),
        *("data/minari_data.py", "data/d4rl_file.py"),
        *("tasks/seen.py", "cli/build_agents.py"),
    }
