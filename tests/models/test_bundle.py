"""A bundle is read whole and as written, or refused with a line that names the file."""

import errno
import json
import os
import struct
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from dfplan.errors import UserError
from dfplan.models import bundle
from dfplan.models.bundle import load_bundle, read_metadata, save_bundle

TENSORS = {
    "net.0.weight": torch.arange(12.0).reshape(3, 4),
    "net.0.count": torch.tensor(7),
    "half": torch.ones(5).bfloat16(),
}
METADATA = {"env": "maze2d-umaze", "numbers": [1, 2.5e-9], "nested": {"none": None}}


@pytest.fixture
def folder(tmp_path):
    save_bundle(tmp_path / "model", TENSORS, METADATA)
    return tmp_path / "model"


def assert_holds(folder, tensors, metadata):
    loaded, description = load_bundle(folder)
    assert description == metadata
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert loaded[name].dtype == tensor.dtype
        assert torch.equal(loaded[name], tensor)


def write_header(folder, header: bytes, *, length: int | None = None, rest: bytes = b"") -> None:
    length = len(header) if length is None else length
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", length) + header + rest)


def test_round_trip(folder):
    assert_holds(folder, TENSORS, METADATA)
    assert sorted(each.name for each in folder.iterdir()) == ["model.json", "model.safetensors"]


def test_a_folder_may_have_any_name(tmp_path):
    folder = tmp_path / os.fsdecode(b"not UTF-8 \xff,\n and -so on")
    save_bundle(folder, {"w": torch.ones(2)}, metadata={})
    assert load_bundle(folder)[0]["w"].tolist() == [1, 1]


def test_views_and_tied_weights_are_saved_by_value(tmp_path):
    base = torch.arange(6.0).reshape(2, 3)
    save_bundle(tmp_path, {"turned": base.T, "tied": base, "row": base[0]}, {})
    assert_holds(tmp_path, {"turned": base.T, "tied": base, "row": base[0]}, {})


def test_loaded_tensors_are_not_the_file(folder):
    load_bundle(folder)[0]["net.0.weight"].add_(1)
    assert_holds(folder, TENSORS, METADATA)


def test_saving_again_replaces_both(folder):
    save_bundle(folder, {"other": torch.zeros(2)}, {"second": True})
    assert_holds(folder, {"other": torch.zeros(2)}, {"second": True})
    save_bundle(folder, TENSORS, METADATA)
    assert_holds(folder, TENSORS, METADATA)
    assert "previous" not in json.loads((folder / "model.json").read_text())


def test_temporary_files_of_a_killed_process_go_with_the_next_save(folder):
    for name in (".model-abc.tmp.safetensors", ".model-def.tmp.json"):
        (folder / name).write_bytes(b"half")
    save_bundle(folder, TENSORS, METADATA)
    assert sorted(each.name for each in folder.iterdir()) == ["model.json", "model.safetensors"]


def test_a_stop_between_the_two_renames_leaves_the_old_pair(folder, monkeypatch):
    rename = os.replace

    def stop_at_tensors(source, target):
        if str(target).endswith("safetensors"):
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(os, "replace", stop_at_tensors)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            save_bundle(folder, {"other": torch.zeros(2)}, {"second": True})
        assert_holds(folder, TENSORS, METADATA)
    monkeypatch.undo()
    save_bundle(folder, {"other": torch.zeros(2)}, {"second": True})
    assert_holds(folder, {"other": torch.zeros(2)}, {"second": True})


@pytest.mark.parametrize("name", ["model.safetensors", "model.json"])
def test_every_bit_flip_is_found(folder, name):
    content = (folder / name).read_bytes()
    generator = np.random.default_rng(0)
    for bit in generator.choice(8 * len(content), size=min(250, 8 * len(content)), replace=False):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << (bit % 8)
        (folder / name).write_bytes(damaged)
        with pytest.raises(UserError, match=r"model\.(safetensors|json)"):
            load_bundle(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "model.json"])
