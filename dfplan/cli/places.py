"""Where the files lie that a training reads, kept so that it goes on from anywhere and after they have moved."""

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.blocks import rows_of
from dfplan.cli.folders import bundled_weights
from dfplan.errors import UserError
from dfplan.files import user_path
from dfplan.types import Trajectories

DATA_ENDINGS = (".hdf5", ".h5")
PATH_OPTIONS = ("data", "task.base", "task.encoder", "frames.tokenizer")
WORDS = ("generated", "d4rl", "none", "bundled", "random", "state")  # that these options take besides paths


def make_absolute(config: Any) -> None:
    """Write every option of a training that is the path of something in full."""
    for name in PATH_OPTIONS:
        group, _, option = name.rpartition(".")
        holder: Any = getattr(config, group, None) if group else config
        value = getattr(holder, option, None)
        if isinstance(value, str) and _is_path(value):
            full = str(user_path(value).absolute())
            if group == "frames":  # which are settings of the library, and do not change
                config.frames = replace(holder, **{option: full})
            else:
                setattr(holder, option, full)


def _is_path(value: str) -> bool:
    is_word = value in WORDS or (bundled_weights() / value).is_dir()
    return not is_word and os.path.exists(user_path(value))  # which takes a name that is too long for none


def check_still_there(resume: Path, data: str) -> None:
    """Refuse to go on with a run whose dataset has gone from where it was.

    Raises:
        UserError: tells how to say where it is now.
    """
    is_path = os.path.isabs(data) or data.endswith(DATA_ENDINGS)  # written in full when the run began, but for old runs
    if is_path and not user_path(data).is_file():
        raise UserError(
            f"resume={resume}: its dataset is not at {data}; give data=<where it is now>, under whatever name: its "
            f"SHA-256, {_noted(resume).get('sha256') or 'which was not noted'}, decides"
        )


def check_same_data(resume: Path, data: str, trajectories: Trajectories | None) -> None:
    """Refuse to go on with a run on other data than it began with.

    Raises:
        UserError: the checksum is another one.
    """
    noted, found = _noted(resume), describe(trajectories)
    decides = "content" if "content" in noted else "sha256"  # of runs from before there was the former
    if noted.get(decides) == found.get(decides):
        return  # as many rows or not is compared with all else that decides
    one, other = (f"{each.get(decides) or 'none'} and {each.get('rows', 'no')} rows" for each in (found, noted))
    raise UserError(
        f"data={data} is not what the run in {resume} was begun with: SHA-256 {one}, instead of {other}; give the "
        "dataset that it was begun with, or start a new run without resume="
    )


def describe(trajectories: Trajectories | None) -> dict[str, Any]:
    """What the record of a run says of its data: of the file, if it was one, and of what they hold."""
    if trajectories is None:
        return {}
    digest = hashlib.sha256(
        repr({name: each.checksum for name, each in (trajectories.pictures or {}).items()}).encode()
    )
    for name, values in {**trajectories.per_row(), "starts": trajectories.starts}.items():
        digest.update(f"{name} {values.dtype} {values.shape}".encode())
        for rows in rows_of(values):
            digest.update(np.ascontiguousarray(values[rows]).data)
    return {"sha256": trajectories.checksum, "rows": len(trajectories), "content": digest.hexdigest()}


def _noted(resume: Path) -> dict[str, Any]:
    noted = json.loads((resume / "config.json").read_text())["config"].get("dataset")
    return noted if isinstance(noted, dict) else {}
