"""Keeps the log of a finished training here; makes it the bundled model of its maze and writes the model card anew."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch
from model_card import BENCHMARK

from dfplan.cli.folders import bundled_weights
from dfplan.errors import UserError
from dfplan.models.bundle import bundle_checksum, load_bundle, save_bundle

RESULTS = Path(__file__).parent / "results"
MAX_LOG_LINES = 200
# What the names of a network's weights begin with: ours, Diffuser's, a tokenizer's, inverse dynamics'.
NETWORKS = ("denoiser.", "unet.", "tokenizer.", "inverse.")


def thinned(lines: list[str]) -> list[str]:
    """At most ``MAX_LOG_LINES`` of a metrics log: every validation, and evenly spread training lines up to the last."""
    is_validation = ["validation/" in line for line in lines]
    training = [index for index, each in enumerate(is_validation) if not each]
    every = -(-len(training) // max(1, MAX_LOG_LINES - sum(is_validation)))
    kept = set(training[::-1][::every])
    return [line for index, line in enumerate(lines) if is_validation[index] or index in kept]


def keep_weights(run: Path, folder: Path | None, *, half: bool) -> dict[str, Any]:
    """Write the weights of a run into ``folder``, the network in 16 bits where asked; return their metadata.

    Without a folder they stay where they are.
    """
    tensors, metadata = load_bundle(run / "model")
    network = {name for name in tensors if name.startswith(NETWORKS)}
    if half:
        tensors = {name: each.half() if name in network else each for name, each in tensors.items()}
        metadata = {**metadata, "stored_as": "float16"}
    if folder is not None:
        save_bundle(folder, tensors, metadata)
    checksum = bundle_checksum(run / "model" if folder is None else folder)
    return metadata | {"num_parameters": sum(tensors[name].numel() for name in network), "sha256": checksum}


def described_network(metadata: dict[str, Any]) -> dict[str, Any]:
    """Name and sizes of the network, under whatever name the bundle has them."""
    if "inverse_dynamics" in metadata:
        return {"name": "inverse dynamics", **metadata["inverse_dynamics"]}
    return metadata.get("model") or metadata["tokenizer"]


def last_values(log: list[dict[str, Any]], *names: str) -> dict[str, float | None]:
    """The last logged value of each metric; None where there is none."""
    return {name: next((line[name] for line in reversed(log) if name in line), None) for name in names}


def keep(run: Path, *, name: str, facts: dict[str, Any], half: bool, bundled: bool) -> None:
    """Keep log and summary of a run under a name, and install its weights if they are to be bundled."""
    config = json.loads((run / "config.json").read_text())
    lines = (run / "metrics.jsonl").read_text().splitlines()
    log = [json.loads(line) for line in lines]
    num_steps, log_every = config["training"]["num_steps"], config["training"]["log_every"]
    if log[-1]["step"] <= num_steps - log_every:
        raise UserError(f"{run} stopped at step {log[-1]['step']} of {num_steps}; finish it first")
    metadata = keep_weights(run, bundled_weights() / name if bundled else None, half=half)
    provenance = metadata["provenance"]
    summary = {
        "env": metadata.get("env"),  # none where a task needs no environment, nor a dataset of one
        "model": described_network(metadata),
        "num_parameters": metadata["num_parameters"],
        "sha256": metadata["sha256"],
        "num_steps": config["training"]["num_steps"],
        "batch_size": config["training"]["batch_size"],
        "device": provenance["device"],
        "torch": provenance["torch"],
        "commit": provenance["commit"],
        "dataset": config["config"].get("dataset"),
        **last_values(log, "loss", "validation/loss", "validation/observation_loss"),
        **facts,
    }
    folder = RESULTS / name
    folder.mkdir(parents=True, exist_ok=True)
    # The configuration as it travels with the weights: of files and folders only their names.
    text = json.dumps({**config, "config": metadata["provenance"]["config"]}, indent=1)
    (folder / "config.json").write_text(text + "\n")
    (folder / "metrics.jsonl").write_text("\n".join(thinned(lines)) + "\n")
    (folder / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")


def main() -> int:
    """Read the command line and keep one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="run folder of `dfplan train`")
    parser.add_argument("name", help="folder under dfplan/weights, such as maze2d-large or pixelmaze-large/tokenizer")
    parser.add_argument("--command", required=True, help="the command that trained it, without its output folder")
    parser.add_argument("--seconds", type=float, required=True, help="wall seconds of the whole command")
    parser.add_argument("--machine", required=True, help="processor and cores, in words")
    parser.add_argument("--note", default="", help="what else one should know about the time it took")
    parser.add_argument("--commit", help="of the code that trained, where the weights were written again later")
    parser.add_argument("--half", action="store_true", help="store the network in 16 bits")
    parser.add_argument("--log-only", action="store_true", help="the weights are not to come with dfplan")
    arguments = parser.parse_args()
    facts = {"command": arguments.command, "wall_seconds": arguments.seconds, "machine": arguments.machine}
    facts |= {"note": arguments.note} | ({"commit": arguments.commit} if arguments.commit else {})
    try:
        with torch.no_grad():
            keep(arguments.run, name=arguments.name, facts=facts, half=arguments.half, bundled=not arguments.log_only)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"kept as {RESULTS / arguments.name}")
    if not arguments.log_only:
        BENCHMARK.main([])
        print(f"and, with its weights, as {bundled_weights() / arguments.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
