"""From whatever the network predicts, the clean value comes back."""

import pytest
import torch

from dfplan.diffusion import Parameterization, Schedule, add_noise
from dfplan.errors import UserError

COMBINATIONS = [
    ("clean", "linear"),
    ("clean", "cosine"),
    ("clean", "ddpm"),
    ("velocity", "linear"),
    ("velocity", "cosine"),
    ("velocity", "ddpm"),
    ("noise", "ddpm"),
]


@pytest.fixture
def values():
    """Clean values, noise, and levels from clean to as noisy as it gets."""
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, 101, 8, generator=generator, dtype=torch.float64)
    return clean, noise, torch.linspace(0, 1, 101, dtype=torch.float64)[:, None]


@pytest.mark.parametrize(("kind", "name"), COMBINATIONS)
def test_the_exact_prediction_gives_the_clean_value(kind, name, values):
    clean, noise, level = values
    parameterization = Parameterization(kind, Schedule(name))
    noisy = add_noise(clean, noise, level=level, schedule=parameterization.schedule)
    prediction = parameterization.target(clean, noise, level=level)
    torch.testing.assert_close(parameterization.to_clean(prediction, noisy, level=level), clean, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("kind", "name"), COMBINATIONS)
def test_a_wrong_prediction_moves_the_clean_value_as_promised(kind, name, values):
    clean, noise, level = values
    parameterization = Parameterization(kind, Schedule(name))
    noisy = add_noise(clean, noise, level=level, schedule=parameterization.schedule)
    target = parameterization.target(clean, noise, level=level)
    moved = parameterization.to_clean(target + 1, noisy, level=level) - clean
    promised = parameterization.clean_error_per_prediction_error(level)
    torch.testing.assert_close(moved.abs(), promised.expand_as(moved), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_velocity_points_along_the_path(name):
    # Both paths are written as functions of a variable whose derivative the velocity is: the level itself on the
    # straight path, the angle on the quarter circle.
    level = torch.tensor(0.3, dtype=torch.float64)
    speed = {"linear": 1.0, "cosine": torch.pi / 2}[name]
    clean, noise = torch.tensor(0.7, dtype=torch.float64), torch.tensor(-1.2, dtype=torch.float64)
    schedule, step = Schedule(name), 1e-6
    ahead, behind = (add_noise(clean, noise, level=level + each, schedule=schedule) for each in (step, -step))
    velocity = Parameterization("velocity", schedule).target(clean, noise, level=level)
    assert float((ahead - behind) / (2 * step)) == pytest.approx(float(speed * velocity), rel=1e-6)


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_noise_prediction_is_refused_where_it_cannot_be_undone(name):
    with pytest.raises(UserError, match=f"level 1 of schedule '{name}'.*use prediction 'velocity' or 'clean'"):
        Parameterization("noise", Schedule(name))


def test_unknown_prediction_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match="unknown prediction 'score'; choose one of clean, noise, velocity"):
        Parameterization("score", Schedule())
