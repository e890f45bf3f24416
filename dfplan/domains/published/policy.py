"""Networks that others have trained and published, as NumPy: what they do, sampled or not, and the same disturbed."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.errors import UserError
from dfplan.files import read_small
from dfplan.measured import MAX_VALUE

LARGEST_FILE = 64 << 20  # bytes; published ones have 300,000
MOST_LAYERS = 16
LONGEST_SOURCE = 200  # characters
LOG_STD_RANGE = (-20.0, 2.0)  # what soft actor-critic and its relatives keep it in
ACTIVATIONS = {"relu": lambda x: np.maximum(x, 0.0), "tanh": np.tanh}
SQUASHES = {"tanh": np.tanh, "none": lambda x: x}
FORMAT = (
    "a policy file is safetensors: layers.0.weight, layers.0.bias, ..., with a head log_std.weight and log_std.bias, "
    "or a vector log_std"
)


@dataclass(frozen=True)
class Policy:
    """A multilayer perceptron that tells the mean of a Gaussian, and its standard deviation.

    Attributes:
        layers: weights ``(out, in)`` and bias ``(out,)`` of each; the last gives the mean.
        log_std: likewise of a head on the last hidden layer, or one vector ``(action_dim,)`` for every observation.
        activation: of hidden layers, of :data:`ACTIVATIONS`.
        squash: what a sample goes through to be an action, of :data:`SQUASHES`.
        scales: ``in_shift``, ``in_scale`` of observations, ``out_shift`` and ``out_scale`` of means, where there are.
    """

    layers: tuple[tuple[np.ndarray, np.ndarray], ...]
    log_std: tuple[np.ndarray, np.ndarray] | np.ndarray
    activation: str
    squash: str
    scales: Mapping[str, np.ndarray]

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers in an observation and in an action."""
        return self.layers[0][0].shape[1], len(self.layers[-1][1])

    def act(self, observation: np.ndarray, generator: np.random.Generator | None) -> np.ndarray:
        """An action ``(action_dim,)`` float32 for an observation ``(observation_dim,)``.

        It is sampled, or without a generator the mean; it may lie outside of what an environment takes.
        """
        hidden = observation.astype(np.float32)
        if "in_shift" in self.scales:
            hidden = (hidden - self.scales["in_shift"]) / (self.scales["in_scale"] + 1e-8)
        for weight, bias in self.layers[:-1]:
            hidden = ACTIVATIONS[self.activation](weight @ hidden + bias)
        weight, bias = self.layers[-1]
        drawn = weight @ hidden + bias
        if "out_scale" in self.scales:
            drawn = drawn * self.scales["out_scale"] + self.scales["out_shift"]
        if generator is not None:
            log_std = self.log_std
            if isinstance(log_std, tuple):
                log_std = np.clip(log_std[0] @ hidden + log_std[1], *LOG_STD_RANGE)
            drawn = drawn + np.exp(log_std) * generator.standard_normal(len(drawn), dtype=np.float32)
        return SQUASHES[self.squash](drawn)

    def disturbed(self, strength: float, *, seed: int) -> "Policy":
        """The same with normal noise on its weights and biases: ``strength`` times their standard deviation, by layer.

        The same seed is the same direction, whatever the strength; how widely actions are drawn is left as it is.
        """
        generator = np.random.default_rng(seed)

        def disturb(values: np.ndarray) -> np.ndarray:
            noise = generator.standard_normal(values.shape, dtype=np.float32)
            return values + np.float32(strength * values.std()) * noise

        return replace(self, layers=tuple((disturb(weight), disturb(bias)) for weight, bias in self.layers))

    @property
    def checksum(self) -> str:
        """SHA-256 of its numbers."""
        head = self.log_std if isinstance(self.log_std, tuple) else (self.log_std,)
        arrays = [*(each for layer in self.layers for each in layer), *head, *self.scales.values()]
        digest = hashlib.sha256()
        for each in arrays:
            digest.update(np.ascontiguousarray(each).tobytes())
        return digest.hexdigest()


