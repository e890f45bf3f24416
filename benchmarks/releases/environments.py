"""Clean virtual environments of any Python that is found, and what dfplan says in them."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WORLD = "maze2d-umaze"


class FailedError(Exception):
    """A command failed; the message has its last lines."""


def find_python(version: str) -> Path | None:
    """A Python of a version such as "3.12": on ``PATH``, among those of pyenv, or the one that runs; None if none."""
    candidates = [sys.executable, *_found_on_path(version)]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates += sorted(map(str, pyenv.glob(f"versions/{version}.*/bin/python")), reverse=True)
    ask = "import sys; print(*sys.version_info[:2], sep='.')"
    for each in candidates:
        answer = subprocess.run([each, "-c", ask], capture_output=True, text=True, check=False)
        if answer.stdout.strip() == version:
            return Path(each)
    return None


def _found_on_path(version: str) -> list[str]:
    found = shutil.which(f"python{version}")
    return [found] if found else []


@dataclass(frozen=True)
class Environment:
    """A virtual environment.

    Attributes:
        folder: where it lies.
        extra: environment variables that its programs see besides.
    """

    folder: Path
    extra: Mapping[str, str]

    @classmethod
    def make(cls, folder: Path, python: Path, *, lender: Path | None = None, **extra: str) -> "Environment":
        """Make one in a new folder.

        Args:
            folder: where; it must not exist.
            python: of which Python.
            lender: a folder of installed packages (``site-packages``) that serve where the environment has none of its
                own: gigabytes are not installed twice.
            extra: environment variables for its programs.
        """
        run([str(python), "-m", "venv", str(folder)], cwd=folder.parent)
        if lender is not None:
            (packages,) = folder.glob("lib/python*/site-packages")
            # By addsitedir and not as a mere path, so that what is installed there for editing is found as well.
            (packages / "lent.pth").write_text(f"import site; site.addsitedir({str(lender)!r})\n")
        return cls(folder, extra)

    def run(self, program: str, *arguments: str, cwd: Path) -> str:
        """What a program of the environment prints; it sees nothing of the tree that this script lies in.

        Raises:
            FailedError: it ended with another status than 0.
        """
        return run([str(self.folder / "bin" / program), *arguments], cwd=cwd, **self.extra)

    def install(self, *what: str, options: Sequence[str] = (), cwd: Path) -> float:
        """Install by pip, and say how many seconds that took."""
        began = time.monotonic()
        quiet = ("--quiet", "--quiet", "--disable-pip-version-check")
        self.run("python", "-m", "pip", "install", *quiet, *options, *what, cwd=cwd)
        return time.monotonic() - began


def run(command: Sequence[str], *, cwd: Path, **extra: str) -> str:
    """What a command prints, with nothing of this Python's paths in its environment."""
    hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    variables = {name: value for name, value in os.environ.items() if name not in hidden}
    variables |= {"PYTHONNOUSERSITE": "1", "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", **extra}
    answer = subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=False)
    if answer.returncode:
        last = "\n".join((answer.stdout + answer.stderr).splitlines()[-15:])
        raise FailedError(f"{' '.join(command)}\nended with status {answer.returncode}:\n{last}")
    return answer.stdout


def try_out(environment: Environment, *, folder: Path, version: str, n_episodes: int) -> dict[str, Any]:
    """What a stranger does first, in an empty folder: version, info, an evaluation, and whether all is whole.

    Returns:
        Versions, the checksum of the weights, the score and the return of each episode.
    """
    said = environment.run("dfplan", "--version", cwd=folder).strip()
    if said != f"dfplan {version}":
        raise FailedError(f"dfplan --version says {said!r}, and {version} was built")
    info = json.loads(environment.run("dfplan", "info", "--json", cwd=folder))
    if not Path(info["package"]).is_relative_to(environment.folder):
        raise FailedError(f"dfplan of {info['package']} runs, and not the one that was installed")
    found = evaluate(environment, folder=folder, n_episodes=n_episodes)
    environment.run("dfplan", "verify", "evaluation", str(Path(info["package"]) / "weights" / WORLD), cwd=folder)
    environment.run("python", "-m", "pip", "check", cwd=folder)
    return found


def evaluate(environment: Environment, *, folder: Path, n_episodes: int) -> dict[str, Any]:
    """Of an evaluation what can be compared between environments: versions, weights, the mean score, all returns."""
    words = (f"env={WORLD}", f"n_episodes={n_episodes}", "output=evaluation")
    environment.run("python", "-m", "dfplan.cli.main", "eval", *words, cwd=folder)
    record = json.loads((folder / "evaluation" / "results.json").read_text())
    return {
        "versions": record["versions"],
        "weights": record["weights"],
        "score": record["metrics"]["normalized_return"]["mean"],
        "returns": [each["raw_return"] for each in record["episodes"]],
        "wall_seconds": record["wall_seconds"],
    }


def own_packages() -> Path:
    """The folder of the packages that this Python runs with."""
    return Path(sysconfig.get_path("purelib"))
