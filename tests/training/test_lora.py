"""Low-rank additions begin as nothing, are all that is trained, and can be added to the weights for good."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_model import DENOISERS, LAYOUT, SCORER, SUPPORT, tiny_denoiser, tiny_model, tiny_trajectories, tiny_windows

from dfplan.errors import UserError
from dfplan.models.forcing_model import load_forcing_model
from dfplan.models.library import load
from dfplan.settings.diffusion import DiffusionSettings
from dfplan.settings.training import OptimizerSettings
from dfplan.tokens import Normalizer, TokenLayout
from dfplan.training import Settings, train
from dfplan.training.forcing import ForcingTask
from dfplan.training.lora import LoraTask, add_low_rank, merged_weights

pytest.importorskip("peft")

SIZES = {"name": "transformer", "width": 16, "num_layers": 2}


def lora_task(base, *, rank=2, **changes):
    arguments = {
        "denoiser": tiny_denoiser(seed=7),  # what the task would begin with if it had no base
        "layout": LAYOUT,
        "normalizer": Normalizer.fit(tiny_trajectories(seed=5)),
        "diffusion": DiffusionSettings(
            prediction="velocity", schedule="linear", action_weight=0.1, after_goal_weight=0.25
        ),
        "optimizer": OptimizerSettings(learning_rate=1e-2, matrix_learning_rate=1e-2, weight_decay=0.0),
        "scorer": SCORER,
        "validation": None,
        "metadata": {"env": "new", "model": SIZES, "num_tokens": 5},
    }
    return LoraTask(base=base, rank=rank, alpha=4.0, origin={"base": "old"}, **(arguments | changes))


def train_a_little(task, folder):
    return train(
        task,
        tiny_windows(),
        Settings(num_steps=8, batch_size=16, seed=0, device="cpu"),
        run_folder=folder,
        progress=False,
    )


def look(denoiser, *, tokens=7):
    generator = torch.Generator().manual_seed(1)
    noisy = torch.randn(3, tokens, LAYOUT.token_dim, generator=generator)
    with torch.no_grad():
        return denoiser(noisy, torch.rand(3, tokens, 2, generator=generator))[0]


@pytest.mark.parametrize("name", DENOISERS)
def test_before_training_it_computes_what_the_base_computes(name):
    base = tiny_denoiser(name)
    before = look(base)
    assert torch.equal(look(add_low_rank(base, rank=2, alpha=4.0)), before)


@pytest.mark.parametrize("name", DENOISERS)
def test_added_for_good_it_computes_the_same(name):
    adapted = add_low_rank(tiny_denoiser(name), rank=2, alpha=4.0)
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.3)
    plain = tiny_denoiser(name, seed=9)
    changed = look(plain)
    plain.load_state_dict(merged_weights(adapted))
    assert (look(adapted) - look(tiny_denoiser(name))).abs().max() > 1e-2
    torch.testing.assert_close(look(plain), look(adapted), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(look(plain), changed)


def test_only_the_additions_change_and_the_export_is_a_planner_with_them_inside(tmp_path):
    base = tiny_model()
    before = copy.deepcopy(base.denoiser.state_dict())
    task = lora_task(base)
    train_a_little(task, tmp_path / "run")
    after = {name.replace(".base_layer.", "."): value for name, value in task.modules["denoiser"].state_dict().items()}
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert any(value.abs().max() > 0 for name, value in after.items() if ".lora_B." in name)
    loaded = load_forcing_model(tmp_path / "run" / "model")
    changed = [name for name, value in loaded.denoiser.state_dict().items() if not torch.equal(value, before[name])]
    assert changed
    assert all(name.endswith("weight") for name in changed)
    assert loaded.metadata["env"] == "new"
    adaptation = loaded.metadata["adaptation"]
    trained = sum(value.numel() for name, value in after.items() if ".lora_" in name)
    assert adaptation["trained_parameters"] == trained
    assert adaptation["share_of_parameters"] == trained / sum(value.numel() for value in before.values())
    assert (adaptation["base"], adaptation["rank"], adaptation["alpha"]) == ("old", 2, 4.0)


def test_normalizer_is_that_of_the_base_and_what_was_measured_that_of_the_new_data(tmp_path):
    base = tiny_model()
    support = replace(SUPPORT, visited=SUPPORT.visited[:50])
    task = lora_task(base, scorer=replace(SCORER, support=support))
    task.export(tmp_path)
    loaded = load_forcing_model(tmp_path)
    np.testing.assert_array_equal(loaded.support.visited, support.visited)
    for name, value in base.normalizer.state_dict().items():
        assert torch.equal(loaded.normalizer.state_dict()[name], value)


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path):
    for folder, stops in (("a", (8,)), ("b", (4, 8))):
        for num_steps in stops:
            torch.manual_seed(0)  # of the additions
            task, resume = lora_task(tiny_model()), num_steps != stops[0]
            settings = Settings(batch_size=16, seed=0, device="cpu", decay="constant", num_steps=num_steps)
            train(task, tiny_windows(), settings, run_folder=tmp_path / folder, resume=resume, progress=False)
    one, other = (load_forcing_model(tmp_path / folder / "model").denoiser.state_dict() for folder in "ab")
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_rank_0_is_a_full_fine_tuning_from_the_base(tmp_path):
    base = tiny_model()
    before = look(base.denoiser)
    task = lora_task(base, rank=0)
    assert torch.equal(look(task.modules["denoiser"]), before)
    assert task.metadata["adaptation"]["share_of_parameters"] == 1
    names = [type(each).__name__ for each in task.configure_optimizers()]
    assert names == [type(each).__name__ for each in ForcingTask.configure_optimizers(task)]
    train_a_little(task, tmp_path / "run")
    assert not torch.allclose(look(load_forcing_model(tmp_path / "run" / "model").denoiser), before)


def test_of_the_bundled_planner_less_than_5_percent_is_trained():
    base = load("maze2d-large")
    size = base.denoiser.num_parameters
    adapted = add_low_rank(base.denoiser, rank=4, alpha=8.0)
    trained = sum(each.numel() for each in adapted.parameters() if each.requires_grad)
    assert 0 < trained < 0.05 * size


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"layout": TokenLayout(8, 2, action_dim=2, observation_dim=4, goal_dim=2)},
            "the base has layout .*steps_per_token=4",
        ),
        ({"diffusion": DiffusionSettings(prediction="clean")}, "the base has parameterization"),
        ({"diffusion": DiffusionSettings(schedule="cosine")}, "the base has parameterization"),
    ],
)
def test_settings_that_do_not_fit_the_base_are_refused(changes, message):
    with pytest.raises(UserError, match=message):
        lora_task(tiny_model(), **changes)


def test_without_peft_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    with pytest.raises(UserError, match=r"pip install 'dfplan\[lora\]'"):
        add_low_rank(tiny_denoiser(), rank=2, alpha=4.0)
