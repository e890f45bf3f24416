"""Wheel and source distribution: built from the tree, and looked into before anybody installs them."""

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Where in a wheel a folder of the tree is found.
PLACES_IN_WHEEL = {"dfplan/": "dfplan/", "envs/dfplan_envs/": "dfplan_envs/", "configs/": "dfplan/configs/"}


def build(folder: Path) -> dict[str, Path]:
    """Build both into an empty folder by ``python -m build``, and have Twine check what they say of themselves.

    Returns:
        The paths of "wheel" and "sdist".
    """
    run = [sys.executable, "-m"]
    subprocess.run([*run, "build", "--outdir", str(folder), str(ROOT)], check=True, stdout=subprocess.DEVNULL)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    subprocess.run([*run, "twine", "check", "--strict", str(wheel), str(sdist)], check=True)
    return {"wheel": wheel, "sdist": sdist}


def tracked_files() -> set[str]:
    """All that the project is made of, by paths from its root."""
    command = ["git", "-c", "safe.directory=*", "ls-files"]
    return set(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines())


def faults_of_wheel(wheel: Path, tracked: Iterable[str]) -> list[str]:
    """What a wheel lacks of packages, configurations and weights, and what it holds beyond; none if it is right."""
    expected = {
        place + path.removeprefix(folder)
        for path in tracked
        for folder, place in PLACES_IN_WHEEL.items()
        if path.startswith(folder)
    }
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    return _differences(wheel, found, expected)


def faults_of_sdist(sdist: Path, tracked: Iterable[str]) -> list[str]:
    """What a source distribution lacks of the tree (tests and documents as well), and what it holds beyond it."""
    with tarfile.open(sdist) as archive:
        found = {each.name.partition("/")[2] for each in archive.getmembers() if each.isfile()}
    return _differences(sdist, found - {"PKG-INFO"}, set(tracked))


def _differences(archive: Path, found: set[str], expected: set[str]) -> list[str]:
    """One line a file."""
    lacking = [f"{archive.name} lacks {each}" for each in sorted(expected - found)]
    foreign = [f"{archive.name} holds {each}, which is not of the project" for each in sorted(found - expected)]
    return lacking + foreign


def unreleased_changes() -> int:
    """How many changes stand under *Unreleased*: of a version that is released they belong under its number."""
    text = (ROOT / "CHANGELOG.md").read_text().partition("## [Unreleased]")[2].partition("\n## [")[0]
    return sum(line.startswith("- ") for line in text.splitlines())
