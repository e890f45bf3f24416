"""Where things are: shipped configs and weights, the cache for datasets, and the folder of one run."""

import itertools
import os
import platform
import re
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import dfplan
from dfplan.errors import UserError
from dfplan.files import cache_folder as cache_folder
from dfplan.files import read_small, user_path

PACKAGE = Path(dfplan.__file__).parent
TAKEN = ".taken"
# The choice of a group, without a file, that the declarations of the library are; the files say what differs from it.
DECLARED = {
    "planner": "default",
    "windows": "default",
    "diffusion": "default",
    "resynthesis": "default",
    "model": "transformer",
    "training": "cpu",
    "value": "features",
    "frames": "default",
}
_marks: list[Path] = []


def config_folder() -> Path:
    """The Hydra configs: inside the installed package, or beside it at the root of a clone."""
    for folder in (PACKAGE / "configs", PACKAGE.parent / "configs"):
        if (folder / "eval.yaml").is_file():
            return folder
    raise UserError(f"no configs found in {PACKAGE} or beside it; the installation is incomplete: reinstall dfplan")


def group_choices(group: str) -> list[str]:
    """Names one can choose for a config group, such as ``env``."""
    named = {path.stem for path in (config_folder() / group).glob("*.yaml")}
    return sorted(named | {DECLARED[group]} if group in DECLARED else named)


def bundled_weights() -> Path:
    """Folder of the weights that come with the package, one sub-folder per environment."""
    return PACKAGE / "weights"


def dataset_folder() -> Path:
    """Where generated and downloaded datasets are kept, one file per environment."""
    return cache_folder() / "datasets"


def make_run_folder(command: str, *, env_name: str, chosen: str | None) -> Path:
    """Make the folder a run writes to: the chosen one, else ``runs/<command>/<environment>/<time>``.

    A chosen folder that already holds files is refused, so that no earlier result is overwritten; neither is it taken
    by two commands that start in the same instant.

    Raises:
        UserError: it holds something, another command has taken it, or it cannot be made.
    """
    if chosen is None:
        return _make_folder_of_now(Path("runs") / command / env_name)
    if not chosen:
        raise UserError("output= is empty; name a folder")
    folder = user_path(chosen)
    _refuse_content(folder)
    take(folder / TAKEN)
    _refuse_content(folder)
    return folder


def make_sweep_folder() -> Path:
    """Make the folder of the runs of a sweep, ``runs/sweeps/<time>``."""
    return _make_folder_of_now(Path("runs") / "sweeps")


def take(mark: Path, *, chosen: str | Path | None = None, option: str = "output") -> None:
    """Make a file that tells other commands, on this machine or another, that this one is about to write here.

    :func:`release` removes it; only a command that was killed leaves it, and on this machine that is noticed. What is
    written to is ``chosen``, which ``option`` says, or else the folder of the mark.

    Raises:
        UserError: another command was first.
    """
    chosen = chosen or mark.parent
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        _remove_if_over(mark)
        with mark.open("x") as file:
            _marks.append(mark)  # before anything is written: the disk may be full
            file.write(f"process {os.getpid()} on {platform.node()}")
    except FileExistsError as error:
        if not mark.exists():
            raise UserError(f"{option}={mark.parent} is a file; choose another {option}=") from error
        owner = _owner(mark)
        raise UserError(
            f"{option}={chosen} is being written to by {owner or 'another command'}; choose another {option}=, or "
            f"delete {mark} if that has ended"
        ) from error
    except OSError as error:
        raise _cannot_make(mark.parent, error) from error


def _owner(mark: Path) -> str:
    """What a mark says; one that was made this instant is empty for a moment."""
    for _ in range(20):
        if owner := read_small(mark, at_most=1000).decode(errors="replace"):
            return owner
        time.sleep(0.01)
    return ""


def _remove_if_over(mark: Path) -> None:
    """Remove the mark of a command of this machine that has ended without doing so itself."""
    if not _is_over(mark):
        return
    aside = mark.with_name(f"{mark.name}.{os.getpid()}")
    with suppress(FileNotFoundError):  # another command was quicker
        mark.rename(aside)
        if _is_over(aside):
            aside.unlink()
        else:  # between the look and the move, another command had taken its place
            aside.rename(mark)


def _is_over(mark: Path) -> bool:
    """Whether a mark is there and names a process of this machine that does not run."""
    import psutil  # not for --help

    try:
        found = re.fullmatch(r"process (\d{1,9}) on (.*)", read_small(mark, at_most=1000).decode(errors="replace"))
    except (OSError, UserError):
        return False
    return found is not None and found[2] == platform.node() and not psutil.pid_exists(int(found[1]))


def release() -> None:
    """Remove the marks of this command."""
    while _marks:
        _marks.pop().unlink(missing_ok=True)


def _refuse_content(folder: Path) -> None:
    if folder.is_dir() and any(each.name != TAKEN for each in folder.iterdir()):
        raise UserError(f"output={folder} already exists and is not an empty folder; choose another output=")


def _make_folder_of_now(parent: Path) -> Path:
    """Make a folder named by the time; where another command was first in this second, with a number after it."""
    name = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    for number in itertools.count(1):
        folder = parent / (name if number == 1 else f"{name}_{number}")
        try:
            parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir()
        except FileExistsError:
            if not parent.is_dir():
                raise
        except OSError as error:
            raise _cannot_make(folder, error) from error
        else:
            return folder
    raise AssertionError("there is always another number")


def _cannot_make(folder: Path, error: OSError) -> UserError:
    return UserError(f"cannot make the folder {folder}: {error.strerror}; choose another with output=")
