"""Real classes at a size fit for tests: networks of random weights, trajectories of a free point mass."""

import numpy as np
import torch

from dfplan.diffusion import Parameterization, Schedule
from dfplan.models.denoiser import Denoiser
from dfplan.models.forcing_model import ForcingModel, build_denoiser
from dfplan.tokens import Normalizer, TokenLayout
from dfplan.types import PointMass, PositionSupport, Trajectories

LAYOUT = TokenLayout(steps_per_token=4, points_per_token=2)
DENOISERS = ("transformer", "rnn")
# The numbers of maze2d.
POINT_MASS = PointMass(decay=0.99809, gain=0.238164, step=0.01, max_speed=5.0)
SUPPORT = PositionSupport(visited=np.ones((100, 100), dtype=bool), origin=np.zeros(2), cell=0.1)


def tiny_denoiser(name: str = "transformer", *, layout: TokenLayout = LAYOUT, seed: int = 0) -> Denoiser:
    """Return a denoiser with random weights everywhere, also where training begins at zero."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        denoiser = build_denoiser(name, layout=layout, width=16, num_layers=2)
        for parameter in denoiser.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return denoiser.eval().requires_grad_(False)


def tiny_model(denoiser: Denoiser | None = None, *, prediction: str = "velocity", num_tokens: int = 5) -> ForcingModel:
    """Return a model in the units of maze2d; its denoiser is random unless one is given."""
    return ForcingModel(
        denoiser=denoiser or tiny_denoiser(),
        layout=LAYOUT,
        normalizer=Normalizer(
            action_mean=torch.zeros(2),
            action_std=torch.full((2,), 0.5),
            observation_mean=torch.tensor([3.0, 3.0, 0.0, 0.0]),
            observation_std=torch.tensor([1.5, 1.5, 2.0, 2.0]),
        ),
        parameterization=Parameterization(prediction, Schedule("linear")),
        num_tokens=num_tokens,
        goal_radius=0.5,
        point_mass=POINT_MASS,
        support=SUPPORT,
        metadata={},
    )


def tiny_trajectories(*, num: int = 8, num_steps: int = 24, seed: int = 0) -> Trajectories:
    """Return trajectories of a free point mass pushed by actions that change every eight steps."""
    generator = np.random.default_rng(seed)
    actions = np.repeat(generator.uniform(-1, 1, size=(num, -(-num_steps // 8), 2)), 8, axis=1)[:, :num_steps]
    position, velocity = generator.uniform(1, 5, size=(num, 2)), np.zeros((num, 2))
    states = [np.concatenate([position, velocity], axis=1)]
    for step in range(num_steps):
        pushed = POINT_MASS.decay * velocity + POINT_MASS.gain * actions[:, step]
        velocity = np.clip(pushed, -POINT_MASS.max_speed, POINT_MASS.max_speed)
        position = position + POINT_MASS.step * velocity
        states.append(np.concatenate([position, velocity], axis=1))
    rows = num_steps + 1
    return Trajectories(
        observations=np.stack(states, axis=1).reshape(num * rows, 4).astype(np.float32),
        actions=np.pad(actions, [(0, 0), (0, 1), (0, 0)]).reshape(num * rows, 2).astype(np.float32),
        starts=np.arange(num + 1) * rows,
        segment_ends=np.zeros(num * rows, dtype=bool),
        source="a free point mass",
    )
