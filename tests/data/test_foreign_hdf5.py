"""What an HDF5 file declares is checked before it is read: size, links, storage elsewhere, filters."""

import h5py
import numpy as np
import pytest

from dfplan.data import foreign_hdf5
from dfplan.data.d4rl_file import read_metadata
from dfplan.data.foreign_hdf5 import MAX_FILE_BYTES, open_arrays
from dfplan.data.formats import read
from dfplan.errors import UserError

ROWS = {"observations": np.ones((4, 4), "f4"), "actions": np.ones((4, 2), "f4"), "timeouts": np.zeros(4, bool)}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data.hdf5"


def write(path, **changes):
    """A small dataset with some of its keys made otherwise: a function of (file, key), or None for absent."""
    with h5py.File(path, "w") as file:
        for key, value in ROWS.items():
            change = changes.get(key, lambda file, key, value=value: file.create_dataset(key, data=value))
            if change is not None:
                change(file, key)
    return path


def test_an_honest_file_is_read(path):
    assert len(read(write(path))) == 4


def test_only_keys_that_are_there_are_opened(path):
    with h5py.File(write(path)) as file:
        found = open_arrays(file, ["actions", "nothing", "timeouts/deeper", "infos/qpos"], path=path)
        assert list(found) == ["actions"]


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"chunks": (2**20, 4), "compression": "gzip"}, (10**9, 4)),
        ({"chunks": (1000, 4)}, (2**62 // 16, 4)),
        ({"chunks": (2**23, 4), "maxshape": (None, 4), "compression": "gzip"}, (4, 4)),
    ],
    ids=["compressed", "never written", "one huge chunk"],
)
def test_a_bomb_is_refused_by_what_it_declares(path, options, shape):
    write(path, observations=lambda file, key: file.create_dataset(key, shape, "f4", **options))
    assert path.stat().st_size < 100_000
    with pytest.raises(UserError, match=r"data.hdf5 claims [\d,]+ bytes of arrays in a file of [\d,]+, at most"):
        read(path)


def test_the_limit_is_on_all_arrays_together(path, monkeypatch):
    write(path)
    monkeypatch.setattr(foreign_hdf5, "MAX_BYTES", 64 + 32 + 4)
    assert len(read(path)) == 4
    monkeypatch.setattr(foreign_hdf5, "MAX_BYTES", 64 + 32 + 3)
    with pytest.raises(UserError, match="claims 100 bytes"):
        read(path)


@pytest.mark.parametrize("link", [h5py.ExternalLink("other.hdf5", "/actions"), h5py.SoftLink("/observations")])
def test_links_are_not_followed(path, link):
    write(path.with_name("other.hdf5"))
    write(path, actions=lambda file, key: file.__setitem__(key, link))
    with pytest.raises(UserError, match="actions is a link to somewhere else"):
        read(path)


def test_values_in_other_files_are_not_read(path, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(32))
    where = [(str(secret), 0, 32)]
    write(path, actions=lambda file, key: file.create_dataset(key, (4, 2), "f4", external=where))
    with pytest.raises(UserError, match="actions keeps its values in other files"):
        read(path)
    layout = h5py.VirtualLayout((4, 2), "f4")
    layout[:] = h5py.VirtualSource(str(write(tmp_path / "other.hdf5")), "actions", shape=(4, 2))
    write(path, actions=lambda file, key: file.create_virtual_dataset(key, layout))
    with pytest.raises(UserError, match="actions keeps its values in other files"):
        read(path)


def test_a_filter_that_would_be_loaded_as_a_library_is_refused(path):
    def with_filter(file, key):
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_chunk((4, 2))
        creation.set_filter(h5py.h5z.FILTER_SZIP + 400, h5py.h5z.FLAG_OPTIONAL)
        h5py.h5d.create(file.id, key.encode(), h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((4, 2)), dcpl=creation)

    write(path, actions=with_filter)
    with pytest.raises(UserError, match=r"actions needs the HDF5 filters \[404\]; compress it with gzip"):
        read(path)


@pytest.mark.parametrize("text", ["[1]", "{", "[" * 100_000])
def test_metadata_that_is_none_is_left_out(path, text):
    with h5py.File(write(path), "a") as file:
        file.attrs.create("metadata", text[:60_000])
    assert read_metadata(path) == {}


def test_a_file_too_large_to_be_read_is_not_even_hashed(tmp_path, monkeypatch):
    path = tmp_path / "data.hdf5"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)  # takes no room on the disk
    monkeypatch.setattr("dfplan.data.d4rl_file.hash_file", lambda path: pytest.fail("was read"))
    with pytest.raises(UserError, match=r"at most 8,589,934,592 are read"):
        read(path)
