"""Measures the denoiser's forward pass against the matrix product of this machine, same precision and threads."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch._inductor.config
from torch.utils.flop_counter import FlopCounterMode

from dfplan.cli.build import describe_weights
from dfplan.cli.folders import bundled_weights
from dfplan.models import load_forcing_model
from dfplan.models.denoiser import Denoiser

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named

HERE = Path(__file__).parent
WEIGHTS = bundled_weights() / "maze2d-large"
BATCHES = (1, 4, 16, 64, 128, 256, 512)
PEAK_SIZES = (256, 384, 512, 768, 1024, 1536, 2048)
COMPILED = (64,)  # batches; half a minute of compiling each
CACHED = 12  # tokens before the window, where a plan is under way
WINDOW = 4  # tokens that move together in a row of the default planner


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("--seconds", type=float, default=2.0, help="for each measurement (default 2)")
    parser.add_argument("--compile", action="store_true", help="also through torch.compile; needs a C++ compiler")


def results(arguments: argparse.Namespace) -> Named:
    """The network beside the matrix product."""
    torch.set_num_threads(arguments.threads)
    model = load_forcing_model(WEIGHTS)
    with torch.inference_mode():
        rates = {size: matmul_rate(size, seconds=arguments.seconds) for size in PEAK_SIZES}
        peak = max(rates.values())
        rows = []
        for what, tokens in (("training window", model.num_tokens + 2), ("moving window", WINDOW)):
            for batch in BATCHES:
                row = measure(model.denoiser, what, batch=batch, tokens=tokens, seconds=arguments.seconds)
                rows.append(row | {"share_of_peak": row["gflops"] / peak})
                print(line_of(rows[-1]), flush=True)
        for batch in COMPILED if arguments.compile else ():
            row = measure_compiled(model.denoiser, batch=batch, tokens=model.num_tokens + 2, seconds=arguments.seconds)
            rows.append(row | {"share_of_peak": row["gflops"] / peak})
            print(line_of(rows[-1]), flush=True)
    print(f"matrix product at its best {peak:.0f} GFLOP/s, {arguments.threads} threads, float32")
    yield (
        "",
        {
            "question": "forward pass of the denoiser against the matrix product of the machine",
            "weights": describe_weights(WEIGHTS, model.metadata),
            "precision": "float32",
            "threads": arguments.threads,
            "matmul_gflops": peak,
            "matmul_gflops_by_size": rates,
            "rows": rows,
        },
    )


def matmul_rate(size: int, *, seconds: float) -> float:
    """GFLOP/s of the product of two square matrices, at its best."""
    left, right = torch.randn(size, size), torch.randn(size, size)
    return 2e-9 * size**3 / best_seconds(lambda: left @ right, seconds=seconds)


def measure_compiled(denoiser: Denoiser, *, batch: int, tokens: int, seconds: float) -> dict[str, Any]:
    """Like :func:`measure`, of a training window through `torch.compile` with frozen weights."""
    with torch._inductor.config.patch(freezing=True):
        compiled = torch.compile(denoiser)
        row = measure(denoiser, "training window", batch=batch, tokens=tokens, seconds=seconds, run=compiled)
    return row | {"what": "training window, compiled,"}


def measure(
    denoiser: Denoiser, what: str, *, batch: int, tokens: int, seconds: float, run: Callable[..., Any] | None = None
) -> dict[str, Any]:
    """Time and floating-point operations (of matrix products and attention) of one call; ``run`` is what is timed."""
    run = denoiser if run is None else run
    token_dim = denoiser.token_dim
    noisy, levels = torch.randn(batch, tokens, token_dim), torch.rand(1, tokens, 2)
    state = None
    if what == "moving window":
        state = denoiser(torch.randn(batch, CACHED, token_dim), torch.zeros(1, CACHED, 2))[1]
    # torch counts the attention of fused kernels only on a GPU; with plain ones it is two more products.
    with FlopCounterMode(display=False) as counter, torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        denoiser(noisy, levels, state)
    found = best_seconds(lambda: run(noisy, levels, state), seconds=seconds)
    flops = counter.get_total_flops()
    return {
        "what": what,
        "batch": batch,
        "tokens": tokens,
        "flops": flops,
        "seconds": found,
        "gflops": 1e-9 * flops / found,
    }


def best_seconds(call: Callable[[], Any], *, seconds: float) -> float:
    """The shortest time of a call, of all within so many seconds: others on the machine only ever slow it down."""
    call()
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - began)
    return best


def line_of(row: dict[str, Any]) -> str:
    """One measurement as a line of a table."""
    return (
        f"| {row['what']} of {row['tokens']} tokens | {row['batch']} | {1000 * row['seconds']:.2f} ms "
        f"| {row['gflops']:.1f} GFLOP/s | {100 * row['share_of_peak']:.0f} % |"
    )


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, threads=2, on_request=True)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
