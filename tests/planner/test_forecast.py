"""Futures of series: they continue what was seen, depend on their own seed alone, and a known system is forecast."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dfplan.data.windows import WindowDataset
from dfplan.errors import UserError
from dfplan.models.forcing_model import ForcingModel, build_denoiser, load_forcing_model
from dfplan.planner.forecast import Forecaster, representatives
from dfplan.scorers import ReturnScorer
from dfplan.settings.diffusion import DiffusionSettings
from dfplan.settings.training import OptimizerSettings
from dfplan.settings.windows import WindowSettings
from dfplan.tasks.forecast import changes_of
from dfplan.tokens import Normalizer, TokenLayout
from dfplan.training import Settings, train
from dfplan.training.forcing import ForcingTask
from dfplan.types import Trajectories

STEPS, NUM_TOKENS = 3, 4
ABSENT = frozenset({"actions", "rewards"})


def series(parts) -> Trajectories:
    rows = np.concatenate(parts).astype(np.float32)
    return Trajectories(
        observations=rows,
        actions=np.zeros((len(rows), 0), np.float32),
        starts=np.cumsum([0, *map(len, parts)]),
        segment_ends=np.zeros(len(rows), bool),
        source="a series",
    )


def trained(data: Trajectories, folder: Path, *, num_steps: int, changes: bool = True, width: int = 16) -> ForcingModel:
    dim = data.observations.shape[1]
    layout = TokenLayout(STEPS, STEPS, action_dim=0, observation_dim=dim, goal_dim=0)
    settings = WindowSettings(
        steps_per_token=STEPS, points_per_token=STEPS, goal_jitter=0.0, restart_share=0.0, held_steps=0
    )
    torch.manual_seed(0)
    sizes = {"width": width, "num_layers": 1, "num_heads": 2}
    task = ForcingTask(
        denoiser=build_denoiser("transformer", layout=layout, **sizes),
        layout=layout,
        normalizer=Normalizer.fit(data),
        diffusion=DiffusionSettings(context_noised=0.0, after_goal_weight=1.0),
        optimizer=OptimizerSettings(),
        scorer=ReturnScorer(),
        validation=None,
        metadata={
            "env": "none",
            "model": {"name": "transformer", **sizes},
            "num_tokens": NUM_TOKENS,
            "changes": changes,
            "action_bounds": {"low": [], "high": []},
        },
        absent=ABSENT,
    )
    windows = WindowDataset(data, settings, num_tokens=NUM_TOKENS, goal_dim=0)
    settings = Settings(batch_size=64, num_steps=num_steps, seed=0, device="cpu")
    train(task, windows, settings, run_folder=folder, progress=False)
    return load_forcing_model(folder / "model")


@pytest.fixture(scope="module")
def forecaster(tmp_path_factory) -> Forecaster:
    walk = np.cumsum(np.random.default_rng(0).normal(size=(200, 2)), axis=0)
    return Forecaster(trained(changes_of(series([walk])), tmp_path_factory.mktemp("walk") / "run", num_steps=3))


def generators(count: int, *, first: int = 0) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(first + number) for number in range(count)]


HISTORIES = np.cumsum(np.random.default_rng(1).normal(size=(2, 20, 2)), axis=1)


def test_futures_have_their_shape_and_are_those_of_their_seeds(forecaster):
    futures = forecaster.forecast(HISTORIES, 5, generators=generators(6))
    assert futures.shape == (2, 3, 5, 2)
    assert np.isfinite(futures).all()
    np.testing.assert_array_equal(futures, forecaster.forecast(HISTORIES, 5, generators=generators(6)))
    alone = forecaster.forecast(HISTORIES[1:], 5, generators=generators(3, first=3))
    np.testing.assert_allclose(alone[0], futures[1], atol=1e-5)


def test_what_is_learned_of_changes_moves_with_the_level_of_a_series(forecaster):
    moved = forecaster.forecast(HISTORIES + 100.0, 5, generators=generators(4))
    futures = forecaster.forecast(HISTORIES, 5, generators=generators(4))
    np.testing.assert_allclose(moved, futures + 100.0, atol=1e-4)


def test_of_a_history_that_is_longer_than_is_of_use_the_last_rows_count(forecaster):
    last = HISTORIES[:, -forecaster.most_history :]
    assert forecaster.most_history == 2 + NUM_TOKENS // 2 * STEPS
    np.testing.assert_array_equal(
        forecaster.forecast(last, 5, generators=generators(2)),
        forecaster.forecast(HISTORIES, 5, generators=generators(2)),
    )


def test_a_future_longer_than_a_window_begins_as_a_shorter_one_does(forecaster):
    long = forecaster.forecast(HISTORIES, 3 * NUM_TOKENS * STEPS, generators=generators(2))
    whole = NUM_TOKENS // 2 * STEPS  # what is left of a window behind the history
    np.testing.assert_array_equal(long[:, :, :whole], forecaster.forecast(HISTORIES, whole, generators=generators(2)))


@pytest.mark.parametrize(
    ("history", "num_steps", "count", "message"),
    [
        (HISTORIES[0], 5, 2, "history must be"),
        (HISTORIES, 5, 3, "history must be"),
        (HISTORIES[:, :1], 5, 2, "needs 2 rows of history"),
        (HISTORIES, 0, 2, "num_steps must be a whole number from 1"),
        (np.full_like(HISTORIES, np.nan), 5, 2, "finite"),
    ],
)
def test_what_cannot_be_forecast_is_refused(forecaster, history, num_steps, count, message):
    with pytest.raises(UserError, match=message):
        forecaster.forecast(history, num_steps, generators=generators(count))


def test_changes_are_those_within_episodes():
    found = changes_of(series([np.array([[0.0], [1.0], [3.0]]), np.array([[9.0]]), np.array([[5.0], [4.0], [4.0]])]))
    np.testing.assert_array_equal(found.observations, [[1], [2], [-1], [0]])
    np.testing.assert_array_equal(found.starts, [0, 2, 4])
    with pytest.raises(UserError, match="no episode of a series has 3 rows"):
        changes_of(series([np.zeros((2, 1))]))


def test_few_futures_stand_for_groups_of_many():
    """Two groups far apart, whose means are known: one centre each, whatever their order."""
    generator = np.random.default_rng(0)
    near, far = generator.normal(size=(30, 3, 2)), 50 + generator.normal(size=(10, 3, 2))
    futures = np.concatenate([near[:1], far[:1], near[1:], far[1:]])[None]
    centres = representatives(futures, 2)
    np.testing.assert_allclose(centres[0], [near.mean(axis=0), far.mean(axis=0)])
    np.testing.assert_array_equal(representatives(futures, 40), futures)


@pytest.mark.slow
def test_a_walk_is_forecast_as_it_is_drawn(tmp_path):
    """Changes of 1 that are drawn anew: futures spread as a Gaussian walk does, by the root of the steps."""
    walk = np.cumsum(np.random.default_rng(0).normal(size=(4000, 1)), axis=0)
    model = trained(changes_of(series([walk])), tmp_path / "run", num_steps=600, width=32)
    history = walk[None, -20:]
    futures = Forecaster(model).forecast(history, 9, generators=generators(400))[0, :, :, 0]
    spread = futures.std(axis=0)
    np.testing.assert_allclose(spread, np.sqrt(np.arange(1, 10)), rtol=0.2)
    assert abs(futures.mean(axis=0) - walk[-1]).max() < 0.6


@pytest.mark.slow
def test_a_wave_goes_on_as_it_was_seen_to(tmp_path):
    """What comes follows from what was seen: a forecaster that ignored it would be off by the height of the wave."""
    generator = np.random.default_rng(0)
    waves = [np.sin(0.5 * np.arange(40) + phase)[:, None] for phase in generator.uniform(0, 2 * np.pi, 200)]
    model = trained(series(waves), tmp_path / "run", num_steps=1500, changes=False, width=32)
    phases = np.array([0.3, 2.0, 4.5])
    rows = np.sin(0.5 * np.arange(13) + phases[:, None])[..., None]
    futures = Forecaster(model).forecast(rows[:, :7], 6, generators=generators(60))
    apart = np.abs(futures - rows[:, None, 7:]).mean(axis=(1, 2, 3))
    assert (apart < 0.25).all(), apart