def test_every_truncation_and_extension_is_found(folder, name):
    content = (folder / name).read_bytes()
    lengths = np.unique(np.linspace(0, len(content) - 1, 120).astype(int))
    for damaged in [*(content[:length] for length in lengths), content + b"\0", content + content]:
        (folder / name).write_bytes(damaged)
        with pytest.raises(UserError, match=r"model\.(safetensors|json)"):
            load_bundle(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "model.json"])
def test_a_missing_file_or_folder_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(UserError, match=rf"{name}: missing"):
        load_bundle(folder)
    (folder / name).mkdir()
    with pytest.raises(UserError, match=rf"{name}: missing or not a file"):
        load_bundle(folder)
    with pytest.raises(UserError, match="no such folder"):
        load_bundle(folder / "nowhere")


def test_files_of_two_bundles_do_not_mix(folder, tmp_path):
    save_bundle(tmp_path / "other", {name: each + 1 for name, each in TENSORS.items()}, METADATA)
    os.replace(tmp_path / "other" / "model.safetensors", folder / "model.safetensors")
    with pytest.raises(UserError, match="SHA-256"):
        load_bundle(folder)


def test_another_format_version_says_so(folder):
    description = json.loads((folder / "model.json").read_text())
    del description["description_sha256"]
    (folder / "model.json").write_bytes(bundle.sealed_json(description | {"format_version": 2}, seal=bundle.SEAL))
    with pytest.raises(UserError, match="format version 2, this dfplan reads 1"):
        load_bundle(folder)


HOSTILE_HEADERS = {
    "a header longer than the file": (b"{}", 10_000),
    "a header of 2^63 bytes": (b"{}", 2**63),
    "a header over the cap": (b" " * (bundle.MAX_HEADER_BYTES + 1), None),
    "100,000 tensors": (
        json.dumps({f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(100_000)}).encode(),
        None,
    ),
    "20,000 short entries": (json.dumps({f"t{i}": 0 for i in range(20_000)}).encode(), None),
    "nesting": (b"[" * 1_000_000, None),
    "not JSON": (b"\x80\x04\x95cos\nsystem\n", None),
    "a list": (b"[]", None),
    "traversal": (b'{"../../etc/passwd": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}', None),
    "an absolute name": (b'{"/etc/passwd": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}', None),
    "an empty name": (b'{"": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}', None),
    "a dunder in disguise": (b'{"a..b": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}', None),
}


@pytest.mark.parametrize("case", HOSTILE_HEADERS)
def test_a_hostile_header_is_refused_before_it_is_parsed_further(folder, case, monkeypatch):
    header, length = HOSTILE_HEADERS[case]
    write_header(folder, header, length=length)
    monkeypatch.setattr(bundle.safetensors.torch, "load_file", lambda path: pytest.fail("handed to the parser"))
    began = time.process_time()
    with pytest.raises(UserError, match=r"model\.safetensors: damaged"):
        load_bundle(folder)
    assert time.process_time() - began < 1


def test_a_pickle_in_disguise_never_runs(folder, tmp_path):
    canary = tmp_path / "canary"
    payload = b"cpathlib\nPath\n(S'" + str(canary).encode() + b"'\ntR." + b"\0" * 64
    (folder / "model.safetensors").write_bytes(payload)
    with pytest.raises(UserError, match="damaged"):
        load_bundle(folder)
    (folder / "model.json").write_bytes(payload)
    with pytest.raises(UserError, match="damaged"):
        load_bundle(folder)
    assert not canary.exists()


def test_wrong_offsets_with_a_right_checksum_are_refused(folder):
    header = b'{"a": {"dtype": "F32", "shape": [1000000000000], "data_offsets": [0, 4000000000000]}}'
    write_header(folder, header, rest=b"\0" * 16)
    content = (folder / "model.safetensors").read_bytes()
    description = {"format_version": 1, "num_bytes": len(content), "sha256": bundle.hashlib.sha256(content).hexdigest()}
    (folder / "model.json").write_bytes(bundle.sealed_json(description | {"metadata": {}}, seal=bundle.SEAL))
    with pytest.raises(UserError, match=r"model\.safetensors: damaged"):
        load_bundle(folder)


