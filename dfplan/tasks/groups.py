"""Groups of options that several tasks share; the defaults of each stand in ``configs/<group>/``."""

from dataclasses import dataclass

from dfplan.options import option


@dataclass
class ModelSettings:
    """A denoiser."""

    name: str = option("the network: transformer, rnn, one of an installed package, or diffuser, trained as Diffuser")
    width: int = option("hidden size", low=8)
    num_layers: int = option("layers", low=1)
    num_heads: int | None = option("attention heads (transformer)", low=1)
    causal: bool = option("false = every token sees every other, as full-sequence diffusion has it (transformer)")
    horizon: int | None = option("steps of a plan (diffuser)", low=2)
    num_levels: int | None = option("noise levels (diffuser)", low=1)


@dataclass
class WindowsSettings:
    """What the model is shown of the data."""

    steps_per_token: int = option("environment steps that one token stands for", low=1)
    points_per_token: int = option("observations kept of a token's steps", low=1)
    goal_jitter: float = option("largest displacement of a hindsight goal per axis", low=0)
    restart_share: float = option("share of windows that start where the collector drew a new goal", low=0, high=1)
    segment_goal_share: float = option("share of windows whose goal is where the collector was heading", low=0, high=1)
    held_steps: int = option(
        "last steps of a way that are repeated to the end of a window that shows its goal; 0 = what comes next", low=0
    )
    goal_radius: float = option("distance that counts as being at the goal", above=0)
    collected_share: float = option(
        "share of windows from the data as collected, with clean actions and no goal (world model)", low=0, high=1
    )
    validation_share: float = option("share of the data held out for validation; 0 = none", low=0, high=0.5)


@dataclass
class RetraceSettings:
    """How the ways in the data are driven anew before training."""

    num_steps: int = option("transitions to imagine; 0 = train on the data as they are", low=0)
    tube: float = option("distance from the collector's way that costs nothing", above=0)
    noise: float = option("largest standard deviation of the noise on the actions", low=0)
    shortest_hold: int = option("least steps of standing at the end of a way", low=1)
    longest_hold: int = option("most steps of standing at the end of a way", low=1)
    return_share: float = option(
        "share of ways after which it is driven back to their end from beside it", low=0, high=1
    )


@dataclass
class DiffusionSettings:
    """How noise is drawn and what the network predicts."""

    schedule: str = option("noise schedule", choices=("linear", "cosine", "ddpm", "ddpm_rescaled"))
    prediction: str = option("what the network predicts", choices=("velocity", "clean", "noise"))
    levels: str = option(
        "noise levels of a window's tokens; next = clean up to a place and pure noise from there on",
        choices=("independent", "shared", "next"),
    )
    goal_dropped: float = option("share of windows to plan by without a goal", low=0, high=1)
    returns_shown: bool = option("whether the goal token tells the mean reward of a step, to be asked for in plans")
    context_noised: float = option("share of windows whose context is noisy", low=0, high=1)
    actions_known: float = option("share of windows to plan by with clean actions", low=0, high=1)
    actions_apart: float = option("share of windows to plan by whose actions have levels of their own", low=0, high=1)
    loss_weight: str = option("weight of a token's loss by its level", choices=("uniform", "min_snr"))
    action_weight: float = option("weight of action slots against the others", low=0)
    after_goal_weight: float = option("weight of tokens after the goal was reached", low=0)
