"""Exports the denoise step of a trained transformer: network, prediction and reverse step as one graph with a cache.

The sampler's loop stays outside. The cache of keys and values goes in and comes out, so that a step costs what it costs
in torch; with an empty cache the same graph takes goal and context.
"""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dfplan.diffusion import reverse_step
from dfplan.errors import UserError
from dfplan.export.manifest import ONNX_FILE, TORCH_FILE, ExportedSettings, Manifest, Normalization, write_manifest
from dfplan.files import write_whole
from dfplan.models.denoiser import DenoiserState
from dfplan.models.forcing_model import ForcingModel
from dfplan.models.transformer import TransformerDenoiser
from dfplan.planner import PlannerSettings

EXPORTED_SETTINGS = tuple(each.name for each in fields(ExportedSettings))
INPUTS: dict[str, tuple[str | int, ...]] = {
    "noisy": ("batch", "tokens", "token_dim"),
    "level": ("batch", "tokens", 2),
    "next_level": ("batch", "tokens", 2),
    "cache": ("cache_layers", "batch", "past", "cache_width"),
}
OUTPUTS: dict[str, tuple[str | int, ...]] = {
    "moved": ("batch", "tokens", "token_dim"),
    "grown": ("cache_layers", "batch", "past + tokens", "cache_width"),
}


class DenoiseStep(nn.Module):
    """One deterministic reverse step (DDIM) of normalised tokens, per token from level to next level."""

    def __init__(self, model: ForcingModel) -> None:
        super().__init__()
        self.denoiser, self.layout, self.parameterization = model.denoiser, model.layout, model.parameterization

    def forward(self, noisy: Tensor, level: Tensor, next_level: Tensor, cache: Tensor) -> tuple[Tensor, Tensor]:
        """Move tokens.

        Args:
            noisy: ``[batch, tokens, token_dim]`` at ``level``.
            level: ``[batch, tokens, 2]``: of the action slots, of the others.
            next_level: the same, nowhere above ``level``.
            cache: ``[layers, batch, past, width]`` of the tokens before.

        Returns:
            The tokens at ``next_level``, and the cache after them.
        """
        prediction, state = self.denoiser(noisy, level, DenoiserState(tuple(cache.unbind(0))))
        now, after = self.layout.per_slot(level), self.layout.per_slot(next_level)
        clean = self.parameterization.to_clean(prediction, noisy, level=now)
        moved = reverse_step(noisy, clean, level=now, next_level=after, schedule=self.parameterization.schedule)
        return moved, torch.stack(state.layers)


def export_planner(
    model: ForcingModel, folder: Path, *, settings: PlannerSettings, description: dict[str, Any]
) -> None:
    """Write ``denoise.onnx``, ``denoise.pt2`` and ``manifest.json``.

    Args:
        model: on the CPU.
        folder: where to.
        settings: of the planner that will run it; guidance and fresh noise need torch.
        description: what else the manifest should tell people.

    Raises:
        UserError: the network is recurrent, a setting needs torch, a package is missing, or the disk is full.
    """
    _check_settings(settings)
    denoiser = model.denoiser
    if not isinstance(denoiser, TransformerDenoiser):
        raise UserError("only the transformer can be exported: the recurrence of the RNN unrolls to a fixed length")
    if not denoiser.causal:
        raise UserError("only a causal transformer can be exported: without causality there is no cache")
    sizes = {
        "token_dim": model.layout.token_dim,
        "cache_layers": len(denoiser.blocks),
        "cache_width": 2 * denoiser.project_out.in_features,
    }
    buffer = io.BytesIO()
    with _without_torchs_asides():
        program = _program(DenoiseStep(model).eval(), sizes=sizes)
        write_whole(folder / ONNX_FILE, _as_onnx(program, sizes=sizes))
        torch.export.save(program, buffer)
    write_whole(folder / TORCH_FILE, buffer.getvalue())
    shapes = {
        kind: {name: {"dtype": "float32", "shape": list(_named(shape, sizes))} for name, shape in each.items()}
        for kind, each in {"inputs": INPUTS, "outputs": OUTPUTS}.items()
    }
    schedule = {"schedule": model.parameterization.schedule.name, "prediction": model.parameterization.kind}
    write_manifest(
        folder,
        manifest=_manifest(model, settings=settings, layers=sizes["cache_layers"], width=sizes["cache_width"]),
        description=description | shapes | schedule,
    )


