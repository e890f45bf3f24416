"""What a training step takes on so many GPUs, on paper: operations counted, volumes of messages, times of the host.

A step of dfplan's loop is windows drawn and read, then forward and backward, then one message with all gradients
(``ddp``) or two with shares (``fsdp``), then the optimisers. Nothing of that overlaps, so times add up.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

BYTES = 4  # of a number: weights, gradients, averages and optimisers are float32; autocast changes products alone
GPUS_A_NODE = 8
# Data sheet of NVIDIA's H100 SXM5: dense bfloat16 without sparsity, memory, NVLink in one direction. InfiniBand NDR is
# 400 Gb/s a GPU.
PEAK_FLOPS, MEMORY_BYTES, NVLINK, INFINIBAND = 989e12, 80e9, 450e9, 50e9
HOP_SECONDS = 2e-5  # of a message, for each level of a tree: assumed
# Meta's Llama 3: 419 unexpected interruptions in 54 days on 16,384 H100 [arXiv 2407.21783, section 3.3.4].
FAILURES_A_GPU_DAY = 419 / (54 * 16384)


@dataclass(frozen=True)
class Network:
    """What of a network decides how long a step takes.

    Attributes:
        num_parameters: all of them.
        num_matrix_parameters: those that Muon trains, with one number of state each; all others have AdamW's two.
        flops_a_window: of forward and backward.
        muon_flops: of Muon's iteration, which every process does for all matrices.
    """

    num_parameters: int
    num_matrix_parameters: int
    flops_a_window: float
    muon_flops: float

    @property
    def state_bytes(self) -> int:
        """Weights, gradients, averages and optimisers."""
        return BYTES * (5 * self.num_parameters - self.num_matrix_parameters)


def bandwidth(num_gpus: int) -> float:
    """Bytes a second that a GPU sends: within a node by NVLink, else what leaves it decides."""
    return NVLINK if num_gpus <= GPUS_A_NODE else INFINIBAND


def message_bytes(network: Network, num_gpus: int, *, parallel: str) -> float:
    """What a GPU sends in a step.

    A ring sends (N-1)/N of all in a gather as in a reduction. DDP reduces and gathers gradients; FSDP gathers weights
    and reduces gradients, and gathers the matrices' updates for Muon.
    """
    ring = (num_gpus - 1) / num_gpus * BYTES
    if parallel == "ddp":
        return 2 * ring * network.num_parameters
    return ring * (2 * network.num_parameters + network.num_matrix_parameters)


def memory_bytes(network: Network, num_gpus: int, *, parallel: str) -> float:
    """Of weights and what trains them on a GPU; FSDP has all weights and gradients besides while it computes."""
    if parallel == "ddp":
        return network.state_bytes
    return network.state_bytes / num_gpus + 2 * BYTES * network.num_parameters


def step_seconds(
    network: Network, num_gpus: int, *, windows: int, parallel: str, host_seconds: float, share_of_peak: float
) -> dict[str, float]:
    """Seconds of the parts of a step in which each GPU has so many windows.

    Args:
        network: see above.
        num_gpus: how many.
        windows: of each GPU.
        parallel: ``ddp`` or ``fsdp``.
        host_seconds: to draw the batch of all and read the GPU's own part.
        share_of_peak: what of the peak a network reaches.
    """
    rate = PEAK_FLOPS * share_of_peak
    sent = message_bytes(network, num_gpus, parallel=parallel) / bandwidth(num_gpus)
    hops = (2 if parallel == "ddp" else 3) * math.ceil(math.log2(num_gpus)) * HOP_SECONDS
    return {
        "compute": windows * network.flops_a_window / rate,
        "host": host_seconds,
        "messages": sent + hops,
        "muon": network.muon_flops / rate,
    }


def efficiency(parts: Mapping[str, float]) -> float:
    """The share of a step in which the network computes."""
    return parts["compute"] / sum(parts.values())


def breaks_first(parts: Mapping[str, float]) -> str:
    """What of a step takes longest besides the network itself."""
    return max((name for name in parts if name != "compute"), key=lambda name: parts[name])


def muon_flops(shapes: list[tuple[int, int]], *, iterations: int = 5) -> float:
    """Of the Newton-Schulz iteration of matrices: a product of rows with rows, its square, and one with the matrix."""
    sizes = [(min(shape), max(shape)) for shape in shapes]
    return float(sum(iterations * (4 * short**2 * long + 2 * short**3) for short, long in sizes))


def hours_between_failures(num_gpus: int) -> float:
    """How long so many GPUs run until one of them, or what is around it, fails."""
    return 24 / (FAILURES_A_GPU_DAY * num_gpus)


def seconds_between_checkpoints(num_gpus: int, *, save_seconds: float) -> float:
    """The interval that loses least: sqrt(2 x seconds to save x seconds between failures) (Young, 1974)."""
    return math.sqrt(2 * save_seconds * 3600 * hours_between_failures(num_gpus))
