"""Reads the episodes of a Minari HDF5 file with few calls each, as the comforts of h5py take most of the time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from dfplan.data.minari_data import MAIN_FILE

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
