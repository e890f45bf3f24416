"""``dfplan train``: from a dataset to weights that ``eval`` and ``plan`` load, in a run folder that can be resumed."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from dfplan.cli.build import build_datasets, build_task, drive_anew, resolve_compiled, select_device
from dfplan.cli.build_diffuser import NOT_USED, build_diffuser_training
from dfplan.cli.compose import plain, to_schema
from dfplan.cli.folders import dataset_folder, make_run_folder
from dfplan.cli.progress import progress_bar, say
from dfplan.cli.schema import TrainConfig
from dfplan.data.dynamics import fit_point_mass
from dfplan.data.sources import load_trajectories
from dfplan.data.support import measure_support
from dfplan.errors import UserError
from dfplan.evaluation.report import find_commit
from dfplan.training import Logger, train, wandb_logger
from dfplan.training.settings import MAY_CHANGE
from dfplan.training.task import Dataset, Task
from dfplan.types import Trajectories

# What a resumed run may be given anew: none of it changes what is computed.
FREE_WHEN_RESUMED = ("resume", "device", "threads", "logger", *(f"training.{name}" for name in MAY_CHANGE))


def run(config: TrainConfig, *, given: Sequence[str]) -> None:
    """Train, or go on with a run; the last line printed is the folder of the weights.

    Args:
        config: the checked configuration.
        given: names of the options on the command line, by which a resumed run tells wishes from defaults.
    """
    if config.resume is not None:
        config = resumed(config, given=given)
    device = select_device(config.device, threads=config.threads)
    if device.type == "cuda" and device.index:
        raise UserError(f"training picks its own GPU; use device=cuda with CUDA_VISIBLE_DEVICES={device.index}")
    config.training.compiled = resolve_compiled(config.training.compiled, say=say)
    with progress_bar(f"data of {config.env.name}") as show:
        trajectories = load_trajectories(
            config.data, env_id=config.env.id, cache_folder=dataset_folder(), say=say, on_progress=show
        )
    record = recorded(config, trajectories)
    task, windows = _build_training(config, trajectories, provenance=_provenance(record, device))
    folder = (
        Path(config.resume)
        if config.resume
        else make_run_folder("train", env_name=config.env.name, chosen=config.output)
    )
    training = asdict(config.training)
    for name in ("learning_rate", "matrix_learning_rate", "weight_decay", "compiled"):
        training.pop(name)  # the task's affair
    result = train(
        task,
        windows,
        run_folder=folder,
        seed=config.seed,
        device="cpu" if device.type == "cpu" else "auto",
        resume=config.resume is not None,
        config=record,
        logger=_logger(config, folder, record),
        **training,
    )
    print(result.run_folder / "model")
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()  # else a process may abort while it leaves, because another is gone


def _build_training(
    config: TrainConfig, trajectories: Trajectories, *, provenance: dict[str, Any]
) -> tuple[Task, Dataset]:
    """What is trained, and on which windows."""
    point_mass = fit_point_mass(trajectories)
    if config.model.name == "diffuser":
        return build_diffuser_training(config, trajectories, point_mass=point_mass, provenance=provenance)
    support = measure_support(trajectories)
    with progress_bar("ways driven anew") as show:
        trajectories = drive_anew(config, trajectories, point_mass=point_mass, support=support, on_progress=show)
    windows, validation = build_datasets(config, trajectories)
    task = build_task(
        config, trajectories, point_mass=point_mass, support=support, validation=validation, provenance=provenance
    )
    return task, windows


def recorded(config: TrainConfig, trajectories: Trajectories) -> dict[str, Any]:
    """What decides the result of a run, as plain JSON; a resumed run must agree with it."""
    record = plain(config)
    not_used = NOT_USED if config.model.name == "diffuser" else ()
    for name in ("device", "threads", "output", "resume", "logger", *not_used):
        del record[name]
    record["training"] = {name: value for name, value in record["training"].items() if name not in MAY_CHANGE}
    return record | {"dataset": {"sha256": trajectories.checksum, "rows": len(trajectories)}}


def resumed(config: TrainConfig, *, given: Sequence[str]) -> TrainConfig:
    """The configuration of the run to go on with, with what was given anew and may be.

    Raises:
        UserError: no run there, or an option that would change what it computes.
    """
    folder = Path(config.resume or "").expanduser()
    try:
        saved = json.loads((folder / "config.json").read_text())
        record, settings = dict(saved["config"]), dict(saved["training"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"resume={config.resume}: no readable config.json there; give the run folder that `dfplan train` printed"
        ) from error
    refused = [name for name in given if not name.startswith(FREE_WHEN_RESUMED)]
    if refused:
        raise UserError(
            f"a resumed run keeps its configuration; leave out {', '.join(refused)}, or start a new run without resume="
        )
    del record["dataset"]
    wishes = plain(config)
    record["training"] = {**wishes["training"], **settings, **record["training"]}
    record["training"] = {name: record["training"][name] for name in wishes["training"]}
    for name in given:
        key = name.removeprefix("training.")
        if key != name and key in wishes["training"]:
            record["training"][key] = wishes["training"][key]
    for name in ("device", "threads", "logger"):
        record[name] = wishes[name]
    record = {name: wishes[name] for name in NOT_USED} | record
    return to_schema("train", OmegaConf.create(record | {"resume": str(folder), "output": None}))


def _provenance(record: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """How weights came to be, for the description that travels with them; of a data file only the name."""
    config = record | {
        "data": Path(record["data"]).name if record["data"].endswith((".hdf5", ".h5")) else record["data"]
    }
    return {"commit": find_commit(), "torch": torch.__version__, "device": str(device), "config": config}


def _logger(config: TrainConfig, folder: Path, record: dict[str, Any]) -> Logger | None:
    match config.logger.name:
        case "wandb":
            return wandb_logger(folder, project=config.logger.project or "dfplan", config=record)
        case _:
            return None  # metrics.jsonl is always written
