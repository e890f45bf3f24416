"""Hostile datasets, exports, records and configurations."""

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from hostile_bundles import Case
from payloads import array_archive, payloads

import dfplan.cli.commands.evaluate
import dfplan.cli.commands.train  # noqa: F401 - loaded once, before the forks
from dfplan.cli.commands.verify import verify
from dfplan.cli.main import main
from dfplan.data.formats import read as read_data
from dfplan.export.manifest import MANIFEST_FILE, ONNX_FILE, SEAL, TORCH_FILE
from dfplan.export.onnx_planner import OnnxPlanner
from dfplan.files import sealed_json

ROWS = {"observations": np.ones((9, 4), "f4"), "actions": np.ones((9, 2), "f4"), "timeouts": np.arange(9) > 7}


def dataset_attacks() -> Iterator[Case]:
    """Attacks through HDF5."""
    for name in ("a pickle of protocol 4", "a torch archive"):
        yield f"{name} as dataset", _as_file("data.hdf5", name), _read
    zeros: dict[str, dict[str, Any]] = {
        "a bomb of 16 GB": {"shape": (10**9, 4), "chunks": (2**20, 4), "compression": "gzip"},
        "2^60 rows that were never written": {"shape": (2**60, 4), "chunks": (1000, 4)},
        "one chunk of 2 GB": {"shape": (9, 4), "chunks": (2**27, 4), "maxshape": (None, 4), "compression": "gzip"},
    }
    for name, options in zeros.items():
        yield (
            f"dataset: {name}",
            _dataset(lambda file, options=options: file.create_dataset("actions", dtype="f4", **options)),
            _read,
        )
    yield "dataset: a link to another file", _dataset(_link), _read
    yield "dataset: values in a password file", _dataset(_outside), _read
    yield "dataset: a filter to be loaded", _dataset(_filter), _read
    yield (
        "dataset: strings",
        _dataset(lambda file: file.create_dataset("actions", data=["x"] * 9, dtype=h5py.string_dtype())),
        _read,
    )
    yield "dataset: references", _dataset(lambda file: file.create_dataset("actions", (9, 2), h5py.ref_dtype)), _read
    yield "dataset: only a header", _truncated, _read
    yield "dataset: a note without end", _endless_note, _read


def export_attacks() -> Iterator[Case]:
    """Attacks through an export."""
    for name in ("a pickle of protocol 4", "a torch archive"):
        yield f"{name} as graph", _export(graph=name), OnnxPlanner
    yield (
        "export: a graph that reads other files",
        _export(content=b"\x08\x0a:location../../../etc/passwd"),
        OnnxPlanner,
    )
    yield (
        "export: a map of 10^12 cells",
        _export(support={"origin": [0, 0], "cell": 0.1, "shape": [10**6, 10**6], "visited_bits": ""}),
        verify,
    )
    yield "export: a cache of 10^9 layers", _export(cache_layers=10**9), verify
    yield "export: 10^9 levels", _export(planner={"num_levels": 10**9}), verify
    yield "export: a manifest of brackets", _manifest(b"[" * 1_000_000), verify
    yield "export: a manifest of 1 GB", _sparse(MANIFEST_FILE), verify


def record_attacks() -> Iterator[Case]:
    """Attacks through a result file, and files that are no file of dfplan at all."""
    yield "record: 1 GB", _sparse("results.json"), lambda place: verify(place / "results.json")
    yield (
        "record: a million brackets",
        _file("results.json", b'{"env":' * 200_000),
        lambda place: verify(place / "results.json"),
    )
    for name, end in {"a pickle of protocol 2": "pkl", "a torch archive": "pt", "a gzipped pickle": "gz"}.items():
        yield f"verify: {name}", _as_file(f"file.{end}", name), lambda place, end=end: verify(place / f"file.{end}")


def config_attacks() -> Iterator[Case]:
    """Attacks through configurations and files named in them."""
    target = "_target_: os.system\ncommand: touch {canary}\n"
    yield "config: _target_ in a planner", _config("planner/evil.yaml", target), _with_config("planner=evil")
    yield "config: _target_ in an environment", _config("env/evil.yaml", target), _with_config("env=evil")
    tag = "num_levels: !!python/object/apply:os.system ['touch {canary}']\n"
    yield "config: a Python tag", _config("planner/evil.yaml", tag), _with_config("planner=evil")
    callback = (
        "# @package _global_\nhydra:\n  callbacks:\n    evil:\n      _target_: subprocess.call\n"
        "      popenargs: [touch, '{canary}']\n"
    )
    yield "config: a callback of Hydra", _config("planner/evil.yaml", callback), _with_config("planner=evil")
    launcher = "# @package _global_\nhydra:\n  launcher:\n    _target_: pathlib.Path.touch\n    self: '{canary}'\n"
    yield "config: a launcher of Hydra", _config("planner/evil.yaml", launcher), _with_config("planner=evil", "-m")
    laughs = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    yield "config: a billion laughs", _config("planner/evil.yaml", laughs), _with_config("planner=evil")
    yield "config: _target_ on the command line", _nothing, lambda place: main(["eval", "+planner._target_=os.system"])
    yield "config: _target_ in a run to resume", _run_config, lambda place: main(["train", f"resume={place}"])
    yield (
        "config: a pickle as a run to resume",
        _as_file("config.json", "a pickle of protocol 2"),
        lambda place: main(["train", f"resume={place}"]),
    )
    field = "planner.guidance.distance_field={place}/field.npz"
    for name in ("a pickle of protocol 4", "a torch archive"):
        yield f"distance field: {name}", _as_file("field.npz", name), _eval(field)
    yield (
        "distance field: objects",
        lambda place, canary: array_archive(
            place / "field.npz", distances=payloads(canary)["an array of objects"], origin=b"", cell=b""
        ),
        _eval(field),
    )
    yield "distance field: a bomb of 4 GB", _field_bomb, _eval(field)


