"""The tables of docs/scale.md, made of the newest result files: a plan on paper, and what was measured on a GPU."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parent)]
from records import between_marks
from records import load as records_of
from throughput import (
    FAILURES_A_GPU_DAY,
    HOP_SECONDS,
    INFINIBAND,
    MEMORY_BYTES,
    NVLINK,
    PEAK_FLOPS,
    Network,
    breaks_first,
    efficiency,
    hours_between_failures,
    memory_bytes,
    message_bytes,
    seconds_between_checkpoints,
    step_seconds,
)

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[2] / "docs" / "scale.md"
MARKS = {
    name: (f"<!-- {name}: written by benchmarks/scale/run.py -->", f"<!-- end of {name} -->")
    for name in ("anchor", "plan", "memory", "failures", "gpu")
}
WORDS = {"host": "drawing and reading windows", "messages": "messages", "muon": "Muon's iteration"}
SAVE_SECONDS = 30.0  # to write a checkpoint, in which the loop waits: assumed
NOT_MEASURED = (
    "Not measured: no GPU was at hand. `python benchmarks/scale/gpu.py` is the script that measures it, in less than "
    "eight minutes, and writes its result file beside the others."
)


def pages() -> dict[Path, str]:
    """docs/scale.md with its tables."""
    records = records_of(RESULTS)
    anchor = next((each for each in records if "reading" in each), None)
    gpu = next((each for each in records if each.get("device_kind") == "cuda"), None)
    text = PAGE.read_text()
    made = {"gpu": gpu_table(gpu)}
    if anchor is not None:
        made |= {
            "anchor": "\n".join(anchor_lines(anchor)),
            "plan": "\n".join(plan_lines(anchor)),
            "memory": "\n".join(memory_lines(anchor)),
            "failures": "\n".join(failure_lines(anchor)),
        }
    for name, table in made.items():
        begin, end = MARKS[name]
        text = between_marks(text, table, begin=begin, end=end)
    return {PAGE: text}


def networks_of(record: dict[str, Any]) -> dict[str, Network]:
    """Those of a record by name."""
    names = ("num_parameters", "num_matrix_parameters", "flops_a_window", "muon_flops")
    return {name: Network(**{key: each[key] for key in names}) for name, each in record["networks"].items()}


def anchor_lines(record: dict[str, Any]) -> Iterator[str]:
    """What was counted and measured here."""
    step = record["training_step"]
    yield "| network | layers | parameters | GFLOP of a window, there and back | GFLOP of Muon in a step |"
    yield "|---|---:|---:|---:|---:|"
    for name, each in record["networks"].items():
        yield (
            f"| {name} | {each['num_layers']} | {each['num_parameters'] / 1e6:,.1f} M "
            f"| {each['flops_a_window'] / 1e9:,.2f} | {each['muon_flops'] / 1e9:,.1f} |"
        )
    yield ""
    yield (
        f"A step of the shipped network with {step['batch_size']} windows takes at best {1000 * step['seconds']:.0f} "
        f"ms on {record['threads']} thread, {step['gflops']:.1f} GFLOP/s: {100 * step['share_of_peak']:.0f} % of what "
        f"matrix products reach there ({step['matmul_gflops']:.0f} GFLOP/s, float32). A window is "
        f"{record['window_bytes'] / 1000:.1f} kB; the data, {record['data']['rows']:,} rows, were mapped from a file."
    )
    yield ""
    yield (
        f"[{record['file']}](../benchmarks/scale/results/{record['file']}): {record['machine']}, commit "
        f"`{record['commit'][:12]}`, load average {record['load_before'][0]:.1f} before."
    )


def plan_lines(record: dict[str, Any]) -> Iterator[str]:
    """By network and number of GPUs: throughput, efficiency and what takes longest besides the network."""
    share, windows = record["training_step"]["share_of_peak"], record["windows_a_gpu"]
    yield "| network | GPUs | windows/s | step, ms | computing, % | a GPU sends | all read | most time besides |"
    yield "|---|---:|---:|---:|---:|---:|---:|---|"
    for name, network in networks_of(record).items():
        for reading in record["reading"]:
            number = reading["num_gpus"]
            parts = step_seconds(
                network,
                number,
                windows=windows,
                parallel="ddp",
                host_seconds=reading["seconds"],
                share_of_peak=share,
            )
            seconds, worst = sum(parts.values()), breaks_first(parts)
            rate = number * windows / seconds
            yield (
                f"| {name} | {number:,} | {rate:,.0f} | {1000 * seconds:,.0f} | {100 * efficiency(parts):.0f} "
                f"| {message_bytes(network, number, parallel='ddp') / 1e6:,.0f} MB "
                f"| {rate * record['window_bytes'] / 1e6:,.0f} MB/s | {WORDS[worst]}, {1000 * parts[worst]:,.1f} ms |"
            )
    yield ""
    yield (
        f"{windows} windows a GPU, DDP. Assumed: H100 SXM, {PEAK_FLOPS / 1e12:.0f} TFLOP/s in bfloat16 (data sheet), "
        f"of which a network reaches the {100 * share:.0f} % that it reaches here; {NVLINK / 1e9:.0f} GB/s within a "
        f"node and {INFINIBAND / 1e9:.0f} GB/s between nodes; {1e6 * HOP_SECONDS:.0f} µs a level of a message's tree. "
        "Drawing and reading are as measured here, in one thread, and nothing hides them yet."
    )


def memory_lines(record: dict[str, Any]) -> Iterator[str]:
    """What weights and training take of a GPU's memory."""
    counts = [each["num_gpus"] for each in record["reading"] if each["num_gpus"] > 1]
    shares = " | ".join(f"FSDP, {number:,} GPUs" for number in counts)
    yield f"| network | DDP | {shares} |"
    yield "|---|---:|" + "---:|" * len(counts)
    for name, network in networks_of(record).items():
        whole = memory_bytes(network, 1, parallel="ddp")
        cells = [memory_bytes(network, number, parallel="fsdp") for number in counts]
        yield f"| {name} | " + " | ".join(f"{each / 1e9:.2f} GB" for each in (whole, *cells)) + " |"
    yield ""
    yield (
        f"Weights, gradients, averages and optimisers, without what the network keeps for its way back; a GPU has "
        f"{MEMORY_BYTES / 1e9:.0f} GB."
    )


