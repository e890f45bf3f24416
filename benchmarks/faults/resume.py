"""Kills trainings at random steps and places, resumes them, and compares every bit with a run that was left alone."""

import hashlib
import json
import os
import random
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import torch
from child import Outcome, in_child
from disk import TINY_TRAINING

from dfplan.cli.main import main
from dfplan.data.windows import WindowDataset
from dfplan.models.bundle import load_bundle
from dfplan.training import checkpoint, state

COMPARED_STEPS = 200
LAST_KILL = 90
NUM_STEPS = LAST_KILL + COMPARED_STEPS + 10
CHECKPOINT_EVERY = 7
PLACES = ("batch", "update", "checkpoint")


def run(folder: Path, *, count: int, seed: int) -> dict[str, Any]:
    """Kill and resume ``count`` trainings.

    Returns:
        How many were bitwise equal in their losses (all those after the resume, at least 200), in the order of their
        data, and in their final weights, averages and optimizer state; and the fewest losses compared.
    """
    data = folder / "data.hdf5"
    _must_end(in_child(lambda: main(["generate", "env=maze2d-open", "num_steps=3000", f"output={data}"])), 0)
    words = ["train", f"data={data}", f"training.num_steps={NUM_STEPS}", "training.log_every=1", *TINY_TRAINING]
    words += [f"training.checkpoint_every={CHECKPOINT_EVERY}", "training.warmup_steps=5"]
    whole = folder / "whole"
    _must_end(_train([*words, f"output={whole}"], order=folder / "whole.txt"), 0)
    expected = _facts(whole, folder / "whole.txt")
    choice = random.Random(seed)
    found: dict[str, Any] = {"kills": count, "kill_steps": [], "fewest_losses_compared": NUM_STEPS}
    found |= dict.fromkeys(("equal_losses", "equal_data_order", "equal_weights_average_optimizer"), 0)
    for index in range(count):
        step, place = choice.randint(1, LAST_KILL), PLACES[index % len(PLACES)]
        parts, order = folder / "parts", folder / "parts.txt"
        _must_end(_train([*words, f"output={parts}"], order=order, kill=(step, place)), -signal.SIGKILL)
        _must_end(_train(["train", f"resume={parts}", "threads=1"], order=order), 0)
        facts = _facts(parts, order)
        found["kill_steps"].append([step, place])
        found["fewest_losses_compared"] = min(found["fewest_losses_compared"], len(facts["losses"]) - step)
        found["equal_losses"] += facts["losses"] == expected["losses"]
        found["equal_data_order"] += facts["order"] == expected["order"]
        same = facts["tensors"].keys() == expected["tensors"].keys()
        found["equal_weights_average_optimizer"] += same and all(
            torch.equal(facts["tensors"][name], value) for name, value in expected["tensors"].items()
        )
        shutil.rmtree(parts)
        order.unlink()
    return found


def _train(words: list[str], *, order: Path, kill: tuple[int, str] | None = None) -> Outcome:
    return in_child(lambda: _watched(words, order=order, kill=kill), timeout=300)


def _watched(words: list[str], *, order: Path, kill: tuple[int, str] | None) -> int:
    """In a child: train, note which batch every step saw, and die in the middle of a step if asked to."""
    step, place = kill or (0, "")
    sample, update, save = WindowDataset.sample_part, state.TrainingState.update, checkpoint.save_bundle
    seen = {"batches": 0, "updates": 0}

    def sample_noted(self: Any, batch_size: int, generator: np.random.Generator, *, part: slice) -> Any:
        drawn = str(generator.bit_generator.state["state"])
        batch = sample(self, batch_size, generator, part=part)
        digest = hashlib.sha256(np.ascontiguousarray(batch.observations).tobytes()).hexdigest()
        with order.open("a") as file:
            file.write(json.dumps([drawn, digest]) + "\n")
        seen["batches"] += 1
        _die_if(place == "batch" and seen["batches"] == step)
        return batch

    def update_watched(self: Any, **options: Any) -> None:
        seen["updates"] += 1
        _die_if(place == "update" and seen["updates"] == step)
        update(self, **options)

    def save_watched(*arguments: Any) -> None:
        save(*arguments)  # whole, but not yet under its name
        _die_if(place == "checkpoint" and seen["updates"] >= step)

    WindowDataset.sample_part, state.TrainingState.update = sample_noted, update_watched
    checkpoint.save_bundle = save_watched
    return main(words)


def _die_if(condition: bool) -> None:
    if condition:
        os.kill(os.getpid(), signal.SIGKILL)


def _must_end(outcome: Outcome, status: int) -> None:
    if outcome.status != status:
        raise RuntimeError(f"status {outcome.status} instead of {status}: {outcome.text[-2000:]}")


def _facts(run_folder: Path, order: Path) -> dict[str, Any]:
    """What was measured at each step, its batch (drawn twice it must be the same), and all tensors at the end."""
    losses: dict[int, dict[str, float]] = {}
    for line in (run_folder / "metrics.jsonl").read_text().splitlines():
        measured = json.loads(line)  # the loss and all that is logged with it, or a validation
        losses.setdefault(measured["step"], {}).update(measured)
    for measured in losses.values():
        del measured["steps_per_second"]
    batches: dict[str, str] = {}
    for line in order.read_text().splitlines():
        drawn, digest = json.loads(line)
        if batches.setdefault(drawn, digest) != digest:
            batches[drawn] = "differs from run to run"
    tensors = load_bundle(run_folder / "checkpoints" / f"step-{NUM_STEPS:08d}")[0]
    exported = load_bundle(run_folder / "model")[0]
    return {
        "losses": losses,
        "order": batches,
        "tensors": tensors | {f"exported.{name}": value for name, value in exported.items()},
    }
