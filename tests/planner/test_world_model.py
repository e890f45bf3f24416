"""Roll-outs of a system that is known exactly, far beyond one window: frames in, frames out."""

import from_benchmarks
import numpy as np
import pytest
import torch
from tiny_model import LAYOUT, POINT_MASS, tiny_model

from dfplan.errors import UserError
from dfplan.models.denoiser import Denoiser, DenoiserState
from dfplan.planner import Planner, PlannerSettings
from dfplan.tokens import CONTEXT_TOKEN, GOAL_TOKEN

WorldModel = from_benchmarks.module("prediction").WorldModel

WINDOW = 5  # tokens
STEPS = 10 * WINDOW * LAYOUT.steps_per_token


def push(states, actions):
    """One step of a point mass without a speed limit: a linear system."""
    velocity = POINT_MASS.decay * states[:, 2:] + POINT_MASS.gain * actions
    return np.concatenate([states[:, :2] + POINT_MASS.step * velocity, velocity], axis=1)


class LinearDenoiser(Denoiser):
    """Knows what actions do: reads them off the tokens and drives on from the context."""

    def __init__(self, normalizer):
        super().__init__()
        self.token_dim, self.normalizer = LAYOUT.token_dim, normalizer
        self.prefix_levels, self.token_levels = [], []

    def forward(self, noisy, levels, state=None):
        (self.prefix_levels if state is None else self.token_levels).append(levels)
        seen = noisy if state is None else torch.cat([state.layers[0], noisy], dim=1)
        if seen.shape[1] == 2:
            return noisy, DenoiserState((seen,))
        context = self.normalizer.observations_back(seen[:, CONTEXT_TOKEN, -LAYOUT.observation_dim :])
        actions = self.normalizer.actions_back(LAYOUT.unpack(seen[:, 2:])[0])
        states, points = context.double().numpy(), []
        for step in range(actions.shape[1]):
            states = push(states, actions[:, step].double().numpy())
            points.append(states)
        kept = torch.from_numpy(np.stack(points, axis=1)[:, LAYOUT.steps_per_point - 1 :: LAYOUT.steps_per_point])
        observations = self.normalizer.observations(kept.float())
        tokens = LAYOUT.pack(
            self.normalizer.actions(actions), torch.zeros(len(seen), actions.shape[1] // 4), observations
        )
        return torch.cat([seen[:, :2], tokens], dim=1)[:, -noisy.shape[1] :], DenoiserState((seen,))


class Bytes:
    """A camera that loses nothing: a frame is one pixel whose channels are the bytes of the position."""

    place_dim = 2

    def places(self, frames):
        return np.ascontiguousarray(frames).reshape(len(frames), -1).view(np.float64)

    def frames(self, positions):
        return np.ascontiguousarray(positions, dtype=np.float64).view(np.uint8).reshape(len(positions), 1, 1, 16)

    def observations(self, history):
        speed = (history[-1] - history[0]) / ((len(history) - 1) * POINT_MASS.step)
        return np.concatenate([history[-1], speed], axis=1).astype(np.float32)


@pytest.fixture
def denoiser():
    return LinearDenoiser(tiny_model().normalizer)


def world_model(denoiser, **settings):
    model = tiny_model(denoiser, prediction="clean", num_tokens=WINDOW)
    return WorldModel(Planner(model, settings=PlannerSettings(**settings)), sight=Bytes())


def drive(num_steps, *, batch=3):
    """The last two frames before the first action, actions, and where they lead: every ``steps_per_point`` steps."""
    generator = np.random.default_rng(0)
    states = np.concatenate([generator.uniform(1, 5, (batch, 2)), generator.uniform(-1, 1, (batch, 2))], axis=1)
    actions = np.repeat(generator.uniform(-1, 1, (batch, num_steps // 4, 2)), 4, axis=1)
    history = np.stack([states[:, :2] - POINT_MASS.step * states[:, 2:], states[:, :2]])
    points = []
    for step in range(num_steps):
        states = push(states, actions[:, step])
        points.append(states)
    frames = np.stack([Bytes().frames(positions) for positions in history])
    return frames, actions, np.stack(points, axis=1)[:, LAYOUT.steps_per_point - 1 :: LAYOUT.steps_per_point]


def generators(count=3):
    return [torch.Generator().manual_seed(seed) for seed in range(count)]


@pytest.mark.parametrize("num_steps", [LAYOUT.steps_per_token, WINDOW * LAYOUT.steps_per_token, STEPS])
@pytest.mark.parametrize("window_tokens", [0, 1])
def test_a_known_system_is_followed_as_far_as_there_are_actions(denoiser, num_steps, window_tokens):
    frames, actions, states = drive(num_steps)
    world = world_model(denoiser, window_tokens=window_tokens)
    predicted = world.roll_out(frames, actions, generators=generators())
    np.testing.assert_allclose(predicted, states, atol=1e-2)
    drawn = world.draw(predicted)
    assert drawn.shape == (*states.shape[:2], 1, 1, 16)
    np.testing.assert_array_equal(Bytes().places(drawn[1]), predicted[1, :, :2])


def test_actions_are_clean_and_the_goal_is_hidden(denoiser):
    frames, actions, _ = drive(STEPS)
    world_model(denoiser, stabilization_level=0.1).roll_out(frames, actions, generators=generators())
    assert len(denoiser.prefix_levels) == 10  # one a window
    for levels in denoiser.prefix_levels:
        assert (levels[:, GOAL_TOKEN] == 1).all()
        torch.testing.assert_close(levels[:, CONTEXT_TOKEN], torch.full_like(levels[:, CONTEXT_TOKEN], 0.1))
    assert all((levels[..., 0] == 0).all() for levels in denoiser.token_levels)
    assert any((levels[..., 1] == 1).any() for levels in denoiser.token_levels)


def test_what_does_not_fit_is_refused(denoiser):
    frames, actions, _ = drive(LAYOUT.steps_per_token)
    for history in (frames[0], frames[:, :2]):
        with pytest.raises(UserError, match=r"history must be \(frames, 3, height, width, channels\)"):
            world_model(denoiser).roll_out(history, actions, generators=generators())
