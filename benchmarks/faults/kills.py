"""Kills a process that saves without pause, and looks at what it leaves."""

import json
import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dfplan.data.d4rl_file import write_d4rl
from dfplan.data.formats import read as read_data
from dfplan.errors import UserError
from dfplan.evaluation.report import RECORD_SEAL, write_record
from dfplan.files import is_sealed
from dfplan.models.bundle import load_bundle, save_bundle
from dfplan.training.checkpoint import checkpoint_folder, checkpoint_steps, load_newest_checkpoint, save_checkpoint

KEPT = 2
NUMBERS = 200_000  # of a checkpoint: large enough for a kill to fall into the writing


def run(folder: Path, *, count: int, seed: int) -> dict[str, Any]:
    """Kill ``count`` times at random moments.

    Returns:
        How many kills; how often the newest checkpoint, the one before, or another file was lost; how many temporary
        files kills left, and how many of them were still there after the next start.
    """
    choice = random.Random(seed)
    found = dict.fromkeys(
        ("unloadable_latest", "lost_previous", "damaged_other_files", "strays", "strays_after_start"), 0
    )
    reported, left = 0, {}
    for _ in range(count):
        child, reports = _start(folder)
        first = _next_report(reports)
        if first is None:
            raise RuntimeError("the saving process died by itself")
        found["strays_after_start"] += len(left.items() & _strays(folder).items())
        time.sleep(choice.uniform(0, 0.15))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        reported = max(reported, first, *_rest(reports))
        os.close(reports)
        left = _strays(folder)
        found["strays"] += len(left)
        for name, number in _judge(folder, reported=reported).items():
            found[name] += number
    return {"kills": count, "checkpoints_saved": reported, **found}


def _start(folder: Path) -> tuple[int, int]:
    reports, reporting = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reports)
        try:
            _save_for_ever(folder, reporting)
        finally:
            os._exit(1)
    os.close(reporting)
    return child, reports


def _save_for_ever(folder: Path, reporting: int) -> None:
    """Go on after the newest checkpoint; report every step once everything of it is saved."""
    checkpoints = folder / "checkpoints"
    step = load_newest_checkpoint(checkpoints, say=_die)[0] if checkpoint_steps(checkpoints) else 0
    while True:
        step += 1
        tensors = {"numbers": torch.full((NUMBERS,), float(step)), "half": torch.full((NUMBERS,), step % 100).half()}
        save_checkpoint(checkpoints, step=step, tensors=tensors, metadata={"step": step}, keep=KEPT)
        save_bundle(folder / "model", tensors, {"step": step})
        write_d4rl(folder / "data.hdf5", _rows(step), metadata={"step": step})
        write_record({"env": "none", "metrics": {}, "step": step}, path=folder / "results.json")
        os.write(reporting, f"{step}\n".encode())


def _rows(step: int) -> dict[str, np.ndarray]:
    numbers = np.random.default_rng(step)
    rows = {"observations": (2000, 4), "actions": (2000, 2)}
    arrays = {name: numbers.normal(size=shape).astype(np.float32) for name, shape in rows.items()}
    return arrays | {"timeouts": np.arange(2000) % 100 == 99}


def _die(sentence: str) -> None:
    raise RuntimeError(sentence)


def _next_report(reports: int) -> int | None:
    text = b""
    while not text.endswith(b"\n"):
        byte = os.read(reports, 1)
        if not byte:
            return None
        text += byte
    return int(text)


def _rest(reports: int) -> list[int]:
    steps = []
    while (step := _next_report(reports)) is not None:
        steps.append(step)
    return steps


def _strays(folder: Path) -> dict[Path, int]:
    """Temporary files and folders, with what tells them from later ones of the same name."""
    found = {}
    for path in folder.rglob(".*"):
        with suppress(FileNotFoundError):  # the process is at work
            found[path] = path.stat().st_ctime_ns
    return found


def _judge(folder: Path, *, reported: int) -> dict[str, int]:
    """Count what is lost, as a reader sees it before anything is tidied up."""
    checkpoints, lost = folder / "checkpoints", {"unloadable_latest": 0, "lost_previous": 0, "damaged_other_files": 0}
    steps = checkpoint_steps(checkpoints)
    if not steps or steps[-1] < reported or not _holds(checkpoint_folder(checkpoints, steps[-1]), steps[-1]):
        lost["unloadable_latest"] = 1
    previous = [step for step in steps if step < steps[-1]]
    if reported >= KEPT and not (previous and _holds(checkpoint_folder(checkpoints, previous[-1]), previous[-1])):
        lost["lost_previous"] = 1
    lost["damaged_other_files"] += not _holds(folder / "model", None)
    try:
        lost["damaged_other_files"] += len(read_data(folder / "data.hdf5")) != 2000
    except UserError:
        lost["damaged_other_files"] += 1
    text = (folder / "results.json").read_bytes()
    lost["damaged_other_files"] += not is_sealed(text, json.loads(text), seal=RECORD_SEAL)
    return lost


def _holds(folder: Path, step: int | None) -> bool:
    """Whether a bundle is whole and its numbers are those of its step."""
    try:
        tensors, metadata = load_bundle(folder)
    except UserError:
        return False
    expected = metadata["step"] if step is None else step
    return metadata["step"] == expected and bool((tensors["numbers"] == float(expected)).all())
