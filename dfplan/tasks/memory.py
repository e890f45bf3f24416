"""A planner that remembers, or, for comparison, one that does not, from demonstrations of the T-maze."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from dfplan.options import group, option
from dfplan.settings.diffusion import DiffusionSettings
from dfplan.settings.retrace import RetraceSettings
from dfplan.tasks import forcing
from dfplan.tasks.groups import ModelSettings, WindowsSettings
from dfplan.tasks.inputs import Inputs

if TYPE_CHECKING:
    from dfplan.data.episode_windows import EpisodeWindows
    from dfplan.domain import PlanScorer
    from dfplan.models.tokenizers import PrincipalTokenizer
    from dfplan.training.forcing import ForcingTask
    from dfplan.types import Trajectories

NUM_TOKENIZER_FRAMES = 1500  # frames that principal components are measured on


@dataclass
class Settings:
    """The options of the task."""

    from_start: bool = option("windows begin where their episode does (memory); false = anywhere in it (no memory)")
    steps_per_token: int = option("environment steps that one token, with one observation, stands for", low=1)
    num_episodes: int = option("demonstrations", low=2)
    held_out_episodes: int = option("further demonstrations to validate on", low=2)
    noise: float = option("standard deviation of the noise on the demonstrator's actions", low=0)
    latent_dim: int = option("principal components of a frame, where the environment shows frames", low=2)
    model: ModelSettings = group(ModelSettings, "the network")
    diffusion: DiffusionSettings = group(DiffusionSettings, "how noise is drawn and what is predicted")


def build(settings: Settings, inputs: Inputs) -> "tuple[ForcingTask, EpisodeWindows]":
    """The Diffusion Forcing task, and windows of demonstrations that are driven here.

    Raises:
        UserError: the environment is no T-maze.
    """
    from dfplan.data.episode_windows import EpisodeWindows
    from dfplan.domains.maze.demonstrations import build_tmaze
    from dfplan.models.tokenizers import save_tokenizer
    from dfplan.training.forcing import ForcingTask
    from dfplan.training.pixel_forcing import PixelForcingTask

    env, make = build_tmaze(inputs.env_id), ForcingTask
    # Seeds that no other training has, whatever its own is.
    states = driven = _demonstrate(settings, inputs, num_episodes=settings.num_episodes, seed=2 * inputs.seed)
    held_out = _demonstrate(settings, inputs, num_episodes=settings.held_out_episodes, seed=2 * inputs.seed + 1)
    if len(env.observation_space.shape) == 3:
        tokenizer = _fit_tokenizer(states, env.observe, latent_dim=settings.latent_dim, seed=inputs.seed)
        with inputs.progress("frames looked at") as show:
            driven = _see(driven, env.observe, tokenizer=tokenizer, on_progress=show)
        held_out = _see(held_out, env.observe, tokenizer=tokenizer)
        description = {"name": "principal", "latent_dim": settings.latent_dim}
        metadata = {"env": inputs.env_name, "tokenizer": description}
        make = partial(
            PixelForcingTask, write_tokenizer=partial(save_tokenizer, tokenizer=tokenizer, metadata=metadata)
        )
    windows, validation = (
        EpisodeWindows(
            part,
            steps_per_token=settings.steps_per_token,
            steps_per_point=settings.steps_per_token,
            num_tokens=inputs.num_tokens,
            from_start=settings.from_start,
        )
        for part in (driven, held_out)
    )
    shown = _windows(settings.steps_per_token)
    task = forcing.build_task(
        forcing.Settings(
            model=settings.model,
            retrace=RetraceSettings(),  # not used: the task alone is built
            windows=shown,
            diffusion=settings.diffusion,
        ),
        inputs,
        driven,
        make=make,
        scorer=_scorer(states if driven is states else None, goal_radius=shown.goal_radius),
        validation=validation,
    )
    return task, windows


def _scorer(states: "Trajectories | None", *, goal_radius: float) -> "PlanScorer":
    """How far the ball gets and where it has been, by which new episodes are noticed; of latents nobody knows."""
    from dfplan.domains.maze.dynamics import fit_point_mass
    from dfplan.domains.maze.scorer import PointMassScorer
    from dfplan.domains.maze.support import measure_support
    from dfplan.scorers import GoalScorer

    if states is None:
        return GoalScorer(goal_radius)
    ball = replace(states, observations=states.observations[:, :4])
    return PointMassScorer(fit_point_mass(ball), measure_support(states), goal_radius=goal_radius)


def _demonstrate(settings: Settings, inputs: Inputs, *, num_episodes: int, seed: int) -> "Trajectories":
    from dfplan.domains.maze.demonstrations import demonstrate_tmaze

    with inputs.progress("demonstrations") as show:
        return demonstrate_tmaze(
            inputs.env_id,
            num_episodes=num_episodes,
            num_steps=inputs.num_tokens * settings.steps_per_token,
            seed=seed,
            noise=settings.noise,
            on_progress=show,
        )


def _fit_tokenizer(
    states: "Trajectories", observe: Callable[..., Any], *, latent_dim: int, seed: int
) -> "PrincipalTokenizer":
    """Principal components of frames drawn from the demonstrations."""
    import numpy as np
    import torch

    from dfplan.models.tokenizers import PrincipalTokenizer

    count = min(NUM_TOKENIZER_FRAMES, len(states))
    rows = np.random.default_rng(seed).choice(len(states), size=count, replace=False)
    shown = states.observations[rows]
    tokenizer = PrincipalTokenizer(latent_dim=latent_dim)
    tokenizer.fit(torch.from_numpy(observe(shown[:, :4], light=shown[:, 4])))
    return tokenizer.eval()


def _see(
    states: "Trajectories",
    observe: Callable[..., Any],
    *,
    tokenizer: "PrincipalTokenizer",
    on_progress: Callable[[int, int], None] | None = None,
) -> "Trajectories":
    """The demonstrations with latents of frames in the place of states; frames are not kept."""
    import numpy as np
    import torch

    latents = []
    for first, last in zip(states.starts[:-1], states.starts[1:], strict=True):
        shown = states.observations[first:last]
        latents.append(tokenizer.encode(torch.from_numpy(observe(shown[:, :4], light=shown[:, 4]))).numpy())
        if on_progress is not None:
            on_progress(int(last), len(states))
    return replace(states, observations=np.concatenate(latents), source=f"{states.source}, seen")


def _windows(steps_per_token: int) -> WindowsSettings:
    """One observation a token, and no goals."""
    return WindowsSettings(
        steps_per_token=steps_per_token,
        points_per_token=1,
        goal_jitter=0.0,
        restart_share=0.0,
        segment_goal_share=0.0,
        collected_share=0.0,
        held_steps=0,
        goal_radius=0.5,
        validation_share=0.0,
    )
