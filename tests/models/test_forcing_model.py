"""What training exports is what the planner loads; anything else is refused with a line that names the folder."""

import json

import numpy as np
import pytest
import torch
from tiny_model import DENOISERS, LAYOUT, POINT_MASS, tiny_denoiser, tiny_trajectories

from dfplan.domains.maze.scorer import PointMassScorer
from dfplan.errors import UserError
from dfplan.models.bundle import load_bundle, save_bundle
from dfplan.models.forcing_model import load_forcing_model
from dfplan.scorers.support import measure_support
from dfplan.settings.diffusion import DiffusionSettings
from dfplan.settings.training import OptimizerSettings
from dfplan.tokens import Normalizer
from dfplan.training.forcing import ForcingTask

SIZES = {"width": 16, "num_layers": 2}


def _task(name, **changes):
    trajectories = tiny_trajectories()
    arguments = {
        "denoiser": tiny_denoiser(name),
        "layout": LAYOUT,
        "normalizer": Normalizer.fit(trajectories),
        "diffusion": DiffusionSettings(prediction="clean", schedule="cosine", action_weight=0.1, after_goal_weight=0.1),
        "optimizer": OptimizerSettings(learning_rate=1e-3, matrix_learning_rate=1e-3, weight_decay=0.0),
        "scorer": PointMassScorer(POINT_MASS, measure_support(trajectories), goal_radius=0.4),
        "validation": None,
        "metadata": {"env": "none", "model": {"name": name, **SIZES}, "num_tokens": 6},
    }
    return ForcingTask(**(arguments | changes))


@pytest.fixture
def folder(tmp_path):
    """A whole bundle of a transformer."""
    _task("transformer").export(tmp_path / "model")
    return tmp_path / "model"


def _rewrite(folder, *, metadata=None, tensors=None):
    """Write the bundle again, whole and with a right checksum, with some entries changed; None removes one."""
    old_tensors, old_metadata = load_bundle(folder)
    new_tensors, new_metadata = old_tensors | (tensors or {}), old_metadata | (metadata or {})
    save_bundle(
        folder,
        {name: value for name, value in new_tensors.items() if value is not None},
        {name: value for name, value in new_metadata.items() if value is not None},
    )


@pytest.mark.parametrize("name", DENOISERS)
def test_round_trip(name, tmp_path):
    task = _task(name)
    task.export(tmp_path / "model")
    loaded = load_forcing_model(tmp_path / "model")
    generator = torch.Generator().manual_seed(0)
    noisy, levels = torch.randn(2, 5, LAYOUT.token_dim, generator=generator), torch.rand(2, 5, 2, generator=generator)
    assert torch.equal(loaded.denoiser(noisy, levels)[0], task.modules["denoiser"](noisy, levels)[0])
    states = torch.randn(3, 4, generator=generator)
    assert torch.equal(loaded.normalizer.observations(states), task.normalizer.observations(states))
    assert loaded.layout == LAYOUT
    assert loaded.parameterization == task.parameterization
    assert loaded.dynamics == POINT_MASS
    assert (loaded.num_tokens, loaded.goal_radius) == (6, 0.4)
    np.testing.assert_array_equal(loaded.support.visited, task.scorer.support.visited)
    np.testing.assert_array_equal(loaded.support.origin, task.scorer.support.origin)
    assert loaded.support.cell == task.scorer.support.cell


def test_a_description_tells_whether_the_network_is_causal(folder):
    assert load_forcing_model(folder).denoiser.causal  # which one that does not say is
    model = {"name": "transformer", **SIZES, "causal": False}
    _rewrite(folder, metadata={"model": model})
    assert not load_forcing_model(folder).denoiser.causal
    for causal in (0, "no", None):
        _rewrite(folder, metadata={"model": model | {"causal": causal}})
        with pytest.raises(UserError, match="causal must be true or false"):
            load_forcing_model(folder)


def test_a_loaded_model_is_ready_to_plan_and_not_to_train(folder):
    model = load_forcing_model(folder)
    assert not model.denoiser.training
    assert not any(parameter.requires_grad for parameter in model.denoiser.parameters())
    assert model.to("cpu") is model


def test_a_missing_folder(tmp_path):
    with pytest.raises(UserError, match="nowhere: no such folder"):
        load_forcing_model(tmp_path / "nowhere")


def test_a_flipped_bit(folder):
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"model\.safetensors: damaged"):
        load_forcing_model(folder)


def test_a_bundle_of_something_else(tmp_path):
    save_bundle(tmp_path, {"weight": torch.ones(3)}, {"kind": "something else"})
    with pytest.raises(UserError, match=r"does not describe a dfplan planner.*train one with `dfplan train`"):
        load_forcing_model(tmp_path)


