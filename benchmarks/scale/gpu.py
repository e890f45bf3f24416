"""Measures on a GPU, in under eight minutes, what mixed precision, compiling, CUDA graphs and batched planning give.

Both sides of a pair run in turns, so that clocks and neighbours hit both; what is told is the median ratio of the times
of a pair. ``--tiny`` does the same on any machine with sizes that a test can wait for, and CUDA graphs left out.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dfplan.cli.build import describe_weights
from dfplan.models import load_forcing_model
from dfplan.models.forcing_model import ForcingModel
from dfplan.planner import Planner
from dfplan.planner.settings import PlannerSettings
from dfplan.training.batch import part_of_batch

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parent)]
from frame import Benchmark, Named
from page import pages
from run import SIZES, WEIGHTS, mapped_windows, task_of

HERE = Path(__file__).parent
MINUTES = 7.5  # after which no further pair begins
TINY = (16, 1, 2)  # width, layers, heads


def options(parser: argparse.ArgumentParser) -> None:
    """How much is measured."""
    parser.add_argument("--tiny", action="store_true", help="small sizes, on any machine; nothing to publish")


def results(arguments: argparse.Namespace) -> Named:
    """Every pair, as long as there is time."""
    if not arguments.tiny and not torch.cuda.is_available():
        arguments.refuse("no GPU here; --tiny tries the script on any machine")
    began, rows = time.monotonic(), []
    for what, against, pair in pairs(tiny=arguments.tiny):
        if time.monotonic() - began > 60 * MINUTES:
            rows.append({"what": what, "against": against, "ratio": None, "failed": "no time was left"})
        else:
            rows.append({"what": what, "against": against, **compared(pair, tiny=arguments.tiny)})
        print(rows[-1], flush=True)
    on_gpu = torch.cuda.is_available()
    yield (
        "gpu",
        {
            "question": "what do mixed precision, compiling, CUDA graphs and batches give on a GPU?",
            "weights": describe_weights(WEIGHTS, load_forcing_model(WEIGHTS).metadata),
            "device_kind": "cuda" if on_gpu else "cpu",
            "device": torch.cuda.get_device_name() if on_gpu else "cpu",
            "tiny": arguments.tiny,
            "rows": rows,
            "seconds": time.monotonic() - began,
        },
    )


Pair = Callable[[], tuple[Callable[[], Any], Callable[[], Any]]]


def pairs(*, tiny: bool) -> Iterator[tuple[str, str, Pair]]:
    """What is compared: a name, that of what it is compared with, and how to make both calls."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = load_forcing_model(WEIGHTS).to(str(device))
    sizes = {"tiny": TINY} if tiny else {name: SIZES[name] for name in ("as shipped", "width 512", "width 1024")}
    for name, size in sizes.items():
        how = {"size": size, "windows": 4 if tiny else 256, "device": device}
        yield f"training, {name}: bf16", "float32", lambda how=how: steps(model, {"bf16": True}, {}, **how)
        both = {"bf16": True, "compiled": True}
        yield (
            f"training, {name}: compiled, bf16",
            "bf16",
            lambda how=how, both=both: steps(model, both, {"bf16": True}, **how),
        )
    if device.type == "cuda":
        for batch in (1, 64):
            yield (
                f"network of {batch} windows: CUDA graph",
                "kernel by kernel",
                lambda batch=batch: graphed(model, batch=batch, device=device),
            )
    for batch in (2,) if tiny else (16, 128, 1024):
        yield (
            f"plans: {batch} at once, each",
            "one at a time",
            lambda batch=batch: planned(model, batch=batch, tiny=tiny),
        )


def compared(pair: Pair, *, tiny: bool) -> dict[str, Any]:
    """How many times as long the second call of a pair takes as the first, by median; why not, where one fails."""
    repeats = 2 if tiny else 15
    try:
        first, second = pair()
        for call in (first, second) * 2:  # compiling and first allocations
            seconds_of(call)
        times = [(seconds_of(first), seconds_of(second)) for _ in range(repeats)]
    except (RuntimeError, torch.OutOfMemoryError) as error:
        return {"ratio": None, "failed": " ".join(str(error).split())[:200], "pairs": 0}
    ratios = [slower / quicker for quicker, slower in times]
    low, high = min(ratios), max(ratios)
    return {"ratio": statistics.median(ratios), "lowest": low, "highest": high, "pairs": repeats}


def seconds_of(call: Callable[[], Any]) -> float:
    """Time of a call, until the GPU has done it, by as many as the call says that it stands for."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    began = time.perf_counter()
    times = call() or 1
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return (time.perf_counter() - began) / times


def steps(
    model: ForcingModel,
    one: dict[str, bool],
    other: dict[str, bool],
    *,
    size: tuple[int, int, int],
    windows: int,
    device: torch.device,
) -> tuple[Callable[[], None], Callable[[], None]]:
    """Two ways to do forward, backward and the optimisers' steps."""
    return tuple(one_step(model, size, windows=windows, device=device, **way) for way in (one, other))  # type: ignore[return-value]


def one_step(
    model: ForcingModel,
    size: tuple[int, int, int],
    *,
    windows: int,
    device: torch.device,
    bf16: bool = False,
    compiled: bool = False,
) -> Callable[[], None]:
    """A training step on one batch that lies on the device."""
    width, layers, heads = size
    task = task_of(model, width=width, layers=layers, heads=heads, compiled=compiled)
    for module in task.modules.values():
        module.to(device).train()
    optimizers, generator = task.configure_optimizers(), torch.Generator()
    with tempfile.TemporaryDirectory() as folder:
        dataset = mapped_windows(Path(folder) / "rows", model, rows=20_000)
        batch = part_of_batch(dataset.sample(windows, np.random.default_rng(0)), index=0, num_parts=1, device=device)

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            loss, _ = task.training_step(batch, generator=generator.manual_seed(0))
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()

    return step


def graphed(model: ForcingModel, *, batch: int, device: torch.device) -> tuple[Callable[[], None], Callable[[], None]]:
    """The network as a recorded graph, and as ever."""
    network = model.denoiser
    noisy = torch.randn(batch, model.num_tokens + 2, network.token_dim, device=device)
    levels = torch.rand(1, model.num_tokens + 2, 2, device=device)
    stream, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    with torch.inference_mode():
        with torch.cuda.stream(stream):
            for _ in range(3):
                network(noisy, levels)
        torch.cuda.current_stream().wait_stream(stream)
        with torch.cuda.graph(graph):
            network(noisy, levels)

    def plain() -> None:
        with torch.inference_mode():
            network(noisy, levels)

    return graph.replay, plain


def planned(model: ForcingModel, *, batch: int, tiny: bool) -> tuple[Callable[[], int], Callable[[], int]]:
    """Plans of so many starts and goals at once, and of one."""
    settings = PlannerSettings(num_candidates=1, num_levels=2) if tiny else PlannerSettings()
    planner = Planner(model, settings=settings)
    start, goal = np.float32([[1, 1, 0, 0]] * batch), np.float32([[7, 9]] * batch)

    def plan(number: int) -> int:
        generators = [torch.Generator().manual_seed(seed) for seed in range(number)]
        planner.plan(start[:number], goal[:number], horizon=64 if tiny else 320, generators=generators)
        return number

    return lambda: plan(batch), lambda: plan(1)


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, on_request=True, pages=pages)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
