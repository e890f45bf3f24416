"""Flips bits and cuts off ends of checkpoints, datasets and records; all of it must be found, and the file named."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dfplan.cli.commands.verify import verify
from dfplan.data.d4rl_file import write_d4rl
from dfplan.data.formats import read as read_data
from dfplan.errors import UserError
from dfplan.evaluation.report import write_record
from dfplan.models.bundle import load_bundle
from dfplan.training.checkpoint import save_checkpoint


def run(folder: Path, *, count: int, seed: int) -> dict[str, Any]:
    """Damage each kind of file ``count`` times by a bit and ``count`` times by its length.

    Returns:
        By kind and damage: cases, how many were found with the file named, how many went unnoticed, how many ended in
        another error.
    """
    generator = np.random.default_rng(seed)
    tensors = {
        f"layer.{index}": torch.randn(40, 30, generator=torch.Generator().manual_seed(index)) for index in range(6)
    }
    metadata = {"config": {"seed": 0}, "state": {"step": 3}, "metrics": {"loss": 0.25}}
    checkpoint = save_checkpoint(folder, step=3, tensors=tensors, metadata=metadata, keep=1)
    rows = {name: generator.normal(size=(3000, width)).astype(np.float32) for name, width in _WIDTHS.items()}
    dataset = write_d4rl(folder / "data.hdf5", rows | {"timeouts": np.arange(3000) % 50 == 49}, metadata={})
    record = {"env": "maze2d-open", "metrics": {"score": 1.5}, "episodes": list(range(200))}
    record_path = write_record(record, path=folder / "results.json")
    kinds: dict[str, tuple[list[Path], Callable[[], Any]]] = {
        "checkpoint": (sorted(checkpoint.iterdir()), lambda: load_bundle(checkpoint)),
        "dataset": ([dataset], lambda: read_data(dataset)),
        "record": ([record_path], lambda: verify(record_path)),
    }
    found = {}
    for kind, (paths, read) in kinds.items():
        read()  # whole, it is read
        for damage in (_flip, _cut):
            found[f"{kind}, {damage.__name__[1:]}"] = _tried(paths, read, damage, count=count, generator=generator)
    return found


_WIDTHS = {"observations": 4, "actions": 2}


def _tried(
    paths: list[Path],
    read: Callable[[], Any],
    damage: Callable[[bytes, np.random.Generator], bytes],
    *,
    count: int,
    generator: np.random.Generator,
) -> dict[str, Any]:
    found: dict[str, Any] = {"cases": count, "found": 0, "unnoticed": 0, "other_errors": 0}
    names = {path.name for path in paths}
    for index in range(count):
        path = paths[index % len(paths)]
        content = path.read_bytes()
        path.write_bytes(damage(content, generator))
        try:
            read()
            found["unnoticed"] += 1
        except UserError as error:
            found["found" if any(name in str(error) for name in names) else "other_errors"] += 1
        except Exception as error:
            found["other_errors"] += 1
            found.setdefault("examples", []).append(json.dumps(repr(error)[:100]))
        finally:
            path.write_bytes(content)
    return found


def _flip(content: bytes, generator: np.random.Generator) -> bytes:
    bit, damaged = int(generator.integers(8 * len(content))), bytearray(content)
    damaged[bit // 8] ^= 1 << (bit % 8)
    return bytes(damaged)


def _cut(content: bytes, generator: np.random.Generator) -> bytes:
    return content[: int(generator.integers(len(content)))]
