"""Bundles: tensors as safetensors beside a JSON that describes them and holds their SHA-256. Nothing in one can run."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from dfplan.errors import UserError
from dfplan.files import is_sealed, remove_temporaries, sealed_json, user_path, write_whole, written_whole

TENSORS_FILE = "model.safetensors"
DESCRIPTION_FILE = "model.json"
SEAL = "description_sha256"
FORMAT_VERSION = 1

# Caps, checked before a file is handed to a parser, so that a hostile file costs neither time nor memory.
MAX_HEADER_BYTES = 2 * 2**20
MAX_DESCRIPTION_BYTES = 2 * 2**20
MAX_TENSORS = 10_000
MAX_TENSOR_BYTES = 2**30

ShapeCheck = Callable[[Mapping[str, tuple[int, ...]], Mapping[str, Any]], None]
"""Raises if tensors of these shapes do not belong to this metadata."""

_NAME = re.compile(r"[A-Za-z0-9_\-]+(\.[A-Za-z0-9_\-]+)*")


def find_bundle(folder: Path, *, inside: Sequence[str] = ("model",)) -> Path | None:
    """A folder if it holds a bundle, else the first of those ``inside`` it that does: ``model`` in a run folder."""
    folder = user_path(folder)
    return next((each for each in (folder, *map(folder.joinpath, inside)) if (each / DESCRIPTION_FILE).is_file()), None)


def save_bundle(folder: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write ``model.safetensors`` and ``model.json`` into ``folder`` so that at every moment one whole pair is there.

    Over an old pair, the new description is put in place first and carries the old one inside it; whichever of the two
    the tensors file matches by SHA-256 is the one that counts. So a kill between the renames loses nothing.

    Args:
        folder: made if absent.
        tensors: by dotted name of letters, digits, ``_`` and ``-``; saved contiguous, from any device, and whole: where
            processes share them out, all must save.
        metadata: what JSON can hold, without NaN.

    Raises:
        UserError: the folder cannot be written (no space, read-only, ...); what was there before is untouched.
        ValueError: a name or a size that ``load_bundle`` would refuse.
    """
    folder = Path(folder)
    content = _checked_content(tensors)
    description: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "num_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "metadata": dict(metadata),
    }
    for name in (TENSORS_FILE, DESCRIPTION_FILE):
        remove_temporaries(folder / name)
    previous = _previous_description(folder)
    if previous is not None:
        description["previous"] = previous
    text = sealed_json(description, seal=SEAL)
    with written_whole(folder / TENSORS_FILE) as staged:
        staged.write_bytes(content)
        write_whole(folder / DESCRIPTION_FILE, text)
    if description.pop("previous", None) is not None:
        write_whole(folder / DESCRIPTION_FILE, sealed_json(description, seal=SEAL))


def load_bundle(folder: Path, *, check: ShapeCheck | None = None) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors (on the CPU) and the metadata that ``save_bundle`` wrote.

    Args:
        folder: of the bundle.
        check: called with the shapes of the tensors and the metadata before the tensors take any memory.

    Raises:
        UserError: a file is missing, damaged, oversized or of another version; names the file and the fix.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; expected one with {TENSORS_FILE} and {DESCRIPTION_FILE} in it")
    tensors_path, description_path = folder / TENSORS_FILE, folder / DESCRIPTION_FILE
    try:
        description = _read_description(description_path)
        return _read_tensors(tensors_path, description, check=check)
    except OSError as error:
        raise _unreadable(folder, error) from error


def read_metadata(folder: Path) -> dict[str, Any]:
    """Return the metadata of a bundle, whose tensors are checked by their SHA-256 but not loaded.

    Raises:
        UserError: as :func:`load_bundle`.
    """
    try:
        description = _read_description(folder / DESCRIPTION_FILE)
        return _matching_description(folder / TENSORS_FILE, description)["metadata"]
    except OSError as error:
        raise _unreadable(folder, error) from error


def bundle_checksum(folder: Path) -> str:
    """Return the SHA-256 of the tensors, by the description of a bundle that was just loaded."""
    description = _read_description(folder / DESCRIPTION_FILE)
    return _matching_description(folder / TENSORS_FILE, description)["sha256"]


def _checked_content(tensors: Mapping[str, Tensor]) -> bytes:
    """Return the tensors as the bytes of a safetensors file, within the caps that reading enforces."""
    for name in tensors:
        if not _NAME.fullmatch(name):
            raise ValueError(f"a tensor name is dotted words of letters, digits, _ and -; got {name!r}")
    # Copied, since safetensors refuses tensors that share memory (tied weights, views).
    in_order = sorted(tensors.items())  # in which all processes gather
    whole = {name: getattr(each, "full_tensor", lambda each=each: each)() for name, each in in_order}
    content = safetensors.torch.save({name: each.detach().cpu().contiguous().clone() for name, each in whole.items()})
    if len(tensors) > MAX_TENSORS or len(content) > MAX_TENSOR_BYTES:
        raise ValueError(
            f"a bundle holds at most {MAX_TENSORS} tensors and {MAX_TENSOR_BYTES} bytes; "
            f"got {len(tensors)} and {len(content)}"
        )
    return content


