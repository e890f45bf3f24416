"""``dfplan verify``: what a file or folder of dfplan is, and whether it is whole. Nothing in it is ever executed."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dfplan.errors import UserError, counted, printable
from dfplan.files import is_sealed, read_small, user_path

MAX_RECORD_BYTES = 64 * 2**20
MAX_DEPTH = 10
DATASET_ENDINGS = (".hdf5", ".h5")
RECORD = "results.json"
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
ARCHIVES = {b"PK": "a zip archive", b"\x80": "a pickle", b"\x1f\x8b": "a gzip file"}
PARTS = ("model.json", "model.safetensors", "manifest.json", "denoise.onnx", "denoise.pt2")


def run(words: Sequence[str]) -> int:
    """Verify paths, or all that lies in a folder of runs; one line each, the first that is not whole is an error."""
    if not words or words[0] in ("-h", "--help"):
        print("usage: dfplan verify PATH...")
        print("PATH is a run, checkpoint or model folder, an export, a dataset (.hdf5) or the results.json of an eval,")
        print("or a folder with any of these in it")
        return 0
    for word in words:
        path = user_path(word)
        if word.startswith("-") and not path.exists():
            raise UserError(f"dfplan verify takes paths only; got {word!r}")
        try:
            for each in _parts(path):
                found = f"{each}: {verify(each)}"
                print(printable(found).replace("\n", "\\n"))  # or a file could say that another one is whole
        except OSError as error:
            raise UserError(f"{error.filename or path}: cannot be read ({error.strerror or error})") from error
    return 0


def _parts(path: Path) -> list[Path]:
    """The path itself, or of a folder such as ``runs/eval``, which only holds others, all in it that is verified."""
    if not path.is_dir() or _is_known(path):
        return [path]
    return list(_known_within(path)) or [path]


def _known_within(folder: Path, depth: int = 1) -> Iterator[Path]:
    if depth > MAX_DEPTH:
        raise UserError(f"{folder}: more than {MAX_DEPTH} folders deep; name the one to verify")
    for each in sorted(folder.iterdir()):
        if each.is_symlink():
            continue
        if each.suffix in DATASET_ENDINGS or (each.is_dir() and _is_known(each)):
            yield each
        elif each.is_dir():
            yield from _known_within(each, depth + 1)


def _is_known(folder: Path) -> bool:
    """Whether a folder is of one run, model or export, by the names in it."""
    return any((folder / name).exists() for name in (*PARTS, RECORD, "checkpoints"))


def verify(path: Path) -> str:
    """Say what is at a path that is whole.

    Raises:
        UserError: it is damaged, incomplete, or nothing that dfplan wrote; names the file.
    """
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file or folder, or a special one")
    if path.name in PARTS:
        return _folder(path.parent)
    with path.open("rb") as file:
        start = file.read(8)
    if start == HDF5_SIGNATURE or path.suffix in DATASET_ENDINGS:
        return _dataset(path)
    if path.suffix == ".json":
        return _record(path)
    for signature, kind in ARCHIVES.items():
        if start.startswith(signature):
            raise UserError(
                f"{path}: {kind}, which dfplan neither writes nor reads: such files can run code when loaded"
            )
    raise UserError(
        f"{path}: nothing that dfplan writes; give a run, model or export folder, an .hdf5 or a results.json"
    )


def _folder(folder: Path) -> str:
    if (folder / "manifest.json").exists():
        return _export(folder)
    if (folder / "model.json").exists() or (folder / "model.safetensors").exists():
        return _bundle(folder)
    if (folder / "checkpoints").is_dir():
        return _run(folder)
    if (folder / RECORD).exists():
        return _record(folder / RECORD)
    raise UserError(
        f"{folder}: neither a run, a checkpoint, a model nor an export, nor a folder with one in it; an export has its "
        "manifest.json last"
    )


def _bundle(folder: Path) -> str:
    from dfplan.models.bundle import load_bundle

    tensors, metadata = load_bundle(folder)
    size = f"{len(tensors)} tensors, {sum(each.nbytes for each in tensors.values()):,} bytes, whole"
    if "state" in metadata:
        return f"a checkpoint, {size}"
    from dfplan.baselines.diffuser import is_diffuser, load_diffuser

    if is_diffuser(folder):
        return f"the weights of a Diffuser for {load_diffuser(folder).metadata.get('env')}, {size}"
    from dfplan.models.forcing_model import check_tensors, load_forcing_model

    if "layout" not in metadata:
        check_tensors(tensors, folder=folder)
        return f"a bundle, {size}"
    model = load_forcing_model(folder)
    parts = _companions(folder, metadata)
    told = f", with its {' and '.join(parts)}" if parts else ""
    if names := metadata.get("observation_names"):
        told += f", of observations {', '.join(map(str, names))}"
    return f"the weights of a {metadata['model']['name']} for {model.metadata.get('env')}, {size}{told}"


def _companions(folder: Path, metadata: dict[str, Any]) -> list[str]:
    """What lies in the bundle of a planner besides itself, once it was loaded and so checked."""
    from dfplan.cli.build_agents import load_sight
    from dfplan.models.inverse_dynamics import load_inverse_dynamics

    found = []
    if load_sight(folder, metadata) is not None:
        found.append("tokenizer")
    if (folder / "inverse").exists():
        load_inverse_dynamics(folder / "inverse")
        found.append("inverse dynamics")
    return found


def _run(folder: Path) -> str:
    from dfplan.training.checkpoint import checkpoint_folder, checkpoint_steps

    steps = checkpoint_steps(folder / "checkpoints")
    if not steps:
        raise UserError(f"{folder / 'checkpoints'}: no checkpoint in it")
    for step in steps:
        _bundle(checkpoint_folder(folder / "checkpoints", step))
    model = f"; model: {_bundle(folder / 'model')}" if (folder / "model").exists() else ""
    return f"a training run with checkpoints of steps {', '.join(map(str, steps))}, all whole{model}"


def _export(folder: Path) -> str:
    from dfplan.export.manifest import ONNX_FILE, TORCH_FILE, check_file, read_manifest

    manifest = read_manifest(folder)
    sizes = [len(check_file(folder, name)) for name in (ONNX_FILE, TORCH_FILE)]
    return (
        f"an exported planner, windows of {manifest.num_tokens} tokens, {sum(sizes):,} bytes, whole "
        f"({TORCH_FILE} is for torch.export.load, which may run what is in it: load only your own)"
    )


def _dataset(path: Path) -> str:
    from dfplan.data.check_dataset import check_in_another_process

    facts = check_in_another_process(path)
    checked = "whole" if facts["noted"] else "readable, but no .sha256 beside it tells whether it is unchanged"
    return "; ".join(
        [f"a data set, {facts['rows']:,} rows in {facts['trajectories']} trajectories, {checked}", *facts["notes"]]
    )


def _has_seal(record: dict[str, Any], seal: str) -> bool:
    """Whether a record was sealed, its seal perhaps under a damaged name: it comes last and is a SHA-256."""
    last = next(reversed(record.values()))
    return seal in record or (isinstance(last, str) and re.fullmatch("[0-9a-f]{64}", last) is not None)


def _kind_of_record(record: Any) -> str | None:
    """What a record is of; None for one that dfplan does not write."""
    if not isinstance(record, dict):
        return None
    if isinstance(command := record.get("command"), str) and isinstance(runs := record.get("runs"), list):
        return f"a sweep of dfplan {command}, {counted(len(runs), 'run')}"
    if not isinstance(env := record.get("env"), str):
        return None
    kinds = {"metrics": "an evaluation of", "agents": "a comparison of agents on"}
    return next((f"{kinds[name]} {env}" for name in kinds if name in record), None)


def _record(path: Path) -> str:
    from dfplan.evaluation.report import RECORD_SEAL

    text = read_small(path, at_most=MAX_RECORD_BYTES)
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: damaged: not readable as JSON ({str(error)[:80]}); run the evaluation again"
        ) from error
    kind = _kind_of_record(record)
    if kind is None:
        raise UserError(f"{path}: no record of an evaluation")
    if not _has_seal(record, RECORD_SEAL):
        unsealed = f"without {RECORD_SEAL} nothing tells whether it is unchanged"
        return f"the record of {kind}; {unsealed}"
    if not is_sealed(text, record, seal=RECORD_SEAL):
        raise UserError(f"{path}: damaged or changed: its content is not what its own SHA-256 says")
    return f"the record of {kind}, whole"
