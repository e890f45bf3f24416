"""Hostile weights and checkpoints."""

import hashlib
import json
import os
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from payloads import payloads

from dfplan.cli.folders import bundled_weights
from dfplan.files import sealed_json
from dfplan.models.bundle import DESCRIPTION_FILE, SEAL, TENSORS_FILE, load_bundle, save_bundle
from dfplan.models.forcing_model import load_forcing_model

Case = tuple[str, Callable[[Path, Path], None], Callable[[Path], Any]]
HUGE = 10**9
EMPTY_TENSOR = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}


def bundle_attacks() -> Iterator[Case]:
    """Attacks through the two files of a bundle, with checksums that are right wherever that is possible."""
    for name in payloads(Path("x")):
        yield f"{name} as tensors", _as_tensors(name), load_bundle
    for name in ("a pickle of protocol 0", "a pickle of protocol 4", "a torch archive", "a Python program"):
        yield f"{name} as description", _as_description(name), load_bundle
    yield "a pickle appended to tensors", _appended, load_bundle
    for name, content in _headers().items():
        yield f"header: {name}", _with_tensors(content), load_bundle
    for name, changes in _descriptions().items():
        yield f"description: {name}", _with_metadata(changes), load_forcing_model
    yield "a network that would take 19 GB", _wide, load_forcing_model
    for name, target in {"a password file": "/etc/passwd", "an endless device": "/dev/zero"}.items():
        yield f"tensors linked to {name}", _linked(target), load_bundle
    yield "tensors are a pipe", _pipe, load_bundle
    yield "a folder linked to itself", _loop, load_bundle


def _start(place: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Put honest weights there and return what is in them."""
    shutil.copytree(bundled_weights() / "maze2d-umaze", place, dirs_exist_ok=True)
    return load_bundle(place)


def _write_tensors(place: Path, content: bytes) -> None:
    (place / TENSORS_FILE).write_bytes(content)
    description = {"format_version": 1, "num_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (place / DESCRIPTION_FILE).write_bytes(sealed_json(description | {"metadata": {}}, seal=SEAL))


def _with_tensors(content: bytes) -> Callable[[Path, Path], None]:
    return lambda place, canary: _write_tensors(place, content)


def _as_tensors(name: str) -> Callable[[Path, Path], None]:
    return lambda place, canary: _write_tensors(place, payloads(canary)[name])


def _as_description(name: str) -> Callable[[Path, Path], None]:
    def make(place: Path, canary: Path) -> None:
        _start(place)
        (place / DESCRIPTION_FILE).write_bytes(payloads(canary)[name])

    return make


def _appended(place: Path, canary: Path) -> None:
    _start(place)
    content = (place / TENSORS_FILE).read_bytes() + payloads(canary)["a pickle of protocol 0"]
    _write_tensors(place, content)


def _header(header: Any, *, length: int | None = None, rest: bytes = b"") -> bytes:
    content = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(content) if length is None else length) + content + rest


def _headers() -> dict[str, bytes]:
    whole = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    return {
        "2^63 bytes long": _header({}, length=2**63),
        "100 MB long in a small file": _header({}, length=10**8),
        "3 MB of spaces": _header(b" " * 3_000_000),
        "100,000 tensors": _header({f"t{index}": EMPTY_TENSOR for index in range(100_000)}),
        "20,000 tensors in short": _header({f"t{index}": 0 for index in range(20_000)}),
        "a million brackets": _header(b"[" * 1_000_000),
        "a number of a million digits": _header(b'{"a": ' + b"9" * 1_000_000 + b"}"),
        "a name that climbs": _header({"../../etc/cron.d/x": EMPTY_TENSOR}),
        "an absolute name": _header({"/etc/cron.d/x": EMPTY_TENSOR}),
        "a name with a null": _header({"a\0b": EMPTY_TENSOR}),
        "a tensor of 4 TB": _header(
            {"a": whole | {"shape": [10**12], "data_offsets": [0, 4 * 10**12]}}, rest=bytes(16)
        ),
        "a shape that overflows": _header({"a": whole | {"shape": [2**62, 4]}}, rest=bytes(16)),
        "offsets that run backwards": _header({"a": whole | {"data_offsets": [16, 0]}}, rest=bytes(16)),
        "offsets that overlap": _header({"a": whole, "b": whole}, rest=bytes(16)),
        "an unheard-of dtype": _header({"a": whole | {"dtype": "PICKLE"}}, rest=bytes(16)),
        "no shapes": _header({"a": {"dtype": "F32"}}, rest=bytes(16)),
    }


def _descriptions() -> dict[str, dict[str, Any]]:
    """Changed metadata of honest weights."""
    layout = {"steps_per_token": 16, "points_per_token": 2, "action_dim": 2, "observation_dim": 4, "goal_dim": 2}
    model = {"name": "transformer", "width": 128, "num_layers": 4, "num_heads": 4}
    return {
        "a width of 10^9": {"model": model | {"width": HUGE}},
        "10^9 layers": {"model": model | {"num_layers": HUGE}},
        "10^9 heads": {"model": model | {"num_heads": HUGE}},
        "10^9 steps in a token": {"layout": layout | {"steps_per_token": HUGE}},
        "10^9 points in a token": {"layout": layout | {"points_per_token": HUGE, "steps_per_token": HUGE}},
        "10^9 numbers in an action": {"layout": layout | {"action_dim": HUGE}},
        "a window of 10^15 tokens": {"num_tokens": 10**15},
        "_target_ as model": {"model": {"_target_": "os.system", "name": "touch x"}},
        "a class as model": {"model": model | {"name": "os.system"}},
        "a dunder as size": {"model": model | {"__class__": 1}},
        "a name that formats": {"model": model | {"name": "{0.__class__}"}},
    }


def _with_metadata(changes: dict[str, Any]) -> Callable[[Path, Path], None]:
    def make(place: Path, canary: Path) -> None:
        tensors, metadata = _start(place)
        save_bundle(place, tensors, metadata | changes)

    return make


def _wide(place: Path, canary: Path) -> None:
    tensors, metadata = _start(place)
    model = {"name": "transformer", "width": 20_000, "num_layers": 4, "num_heads": 2}
    save_bundle(place, tensors | {"denoiser.long": torch.zeros(20_000)}, metadata | {"model": model})


def _linked(target: str) -> Callable[[Path, Path], None]:
    def make(place: Path, canary: Path) -> None:
        _start(place)
        (place / TENSORS_FILE).unlink()
        (place / TENSORS_FILE).symlink_to(target)

    return make


def _pipe(place: Path, canary: Path) -> None:
    _start(place)
    (place / TENSORS_FILE).unlink()
    os.mkfifo(place / TENSORS_FILE)


def _loop(place: Path, canary: Path) -> None:
    (place / TENSORS_FILE).symlink_to(place / DESCRIPTION_FILE)
    (place / DESCRIPTION_FILE).symlink_to(place / TENSORS_FILE)
