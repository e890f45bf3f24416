"""From trajectories to the windows of tokens that a denoiser is trained on: held out, cut."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from dfplan.data.split import hold_out
from dfplan.data.windows import WindowDataset, WindowMixture
from dfplan.tasks.groups import WindowsSettings
from dfplan.tokens import TokenLayout
from dfplan.types import Trajectories


def build_datasets(
    windows: WindowsSettings,
    trajectories: Trajectories,
    *,
    num_tokens: int,
    goal_dim: int,
    aimless_share: float = 0.0,
    weigh: Callable[[Trajectories], np.ndarray] | None = None,
) -> tuple[WindowDataset, WindowDataset | None]:
    """Windows to train on, and held-out windows to validate on; where what is held out is no token, all are learned.

    ``weigh`` says of trajectories how often windows begin at each row, ``(rows,)``; None is everywhere alike.
    """
    build_layout(windows, trajectories, goal_dim=goal_dim)  # refuses tokens that cannot be cut into so many points
    parts: tuple[Trajectories, ...] = (trajectories,)
    if windows.validation_share * len(trajectories) > windows.steps_per_token:
        held = hold_out(trajectories, share=windows.validation_share)
        parts = held if (np.diff(held[1].starts) > windows.steps_per_token).any() else parts
    datasets = [
        WindowDataset(
            part,
            windows,
            num_tokens=num_tokens,
            aimless_share=aimless_share,
            goal_dim=goal_dim,
            start_weights=weigh and weigh(part),
        )
        for part in parts
    ]
    return datasets[0], datasets[1] if len(datasets) == 2 else None


def mix_datasets(
    windows: WindowsSettings,
    trajectories: Trajectories,
    *,
    collected: Trajectories,
    num_tokens: int,
    goal_dim: int,
    goal_dropped: float,
    weigh: Callable[[Trajectories], np.ndarray] | None = None,
) -> tuple[WindowDataset | WindowMixture, WindowDataset | WindowMixture | None]:
    """As :func:`build_datasets`, with a share of windows of the data as they were collected.

    ``goal_dropped`` is the share of windows that show no goal; where windows are held, these are not. The windows as
    collected are everywhere alike, whatever ``weigh`` says of the others.
    """
    sizes: dict[str, Any] = {"num_tokens": num_tokens, "goal_dim": goal_dim}
    train, validation = build_datasets(windows, trajectories, aimless_share=goal_dropped, weigh=weigh, **sizes)
    share = windows.collected_share
    if not share:
        return train, validation
    others, held_out = build_datasets(replace(windows, held_steps=0), collected, **sizes)
    mixed = WindowMixture(train, others, share=share)
    return mixed, validation and held_out and WindowMixture(validation, held_out, share=share)


def build_layout(windows: WindowsSettings, trajectories: Trajectories, *, goal_dim: int) -> TokenLayout:
    """What a token holds."""
    return TokenLayout(
        steps_per_token=windows.steps_per_token,
        points_per_token=windows.points_per_token,
        action_dim=trajectories.actions.shape[1],
        observation_dim=trajectories.observations.shape[1],
        goal_dim=goal_dim,
    )
