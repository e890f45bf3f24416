"""One-step distillation: a planner's network learns to do in one call what it does in several."""

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfplan.errors import UserError
from dfplan.options import option
from dfplan.tasks import forcing
from dfplan.tasks.inputs import Inputs

if TYPE_CHECKING:
    from dfplan.models import ForcingModel
    from dfplan.training.distillation import DistillationTask, Teacher
    from dfplan.training.task import Dataset


@dataclass
class Settings(forcing.StateSettings):
    """Those of task=forcing, and what to learn from; network, normalizer and schedule are the teacher's."""

    teacher: str = option("bundled, or a folder: of a model or of a training run")
    num_levels: int = option("noise levels at which the teacher samples", low=1)
    rho: float = option("how the teacher's levels are spaced, as planner.rho", above=0)
    pyramid_offset: float = option("by how many levels a token of the teacher lags behind the one before", low=0)


def build(settings: Settings, inputs: Inputs) -> "tuple[DistillationTask, Dataset]":
    """The task and the windows whose contexts and goals it learns from.

    Raises:
        UserError: an environment that shows frames, no such teacher, or one whose tokens are not those of the windows.
    """
    from dfplan.models import load_forcing_model
    from dfplan.training.distillation import DistillationTask

    inputs.check_states()
    if settings.windows.collected_share:
        raise UserError("task=distill learns plans from its teacher and no dynamics from data; leave out windows=mixed")
    folder = find_teacher(settings.teacher, env_name=inputs.env_name)
    model = load_forcing_model(folder)

    predicted = model.parameterization

    def make(*, layout: Any, metadata: dict[str, Any], diffusion: Any, **options: Any) -> DistillationTask:
        if layout != model.layout:
            raise UserError(f"{folder} was trained on windows of {model.layout}; give those, not {layout}")
        options |= {
            "denoiser": copy.deepcopy(model.denoiser).train().requires_grad_(True),
            "normalizer": model.normalizer,
            "diffusion": replace(diffusion, prediction=predicted.kind, schedule=predicted.schedule.name),
            "metadata": metadata | {"model": model.metadata["model"], "num_tokens": model.num_tokens},
        }
        return DistillationTask(teacher=sampler(model, settings), layout=layout, **options)

    task, windows = forcing.build_training(settings, inputs, make=make)
    return task, windows  # type: ignore[return-value]


def sampler(model: "ForcingModel", settings: Settings) -> "Teacher":
    """The teacher: deterministic denoising of windows, as a planner of these settings does it."""
    import torch

    from dfplan.diffusion import sloped_matrix
    from dfplan.models.token_model import TokenModel
    from dfplan.planner.sampler import Sampling, sample_tokens

    def sample(prefix: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        denoiser = model.to(str(prefix.device)).denoiser
        clean = torch.zeros(1, prefix.shape[1], 2, device=prefix.device)
        matrix = sloped_matrix(noise.shape[1], num_levels=settings.num_levels, slope=settings.pyramid_offset)
        return sample_tokens(
            TokenModel(denoiser, model.layout, model.parameterization),
            noise,
            state=denoiser(prefix, clean)[1],
            sampling=Sampling(matrix=matrix, num_levels=settings.num_levels, rho=settings.rho),
        ).tokens

    return sample


def find_teacher(name: str, *, env_name: str) -> Path:
    """The folder of the weights to learn from: those that come with dfplan, a bundle's own, or that of a training run.

    Raises:
        UserError: there is none.
    """
    from dfplan.models.bundle import find_bundle
    from dfplan.models.library import WEIGHTS

    folder = WEIGHTS / env_name if name == "bundled" else Path(name)
    if found := find_bundle(folder):
        return found
    raise UserError(
        f"task.teacher={name}: no model.json in {folder}; train a planner with `dfplan train env={env_name}` and give "
        "task.teacher=<its run folder>"
    )
