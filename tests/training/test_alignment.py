"""REPA: what it must not change, what it must teach, and that its control learns nothing."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_model import LAYOUT, SCORER, tiny_denoiser, tiny_trajectories, tiny_windows

from dfplan.errors import UserError
from dfplan.models.forcing_model import load_forcing_model
from dfplan.models.frame_encoder import frozen_encoder
from dfplan.settings.diffusion import DiffusionSettings
from dfplan.settings.training import OptimizerSettings
from dfplan.tokens import Normalizer
from dfplan.training import Settings, train
from dfplan.training.alignment import AlignedForcingTask, FrameFeatures, StateFeatures
from dfplan.training.forcing import ForcingTask
from dfplan.training.representation_losses import negative_cosine


def render(positions: np.ndarray) -> np.ndarray:
    """A white pixel where the agent is, at ten pixels to a unit."""
    frames = np.zeros((len(positions), 64, 64, 3), dtype=np.uint8)
    places = np.clip(np.round(positions * 10), 0, 63).astype(int)
    frames[np.arange(len(positions)), places[:, 0], places[:, 1]] = 255
    return frames


def arguments(name: str = "transformer", **changes) -> dict:
    denoiser = tiny_denoiser(name).train().requires_grad_(True)
    values = {
        "denoiser": denoiser,
        "layout": LAYOUT,
        "normalizer": Normalizer.fit(tiny_trajectories()),
        "diffusion": DiffusionSettings(
            prediction="velocity", schedule="linear", action_weight=0.1, after_goal_weight=0.25
        ),
        "optimizer": OptimizerSettings(learning_rate=3e-3, matrix_learning_rate=1e-2, weight_decay=0.01),
        "scorer": SCORER,
        "validation": None,
        "metadata": {
            "env": "test",
            "model": {"name": name, "width": 16, "num_layers": 2},
            "num_tokens": 5,
        },
    }
    return values | changes


def state_features() -> StateFeatures:
    normalizer = Normalizer.fit(tiny_trajectories())
    return StateFeatures(normalizer.observation_mean, normalizer.observation_std, goal_dim=2)


def aligned(target=None, *, feature_dim=None, task=None, **changes) -> AlignedForcingTask:
    settings = {"depth": 1, "weight": 0.5, "loss": "cosine", "temperature": 0.1, "aligned_tokens": 256} | changes
    target = target or state_features()
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return AlignedForcingTask(
            ForcingTask(**arguments(**(task or {}))),
            SimpleNamespace(**settings),
            target=target,
            feature_dim=feature_dim or target.feature_dim,
        )


def step(task, *, seed: int = 0):
    batch = tiny_windows().sample(16, np.random.default_rng(seed))
    return task.training_step(batch, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("loss", ["cosine", "nt-xent"])
def test_the_denoising_loss_is_that_of_the_plain_task_and_the_alignment_comes_on_top(loss):
    plain_loss, plain_metrics = step(ForcingTask(**arguments()))
    loss_too, metrics = step(aligned(loss=loss, weight=0.7))
    assert all(torch.equal(plain_metrics[name], metrics[name]) for name in plain_metrics)
    assert float(loss_too.detach()) == pytest.approx(
        float(plain_loss.detach()) + 0.7 * float(metrics["alignment_loss"]), rel=1e-5
    )


def test_the_gradient_reaches_the_aligned_block_and_those_before_but_none_after():
    task = aligned(depth=1)
    with torch.no_grad():
        for parameter in task.modules["denoiser"].project_out.parameters():
            parameter.zero_()  # the denoising loss sends no gradient through a zero output layer
    step(task)[0].backward()
    first, second = task.modules["denoiser"].blocks
    assert all(each.grad is not None and each.grad.abs().sum() > 0 for each in (first.feed_out.weight,))
    assert second.feed_out.weight.grad.abs().sum() == 0


def test_a_depth_of_two_aligns_the_second_block():
    task = aligned(depth=2)
    with torch.no_grad():
        for parameter in task.modules["denoiser"].project_out.parameters():
            parameter.zero_()
    step(task)[0].backward()
    assert task.modules["denoiser"].blocks[1].feed_out.weight.grad.abs().sum() > 0


def test_each_token_is_aligned_with_the_frame_at_its_last_step():
    seen = []

    def target(observations):
        seen.append(observations)
        return observations

    task = aligned(target, feature_dim=4, aligned_tokens=10_000)
    batch = tiny_windows().sample(16, np.random.default_rng(0))
    task.training_step(batch, generator=torch.Generator().manual_seed(0))
    expected = batch.observations[:, 1::2][batch.valid]
    assert sorted(map(tuple, seen[0].tolist())) == sorted(map(tuple, expected.tolist()))


def test_alignment_is_learnt_where_the_features_can_be_told_from_the_tokens():
    task = aligned(weight=5.0, depth=2, task={"diffusion": replace(arguments()["diffusion"], levels="shared")})
    optimizers = task.configure_optimizers()
    for number in range(60):
        loss, metrics = step(task, seed=number)
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        if number == 0:
            before = float(metrics["alignment_loss"])
    assert float(metrics["alignment_loss"]) < before - 0.2


def train_for_test(task, folder):
    return train(
        task,
        tiny_windows(),
        Settings(num_steps=4, batch_size=8, seed=3, device="cpu", log_every=1),
        run_folder=folder,
        progress=False,
    )


def test_the_export_is_an_ordinary_planner_without_the_head(tmp_path):
    train_for_test(aligned(), tmp_path / "aligned")
    train_for_test(ForcingTask(**arguments()), tmp_path / "plain")
    model = load_forcing_model(tmp_path / "aligned" / "model")
    plain = load_forcing_model(tmp_path / "plain" / "model")
    assert model.denoiser.state_dict().keys() == plain.denoiser.state_dict().keys()
    assert not any("alignment" in name for name in model.denoiser.state_dict())
    assert not torch.equal(model.denoiser.project_out.weight, plain.denoiser.project_out.weight)


def test_the_random_control_is_frozen_and_a_function_of_its_seed(tmp_path):
    encoder = frozen_encoder("random", seed=7)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    features = FrameFeatures(encoder, render, seen=torch.as_tensor(tiny_trajectories().observations), goal_dim=2)
    task = aligned(features, aligned_tokens=8)
    train_for_test(task, tmp_path)
    assert not any(each.requires_grad for each in encoder.parameters())
    same, other = frozen_encoder("random", seed=7).state_dict(), frozen_encoder("random", seed=8).state_dict()
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    assert all(torch.equal(value, before[name]) for name, value in same.items())
    assert not all(torch.equal(value, before[name]) for name, value in other.items())


def test_features_of_frames_are_those_of_the_rendered_positions_standardised():
    encoder = frozen_encoder("random", seed=0)
    observations = torch.rand(50, 4, generator=torch.Generator().manual_seed(0)) * 5
    features = FrameFeatures(encoder, render, seen=observations, goal_dim=2)(observations)
    raw = encoder(torch.from_numpy(render(observations[:, :2].numpy())))
    torch.testing.assert_close(features, (raw - raw.mean(dim=0)) / raw.std(dim=0), atol=1e-4, rtol=1e-4)
    assert not features.requires_grad


def test_an_answer_that_is_always_the_same_does_not_pass_for_aligned():
    encoder = frozen_encoder("random", seed=0)
    observations = torch.rand(500, 4, generator=torch.Generator().manual_seed(0)) * 5
    features = FrameFeatures(encoder, render, seen=observations, goal_dim=2)(observations)
    same = features.mean(dim=0) + torch.randn(features.shape[1], generator=torch.Generator().manual_seed(1))
    assert abs(float(negative_cosine(same.expand_as(features), features))) < 0.2


def test_a_block_that_is_not_there_is_refused():
    with pytest.raises(UserError, match="got 2"):
        aligned(depth=3)
    with pytest.raises(UserError, match="transformer"):
        aligned(task={"name": "rnn"})


@pytest.mark.slow
def test_compiled_training_aligns_the_same(tmp_path):
    plain, compiled = (
        aligned(),
        aligned(task={"optimizer": replace(arguments()["optimizer"], compiled=True)}),
    )
    for seed in range(2):
        (loss, metrics), (loss_too, metrics_too) = step(plain, seed=seed), step(compiled, seed=seed)
        assert float(loss.detach()) == pytest.approx(float(loss_too.detach()), rel=1e-4)
        assert float(metrics["alignment_loss"]) == pytest.approx(float(metrics_too["alignment_loss"]), rel=1e-4)
        loss_too.backward()
        assert compiled.modules["denoiser"].blocks[0].feed_out.weight.grad.abs().sum() > 0
