"""Tells what a data set is by its name and what lies in it, and reads it."""

from pathlib import Path

from dfplan.data.formats import d4rl, diffusion_policy, lerobot, minari, observations_alone, ogbench, robomimic
from dfplan.errors import UserError
from dfplan.files import user_path
from dfplan.types import Trajectories

MINARI = "minari:"
ACCEPTED = (
    "minari:<data set id>, .hdf5 (D4RL, robomimic), .npz (OGBench), a LeRobot v3.0 folder, a .zarr folder (Diffusion "
    "Policy), .csv or .npy (observations alone)"
)


def read(source: str | Path) -> Trajectories:
    """Read a data set of any robot, as it was recorded.

    Raises:
        UserError: it is missing, damaged, or of no known layout; in one line, with the episode and row where it can.
    """
    if str(source).startswith(MINARI):
        return minari.read(str(source).removeprefix(MINARI))
    path = user_path(source)
    if not path.exists():
        raise UserError(f"no data set at {path}; check the path. Accepted are {ACCEPTED}")
    if path.is_dir():
        return lerobot.read(path) if (path / "meta" / "info.json").is_file() else diffusion_policy.read(path)
    if path.suffix in (".hdf5", ".h5"):
        return robomimic.read(path) if robomimic.is_robomimic(path) else d4rl.read(path)
    readers = {".npz": ogbench.read, ".csv": observations_alone.read, ".npy": observations_alone.read}
    if path.suffix not in readers:
        raise UserError(f"{path}: data sets do not end in {path.suffix or 'nothing'!r}; accepted are {ACCEPTED}")
    return readers[path.suffix](path)