@pytest.mark.parametrize(
    "metadata",
    [
        {"layout": None},
        {"layout": [4, 2]},
        {"layout": {"steps_per_token": "four"}},
        {"layout": {"steps_per_token": 0}},
        {"model": {"width": 16}},
        {"model": "transformer"},
        {"model": {"name": "diffuser"}},
        {"model": {"name": "transformer", "width": "16"}},
        {"model": {"name": "transformer", "width": -16}},
        {"model": {"name": "transformer", "num_heads": 0}},
        {"model": {"name": "rnn", "num_layers": 0}},
        {"model": {"name": "transformer", "depth": 2}},
        {"schedule": "sigmoid"},
        {"prediction": "noise"},
        {"point_mass": {"gain": 0.2}},
        {"point_mass": [1, 2, 3, 4]},
        {"support": {"origin": [0, 0]}},
        {"support": {"origin": [0, 0], "cell": "small"}},
        {"support": {"origin": [0], "cell": 0.1}},
        {"support": {"origin": ["left", 0], "cell": 0.1}},
        {"support": {"origin": [0, 0], "cell": 0}},
        {"point_mass": {"decay": 1, "gain": 0.2, "step": "short", "max_speed": 5}},
        {"num_tokens": "many"},
        {"num_tokens": 10**15},
        {"goal_radius": None},
        {"goal_radius": True},
    ],
    ids=json.dumps,
)
def test_a_description_that_makes_no_sense(folder, metadata):
    _rewrite(folder, metadata=metadata)
    with pytest.raises(UserError, match=f"{folder} does not describe a dfplan planner"):
        load_forcing_model(folder)


HUGE = 10**9


@pytest.mark.parametrize(
    ("part", "sizes"),
    [
        ("model", {"width": HUGE}),
        ("model", {"width": HUGE, "num_heads": HUGE}),
        ("model", {"num_layers": HUGE}),
        ("model", {"num_heads": 2**70}),
        ("layout", {"steps_per_token": HUGE}),
        ("layout", {"points_per_token": HUGE, "steps_per_token": HUGE}),
        ("layout", {"observation_dim": HUGE, "goal_dim": HUGE}),
        ("layout", {"action_dim": HUGE}),
    ],
    ids=str,
)
def test_a_huge_size_is_refused_before_anything_is_built(folder, part, sizes, monkeypatch):
    _rewrite(folder, metadata={part: load_bundle(folder)[1][part] | sizes})
    monkeypatch.setattr("dfplan.models.forcing_model.build_denoiser", lambda **_: pytest.fail("built"))
    with pytest.raises(
        UserError, match=rf"must be a whole number from [01] to \d+, by its tensors; got {max(sizes.values())}"
    ):
        load_forcing_model(folder)


def test_weights_of_a_network_of_a_package_that_is_not_installed_say_so(folder):
    _rewrite(folder, metadata={"model": {"name": "averages", **SIZES}})
    with pytest.raises(UserError, match="unknown denoiser 'averages'; choose one of transformer, rnn"):
        load_forcing_model(folder)


def test_a_network_of_a_package_must_have_the_tensors_of_its_bundle(folder, monkeypatch):
    """Its sizes are its own affair, so it is built without memory first."""
    _rewrite(folder, metadata={"model": {"name": "averages", **SIZES}})
    monkeypatch.setattr("dfplan.plugins.find", lambda *_, own: lambda **sizes: torch.nn.Linear(20_000, 20_000))
    with pytest.raises(UserError, match=r"weight should have shape \(20000, 20000\); got None"):
        load_forcing_model(folder)


def test_tensors_that_belong_to_nothing_are_refused_unread(folder, monkeypatch):
    _rewrite(folder, tensors={"junk": torch.zeros(7)})
    monkeypatch.setattr("safetensors.torch.load_file", lambda _: pytest.fail("read"))
    with pytest.raises(UserError, match=r"tensor junk of shape \(7,\) is no part of a planner"):
        load_forcing_model(folder)


def test_a_map_of_visited_cells_has_a_largest_size(folder, monkeypatch):
    monkeypatch.setattr("dfplan.models.description.MAX_CELLS", 3)
    with pytest.raises(UserError, match=r"tensor support\.visited of shape"):
        load_forcing_model(folder)


def test_a_network_larger_than_its_weights_takes_no_memory(folder):
    """The one tensor is as long as the width says; a network that wide would take 19 GB."""
    _rewrite(
        folder,
        tensors={"denoiser.long": torch.zeros(20_000)},
        metadata={"model": {"name": "transformer", "width": 20_000, "num_layers": 2, "num_heads": 2}},
    )
    with pytest.raises(UserError, match="weights do not fit the network its description names"):
        load_forcing_model(folder)


def test_weights_of_another_size(folder):
    _rewrite(folder, metadata={"model": {"name": "transformer", "width": 32, "num_layers": 2}})
    with pytest.raises(UserError, match="weights do not fit the network its description names"):
        load_forcing_model(folder)


def test_weights_that_are_missing(folder):
    _rewrite(folder, tensors={"denoiser.project_out.bias": None})
    with pytest.raises(UserError, match=r"weights do not fit.*project_out.bias"):
        load_forcing_model(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(folder, value):
    _rewrite(folder, tensors={"denoiser.project_out.bias": torch.full((LAYOUT.token_dim,), value)})
    with pytest.raises(UserError, match=r"tensor denoiser.project_out.bias holds values that are not finite"):
        load_forcing_model(folder)