def failure_lines(record: dict[str, Any]) -> Iterator[str]:
    """How often something fails, and how often to save."""
    yield "| GPUs | hours between failures | minutes between checkpoints |"
    yield "|---:|---:|---:|"
    for reading in record["reading"]:
        number = reading["num_gpus"]
        hours = hours_between_failures(number)
        minutes = seconds_between_checkpoints(number, save_seconds=SAVE_SECONDS) / 60
        yield f"| {number:,} | {hours:,.0f} | {minutes:,.0f} |"
    yield ""
    yield (
        f"{FAILURES_A_GPU_DAY:.2g} failures a GPU and day, as Llama 3 had in training (419 in 54 days on 16,384 GPUs "
        f"[arXiv 2407.21783, section 3.3.4]); {SAVE_SECONDS:.0f} s to save, assumed; the interval is Young's (1974)."
    )


def gpu_table(record: dict[str, Any] | None) -> str:
    """What was measured on a GPU."""
    if record is None:
        return NOT_MEASURED
    lines = ["| what | compared with | median ratio of times | pairs |", "|---|---|---:|---:|"]
    lines += [
        f"| {row['what']} | {row['against']} | {row['ratio']:.2f} | {row['pairs']} |"
        if row.get("ratio") is not None
        else f"| {row['what']} | {row['against']} | failed: {row['failed']} | – |"
        for row in record["rows"]
    ]
    source = f"[{record['file']}](../benchmarks/scale/results/{record['file']}): {record['device']}"
    return "\n".join([*lines, "", f"Above 1 is quicker. {source}, commit `{record['commit'][:12]}`."])
