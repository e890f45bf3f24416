"""Tells what a data set is, or is to be, by its name and what lies in it, and reads or writes it."""

from collections.abc import Collection
from pathlib import Path

import h5py

from dfplan.data.formats import (
    d4rl,
    d4rl_writer,
    diffusion_policy,
    lerobot,
    lerobot_writer,
    minari,
    minari_writer,
    observations_alone,
    ogbench,
    robomimic,
)
from dfplan.data.formats.layout import checked
from dfplan.errors import UserError, check_kind
from dfplan.files import user_path
from dfplan.types import Trajectories

MINARI, D4RL = "minari:", (".hdf5", ".h5")
ACCEPTED = (
    "minari:<data set id>, .hdf5 (D4RL, robomimic), .npz (OGBench, Diffusion Policy), a LeRobot v3.0 folder, a .zarr "
    "folder (Diffusion Policy), .csv or .npy (observations alone)"
)
WRITTEN = "minari:<data set id>, .hdf5 (D4RL), or the name of a folder without an ending (LeRobot v3.0)"


def read(source: str | Path, *, leave_out: Collection[int] = ()) -> Trajectories:
    """Read a data set of any robot, as it was recorded.

    Args:
        source: a file, a folder, or ``minari:<data set id>``.
        leave_out: ids of episodes of Minari's that are not read.

    Raises:
        UserError: it is missing, damaged, or of no known layout; in one line, with the episode and row where it can.
    """
    if str(source).startswith(MINARI):
        return minari.read(str(source).removeprefix(MINARI), leave_out=leave_out)
    if leave_out:
        raise UserError(f"leave_out names episodes of a minari: data set, and {source} is none; leave it away")
    path = user_path(source)
    if not str(source) or not path.exists():
        raise UserError(f"no data set at {source or 'no path'}; check the path. Accepted are {ACCEPTED}")
    if path.is_dir():
        return _read_folder(path)
    if not path.is_file():
        raise UserError(f"{path} is neither a file nor a folder; accepted are {ACCEPTED}")
    if is_hdf5(path):
        return robomimic.read(path) if robomimic.is_robomimic(path) else d4rl.read(path)
    ending = path.suffix.lower()
    if ending == ".npz" and diffusion_policy.is_npz(path):
        return diffusion_policy.read_npz(path)
    readers = {".npz": ogbench.read, ".csv": observations_alone.read, ".npy": observations_alone.read}
    if ending not in readers:
        raise UserError(f"{path}: data sets do not end in {path.suffix or 'nothing'!r}; accepted are {ACCEPTED}")
    return readers[ending](path)


def _read_folder(path: Path) -> Trajectories:
    if (path / "meta" / "info.json").is_file():
        return lerobot.read(path)
    if not any((path / each).exists() for each in ("data", ".zgroup", "zarr.json")):
        raise UserError(f"the folder {path} holds no data set; accepted are {ACCEPTED}")
    return diffusion_policy.read(path)


def is_hdf5(path: Path) -> bool:
    """Whether a file is HDF5, by its name or how it begins."""
    return path.suffix.lower() in (".hdf5", ".h5") or (path.is_file() and h5py.is_hdf5(path))


def check_target(target: str | Path, *, fps: float | None = None) -> Path:
    """Refuse to write to a target, before there is anything to be written.

    Args:
        target: as of :func:`write`.
        fps: frames a second, which LeRobot must know.

    Returns:
        The file or folder that would be written.

    Raises:
        UserError: it is there already, there is no writer for it, or the writer lacks something.
    """
    if str(target).startswith(MINARI):
        return minari_writer.check_target(str(target).removeprefix(MINARI))
    path = user_path(target)
    if path.suffix.lower() in D4RL:
        return d4rl_writer.check_target(path)
    if path.suffix in ("", f".{path.name}"):
        return lerobot_writer.check_target(path, fps=fps)
    raise UserError(f"{path}: data sets that end in {path.suffix!r} are not written; choose {WRITTEN}")


def write(data: Trajectories, target: str | Path, *, task: str = "", fps: float | None = None) -> Path:
    """Write a new data set, whole or not at all, from which :func:`read` makes the same trajectories.

    Args:
        data: with actions.
        target: ``minari:<data set id>``, a file that ends in .hdf5 (D4RL), or a folder (LeRobot v3.0).
        task: what is done in all episodes, in words; Minari and LeRobot keep it.
        fps: frames a second for LeRobot where ``data.step_seconds`` is None.

    Returns:
        The file or folder.

    Raises:
        UserError: it is there already, cannot be written, or the layout needs what the data do not have.
    """
    if not isinstance(data, Trajectories):
        raise UserError(
            f"what is written are dfplan.Trajectories, as dfplan.read gives them; got {type(data).__name__}"
        )
    check_kind(str, such_as="words", task=task)
    data = checked(data)
    if data.pictures:
        raise UserError(f"{data.source} has pictures, which are not written; keep it in the layout that it has")
    if str(target).startswith(MINARI):
        return minari_writer.write(str(target).removeprefix(MINARI), data, task=task)
    fps = fps if data.step_seconds is None else 1 / data.step_seconds
    path = check_target(target, fps=fps)
    if path.suffix.lower() in D4RL:
        return d4rl_writer.write(path, data)
    return lerobot_writer.write(path, data, task=task, fps=fps)