def _read(place: Path) -> Any:
    return read_data(place / "data.hdf5")


def _file(name: str, content: bytes) -> Callable[[Path, Path], Any]:
    return lambda place, canary: (place / name).write_bytes(content)


def _as_file(name: str, payload: str) -> Callable[[Path, Path], Any]:
    return lambda place, canary: (place / name).write_bytes(payloads(canary)[payload])


def _sparse(name: str) -> Callable[[Path, Path], Any]:
    def make(place: Path, canary: Path) -> None:
        with (place / name).open("wb") as file:
            file.truncate(2**30)

    return make


def _nothing(place: Path, canary: Path) -> None:
    pass


def _dataset(make_actions: Callable[[h5py.File], Any]) -> Callable[[Path, Path], Any]:
    def make(place: Path, canary: Path) -> None:
        with h5py.File(place / "data.hdf5", "w") as file:
            for key in ("observations", "timeouts"):
                file[key] = ROWS[key]
            make_actions(file)

    return make


def _link(file: h5py.File) -> None:
    file["actions"] = h5py.ExternalLink("/etc/passwd", "/actions")


def _outside(file: h5py.File) -> None:
    file.create_dataset("actions", (9, 2), "f4", external=[("/etc/passwd", 0, 72)])


def _filter(file: h5py.File) -> None:
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_chunk((9, 2))
    creation.set_filter(32_015, h5py.h5z.FLAG_OPTIONAL)
    h5py.h5d.create(file.id, b"actions", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((9, 2)), dcpl=creation)


def _truncated(place: Path, canary: Path) -> None:
    _dataset(lambda file: file.create_dataset("actions", data=ROWS["actions"]))(place, canary)
    path = place / "data.hdf5"
    path.write_bytes(path.read_bytes()[:96])


def _endless_note(place: Path, canary: Path) -> None:
    _dataset(lambda file: file.create_dataset("actions", data=ROWS["actions"]))(place, canary)
    _sparse("data.hdf5.sha256")(place, canary)


def _export(*, graph: str | None = None, content: bytes = b"\x08\x0a", **changes: Any) -> Callable[[Path, Path], Any]:
    """An export whose manifest is honest but for the changes, with a graph of any content and the right checksum."""

    def make(place: Path, canary: Path) -> None:
        graph_bytes = payloads(canary)[graph] if graph else content
        (place / ONNX_FILE).write_bytes(graph_bytes)
        (place / TORCH_FILE).write_bytes(b"PK")
        files = {
            name: {"num_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in {ONNX_FILE: graph_bytes, TORCH_FILE: b"PK"}.items()
        }
        manifest = HONEST_MANIFEST | {"files": files} | changes
        (place / MANIFEST_FILE).write_bytes(sealed_json(manifest, seal=SEAL))

    return make


def _manifest(content: bytes) -> Callable[[Path, Path], Any]:
    return _file(MANIFEST_FILE, content)


def _config(name: str, text: str) -> Callable[[Path, Path], Any]:
    def make(place: Path, canary: Path) -> None:
        path = place / name
        path.parent.mkdir()
        path.write_text(text.replace("{canary}", str(canary)))

    return make


def _with_config(*words: str) -> Callable[[Path], int]:
    return lambda place: main(["eval", "n_episodes=1", f"output={place / 'out'}", "--config-dir", str(place), *words])


def _eval(word: str) -> Callable[[Path], int]:
    return lambda place: main(["eval", f"output={place / 'out'}", "n_episodes=1", word.replace("{place}", str(place))])


def _run_config(place: Path, canary: Path) -> None:
    evil = {"_target_": "os.system", "command": f"touch {canary}"}
    config = {"config": {"model": evil, "env": evil, "training": evil, "dataset": {}}, "training": evil}
    (place / "config.json").write_text(json.dumps(config))


def _field_bomb(place: Path, canary: Path) -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (32768, 32768), }"
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    start = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(place / "field.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("distances.npy", "w") as member:
            member.write(start)
            for _ in range(8):
                member.write(bytes(2**24))
        for name in ("origin.npy", "cell.npy"):
            archive.writestr(name, start)


HONEST_MANIFEST = {
    "kind": "dfplan export",
    "format_version": 1,
    "layout": {"steps_per_token": 4, "points_per_token": 2, "action_dim": 2, "observation_dim": 4, "goal_dim": 2},
    "normalization": {
        "action_mean": [0, 0],
        "action_std": [1, 1],
        "observation_mean": [0] * 4,
        "observation_std": [1] * 4,
        "reward_mean": 0.5,
        "reward_std": 0.5,
    },
    "planner": {
        "num_levels": 3,
        "pyramid_offset": 1.0,
        "num_candidates": 2,
        "early_stop_fraction": 0.5,
        "consistency_penalty": 1.0,
        "ood_penalty": 1.0,
        "stabilization_level": 0.0,
        "window_tokens": 0,
    },
    "context_scale": 1.0,
    "cache_layers": 1,
    "cache_width": 8,
    "num_tokens": 4,
    "goal_radius": 0.5,
    "point_mass": {"decay": 1.0, "gain": 0.2, "step": 0.01, "max_speed": 5.0},
    "support": {"origin": [0, 0], "cell": 0.1, "shape": [2, 4], "visited_bits": "ff"},
}
