"""Groups of options that several tasks share, beside the settings of the library that are groups as they are."""

from dataclasses import dataclass

from dfplan.options import option
from dfplan.settings.windows import WindowSettings


@dataclass(frozen=True)
class ModelSettings:
    """A denoiser."""

    name: str = option(
        "the network: transformer, rnn, one of an installed package, or diffuser, trained as Diffuser",
        default="transformer",
    )
    width: int = option("hidden size", default=128, low=8)
    num_layers: int = option("layers", default=4, low=1)
    num_heads: int | None = option("attention heads (transformer)", default=4, low=1)
    causal: bool = option(
        "false = every token sees every other, as full-sequence diffusion has it (transformer)", default=True
    )
    horizon: int | None = option("steps of a plan (diffuser)", default=None, low=2)
    num_levels: int | None = option("noise levels (diffuser)", default=None, low=1)


@dataclass(frozen=True)
class WindowsSettings(WindowSettings):
    """What the model is shown of the data, and of which data."""

    collected_share: float = option(
        "share of windows from the data as collected, with clean actions and no goal (world model)",
        default=0.0,
        low=0,
        high=1,
    )
    validation_share: float = option(
        "share of the data held out for validation; 0 = none", default=0.02, low=0, high=0.5
    )
