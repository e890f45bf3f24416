"""Measures what a training step is made of on this processor, and plans from it 8 to 1,000 GPUs: docs/scale.md.

Times are the shortest of several: others on the machine only ever slow it down.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from dfplan.cli.build import describe_weights
from dfplan.cli.folders import bundled_weights
from dfplan.data.windows import WindowDataset
from dfplan.models import load_forcing_model
from dfplan.models.forcing_model import ForcingModel, build_denoiser
from dfplan.settings.diffusion import DiffusionSettings
from dfplan.settings.training import OptimizerSettings
from dfplan.settings.windows import WindowSettings
from dfplan.training import Settings, train
from dfplan.training.batch import sample_own
from dfplan.training.forcing import ForcingTask
from dfplan.types import Trajectories

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parent)]
from frame import Benchmark, Named
from page import pages
from throughput import muon_flops

HERE = Path(__file__).parent
WEIGHTS = bundled_weights() / "maze2d-large"  # whose tokens they are; what is trained begins anew
SIZES = {  # width, layers, heads; the first is what dfplan comes with
    "as shipped": (128, 4, 4),
    "width 512": (512, 8, 8),
    "width 1024": (1024, 24, 16),
    "width 2048": (2048, 24, 16),
}
GPUS = (1, 8, 64, 256, 1000)
WINDOWS = 256  # of a GPU, as in training=gpu
ROWS, EPISODE = 1_000_000, 1000


def options(parser: argparse.ArgumentParser) -> None:
    """How long to measure."""
    parser.add_argument("--steps", type=int, default=20, help="of the training that is timed (default 20)")
    parser.add_argument("--rows", type=int, default=ROWS, help=f"of the data, in a file (default {ROWS:,})")


def results(arguments: argparse.Namespace) -> Named:
    """Operations of every size, a training step of the shipped one, and reading by the number of GPUs."""
    torch.set_num_threads(arguments.threads)
    model = load_forcing_model(WEIGHTS)
    with tempfile.TemporaryDirectory() as folder:
        dataset = mapped_windows(Path(folder) / "rows", model, rows=arguments.rows)
        batch = dataset.sample(1, np.random.default_rng(0))
        reading = [reading_seconds(dataset, num_gpus) for num_gpus in GPUS]
        step = training_step(dataset, model, steps=arguments.steps, folder=Path(folder) / "run")
    yield (
        "anchor",
        {
            "question": "what is a training step made of, and what would it take on 8 to 1,000 GPUs?",
            "weights": describe_weights(WEIGHTS, model.metadata),
            "threads": arguments.threads,
            "windows_a_gpu": WINDOWS,
            "window_bytes": sum(each.nbytes for each in vars(batch).values()),
            "data": {"rows": arguments.rows, "bytes": arguments.rows * (4 + 2) * 4, "mapped": True},
            "networks": {name: counted(model, *size) for name, size in SIZES.items()},
            "reading": reading,
            "training_step": step,
        },
    )


def mapped_windows(path: Path, model: ForcingModel, *, rows: int) -> WindowDataset:
    """Windows of random trajectories that lie in a file and are mapped into memory."""
    generator = np.random.default_rng(0)
    generator.normal(size=(rows, 4)).astype(np.float32).tofile(path)
    observations = np.memmap(path, np.float32, mode="r", shape=(rows, 4))
    actions = generator.uniform(-1, 1, size=(rows, 2)).astype(np.float32)
    starts, ends = np.arange(0, rows + 1, EPISODE), np.arange(rows) % 250 == 249
    data = Trajectories(observations, actions, starts, ends, source="random", last_actions=True)
    return WindowDataset(data, WindowSettings(held_steps=0), num_tokens=model.num_tokens, goal_dim=2)


def task_of(model: ForcingModel, *, width: int, layers: int, heads: int, compiled: bool = False) -> ForcingTask:
    """The task of dfplan's planner with a network of some size, untrained."""
    network = build_denoiser("transformer", layout=model.layout, width=width, num_layers=layers, num_heads=heads)
    return ForcingTask(
        denoiser=network,
        layout=model.layout,
        normalizer=model.normalizer,
        diffusion=DiffusionSettings(),
        optimizer=OptimizerSettings(compiled=compiled),
        scorer=model.scorer,
        validation=None,
        metadata={},
    )


def counted(model: ForcingModel, width: int, layers: int, heads: int) -> dict[str, Any]:
    """Parameters, and operations of a window forward and backward, without computing any."""
    with torch.device("meta"):
        network = build_denoiser("transformer", layout=model.layout, width=width, num_layers=layers, num_heads=heads)
        noisy, levels = torch.zeros(1, model.num_tokens + 2, network.token_dim), torch.zeros(1, model.num_tokens + 2, 2)
        # Attention of fused kernels is counted on a GPU alone; with plain ones it is two more products.
        plain = torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH)
        with FlopCounterMode(display=False) as counter, plain:
            network(noisy, levels)[0].sum().backward()
    shapes = [tuple(each.shape) for each in network.block_matrices()]
    return {
        "width": width,
        "num_layers": layers,
        "num_parameters": sum(each.numel() for each in network.parameters()),
        "num_matrix_parameters": sum(each.numel() for each in network.block_matrices()),
        "flops_a_window": counter.get_total_flops(),
        "muon_flops": muon_flops(shapes),
    }


def reading_seconds(dataset: WindowDataset, num_gpus: int, *, repeats: int = 9) -> dict[str, Any]:
    """Time, at its best, in which one of so many processes draws the batch of all and reads its own part."""

    def read(step: int) -> None:
        generator = np.random.default_rng([0, step])
        sample_own(dataset, num_gpus * WINDOWS, generator, process=num_gpus - 1, num_processes=num_gpus)

    seconds = [timed(lambda step=step: read(step)) for step in range(repeats)]
    return {"num_gpus": num_gpus, "seconds": min(seconds)}


def training_step(dataset: WindowDataset, model: ForcingModel, *, steps: int, folder: Path) -> dict[str, Any]:
    """A step of the shipped size by dfplan's own loop, beside the matrix product of this processor, at their best."""
    width, layers, heads = SIZES["as shipped"]
    settings = Settings(
        num_steps=2 * steps, batch_size=64, seed=0, validate_every=0, log_every=1, checkpoint_every=10**6, device="cpu"
    )
    task = task_of(model, width=width, layers=layers, heads=heads)
    train(task, dataset, settings, run_folder=folder, progress=False)
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    seconds = min(1 / line["steps_per_second"] for line in lines if line["step"] > steps)
    found = counted(model, width, layers, heads)
    flops = settings.batch_size * found["flops_a_window"] + found["muon_flops"]
    peak = max(2 * size**3 / min(matrix_seconds(size)) for size in (256, 512, 1024))
    return {
        "batch_size": settings.batch_size,
        "seconds": seconds,
        "flops": flops,
        "gflops": 1e-9 * flops / seconds,
        "matmul_gflops": 1e-9 * peak,
        "share_of_peak": flops / seconds / peak,
    }


def matrix_seconds(size: int, *, repeats: int = 20) -> list[float]:
    """Times of the product of two square matrices."""
    left, right = torch.randn(size, size), torch.randn(size, size)
    return [timed(lambda: left @ right) for _ in range(repeats)]


def timed(call: Callable[[], Any]) -> float:
    """Seconds of a call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


BENCHMARK = Benchmark(
    says=__doc__, folder=HERE, measure=results, options=options, threads=1, on_request=True, pages=pages
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
