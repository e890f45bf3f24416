"""Opens arrays of an HDF5 file that anybody may have made: what it declares is checked before any of it is read."""

from collections.abc import Callable, Collection
from pathlib import Path

import h5py
import numpy as np

from dfplan.blocks import slices, stacked
from dfplan.errors import UserError

MAX_FILE_BYTES = MAX_BYTES = 8 * 2**30
# Real data shrink to a fifth at best; a bomb to a thousandth.
MAX_EXPANSION = 100
FREE_BYTES = 16 * 2**20
FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, h5py.h5z.FILTER_LZF}
# What libhdf5 and h5py raise on malformed files, besides OSError.
PARSE_ERRORS = (KeyError, RuntimeError, ValueError, TypeError, OverflowError, MemoryError, RecursionError)


def check_size(path: Path) -> None:
    """Refuse a file that is too large to be read, before any of it is.

    Raises:
        UserError: it is; says how large.
    """
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise UserError(f"{path} has {size:,} bytes, and at most {MAX_FILE_BYTES:,} are read; split the dataset")


def open_arrays(file: h5py.File, keys: Collection[str], *, path: Path) -> dict[str, h5py.Dataset]:
    """Return those of the keys that are there, without reading any.

    Raises:
        UserError: one is a link to somewhere else or needs a filter that is not built in, or together they are larger
            than a file of this size can honestly hold.
    """
    found = {}
    for key in keys:
        data = _without_links(file, key, path=path)
        if isinstance(data, h5py.Dataset):
            found[key] = data
            _check_storage(data, key, path=path)
    declared, size = sum(_declared_bytes(data) for data in found.values()), path.stat().st_size
    if declared > min(MAX_BYTES, FREE_BYTES + MAX_EXPANSION * size):
        raise UserError(
            f"{path} claims {declared:,} bytes of arrays in a file of {size:,}, at most {MAX_BYTES:,} and "
            f"{MAX_EXPANSION} times the file are read; it is no honest dataset, get another"
        )
    return found


def read_rows(data: h5py.Dataset, convert: Callable[[np.ndarray], np.ndarray] = np.asarray) -> np.ndarray:
    """All rows as ``convert`` gives them, read block by block where they are large: then they are mapped."""
    if not data.ndim:
        return convert(data[()])
    chunk = data.chunks[0] if data.chunks else 1  # which is unpacked as a whole
    return stacked(convert(data[rows]) for rows in slices(len(data), data.nbytes / max(1, len(data)), multiple=chunk))


def group_names(file: h5py.File, key: str, *, path: Path) -> list[str]:
    """The names in a group, none where there is no such group.

    Raises:
        UserError: the group is a link to somewhere else.
    """
    group = _without_links(file, key, path=path)
    return list(group) if isinstance(group, h5py.Group) else []


def _without_links(file: h5py.File, key: str, *, path: Path) -> h5py.Group | h5py.Dataset | None:
    """Walk down to a key, but never into another file."""
    node: h5py.Group | h5py.Dataset = file
    for part in key.split("/"):
        link = node.get(part, getlink=True) if isinstance(node, h5py.Group) else None
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise UserError(f"{path}: {key} is a link to somewhere else, which is not followed; store the array itself")
        node = node[part]  # type: ignore[assignment]
    return node


def _check_storage(data: h5py.Dataset, key: str, *, path: Path) -> None:
    """Refuse values kept in other files, and filters that HDF5 would load as a library."""
    creation = data.id.get_create_plist()
    if data.is_virtual or data.external:
        raise UserError(f"{path}: {key} keeps its values in other files, which are not read; store the array itself")
    filters = {creation.get_filter(index)[0] for index in range(creation.get_nfilters())}
    if not filters <= FILTERS:
        raise UserError(f"{path}: {key} needs the HDF5 filters {sorted(filters - FILTERS)}; compress it with gzip")


def _declared_bytes(data: h5py.Dataset) -> int:
    """What reading takes; a chunk is unpacked as a whole, even where it is larger than the array."""
    chunk = data.dtype.itemsize
    for length in data.chunks or ():
        chunk *= length
    return max(int(data.nbytes), chunk)
