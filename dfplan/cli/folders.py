"""Where things are: shipped configs and weights, the cache for datasets, and the folder of one run."""

import os
from datetime import datetime
from pathlib import Path

import dfplan
from dfplan.errors import UserError

PACKAGE = Path(dfplan.__file__).parent


def config_folder() -> Path:
    """The Hydra configs: inside the installed package, or beside it at the root of a clone."""
    for folder in (PACKAGE / "configs", PACKAGE.parent / "configs"):
        if (folder / "eval.yaml").is_file():
            return folder
    raise UserError(f"no configs found in {PACKAGE} or beside it; the installation is incomplete: reinstall dfplan")


def group_choices(group: str) -> list[str]:
    """Names one can choose for a config group, such as ``env``."""
    return sorted(path.stem for path in (config_folder() / group).glob("*.yaml"))


def bundled_weights() -> Path:
    """Folder of the weights that come with the package, one sub-folder per environment."""
    return PACKAGE / "weights"


def cache_folder() -> Path:
    """What can be made or fetched again: ``$DFPLAN_CACHE``, else the user's cache folder."""
    if named := os.environ.get("DFPLAN_CACHE"):
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base).expanduser() if base else Path.home() / ".cache") / "dfplan"


def dataset_folder() -> Path:
    """Where generated and downloaded datasets are kept, one file per environment."""
    return cache_folder() / "datasets"


def make_run_folder(command: str, *, env_name: str, chosen: str | None) -> Path:
    """Make the folder a run writes to: the chosen one, else ``runs/<command>/<environment>/<time>``.

    A chosen folder that already holds files is refused, so that no earlier result is overwritten.
    """
    if chosen is not None:
        folder = Path(chosen).expanduser()
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(f"output={chosen} already exists and is not an empty folder; choose another output=")
    else:
        stem = Path("runs") / command / env_name / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
        folder, number = stem, 1
        while folder.exists():
            number += 1
            folder = stem.with_name(f"{stem.name}_{number}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {folder}: {error.strerror}; choose another with output=") from error
    return folder
