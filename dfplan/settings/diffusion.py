"""How noise is drawn in training, and what is predicted."""

from dataclasses import dataclass

from dfplan.options import option
from dfplan.ranges import check_settings


@dataclass(frozen=True)
class DiffusionSettings:
    """How noise is drawn and what the network predicts.

    ``levels``: independent is Diffusion Forcing, shared is full sequence, next is teacher forcing. Where
    ``returns_shown`` (return-conditioned, arXiv 2106.01345), what a window earns is shown and hidden with its goal.
    """

    schedule: str = option("noise schedule", default="linear", choices=("linear", "cosine", "ddpm", "ddpm_rescaled"))
    prediction: str = option("what the network predicts", default="velocity", choices=("velocity", "clean", "noise"))
    levels: str = option(
        "noise levels of a window's tokens; next = clean up to a place and pure noise from there on",
        default="independent",
        choices=("independent", "shared", "next"),
    )
    goal_dropped: float = option("share of windows to plan by without a goal", default=0.15, low=0, high=1)
    returns_shown: bool = option(
        "whether the goal token tells the mean reward of a step, to be asked for in plans", default=False
    )
    context_noised: float = option("share of windows whose context is noisy", default=0.2, low=0, high=1)
    actions_known: float = option("share of windows to plan by with clean actions", default=0.08, low=0, high=1)
    actions_apart: float = option(
        "share of windows to plan by whose actions have levels of their own", default=0.08, low=0, high=1
    )
    actions_committed: float = option(
        "share of windows whose first actions are known, as those carried out while a plan is made are",
        default=0.0,
        low=0,
        high=1,
    )
    most_committed: int = option("steps whose actions are known there, at most", default=8, low=1)
    history_known: float = option(
        "share of windows that are known up to some token, but for one observation in four, as agents know their past",
        default=0.0,
        low=0,
        high=1,
    )
    loss_weight: str = option(
        "weight of a token's loss by its level", default="uniform", choices=("uniform", "min_snr")
    )
    action_weight: float = option("weight of action slots against the others", default=0.1, low=0)
    after_goal_weight: float = option("weight of tokens after the goal was reached", default=0.25, low=0)

    def __post_init__(self) -> None:
        check_settings(self)
