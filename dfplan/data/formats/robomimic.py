"""robomimic's HDF5 layout: a group for every demonstration, in it a dict of observations."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

from dfplan.data.d4rl_file import LOCKING, open_dataset
from dfplan.data.foreign_hdf5 import PARSE_ERRORS, group_names, open_arrays
from dfplan.data.formats.layout import NUM_NAMED, flags, flattened, joined, lay_out, numbers, vectors
from dfplan.errors import UserError
from dfplan.types import Trajectories

DEMONSTRATION = re.compile(r"demo_(\d+)")
RECORDED = {"rewards": "rewards", "dones": "terminations"}  # and what they are in `Trajectories`
MOST_DIMENSIONS = 2  # of an entry, rows included; images have more


def read(path: str | Path) -> Trajectories:
    """Read all demonstrations in the order of their numbers; observations are flattened by name, images left out.

    Demonstrations without a step are left out; filter keys (``mask``) choose nothing. Notes tell of all that.

    Where ``next_obs`` are there, the last of them becomes the last row of a demonstration. ``dones`` are terminations:
    robomimic sets them where the task succeeded or the demonstration ended.

    Raises:
        UserError: the file is missing, damaged, or has another layout; names the demonstration.
    """
    path = Path(path)
    with open_dataset(path) as (file, checksum):
        names_in = group_names(file, "data", path=path)
        found_numbers = sorted(int(found[1]) for name in names_in if (found := DEMONSTRATION.fullmatch(name)))
        if not found_numbers:
            raise UserError(f"{path} has no group data/demo_0; a robomimic file has one for every demonstration")
        entries, images = _entries(file, f"data/demo_{found_numbers[0]}/obs", path)
        keys = [f"data/demo_{each}" for each in found_numbers]
        wanted = (
            "actions",
            *RECORDED,
            *(f"{kind}/{entry}" for kind in ("obs", "next_obs") for entry in entries),
        )
        found = open_arrays(file, [f"{demo}/{name}" for demo in keys for name in wanted], path=path)
        empty = [each for each in keys if f"{each}/actions" in found and found[f"{each}/actions"].shape[:1] == (0,)]
        keys = [each for each in keys if each not in empty]
        if not keys:
            raise UserError(f"{path} has no demonstration with a step; choose another file")
        notes = _notes(
            {
                "images are left out": images,
                "left out, as they are without a step": [each.removeprefix("data/") for each in empty],
                "left out, as their names are not demo_<number>": [
                    name for name in names_in if not DEMONSTRATION.fullmatch(name)
                ],
                "all demonstrations are read, whatever filter they are in": group_names(file, "mask", path=path),
            }
        )
        everywhere = [each for each in RECORDED if all(f"{demo}/{each}" in found for demo in keys)]
        demonstrations = (_demonstration(found, demo, entries, everywhere, str(path)) for demo in keys)
        steps = joined(demonstrations, source=str(path))
        ends = np.cumsum([len(found[f"{demo}/actions"]) for demo in keys])
        names = flattened({each: found[f"{keys[0]}/obs/{each}"][:1] for each in entries}, source=str(path))[1]
        finals = _finals(found, keys, entries, str(path))
        step_seconds = _step_seconds(file)
    return lay_out(
        steps,
        ends=ends,
        source=str(path),
        finals=finals,
        notes=notes,
        checksum=checksum,
        observation_names=names,
        step_seconds=step_seconds,
    )


def _notes(names: Mapping[str, list[str]]) -> tuple[str, ...]:
    return tuple(
        f"{said}: {', '.join(each[:NUM_NAMED])}{', ...' if len(each) > NUM_NAMED else ''}"
        for said, each in names.items()
        if each
    )


def _entries(file: h5py.File, key: str, path: Path) -> tuple[list[str], list[str]]:
    """The observations that are vectors, and those that are images."""
    found = open_arrays(file, [f"{key}/{name}" for name in group_names(file, key, path=path)], path=path)
    names = {name.rpartition("/")[2]: data.ndim > MOST_DIMENSIONS for name, data in found.items()}
    entries = sorted(name for name, is_image in names.items() if not is_image)
    if not entries:
        raise UserError(f"{path}: {key} holds no vectors; extract low-dimensional observations with robomimic first")
    return entries, sorted(name for name, is_image in names.items() if is_image)


def _demonstration(
    found: Mapping[str, h5py.Dataset], demo: str, entries: list[str], everywhere: list[str], source: str
) -> dict[str, np.ndarray]:
    where = f"{source}, {demo.removeprefix('data/')}"
    if missing := [name for name in ("actions", *(f"obs/{each}" for each in entries)) if f"{demo}/{name}" not in found]:
        raise UserError(f"{where}: has no {missing[0]}; every demonstration must have what the first has")
    observations, _ = flattened({each: found[f"{demo}/obs/{each}"][()] for each in entries}, source=where)
    actions = vectors(found[f"{demo}/actions"][()], name="actions", source=where)
    if len(actions) != len(observations):
        raise UserError(
            f"{where}: must have as many observations as actions; got {len(observations)} and {len(actions)}"
        )
    result = {"observations": observations, "actions": actions}
    for key in everywhere:
        values = (numbers if key == "rewards" else flags)(found[f"{demo}/{key}"][()], name=key, source=where)
        if len(values) != len(actions):
            raise UserError(f"{where}: must have as many {key} as actions; got {len(values)} and {len(actions)}")
        result[RECORDED[key]] = values
    return result


def _finals(found: Mapping[str, h5py.Dataset], keys: list[str], entries: list[str], source: str) -> np.ndarray | None:
    """The last of each demonstration's next observations, None where one lacks them."""
    if not all(f"{demo}/next_obs/{each}" in found for demo in keys for each in entries):
        return None
    rows = [{each: found[f"{demo}/next_obs/{each}"][-1:] for each in entries} for demo in keys]
    return np.concatenate([flattened(each, source=source)[0] for each in rows])


def _step_seconds(file: h5py.File) -> float | None:
    """The time of a step where the file says at how many hertz the environment is controlled."""
    try:
        hertz = json.loads(str(file["data"].attrs["env_args"]))["env_kwargs"]["control_freq"]
        return 1 / float(hertz) if float(hertz) > 0 else None
    except (KeyError, ValueError, TypeError, RecursionError):
        return None


def is_robomimic(path: Path) -> bool:
    """Whether an HDF5 file has robomimic's group of demonstrations."""
    try:
        with h5py.File(path, "r", locking=LOCKING) as file:
            return "data" in file and "observations" not in file
    except (OSError, *PARSE_ERRORS):  # what is wrong with it, reading says
        return False
