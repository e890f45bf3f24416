"""The self-supervised task: its pairs, its export, and that places become readable."""

import numpy as np
import pytest
import torch
from tiny_model import tiny_trajectories

from dfplan.errors import UserError
from dfplan.models.frame_encoder import FrameEncoder, load_frame_encoder
from dfplan.settings.training import Rates
from dfplan.tasks.self_supervised import Settings as TaskSettings
from dfplan.training import Settings, train
from dfplan.training.self_supervised import FramePairs, SelfSupervisedTask


def render(positions: np.ndarray) -> np.ndarray:
    """A soft blob where the agent is, at ten pixels to a unit."""
    places = np.arange(64) + 0.5
    rows, columns = (np.exp(-((places - 10 * positions[:, axis, None]) ** 2) / 18) for axis in (0, 1))
    blob = rows[:, :, None] * columns[:, None, :]
    return np.repeat((255 * blob)[..., None], 3, axis=-1).astype(np.uint8)


def pairs(**changes) -> FramePairs:
    return FramePairs(tiny_trajectories(num=32), render, **({"largest_gap": 4} | changes))


def task(loss: str) -> SelfSupervisedTask:
    settings = TaskSettings(loss=loss, feature_dim=16, width=4, expander_dim=32, largest_gap=4)
    rates = Rates(learning_rate=2e-3, weight_decay=0.0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = FrameEncoder(feature_dim=16, width=4)
        return SelfSupervisedTask(encoder, settings, rates=rates, held_out=pairs(), metadata={})


def test_frames_of_a_pair_are_of_one_trajectory_and_close_in_time():
    trajectories = tiny_trajectories(num=4, num_steps=10)
    rows = np.arange(len(trajectories), dtype=np.float32)
    trajectories.observations[:, 0] = rows
    dataset = FramePairs(trajectories, lambda positions: positions[:, :1], largest_gap=3)
    batch = dataset.sample(500, np.random.default_rng(0))
    one, other = batch["one"][:, 0], batch["other"][:, 0]
    assert set((other - one).astype(int)) == {1, 2, 3}
    assert (one // 11 == other // 11).all()
    again = dataset.sample(500, np.random.default_rng(0))
    assert (again["one"] == batch["one"]).all()


def test_trajectories_shorter_than_the_gap_are_refused():
    with pytest.raises(UserError, match="largest_gap=100"):
        pairs(largest_gap=100)


@pytest.mark.parametrize("loss", ["vicreg", "nt-xent"])
def test_training_lowers_the_loss_on_held_out_pairs_and_exports_the_encoder(tmp_path, loss):
    trained = task(loss=loss)
    before = trained.validate(trained.modules, seed=0)
    train(
        trained,
        pairs(),
        Settings(num_steps=25, batch_size=32, seed=0, device="cpu", warmup_steps=0, ema_decay=0.0),
        run_folder=tmp_path,
        progress=False,
    )
    assert trained.validate(trained.modules, seed=0)["loss"] < 0.9 * before["loss"]
    encoder, _ = load_frame_encoder(tmp_path / "model")
    frames = torch.from_numpy(render(np.array([[1.0, 2.0]])))
    torch.testing.assert_close(encoder(frames), trained.encoder(frames))