def test_a_huge_sparse_file_is_refused_by_its_size(folder):
    with (folder / "model.safetensors").open("wb") as file:
        file.truncate(bundle.MAX_TENSOR_BYTES + 1)
    with pytest.raises(UserError, match="at most"):
        load_bundle(folder)


@pytest.mark.parametrize(
    "content",
    [
        b'{"format_version": 1, "metadata": {"loss": NaN}}',
        b'{"format_version": 1, "metadata": ' + b'{"a":' * 900 + b"1" + b"}" * 901,
        b"[" * 100_000,
        b"[1]",
        b"9" * 10_000,
        b"\xff\xfe",
        b'{"format_version": 1}',
        b" " * (bundle.MAX_DESCRIPTION_BYTES + 1),
    ],
)
def test_a_hostile_description_is_refused(folder, content):
    (folder / "model.json").write_bytes(content)
    with pytest.raises(UserError, match=r"model\.json: damaged"):
        load_bundle(folder)


def test_what_could_not_be_loaded_is_not_saved(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "MAX_TENSOR_BYTES", 100)
    with pytest.raises(ValueError, match="at most 10000 tensors and 100 bytes; got 3"):
        save_bundle(tmp_path, TENSORS, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../up", "a/b", "", "a..b", ".hidden", "a b"])
def test_tensor_names_that_could_be_paths_are_not_written(tmp_path, name):
    with pytest.raises(ValueError, match="tensor name"):
        save_bundle(tmp_path, {name: torch.zeros(1)}, {})


def test_metadata_must_be_plain_finite_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        save_bundle(tmp_path, TENSORS, {"loss": float("nan")})
    with pytest.raises(TypeError, match="JSON"):
        save_bundle(tmp_path, TENSORS, {"path": tmp_path})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"cannot be written .*untouched") as caught:
        save_bundle(tmp_path / "file" / "model", TENSORS, METADATA)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_disk_that_fails_while_writing_leaves_the_old_bundle(folder, number, monkeypatch):
    def fail(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(UserError, match=rf"{os.strerror(number)}\).*untouched"):
        save_bundle(folder, {"other": torch.zeros(2)}, {})
    monkeypatch.undo()
    assert_holds(folder, TENSORS, METADATA)
    assert sorted(each.name for each in folder.iterdir()) == ["model.json", "model.safetensors"]


@pytest.mark.parametrize("read", [load_bundle, read_metadata])
def test_a_disk_that_fails_while_reading_is_one_line(folder, read, monkeypatch):
    def fail(path):
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    monkeypatch.setattr(bundle.Path, "read_bytes", fail)
    with pytest.raises(UserError, match=r"model\.json: cannot be read \(Input/output error\)"):
        read(folder)


FILL_THE_DISK = """
import resource, signal, sys, torch
from pathlib import Path
from dfplan.models.bundle import save_bundle
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
save_bundle(Path(sys.argv[1]), {"big": torch.zeros(10_000)}, {})
"""


@pytest.mark.slow
def test_no_space_leaves_the_old_bundle_and_no_litter(folder):
    result = subprocess.run([sys.executable, "-c", FILL_THE_DISK, folder], capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "cannot be written (File too large); what was there before is untouched" in result.stderr
    assert_holds(folder, TENSORS, METADATA)
    assert sorted(each.name for each in folder.iterdir()) == ["model.json", "model.safetensors"]


def test_metadata_is_read_without_the_tensors_and_checked_all_the_same(tmp_path):
    save_bundle(tmp_path, {"weight": torch.ones(3)}, {"name": "one"})
    assert read_metadata(tmp_path) == {"name": "one"}
    path = tmp_path / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="its SHA-256 is not the one"):
        read_metadata(tmp_path)
    path.unlink()
    with pytest.raises(UserError, match="missing or not a file"):
        read_metadata(tmp_path)
