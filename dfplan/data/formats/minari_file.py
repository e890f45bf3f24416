"""Data sets of the local Minari store, read with few calls an episode: the comforts of h5py take most of the time.

Downloads nothing: ``minari download <id>`` does, and ``MINARI_DATASETS_PATH`` names the store.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from dfplan.errors import UserError

MAIN_FILE = "main_data.hdf5"
OUTCOMES = ("rewards", "terminations", "truncations")


@dataclass(frozen=True)
class Episode:
    """An episode as Minari's own, without its infos."""

    id: int
    observations: Any
    actions: np.ndarray
    rewards: np.ndarray
    terminations: np.ndarray
    truncations: np.ndarray


def open_minari(dataset_id: str) -> Any:
    """Open a dataset of the local store.

    Raises:
        UserError: Minari is not installed, or there is no such dataset that can be opened.
    """
    try:
        import minari  # optional, and slow to import
    except ImportError as error:
        raise UserError("reading Minari datasets needs a package: pip install 'dfplan[minari]'") from error
    if not dataset_id:
        raise UserError("minari: needs the id of a data set behind it; `minari list local` shows those that are there")
    try:
        return minari.load_dataset(dataset_id)
    except FileNotFoundError as error:
        raise UserError(
            f"no dataset {dataset_id!r} in the local Minari store; fetch it with: minari download {dataset_id} "
            "(minari list local shows what is there, MINARI_DATASETS_PATH names the store)"
        ) from error
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"cannot open minari:{dataset_id}: {_one_line(error)}; check its name or fetch it again"
        ) from error


def iterate_episodes(episodes: Iterable[Any], dataset_id: str) -> Any:
    """Iterate over the episodes; what a damaged file raises becomes an error that names the fix."""
    try:
        yield from episodes
    except BlockingIOError as error:
        raise UserError(
            f"minari:{dataset_id}: another program has it open for writing; run again once that has closed it"
        ) from error
    except (OSError, KeyError, ValueError, RuntimeError, AssertionError) as error:
        raise UserError(
            f"minari:{dataset_id} is damaged ({_one_line(error)}); fetch it again with minari download {dataset_id} "
            "--force"
        ) from error


def episodes_of(dataset: Any) -> Iterator[Any]:
    """The episodes of an open data set: of vectors, or dicts of them, read here; anything else by Minari."""
    spaces = (dataset.observation_space, dataset.action_space)
    entries = getattr(dataset.observation_space, "spaces", None)
    are_vectors = _is_vector(spaces[1]) and (
        all(map(_is_vector, entries.values())) if isinstance(entries, dict) else _is_vector(spaces[0])
    )
    if dataset.storage.FORMAT != "hdf5" or not are_vectors:
        yield from dataset.iterate_episodes()
        return
    with h5py.File(dataset.storage.data_path / MAIN_FILE, "r") as file:
        for number in dataset.episode_indices.tolist():
            group = h5py.h5g.open(file.id, f"episode_{number}".encode())
            observed: Any
            if isinstance(entries, dict):
                parts = h5py.h5g.open(group, b"observations")
                observed = {name: _values(parts, name) for name in entries}
            else:
                observed = _values(group, "observations")
            yield Episode(number, observed, *(_values(group, name) for name in ("actions", *OUTCOMES)))


def _is_vector(space: Any) -> bool:
    """Whether it is of numbers as they are; images may be packed as JPEG."""
    from gymnasium import spaces

    return isinstance(space, spaces.Box) and len(space.shape) < 2


def _values(group: Any, name: str) -> np.ndarray:
    data = h5py.h5d.open(group, name.encode())
    values = np.empty(data.shape, data.dtype)
    data.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
    return values


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
