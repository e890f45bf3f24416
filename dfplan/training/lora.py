"""Low-rank adaptation of a trained planner to other data: LoRA (arXiv 2106.09685) through peft, in the forcing task."""

import copy
import importlib.util
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dfplan.errors import UserError
from dfplan.models.denoiser import Denoiser
from dfplan.models.forcing_model import ForcingModel
from dfplan.training.forcing import ForcingTask, parameterization_of


class LoraTask(ForcingTask):
    """Trains low-rank additions to the weights of a planner, and exports the sum as a planner like any other.

    Network, normaliser, noise schedule and prediction are the planner's; windows and what was measured are those of
    the new data.

    Args:
        base: the planner to adapt.
        rank: of the addition to every matrix, ``B A`` with ``B`` ``(out, rank)`` zero at first; 0 trains all weights
            instead, as an ordinary fine-tuning with the optimizers of the forcing task.
        alpha: additions are scaled by ``alpha / rank``.
        origin: what the exported bundle says of the base; plain JSON values.
        arguments: those of :class:`~dfplan.training.forcing.ForcingTask`.

    Raises:
        UserError: peft is not installed, or windows or diffusion are not those the base was trained with.
    """

    def __init__(
        self, *, base: ForcingModel, rank: int, alpha: float, origin: Mapping[str, Any], **arguments: Any
    ) -> None:
        asked = {"layout": arguments["layout"], "parameterization": parameterization_of(arguments["diffusion"])}
        for name, each in asked.items():
            if vars(each) != vars(getattr(base, name)):
                raise UserError(
                    f"the base has {name} {getattr(base, name)}, the settings ask for {each}; give the windows. and "
                    "diffusion. options that the base was trained with"
                )
        size = base.denoiser.num_parameters
        denoiser = add_low_rank(base.denoiser, rank=rank, alpha=alpha) if rank else base.denoiser.requires_grad_(True)
        super().__init__(**arguments | {"denoiser": denoiser, "normalizer": base.normalizer})
        self.rank = rank
        trained = sum(each.numel() for each in denoiser.parameters() if each.requires_grad)
        self.metadata["adaptation"] = {
            **origin,
            "rank": rank,
            "alpha": alpha,
            "trained_parameters": trained,
            "share_of_parameters": trained / size,
        }

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """AdamW for the additions; for a full fine-tuning see ``ForcingTask``."""
        if not self.rank:
            return super().configure_optimizers()
        additions = [each for each in self.modules["denoiser"].parameters() if each.requires_grad]
        rate, decay = self.optimizer.learning_rate, self.optimizer.weight_decay
        return [torch.optim.AdamW(additions, lr=rate, weight_decay=decay, betas=(0.9, 0.99))]

    def denoiser_weights(self) -> Mapping[str, Tensor]:
        """The weights with the additions added, by the names of the network without them."""
        denoiser = self.modules["denoiser"]
        return merged_weights(denoiser) if self.rank else denoiser.state_dict()


def require_peft() -> None:
    """Refuse to go on without the package, before anything that takes long.

    Raises:
        UserError: peft is not installed.
    """
    if importlib.util.find_spec("peft") is None:
        raise UserError("adapting by LoRA needs peft: pip install 'dfplan[lora]'")


def add_low_rank(denoiser: Denoiser, *, rank: int, alpha: float) -> Denoiser:
    """Give every linear layer of a denoiser a trainable addition of low rank, in place; all else is frozen.

    Raises:
        UserError: peft is not installed.
    """
    require_peft()
    from peft import LoraConfig, inject_adapter_in_model

    linear = [name for name, module in denoiser.named_modules() if isinstance(module, nn.Linear)]
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=alpha, target_modules=linear), denoiser)  # type: ignore[arg-type]
    return denoiser


def merged_weights(denoiser: nn.Module) -> dict[str, Tensor]:
    """The weights of a denoiser with its low-rank additions added, by the names they have without additions."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    merged = copy.deepcopy(denoiser)
    for module in merged.modules():
        if isinstance(module, BaseTunerLayer):
            module.merge()
    return {
        name.replace(".base_layer.", "."): value for name, value in merged.state_dict().items() if ".lora_" not in name
    }
