"""Hidden states of a planner's network on noisy windows, to ask what they know."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from dfplan.data.windows import WindowBatch
from dfplan.diffusion import add_noise
from dfplan.errors import UserError
from dfplan.models.forcing_model import ForcingModel
from dfplan.tokens import NUM_PREFIX_TOKENS
from dfplan.training.forcing import clean_tokens


@dataclass(frozen=True)
class HiddenStates:
    """What the blocks of a transformer hold of the tokens of some windows.

    Attributes:
        blocks: of each block its output ``(tokens, width)``.
        observations: ``(tokens, observation_dim)`` the true observation at the last step of each token, in the units of
            the environment.
    """

    blocks: tuple[np.ndarray, ...]
    observations: np.ndarray


@torch.inference_mode()
def hidden_states(model: ForcingModel, batch: WindowBatch, *, level: float, seed: int) -> HiddenStates:
    """Show the network windows at one noise level, goal and present observation clean, and keep what is in between.

    Args:
        model: with a transformer for its network.
        batch: windows; tokens past the end of their trajectory are left out.
        level: noise level of all tokens of a window.
        seed: of the noise.

    Raises:
        UserError: the network has no blocks.
    """
    blocks = getattr(model.denoiser, "blocks", None)
    if blocks is None:
        raise UserError("only a transformer has blocks whose hidden states can be looked at; give other weights")
    clean = clean_tokens(batch, layout=model.layout, normalizer=model.normalizer)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))
    levels = torch.full((*clean.shape[:2], 2), level)
    levels[:, :NUM_PREFIX_TOKENS] = 0
    slot_levels = model.layout.per_slot(levels)
    noisy = add_noise(clean, noise, level=slot_levels, schedule=model.parameterization.schedule)
    outputs: list[Tensor] = []

    def keep(block: nn.Module, inputs: object, output: tuple[Tensor, Tensor]) -> None:
        outputs.append(output[0])

    hooks = [block.register_forward_hook(keep) for block in blocks]
    try:
        model.denoiser(noisy, levels)
    finally:
        for hook in hooks:
            hook.remove()
    valid = torch.as_tensor(batch.valid)
    points = model.layout.points_per_token
    return HiddenStates(
        blocks=tuple(each[:, NUM_PREFIX_TOKENS:][valid].numpy() for each in outputs),
        observations=np.asarray(batch.observations)[:, points - 1 :: points][np.asarray(batch.valid)],
    )
