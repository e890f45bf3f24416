"""Contents that would run a command if anything loaded them as code; written by hand, since nothing here may pickle."""

import gzip
import io
import zipfile
import zlib
from pathlib import Path


def payloads(canary: Path) -> dict[str, bytes]:
    """By name, contents that make the file ``canary`` if they run."""
    command = f"touch {canary}".encode()
    text_pickle = b"cos\nsystem\n(S'" + command + b"'\ntR."
    binary_pickle = (
        b"\x80\x02cposix\nsystem\nq\x00X" + len(command).to_bytes(4, "little") + command + b"q\x01\x85q\x02Rq\x03."
    )
    framed_pickle = (
        b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c"
        + bytes([len(command)])
        + command
        + b"\x94\x85\x94R\x94."
    )
    torch_archive = io.BytesIO()
    with zipfile.ZipFile(torch_archive, "w") as archive:
        archive.writestr("archive/data.pkl", binary_pickle)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    array_of_objects = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + binary_pickle
    return {
        "a pickle of protocol 0": text_pickle,
        "a pickle of protocol 2": binary_pickle,
        "a pickle of protocol 4": framed_pickle,
        "a torch archive": torch_archive.getvalue(),
        "an old torch file": b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + binary_pickle,
        "a joblib file": zlib.compress(binary_pickle),
        "a gzipped pickle": gzip.compress(text_pickle),
        "an array of objects": array_of_objects,
        "a shell script": b"#!/bin/sh\n" + command + b"\n",
        "a Python program": f"import os; os.system({command.decode()!r})\n".encode(),
    }


def array_archive(path: Path, **members: bytes) -> None:
    """Write an ``.npz`` of ready-made ``.npy`` members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
