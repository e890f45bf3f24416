"""Weights shared out over processes (FSDP2): each holds a part of every tensor, and all while their module computes.

torch's ``fully_shard`` keeps a module what it is, so that tasks call theirs as ever: by calling the module. What is
written is whole: :func:`whole` gathers, in which all processes take part, and :func:`share_of` takes apart.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dfplan.errors import UserError


def shard(modules: Mapping[str, nn.Module], *, device: torch.device, num_processes: int) -> None:
    """Share the weights of modules out, those of each module in one message.

    A module and not its layers, since tasks and networks read weights of layers that they do not call. So all weights
    are there while a module computes; between that, and of gradients, averages and optimizers, a share.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard  # takes long to import

    mesh = init_device_mesh(device.type, (num_processes,))
    for module in modules.values():
        fully_shard(module, mesh=mesh)


def let_go(modules: nn.Module) -> None:
    """Have modules gather anew when they are called next, since their shares change: FSDP keeps what it gathered."""
    for module in modules.modules():
        if hasattr(module, "reshard"):
            module.reshard()  # type: ignore[operator]


def is_share(tensor: Tensor) -> bool:
    """Whether a tensor (a DTensor) is shared out over processes."""
    return hasattr(tensor, "full_tensor")


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor that may be shared out; where it is, all processes must ask for it."""
    return tensor.full_tensor() if is_share(tensor) else tensor  # type: ignore[attr-defined]


def share_of(tensor: Tensor, like: Tensor) -> Tensor:
    """The share that this process has of a whole tensor, shared out as another is; all of it where that is not."""
    if not is_share(like) or is_share(tensor):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    laid: Any = like
    return distribute_tensor(tensor.to(like.device), laid.device_mesh, laid.placements, src_data_rank=None)


def shares_of(tensors: Mapping[str, Tensor], like: Mapping[str, Any]) -> dict[str, Tensor]:
    """The same of several, by name."""
    return {name: share_of(each, like[name]) if name in like else each for name, each in tensors.items()}


def shares_of_state(tensors: Mapping[str, Tensor], optimizer: Optimizer) -> dict[str, Tensor]:
    """The same of an optimizer's ``<parameter index>.<name>``; those as large as their parameter are shared out."""
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    found = {}
    for name, tensor in tensors.items():
        parameter = parameters[int(name.partition(".")[0])]
        found[name] = share_of(tensor, parameter) if tensor.shape == parameter.shape else tensor
    return found


def explained(error: RuntimeError) -> Exception:
    """What to raise for an error of a step with shared weights: one line, where a task does not call its modules."""
    if "DTensor" not in str(error):
        return error
    return UserError(
        "training.parallel=fsdp gathers the weights of a module when it is called, and this task computes with some "
        f"without calling it ({' '.join(str(error).split())[:120]}); use training.parallel=ddp"
    )
