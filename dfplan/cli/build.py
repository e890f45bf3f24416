"""Builds the objects of the library from a checked configuration: plain values in, one explicit function per object."""

import re
from pathlib import Path
from typing import Any

import dfplan_envs  # noqa: F401 - registers the environments
import torch

from dfplan.agent import MPCAgent
from dfplan.cli.folders import bundled_weights
from dfplan.cli.schema import EvalConfig, ModelConfig, PlanConfig
from dfplan.errors import UserError
from dfplan.models import Denoiser, RecurrentDenoiser, TransformerDenoiser
from dfplan.planner import Planner, load_planner
from dfplan.tokens import NUM_PREFIX_TOKENS, TokenLayout


def select_device(name: str, *, threads: int | None) -> torch.device:
    """The device that is asked for, ``auto`` being a GPU where there is one; also sets the number of CPU threads.

    Raises:
        UserError: no such device on this machine.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
        raise UserError(f"device must be auto, cpu, cuda, cuda:<number> or mps; got {name!r}")
    device = torch.device(name)
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        raise UserError(f"device={name} is not on this machine, which has {count} CUDA devices; use device=cpu")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError("device=mps is not on this machine; use device=cpu")
    return device


def find_weights(weights: str, *, env_name: str) -> Path:
    """The folder of a bundle: the one that comes with dfplan, a bundle's own, or that of a training run.

    Raises:
        UserError: there is none; says what else could be done.
    """
    if weights == "bundled":
        folder = bundled_weights() / env_name
        if (folder / "model.json").is_file():
            return folder
        raise UserError(
            f"no weights for {env_name} come with dfplan; train some with `dfplan train env={env_name}` "
            "and give weights=<its run folder>"
        )
    folder = Path(weights).expanduser()
    for candidate in (folder, folder / "model"):
        if (candidate / "model.json").is_file():
            return candidate
    found = "no such folder" if not folder.exists() else "no model.json in it or in its sub-folder model"
    raise UserError(f"weights={weights}: {found}; give the run folder of a training, or weights=bundled")


def build_planner(config: EvalConfig | PlanConfig, *, device: torch.device) -> Planner:
    """Load the weights and set the planner up."""
    planner = config.planner
    return load_planner(
        find_weights(config.weights, env_name=config.env.name),
        num_samples=planner.num_samples,
        num_levels=planner.num_levels,
        slope=planner.slope,
        num_tokens=planner.num_tokens,
        device=device,
    )


def build_agent(config: EvalConfig, *, device: torch.device) -> MPCAgent:
    """The planner in a receding horizon."""
    planner = build_planner(config, device=device)
    return MPCAgent(planner, controller=config.controller.name, replan_every=config.controller.replan_every)


def build_denoiser(model: ModelConfig, *, layout: TokenLayout) -> Denoiser:
    """The network, untrained."""
    shape: dict[str, Any] = {
        "token_dim": layout.token_dim,
        "position_slots": layout.position_slots,
        "num_prefix_tokens": NUM_PREFIX_TOKENS,
        "width": model.width,
        "num_layers": model.num_layers,
    }
    match model.name:
        case "transformer":
            return TransformerDenoiser(**shape, num_heads=model.num_heads or 4)
        case "rnn":
            return RecurrentDenoiser(**shape)
        case _:
            raise UserError(f"unknown model {model.name!r}; choose transformer or rnn")
