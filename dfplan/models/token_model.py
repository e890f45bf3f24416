"""A network together with how its tokens are laid out and its answers are read."""

from dataclasses import dataclass

from torch import Tensor

from dfplan.diffusion import Parameterization
from dfplan.models.denoiser import Denoiser, DenoiserState
from dfplan.tokens import TokenLayout


@dataclass(frozen=True)
class TokenModel:
    """Predicts clean tokens.

    Attributes:
        denoiser: the network.
        layout: what a token holds.
        parameterization: what the network predicts, and the schedule.
    """

    denoiser: Denoiser
    layout: TokenLayout
    parameterization: Parameterization

    def clean(self, noisy: Tensor, levels: Tensor, state: DenoiserState) -> tuple[Tensor, DenoiserState]:
        """Clean tokens, and the state with them; the arguments are those of :meth:`Denoiser.forward`.

        Levels may have a third column, that of rewards, which the network is not told.
        """
        prediction, grown = self.denoiser(noisy, levels[..., :2], state)
        return self.parameterization.to_clean(prediction, noisy, level=self.layout.per_slot(levels)), grown
