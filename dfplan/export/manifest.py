"""What an exported planner says of itself, in a sealed JSON beside its files. Needs no torch.

The manifest is written last: a folder without one is no export, whatever else lies in it.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.domain import PlanScorer
from dfplan.errors import UserError
from dfplan.files import is_sealed, sealed_json, write_whole
from dfplan.measured import check_values, with_present_names
from dfplan.scorers import read_scorer
from dfplan.types import Bounds

MANIFEST_FILE, ONNX_FILE, TORCH_FILE = "manifest.json", "denoise.onnx", "denoise.pt2"
KIND, SEAL, FORMAT_VERSION = "dfplan export", "manifest_sha256", 1
MAX_MANIFEST_BYTES = 2 * 2**20
MAX_FILE_BYTES = 2**30
VISITED = "support.visited"  # an array of a scorer, of which a bit a cell is kept
MAX_SIZE = 1_000_000  # of any number that something is made as long as
# A tensor of an ONNX file may name another file to read its values from, by an entry with this key.
EXTERNAL_DATA = b"location"


@dataclass(frozen=True)
class Normalization:
    """Means and standard deviations, float32, as in :class:`dfplan.tokens.Normalizer`."""

    action_mean: np.ndarray
    action_std: np.ndarray
    observation_mean: np.ndarray
    observation_std: np.ndarray
    reward_mean: float
    reward_std: float


@dataclass(frozen=True)
class ExportedSettings:
    """What the planner without torch can do, of :class:`dfplan.planner.PlannerSettings`; all else is as by default."""

    num_levels: int
    pyramid_offset: float
    num_candidates: int
    early_stop_fraction: float
    consistency_penalty: float
    ood_penalty: float
    stabilization_level: float
    window_tokens: int
    rho: float = 1.0
    halve_after: int | None = None

    def __post_init__(self) -> None:
        whole = {"num_levels": 1, "num_candidates": 1, "window_tokens": 0}
        for name, least in (whole | ({} if self.halve_after is None else {"halve_after": 1})).items():
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= MAX_SIZE:
                raise ValueError(f"{name} must be a whole number from {least} to {MAX_SIZE}; got {str(value)[:20]}")
        numbers = ("pyramid_offset", "early_stop_fraction", "consistency_penalty", "ood_penalty", "stabilization_level")
        for name in numbers:
            if not 0 <= _number(getattr(self, name)) <= MAX_SIZE:
                raise ValueError(f"{name} must lie between 0 and {MAX_SIZE}; got {getattr(self, name)}")
        if not 0 < _number(self.rho) <= MAX_SIZE:
            raise ValueError(f"rho must be above 0 and at most {MAX_SIZE}; got {self.rho}")


@dataclass(frozen=True)
class Manifest:
    """An exported planner, without its network.

    Attributes:
        layout: sizes of a token, the arguments of :class:`dfplan.tokens.TokenLayout`.
        normalization: environment units to the scale of the noise.
        planner: the settings it was exported with.
        context_scale: what the normalised observation is multiplied by before it is shown (its share of signal).
        cache_layers: layers of the cache.
        cache_width: numbers per layer and token of the cache.
        num_tokens: tokens of a training window.
        scorer: what makes one plan better than another.
        action_bounds: between which numbers actions lie.
    """

    layout: Mapping[str, int]
    normalization: Normalization
    planner: ExportedSettings
    context_scale: float
    cache_layers: int
    cache_width: int
    num_tokens: int
    scorer: PlanScorer
    action_bounds: Bounds


def write_manifest(folder: Path, *, manifest: Manifest, description: Mapping[str, Any]) -> None:
    """Seal an export whose other files are in place.

    Args:
        folder: of the export.
        manifest: the planner.
        description: for people: what the files take and give, where they come from.
    """
    content: dict[str, Any] = {"kind": KIND, "format_version": FORMAT_VERSION, **description}
    content["files"] = {name: _measured(folder / name) for name in (ONNX_FILE, TORCH_FILE)}
    content |= {
        name: value
        for name, value in vars(manifest).items()
        if name not in ("normalization", "scorer", "action_bounds")
    }
    content["normalization"] = {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in vars(manifest.normalization).items()
    }
    content |= {"planner": vars(manifest.planner), **_described(manifest.scorer)}
    content["action_bounds"] = {name: each.tolist() for name, each in vars(manifest.action_bounds).items()}
    write_whole(folder / MANIFEST_FILE, sealed_json(content, seal=SEAL))


def _described(scorer: PlanScorer) -> dict[str, Any]:
    """A scorer as plain JSON; a map of visited cells takes a bit a cell."""
    described: dict[str, Any]
    described, arrays = scorer.describe()
    if (visited := arrays.pop(VISITED, None)) is not None:
        bits = {"shape": visited.shape, "visited_bits": np.packbits(visited).tobytes().hex()}
        described |= {"support": dict[str, Any](described["support"]) | bits}
    return {
        **described,
        "scorer": scorer.kind,
        "scorer_arrays": {name: values.tolist() for name, values in arrays.items()},
    }


def read_manifest(folder: Path) -> Manifest:
    """Return the planner that a folder describes; its files are checked by :func:`check_file`.

    Raises:
        UserError: there is no manifest, or it is damaged or makes no sense.
    """
    path = folder / MANIFEST_FILE
    content = _read_sealed(path)
    try:
        return _parsed(content)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UserError(f"{path}: does not describe an exported planner ({error}); export it again") from error


def check_file(folder: Path, name: str) -> bytes:
    """Return a file of an export once it is known to be the one that was written.

    Raises:
        UserError: it is missing, damaged, or names files outside of itself.
    """
    path, noted = folder / name, _read_sealed(folder / MANIFEST_FILE).get("files")
    expected = noted.get(name) if isinstance(noted, dict) else None
    if not isinstance(expected, dict):
        raise UserError(f"{folder / MANIFEST_FILE}: does not list {name}; export it again")
    if not path.is_file():
        raise UserError(f"{path}: missing or not a file; export it again")
    if path.stat().st_size != expected.get("num_bytes") or path.stat().st_size > MAX_FILE_BYTES:
        raise UserError(f"{path}: damaged: {path.stat().st_size} bytes are not what was written; export it again")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != expected.get("sha256"):
        raise UserError(f"{path}: damaged: its SHA-256 is not the one in {MANIFEST_FILE}; export it again")
    if name == ONNX_FILE and EXTERNAL_DATA in content:
        raise UserError(f"{path}: refers to other files, which dfplan never writes; it is not to be trusted")
    return content


def _measured(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"num_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _read_sealed(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(f"{path}: missing; an export is whole once it has its manifest, so export it again")
    if path.stat().st_size > MAX_MANIFEST_BYTES:
        raise UserError(f"{path}: {path.stat().st_size} bytes are too many for a manifest; it is not dfplan's")
    text = path.read_bytes()
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: damaged: not readable as JSON ({error}); export it again") from error
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise UserError(f"{path}: not the manifest of a dfplan export")
    if content.get("format_version") != FORMAT_VERSION:
        found = str(content.get("format_version"))[:20]
        raise UserError(f"{path}: format version {found}, this dfplan reads {FORMAT_VERSION}; export it again")
    if not is_sealed(text, content, seal=SEAL):
        raise UserError(f"{path}: damaged: its content is not what its own SHA-256 says; export it again")
    return content


def _parsed(content: Mapping[str, Any]) -> Manifest:
    may_be_0 = ("action_dim", "goal_dim")
    told = with_present_names(content["layout"])
    layout = {name: _size(value, least=int(name not in may_be_0)) for name, value in told.items()}
    widths = {"action": layout["action_dim"], "observation": layout["observation_dim"]}
    measured = dict(content["normalization"])
    for name in ("action_mean", "action_std", "observation_mean", "observation_std"):
        measured[name] = _vector(measured[name], length=widths[name.partition("_")[0]]).astype(np.float32)
    manifest = Manifest(
        layout=layout,
        normalization=Normalization(**{name: _plain(value) for name, value in measured.items()}),
        planner=ExportedSettings(**with_present_names(content["planner"])),
        context_scale=_number(content["context_scale"]),
        cache_layers=_size(content["cache_layers"]),
        cache_width=_size(content["cache_width"]),
        num_tokens=_size(content["num_tokens"]),
        scorer=_scorer(content, goal_dim=layout["goal_dim"]),
        action_bounds=_action_bounds(content, action_dim=layout["action_dim"]),
    )
    _check_measured(manifest)
    return manifest


def _scorer(content: Mapping[str, Any], *, goal_dim: int) -> PlanScorer:
    arrays = {name: np.array(values, np.float32) for name, values in content.get("scorer_arrays", {}).items()}
    if "support" in content:
        arrays[VISITED] = _visited(content["support"], dim=goal_dim)
    return read_scorer(content, arrays)


def _visited(support: Mapping[str, Any], *, dim: int) -> np.ndarray:
    """The map of visited cells, one axis a dimension."""
    shape = tuple(_size(length) for length in support["shape"])
    bits = np.frombuffer(bytes.fromhex(support["visited_bits"]), np.uint8)
    _vector(support["origin"], length=len(shape))
    if len(shape) != dim or -(-int(np.prod(shape, dtype=np.int64)) // 8) != len(bits):
        raise ValueError(f"{len(bits)} bytes of visited cells do not make a grid of shape {shape}")
    return np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape).astype(bool)


def _action_bounds(content: Mapping[str, Any], *, action_dim: int) -> Bounds:
    """Those of exports from before there were others are -1 and 1."""
    told = content.get("action_bounds", {"low": [-1.0] * action_dim, "high": [1.0] * action_dim})
    low, high = (_vector(told[side], length=action_dim).astype(np.float32) for side in ("low", "high"))
    return Bounds(low, high)


def _check_measured(manifest: Manifest) -> None:
    """Refuse what cannot have been measured.

    Raises:
        ValueError: names it.
    """
    normal = manifest.normalization
    for name, value in vars(normal).items():
        check_values(name, np.asarray(value, np.float64))
    if not 0 <= manifest.context_scale <= 1:
        raise ValueError(f"context_scale must lie between 0 and 1; got {manifest.context_scale:g}")
    manifest.scorer.check(normal.observation_mean, normal.observation_std)


def _size(value: Any, *, least: int = 1) -> int:
    if type(value) is not int or not least <= value <= MAX_SIZE:
        raise ValueError(f"{str(value)[:20]} is no size")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{str(value)[:20]} is no finite number")
    return float(value)


def _plain(value: Any) -> Any:
    return value if isinstance(value, np.ndarray) else _number(value)


def _vector(values: Any, *, length: int) -> np.ndarray:
    array = np.array(values, dtype=np.float64)
    if array.shape != (length,) or not np.isfinite(array).all():
        raise ValueError(f"a vector of {length} finite numbers was expected, found shape {array.shape}")
    return array