def _unreadable(folder: Path, error: OSError) -> UserError:
    return UserError(f"{error.filename or folder}: cannot be read ({error.strerror}); check its permissions")


def _damaged(path: Path, what: str) -> UserError:
    return UserError(f"{path}: damaged or not written by dfplan: {what}; get the file again or use another checkpoint")


def _size_of_file(path: Path, *, at_most: int) -> int:
    if not path.is_file():
        raise UserError(f"{path}: missing or not a file; a bundle is {TENSORS_FILE} and {DESCRIPTION_FILE} together")
    size = path.stat().st_size
    if size > at_most:
        raise _damaged(path, f"{size} bytes, at most {at_most} are allowed")
    return size


def _read_description(path: Path) -> dict[str, Any]:
    _size_of_file(path, at_most=MAX_DESCRIPTION_BYTES)
    content = path.read_bytes()
    try:
        description = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"not readable as JSON ({error})") from error
    if not isinstance(description, dict) or "format_version" not in description:
        raise _damaged(path, "no format_version in it")
    if description["format_version"] != FORMAT_VERSION:
        raise UserError(
            f"{path}: format version {description['format_version']!r}, this dfplan reads {FORMAT_VERSION}; "
            "load it with the version of dfplan that wrote it"
        )
    if not is_sealed(content, description, seal=SEAL):
        raise _damaged(path, "its content is not what its own SHA-256 says")
    for key, kind in {"num_bytes": int, "sha256": str, "metadata": dict}.items():
        if not isinstance(description.get(key), kind):
            raise _damaged(path, f"{key} is missing or not of type {kind.__name__}")
    return {key: value for key, value in description.items() if key != SEAL}


def _previous_description(folder: Path) -> dict[str, Any] | None:
    """Return the description that the tensors file in place belongs to, without its own history; None if none does."""
    try:
        description = _read_description(folder / DESCRIPTION_FILE)
        matching = _matching_description(folder / TENSORS_FILE, description)
    except UserError:
        return None  # nothing valid is there, so there is nothing to keep
    return {key: value for key, value in matching.items() if key != "previous"}


def _matching_description(path: Path, description: dict[str, Any]) -> dict[str, Any]:
    """Return the description, or the previous one inside it, that has the size and SHA-256 of the tensors file."""
    size = _size_of_file(path, at_most=MAX_TENSOR_BYTES)
    candidates = [description]
    if isinstance(description.get("previous"), dict):
        candidates.append(description["previous"])
    candidates = [each for each in candidates if each.get("num_bytes") == size]
    if not candidates:
        raise _damaged(path, f"{size} bytes, but {description['num_bytes']} were written")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    for each in candidates:
        if each.get("sha256") == digest and isinstance(each.get("metadata"), dict):
            return each
    raise _damaged(path, f"its SHA-256 is not the one in {DESCRIPTION_FILE}")


def _read_tensors(
    path: Path, description: dict[str, Any], *, check: ShapeCheck | None
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    shapes = _shapes_in_header(path)
    matching = _matching_description(path, description)
    if check is not None:
        check(shapes, matching["metadata"])
    try:
        tensors = safetensors.torch.load(path.read_bytes())  # which opens no path that is not UTF-8
    except (SafetensorError, ValueError, KeyError) as error:
        raise _damaged(path, str(error)) from error
    return tensors, matching["metadata"]


def _shapes_in_header(path: Path) -> dict[str, tuple[int, ...]]:
    """Check length, tensor count and names of a safetensors header without trusting any number in it."""
    size = _size_of_file(path, at_most=MAX_TENSOR_BYTES)
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(MAX_HEADER_BYTES, size - 8):
            raise _damaged(path, f"it claims a header of {length} bytes in a file of {size}")
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError) as error:
            raise _damaged(path, f"its header is not readable as JSON ({error})") from error
    if not isinstance(header, dict) or len(header) > MAX_TENSORS:
        raise _damaged(path, f"its header is not a list of at most {MAX_TENSORS} tensors")
    for name in header:
        if not _NAME.fullmatch(name):
            raise _damaged(path, f"tensor name {name[:60]!r}")
    try:
        return {name: tuple(each["shape"]) for name, each in header.items() if name != "__metadata__"}
    except (KeyError, TypeError) as error:
        raise _damaged(path, f"its header does not give every tensor a shape ({error})") from error