def read_policy(path: Path, *, observation_dim: int, action_dim: int, env_id: str) -> tuple[Policy, dict[str, str]]:
    """Read a policy of an environment, and where it comes from: its file, the SHA-256 of that, and what it says itself.

    Raises:
        UserError: it is missing, of another kind or of other sizes, or its numbers are not finite.
    """
    content = read_small(path, at_most=LARGEST_FILE)
    tensors, told = _parse(content, path)
    for name, values in tensors.items():
        if not (np.abs(values) <= MAX_VALUE).all():  # NaN is not, either
            raise UserError(f"policy={path}: {name} has numbers that are not finite or beyond {MAX_VALUE:g}")
    policy = _assemble(tensors, told, path)
    if policy.sizes != (observation_dim, action_dim):
        raise UserError(
            f"policy={path} takes observations of {policy.sizes[0]} and gives actions of {policy.sizes[1]} numbers; "
            f"{env_id} has {observation_dim} and {action_dim}: choose the policy of this environment"
        )
    origin = {"file": path.name, "file_sha256": hashlib.sha256(content).hexdigest()}
    return policy, origin | {"source": str(told.get("source", "unknown"))[:LONGEST_SOURCE]}


def _parse(content: bytes, path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Tensors as float32, and what the header tells besides."""
    from safetensors import SafetensorError
    from safetensors.numpy import load  # slow to import

    try:
        tensors = load(content)
        told = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]).get("__metadata__") or {}
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:100]
        raise UserError(
            f"policy={path} is no safetensors file ({reason}); pickled networks (.pkl, .pt, .zip) could run code and "
            f"are not read: convert their numbers; {FORMAT}"
        ) from error
    for name, values in tensors.items():
        if values.dtype.kind != "f":
            raise UserError(f"policy={path}: {name} must hold floating-point numbers; got {values.dtype}")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as that
        return {name: values.astype(np.float32) for name, values in tensors.items()}, told


def _assemble(tensors: dict[str, np.ndarray], told: Mapping[str, Any], path: Path) -> Policy:
    """A policy of tensors whose shapes go together."""
    tensors = dict(tensors)
    layers = []
    while len(layers) < MOST_LAYERS and f"layers.{len(layers)}.weight" in tensors:
        layers.append(_take_layer(tensors, f"layers.{len(layers)}", path))
    widths = [each[0].shape for each in layers]
    if len(layers) < 2 or any(below[0] != above[1] for below, above in pairwise(widths)):
        raise UserError(f"policy={path} has layers of shapes {widths}, which are no network; {FORMAT}")
    (_, inputs), (outputs, hidden) = widths[0], widths[-1]
    has_head = "log_std.weight" in tensors
    log_std = _take_layer(tensors, "log_std", path) if has_head else tensors.pop("log_std", None)
    found = log_std[0].shape if isinstance(log_std, tuple) else None if log_std is None else log_std.shape
    if log_std is None or found != ((outputs, hidden) if has_head else (outputs,)):
        raise UserError(f"policy={path} has log_std of shape {found} for {outputs} actions; {FORMAT}")
    expected = {"in_shift": inputs, "in_scale": inputs, "out_shift": outputs, "out_scale": outputs}
    scales = {name: tensors.pop(name) for name in expected if name in tensors}
    wrong = {name: list(values.shape) for name, values in scales.items() if values.shape != (expected[name],)}
    halves = [name for name in ("in", "out") if (f"{name}_shift" in scales) != (f"{name}_scale" in scales)]
    if wrong or halves or tensors:
        odd = wrong or [f"{each}_shift without {each}_scale, or the reverse" for each in halves] or sorted(tensors)[:3]
        raise UserError(f"policy={path} has {odd}, which no policy of these sizes has; {FORMAT}")
    activation = told.get("activation", "relu" if has_head else "tanh")
    squash = told.get("squash", "tanh" if has_head else "none")
    if activation not in ACTIVATIONS or squash not in SQUASHES:
        raise UserError(
            f"policy={path} says activation {activation!r} and squash {squash!r}; known are "
            f"{', '.join(ACTIVATIONS)} and {', '.join(SQUASHES)}"
        )
    return Policy(tuple(layers), log_std, activation, squash, scales)


def _take_layer(tensors: dict[str, np.ndarray], name: str, path: Path) -> tuple[np.ndarray, np.ndarray]:
    weight, bias = tensors.pop(f"{name}.weight"), tensors.pop(f"{name}.bias", None)
    if weight.ndim != 2 or 0 in weight.shape or bias is None or bias.shape != weight.shape[:1]:
        shape = None if bias is None else list(bias.shape)
        raise UserError(f"policy={path}: {name} has a weight of {list(weight.shape)} and a bias of {shape}; {FORMAT}")
    return weight, bias
