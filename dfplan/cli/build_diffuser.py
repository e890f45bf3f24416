"""Builds what trains a Diffuser from a checked configuration."""

from dataclasses import asdict
from typing import Any

import torch

from dfplan.baselines.diffuser import DiffuserTask, SegmentWindows, TemporalUnet
from dfplan.cli.schema import TrainConfig
from dfplan.data.maze import load_maze
from dfplan.errors import UserError
from dfplan.types import PointMass, Trajectories

NOT_USED = ("retrace", "windows", "diffusion")  # groups of options that Diffuser has its own fixed ways for


def build_diffuser_training(
    config: TrainConfig, trajectories: Trajectories, *, point_mass: PointMass, provenance: dict[str, Any]
) -> tuple[DiffuserTask, SegmentWindows]:
    """The task and its windows; ``provenance`` travels in the description of the exported weights.

    Raises:
        UserError: no horizon or levels given, a horizon that the network cannot halve, or data without a window.
    """
    sizes = {name: value for name, value in asdict(config.model).items() if value is not None}
    if "horizon" not in sizes or "num_levels" not in sizes:
        raise UserError(
            "model=diffuser needs model.horizon and model.num_levels; recipe=diffuser-large has the published"
        )
    action_dim, observation_dim = trajectories.actions.shape[1], trajectories.observations.shape[1]
    torch.manual_seed(config.seed)  # of the initial weights
    unet = TemporalUnet(token_dim=action_dim + observation_dim, width=sizes["width"], num_layers=sizes["num_layers"])
    if sizes["horizon"] % unet.step_multiple:
        raise UserError(f"model.horizon must be a multiple of {unet.step_multiple}; got {sizes['horizon']}")
    maze = load_maze(config.env.id)
    windows = SegmentWindows(trajectories, goal=maze.goal_cell, goal_radius=maze.goal_radius, horizon=sizes["horizon"])
    task = DiffuserTask(
        unet=unet,
        normalizer=windows.normalizer(),
        num_levels=sizes["num_levels"],
        learning_rate=config.training.learning_rate,
        compiled=bool(config.training.compiled),
        metadata={
            "env": config.env.name,
            "model": {name: sizes[name] for name in ("name", "width", "num_layers", "horizon", "num_levels")},
            "action_dim": action_dim,
            "observation_dim": observation_dim,
            "goal_radius": maze.goal_radius,
            "point_mass": vars(point_mass),
            "provenance": provenance,
        },
    )
    return task, windows
