"""Diffusion Policy's data: zarr folders with ``data/*`` row by row and ``meta/episode_ends``, or the same in a .npz."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.blocks import slices, stacked
from dfplan.data.formats import npz
from dfplan.data.formats.layout import check_bytes, flattened, lay_out, vectors
from dfplan.errors import UserError
from dfplan.files import read_small
from dfplan.types import Trajectories

ACTION, ENDS = "action", "meta/episode_ends"
NPZ_ACTIONS, NPZ_ENDS = "actions", "episode_ends"
NPZ_OBSERVED = {"states": "state", "keypoints": "keypoint"}  # and what they are called in a zarr folder
MOST_DIMENSIONS = 3  # of an entry, rows included; images have more
MAX_METADATA = 2**20
# Codecs that only pack bytes. Others, such as pickle, could run what the file says.
CODECS = {"blosc", "zstd", "zlib", "gzip", "lz4", "bz2", "lzma", "bytes", "crc32c"}


def read(path: str | Path) -> Trajectories:
    """Read a data set; ``data/action`` are the actions, all else in ``data`` but images is observed, flattened by name.

    Raises:
        UserError: zarr is not installed, or the folder is damaged or has another layout; names the array, or episode
            and row.
    """
    path = Path(path)
    try:
        import zarr  # noqa: F401 optional, and slow to import
    except ImportError as error:
        raise UserError("reading .zarr folders needs a package: pip install 'dfplan[zarr]'") from error
    if not (path / "data").is_dir() or not (path / ENDS).is_dir():
        raise UserError(f"{path} has no folders data and {ENDS}; is it a data set of Diffusion Policy?")
    shapes = {name: _check(path / "data" / name) for name in sorted(_names(path / "data"))}
    images = [name for name, shape in shapes.items() if len(shape) > MOST_DIMENSIONS]
    entries = [name for name in shapes if name != ACTION and name not in images]
    if ACTION not in shapes or not entries:
        raise UserError(
            f"{path}/data must hold {ACTION} and arrays that are observed; got {', '.join(shapes) or 'none'}"
        )
    _check(path / ENDS)
    observations, names = flattened({name: _load(path / "data" / name) for name in entries}, source=str(path))
    return lay_out(
        {
            "observations": observations,
            "actions": vectors(_load(path / "data" / ACTION), name=ACTION, source=str(path)),
        },
        ends=_load(path / ENDS),
        source=str(path),
        notes=(f"images are left out: {', '.join(images)}",) if images else (),
        observation_names=names,
    )


def is_npz(path: Path) -> bool:
    """Whether a .npz says where episodes end as Diffusion Policy does, and not by flags."""
    return NPZ_ENDS in npz.names_in(path)


def read_npz(path: Path) -> Trajectories:
    """Read ``actions``, ``states`` and ``keypoints`` of a .npz as :func:`read` does of a zarr folder.

    Raises:
        UserError: it is damaged or has another layout; names the array, or episode and row.
    """
    flat = npz.load(path, [NPZ_ACTIONS, *NPZ_OBSERVED])
    entries = {name: flat[key] for key, name in NPZ_OBSERVED.items() if key in flat}
    if NPZ_ACTIONS not in flat or not entries:
        raise UserError(
            f"{path} must hold {NPZ_ACTIONS}, {NPZ_ENDS} and {' or '.join(NPZ_OBSERVED)}; got "
            f"{', '.join(sorted(npz.names_in(path)))}"
        )
    observations, names = flattened(entries, source=str(path))
    ends = npz.load(path, [NPZ_ENDS])[NPZ_ENDS]
    steps = {"observations": observations, "actions": flat[NPZ_ACTIONS]}
    return lay_out(steps, ends=ends, source=str(path), observation_names=names)


def _names(folder: Path) -> list[str]:
    described = (".zarray", ".zgroup", "zarr.json")
    return [each.name for each in folder.iterdir() if any((each / name).is_file() for name in described)]


def _check(folder: Path) -> tuple[int, ...]:
    """Return the shape that an array declares, once its size and how it is packed are known to be harmless."""
    version_2 = folder / ".zarray"
    in_group = f"{folder} is a group of arrays, where arrays are read; put its arrays beside the others"
    if (folder / ".zgroup").is_file():
        raise UserError(in_group)
    try:
        facts = json.loads(read_small(version_2 if version_2.is_file() else folder / "zarr.json", at_most=MAX_METADATA))
        if facts.get("node_type") == "group":
            raise UserError(in_group)
        kind = np.dtype(facts["dtype"] if version_2.is_file() else facts["data_type"])
        shape, codecs = tuple(int(each) for each in facts["shape"]), _codecs(facts)
        chunk = facts["chunks"] if version_2.is_file() else facts["chunk_grid"]["configuration"]["chunk_shape"]
        largest = max(int(np.prod(shape, dtype=object)), int(np.prod(chunk, dtype=object))) * kind.itemsize
    except UserError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise UserError(
            f"{folder}: its description cannot be read ({str(error)[:100]}); get the data set again"
        ) from error
    if kind.kind not in "fiub" or not codecs <= CODECS:
        raise UserError(
            f"{folder} is kept as {kind} by {sorted(codecs)}; numbers by {sorted(CODECS)} are read, store it as that"
        )
    if len(shape) <= MOST_DIMENSIONS:
        check_bytes(largest, source=str(folder))
    return shape


def _codecs(facts: dict[str, Any]) -> set[str]:
    if "codecs" in facts:
        return {each["name"] for each in facts["codecs"]}
    packed = [*(facts.get("filters") or []), *([facts["compressor"]] if facts.get("compressor") else [])]
    return {each["id"] for each in packed}


def _load(folder: Path) -> np.ndarray:
    import zarr

    try:
        array = zarr.open_array(folder, mode="r")
        if not array.ndim:
            return np.asarray(array[...])
        rows, *_ = array.shape
        blocks = slices(rows, array.nbytes / max(1, rows), multiple=array.chunks[0])
        return stacked(np.asarray(array[block]) for block in blocks)
    except UserError:
        raise
    except Exception as error:  # of any codec
        reason = " ".join(str(error).split())[:150]
        raise UserError(f"{folder} is damaged ({reason}); get the data set again") from error
