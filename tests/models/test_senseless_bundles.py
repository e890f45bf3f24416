"""Weights, statistics, maps and robots that make no sense are refused when loaded, and by ``dfplan verify``."""

import numpy as np
import pytest
import torch
from tiny_model import LAYOUT, POINT_MASS, tiny_denoiser, tiny_trajectories

from dfplan.cli.commands.verify import verify
from dfplan.domains.maze.scorer import PointMassScorer
from dfplan.errors import UserError
from dfplan.models.bundle import load_bundle, save_bundle
from dfplan.models.forcing_model import load_forcing_model
from dfplan.models.inverse_dynamics import (
    InverseDynamics,
    MotionInverseDynamics,
    load_inverse_dynamics,
    save_inverse_dynamics,
)
from dfplan.scorers.support import measure_support
from dfplan.settings.diffusion import DiffusionSettings
from dfplan.settings.training import OptimizerSettings
from dfplan.tokens import Normalizer
from dfplan.training.forcing import ForcingTask

WEIGHT = "denoiser.project_out.weight"
MASS = vars(POINT_MASS)
NO_NUMBERS = [0, -1.0, 1e30, 1e308, 10**400, None, "1", True, [1.0], float("inf")]


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """Tensors and metadata of a bundle as training writes it."""
    trajectories = tiny_trajectories()
    task = ForcingTask(
        denoiser=tiny_denoiser(),
        layout=LAYOUT,
        normalizer=Normalizer.fit(trajectories),
        diffusion=DiffusionSettings(prediction="clean", schedule="cosine", action_weight=0.1, after_goal_weight=0.1),
        optimizer=OptimizerSettings(learning_rate=1e-3, matrix_learning_rate=1e-3, weight_decay=0.0),
        scorer=PointMassScorer(POINT_MASS, measure_support(trajectories), goal_radius=0.4),
        validation=None,
        metadata={
            "env": "none",
            "model": {"name": "transformer", "width": 16, "num_layers": 2},
            "num_tokens": 6,
        },
    )
    folder = tmp_path_factory.mktemp("honest") / "model"
    task.export(folder)
    return load_bundle(folder)


def refused(folder, tensors, metadata, *, load=load_forcing_model):
    save_bundle(folder, tensors, metadata)
    for read in (load, verify):
        with pytest.raises(UserError) as told:
            read(folder)
        assert str(folder) in str(told.value)
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("value", [1e38, -1e38, 1e20, 1e8, np.nan, np.inf])
@pytest.mark.parametrize("everywhere", [True, False])
def test_weights_that_nothing_can_be_computed_with(tmp_path, honest, value, everywhere):
    tensors, metadata = honest
    weight = tensors[WEIGHT].clone()
    weight[...] = value if everywhere else weight
    weight[0, 0] = value
    refused(tmp_path / "model", tensors | {WEIGHT: weight}, metadata)


@pytest.mark.parametrize("value", [0.0, -1.0, 1e-30, np.nan, np.inf, 1e30])
@pytest.mark.parametrize("name", ["normalizer.observation_std", "normalizer.action_std"])
def test_a_deviation_that_is_none(tmp_path, honest, name, value):
    tensors, metadata = honest
    std = tensors[name].clone()
    std[-1] = value
    refused(tmp_path / "model", tensors | {name: std}, metadata)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
@pytest.mark.parametrize("name", ["normalizer.observation_mean", "normalizer.action_mean"])
def test_a_mean_that_is_none(tmp_path, honest, name, value):
    tensors, metadata = honest
    refused(tmp_path / "model", tensors | {name: torch.full_like(tensors[name], value)}, metadata)


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: str(value)[:8])
@pytest.mark.parametrize("name", MASS)
def test_a_robot_that_is_none(tmp_path, honest, name, value):
    tensors, metadata = honest
    changed = metadata | {"point_mass": metadata["point_mass"] | {name: value}}
    if isinstance(value, float) and np.isinf(value):
        with pytest.raises(ValueError, match="not JSON compliant"):
            save_bundle(tmp_path / "model", tensors, changed)
        return
    refused(tmp_path / "model", tensors, changed)


@pytest.mark.parametrize("value", [0, -0.5, 1e30, None, "0.5", True])
def test_a_goal_radius_that_is_none(tmp_path, honest, value):
    refused(tmp_path / "model", honest[0], honest[1] | {"goal_radius": value})


MAPS = {
    "no cells": (torch.zeros(0, 5), {}),
    "a line": (torch.ones(5), {}),
    "a volume": (torch.ones(2, 2, 2), {}),
    "cells of nothing": (None, {"cell": 0}),
    "cells below nothing": (None, {"cell": -0.1}),
    "cells too large": (None, {"cell": 1e30}),
    "no origin": (None, {"origin": []}),
    "an origin of three": (None, {"origin": [0, 0, 0]}),
    "an origin of none": (None, {"origin": [None, 0]}),
    "an origin of texts": (None, {"origin": ["a", "b"]}),
    "far away": (None, {"origin": [1e6, 0]}),
    "far away below": (None, {"origin": [0, -1e300]}),
    "elsewhere altogether": (None, {"cell": 1e-300, "origin": [1e5, 1e5]}),
}


@pytest.mark.parametrize("name", MAPS)
def test_a_map_that_is_none(tmp_path, honest, name):
    tensors, metadata = honest
    visited, changes = MAPS[name]
    tensors = tensors if visited is None else tensors | {"support.visited": visited.to(torch.uint8)}
    refused(tmp_path / "model", tensors, metadata | {"support": metadata["support"] | changes})


def test_the_honest_bundle_itself_is_good(tmp_path, honest):
    save_bundle(tmp_path / "model", *honest)
    assert load_forcing_model(tmp_path / "model").goal_radius == 0.4
    assert "whole" in verify(tmp_path / "model")


MOTION = MotionInverseDynamics(goal_dim=2, action_dim=2, most_steps=16, width=8)
ANY = InverseDynamics(observation_dim=3, action_dim=2, width=8)


@pytest.mark.parametrize(
    ("inverse", "changes"),
    [
        (MOTION, {"speed_std": 0.0}),
        (MOTION, {"step_seconds": -1.0}),
        (MOTION, {"network.0.weight": 1e38}),
        (ANY, {"std": 0.0}),
        (ANY, {"change_std": -1.0}),
        (ANY, {"action_std": 0.0}),
        (ANY, {"mean": 1e38}),
        (ANY, {"network.0.weight": 1e38}),
    ],
)
def test_inverse_dynamics_that_are_none(tmp_path, inverse, changes):
    save_inverse_dynamics(tmp_path / "honest", inverse, {})
    tensors, metadata = load_bundle(tmp_path / "honest")
    spoiled = {f"inverse.{name}": torch.full_like(tensors[f"inverse.{name}"], value) for name, value in changes.items()}
    refused(tmp_path / "spoiled", tensors | spoiled, metadata, load=load_inverse_dynamics)
