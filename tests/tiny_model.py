"""Real classes at a size fit for tests: networks of random weights, trajectories of a free point mass."""

import numpy as np
import torch

from dfplan.data.windows import WindowDataset
from dfplan.diffusion import Parameterization, Schedule
from dfplan.domains.maze.scorer import PointMassScorer
from dfplan.models.denoiser import Denoiser, DenoiserState
from dfplan.models.forcing_model import ForcingModel, build_denoiser
from dfplan.settings.windows import WindowSettings
from dfplan.tokens import Normalizer, TokenLayout
from dfplan.types import Bounds, DoubleIntegrator, Support, Trajectories

LAYOUT = TokenLayout(4, 2, action_dim=2, observation_dim=4, goal_dim=2)
DENOISERS = ("transformer", "rnn")
# The numbers of maze2d.
POINT_MASS = DoubleIntegrator(decay=0.99809, gain=0.238164, step=0.01, max_speed=5.0)
SUPPORT = Support(visited=np.ones((100, 100), dtype=bool), origin=np.zeros(2), cell=0.1)
SCORER = PointMassScorer(POINT_MASS, SUPPORT, goal_radius=0.5)


def tiny_denoiser(
    name: str = "transformer", *, layout: TokenLayout = LAYOUT, seed: int = 0, causal: bool = True
) -> Denoiser:
    """Return a denoiser with random weights, also where training begins at zero; small ones, or sampling is chaotic."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        denoiser = build_denoiser(name, layout=layout, causal=causal, width=16, num_layers=2)
        for parameter in denoiser.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
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
        scorer=SCORER,
        action_bounds=Bounds(-np.ones(2, np.float32), np.ones(2, np.float32)),
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


def tiny_windows(data: Trajectories | None = None, *, num_tokens: int = 5, goal_dim: int = 2) -> WindowDataset:
    """Return windows of tokens as ``LAYOUT`` has them, with goals on the way too."""
    settings = WindowSettings(
        steps_per_token=LAYOUT.steps_per_token,
        points_per_token=LAYOUT.points_per_token,
        segment_goal_share=0.5,
        held_steps=0,
    )
    return WindowDataset(data or tiny_trajectories(), settings, num_tokens=num_tokens, goal_dim=goal_dim)


class LineDenoiser(Denoiser):
    """Knows the best plan where there are no walls: from the context at full speed straight to the goal, then stop.

    Args:
        normalizer: of the model it goes into.
        spread: share of the noisy values in the predicted clean ones, so that candidates differ.
        seeks_goal: or else stays where the context is.
    """

    SPEED = 5.0

    def __init__(self, normalizer: Normalizer, *, spread: float = 0.0, seeks_goal: bool = True) -> None:
        super().__init__()
        self.token_dim = LAYOUT.token_dim
        self.normalizer = normalizer
        self.spread = spread
        self.seeks_goal = seeks_goal

    def forward(
        self, noisy: torch.Tensor, levels: torch.Tensor, state: DenoiserState | None = None
    ) -> tuple[torch.Tensor, DenoiserState]:
        """The state is all tokens so far, of which the goal and the context matter."""
        seen = noisy if state is None else torch.cat([state.layers[0], noisy], dim=1)
        first = seen.shape[1] - noisy.shape[1]
        if seen.shape[1] == 2:
            return noisy, DenoiserState((seen,))
        line = self._line(seen[:, :2, LAYOUT.observation_slots][..., -4:], num_tokens=seen.shape[1] - 2)
        clean = torch.cat([seen[:, :2], line], dim=1)[:, first:]
        return torch.lerp(clean, noisy, self.spread), DenoiserState((seen,))

    def _line(self, prefix: torch.Tensor, *, num_tokens: int) -> torch.Tensor:
        goal, start = self.normalizer.observations_back(prefix)[..., :2].unbind(dim=1)
        way = goal - start if self.seeks_goal else torch.zeros_like(goal)
        length = way.norm(dim=-1, keepdim=True)
        direction = (way / length.clamp(min=1e-6))[:, None]
        steps = torch.arange(1, num_tokens * LAYOUT.steps_per_token + 1)[None, :, None]
        gone = torch.minimum(steps * POINT_MASS.step * self.SPEED, length[:, None])
        moving = (gone < length[:, None]).float()
        states = torch.cat([start[:, None] + gone * direction, moving * self.SPEED * direction], dim=-1)
        return LAYOUT.pack(
            self.normalizer.actions(moving * direction),
            self.normalizer.rewards(torch.zeros(len(goal), num_tokens)),
            self.normalizer.observations(states[:, LAYOUT.steps_per_point - 1 :: LAYOUT.steps_per_point]),
        )


def line_model(*, spread: float = 0.0, seeks_goal: bool = True, num_tokens: int = 20) -> ForcingModel:
    """Return a model whose plans are straight lines."""
    normalizer = tiny_model().normalizer
    denoiser = LineDenoiser(normalizer, spread=spread, seeks_goal=seeks_goal)
    return tiny_model(denoiser, prediction="clean", num_tokens=num_tokens)