def _check_settings(settings: PlannerSettings) -> None:
    default = PlannerSettings()
    for each in fields(settings):
        value, expected = getattr(settings, each.name), getattr(default, each.name)
        if each.name not in EXPORTED_SETTINGS and value != expected:
            raise UserError(
                f"planner.{each.name}={value} needs torch; an exported planner knows only {expected}, "
                f"and may choose {', '.join(EXPORTED_SETTINGS)}"
            )


def _program(step: DenoiseStep, *, sizes: dict[str, int]) -> torch.export.ExportedProgram:
    """Trace the step with free batch, tokens and past."""
    # Lengths of 0 and 1 are special to the tracer; the graph that comes out serves them as well (see the tests).
    lengths = {"batch": 3, "tokens": 4, "past": 5}
    dims = {name: torch.export.Dim(name, min=2, max=2**16) for name in lengths}
    free = [{axis: dims[size] for axis, size in enumerate(shape) if size in dims} for shape in INPUTS.values()]
    examples = [torch.zeros([lengths.get(size, size) for size in _named(shape, sizes)]) for shape in INPUTS.values()]  # type: ignore[arg-type]
    with torch.no_grad():
        program = torch.export.export(step, tuple(examples), dynamic_shapes=tuple(free))
    for node in program.graph.nodes:  # which would name the files of this machine
        node.meta.pop("stack_trace", None)
    return program


def _as_onnx(program: torch.export.ExportedProgram, *, sizes: dict[str, int]) -> bytes:
    """Translate the program, without the notes that the translator leaves in it."""
    try:
        import onnx  # noqa: F401  # pyright: ignore[reportMissingImports] - an optional extra
        import onnxscript  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError(f"the export needs the package {error.name}: pip install 'dfplan[onnx]'") from error
    exported = torch.onnx.export(
        program, dynamo=True, verbose=False, input_names=list(INPUTS), output_names=list(OUTPUTS)
    )
    assert exported is not None
    proto: Any = exported.model_proto
    del proto.metadata_props[:], proto.graph.metadata_props[:], proto.graph.value_info[:]
    proto.doc_string = proto.graph.doc_string = ""
    for part in (*proto.graph.node, *(node for function in proto.functions for node in function.node)):
        del part.metadata_props[:]
        part.doc_string = ""
    for value in (*proto.graph.input, *proto.graph.output):
        del value.metadata_props[:]
        for dim, size in zip(value.type.tensor_type.shape.dim, (INPUTS | OUTPUTS)[value.name], strict=True):
            if isinstance(size, str) and size not in sizes:
                dim.dim_param = size
    return proto.SerializeToString(deterministic=True)


@contextmanager
def _without_torchs_asides() -> Iterator[None]:
    """Leave out what torch's exporter says of its own insides, and of torchvision, which is not used."""
    exporter = logging.getLogger("torch.onnx")
    before = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        exporter.setLevel(before)


def _named(shape: tuple[str | int, ...], sizes: dict[str, int]) -> tuple[str | int, ...]:
    return tuple(sizes.get(size, size) if isinstance(size, str) else size for size in shape)


def _manifest(model: ForcingModel, *, settings: PlannerSettings, layers: int, width: int) -> Manifest:
    normalizer = model.normalizer
    reward_mean, ends = float(normalizer.rewards_back(torch.tensor(0.0))), torch.tensor([0.0, 1.0])
    measured = {name: value.numpy() for name, value in normalizer.named_buffers()}
    alpha, _ = model.parameterization.schedule(torch.tensor(settings.stabilization_level))
    return Manifest(
        layout=asdict(model.layout),
        normalization=Normalization(
            **measured, reward_mean=reward_mean, reward_std=float(normalizer.rewards_back(ends).diff())
        ),
        planner=ExportedSettings(**{name: getattr(settings, name) for name in EXPORTED_SETTINGS}),
        context_scale=float(alpha),
        cache_layers=layers,
        cache_width=width,
        num_tokens=model.num_tokens,
        scorer=model.scorer,
        action_bounds=model.action_bounds,
    )
