"""``dfplan train``: from a dataset to weights that ``eval`` and ``plan`` load, in a run folder that can be resumed."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from dfplan.cli.any_environment import usual_options
from dfplan.cli.build import resolve_compiled, select_device
from dfplan.cli.compose import compose_options, literal, plain, readable_errors, reading, to_schema
from dfplan.cli.folders import dataset_folder, make_run_folder
from dfplan.cli.places import check_same_data, check_still_there, describe, make_absolute
from dfplan.cli.progress import progress_bar, say
from dfplan.cli.schema import TrainConfig, schema_of
from dfplan.cli.task_modules import DEFAULT_TASK, find_task, settings_of
from dfplan.domain import Domain
from dfplan.domains.find import find_domain
from dfplan.domains.former import present_config
from dfplan.domains.frames_settings import FramesSettings
from dfplan.errors import EndedEarly, UserError
from dfplan.evaluation.report import find_commit
from dfplan.files import read_small, user_path
from dfplan.planner.acting import written
from dfplan.settings.training import Length, Loop, OptimizerSettings
from dfplan.settings.value import ValueSettings
from dfplan.tasks.inputs import Inputs
from dfplan.training import Logger, TrainingResult, train, wandb_logger
from dfplan.training.log import require_wandb
from dfplan.training.muon import fastest_precision
from dfplan.training.run_lock import alone_in
from dfplan.training.settings import MAY_CHANGE, Settings
from dfplan.types import Trajectories

MAX_CONFIG_BYTES = 1 << 20
ANY = "any"  # environment that configs/usual.yaml does not name
NO_DATA = "none"  # data=none: the task brings its own
# What runs did from before there were these options; their records lack them.
BEFORE: dict[str, dict[str, Any]] = {
    "training": {"matrix_precision": "bfloat16"},
    "windows": {"collected_share": 0.0, "held_steps": 0},
    "resynthesis": {"return_share": 0.0},
    "diffusion": {"returns_shown": False, "actions_committed": 0.0, "most_committed": 8},
    "value": vars(ValueSettings()),
    "frames": vars(FramesSettings()),
}
# What a resumed run may be given anew: none of it changes what is computed (of data, the checksum must be the same).
FREE_WHEN_RESUMED = ("resume", "data", "device", "threads", "logger", *(f"training.{name}" for name in MAY_CHANGE))


def run(config: TrainConfig, *, given: Sequence[str]) -> None:
    """Train, or go on with a run; the last line printed is the folder of the weights.

    Args:
        config: the checked configuration.
        given: names of the options on the command line, by which a resumed run tells wishes from defaults.
    """
    if config.resume is None:
        make_absolute(config)
        _run(config)
        return
    with alone_in(user_path(config.resume)):  # before anything that takes long
        _run(resumed(config, given=given))


def _run(config: TrainConfig) -> None:
    result = carry_out(config)
    print(result.run_folder / "model")
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()  # else a process may abort while it leaves, because another is gone
    if not result.finished:
        raise EndedEarly(result.exit_status)


def carry_out(config: TrainConfig, *, data: Trajectories | None = None) -> TrainingResult:
    """Train as a checked configuration says, on ``data`` or else on those that it names.

    Raises:
        UserError: data, options or a run folder that will not do.
    """
    device = select_device(config.device, threads=config.threads)
    if config.resume is None and config.output is None and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError("several processes must agree on a run folder; give output=<folder>")
    if device.type == "cuda" and device.index:
        raise UserError(f"training picks its own GPU; use device=cuda with CUDA_VISIBLE_DEVICES={device.index}")
    config.training = replace(
        config.training,
        compiled=_resolve_compiled(config),
        matrix_precision=config.training.matrix_precision or fastest_precision(device),
    )
    domain = find_domain(config.env.id)
    if domain.tasks is not None and config.task.name not in domain.tasks:
        raise UserError(
            f"task={config.task.name} is not for {config.env.name}, for which there are "
            f"{', '.join(sorted(domain.tasks))}; leave it out"
        )
    if config.logger.name == "wandb":
        require_wandb()
    trajectories = _load(config, domain, data)
    record = recorded(config, trajectories)
    inputs = build_inputs(config, trajectories, domain=domain, provenance=_provenance(record, device))
    task, dataset = find_task(config.task.name).build(settings_of(config), inputs)
    kind = config.env.name if trajectories else config.task.name
    folder = user_path(config.resume) if config.resume else _new_folder(config, kind=kind)
    training = {each.name: getattr(config.training, each.name) for each in (*fields(Length), *fields(Loop))}
    return train(
        task,
        dataset,
        Settings(**training, seed=config.seed, device="cpu" if device.type == "cpu" else "auto"),
        run_folder=folder,
        resume=config.resume is not None,
        config=record,
        logger=_logger(config, folder, record),
    )


def _resolve_compiled(config: TrainConfig) -> bool:
    if config.training.parallel == "fsdp" and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        if config.training.compiled:
            raise UserError("training.parallel=fsdp trains uncompiled; leave training.compiled=true out, or use ddp")
        return False
    return resolve_compiled(config.training.compiled, say=say)


def _new_folder(config: TrainConfig, *, kind: str) -> Path:
    """The folder of a new run, taken by the first of its processes for all of them."""
    if config.output is not None and int(os.environ.get("RANK", "0")):
        return user_path(config.output)
    return make_run_folder("train", env_name=kind, chosen=config.output)


def _load(config: TrainConfig, domain: Domain, data: Trajectories | None) -> Trajectories | None:
    if data is not None:
        return domain.take(data, say=say)
    if config.data == NO_DATA:
        return None
    if config.resume:
        check_still_there(user_path(config.resume), config.data)
    try:
        trajectories = domain.load(
            config.data, say=say, cache_folder=dataset_folder(), leave_out=config.leave_out or (), bar=progress_bar
        )
    except UserError as error:
        if not config.resume:
            raise
        raise UserError(
            f"resume={config.resume}: {error}; give data=<where its data are now, or were written to if they were in "
            "memory>: what they hold decides"
        ) from error
    if config.resume:
        check_same_data(user_path(config.resume), config.data, trajectories)
    return trajectories


def build_inputs(
    config: TrainConfig,
    trajectories: Trajectories | None,
    *,
    provenance: dict[str, Any],
    domain: Domain,
) -> Inputs:
    """What the task is given besides its own settings."""
    return Inputs(
        env_name=config.env.name,
        env_id=config.env.id,
        num_tokens=config.env.window_tokens,
        seed=config.seed,
        cache_folder=dataset_folder(),
        provenance=provenance,
        say=say,
        progress=progress_bar,
        loaded=trajectories,
        domain=domain,
        acting=_acting(config.env.name),
        optimizer=OptimizerSettings(
            **{each.name: getattr(config.training, each.name) for each in fields(OptimizerSettings)}
        ),
    )


def _acting(env_name: str) -> dict[str, Any]:
    """How `dfplan eval` drives weights by planned actions, in an environment that has a way of its own."""
    options = usual_options(env_name, ())
    if options == usual_options(ANY, ()) or not options:
        return {}
    with reading(None, "eval"):
        usual = compose_options("eval", options)
    planner, controller = usual.planner, usual.controller
    if controller.name != "actions" or not controller.replan_every:
        return {}
    return written(planner, horizon=planner.horizon, replan_every=controller.replan_every)


def recorded(config: TrainConfig, trajectories: Trajectories | None) -> dict[str, Any]:
    """What decides the result of a run, as plain JSON; a resumed run must agree with it."""
    record = plain(config)
    for name in ("device", "threads", "output", "resume", "logger"):
        del record[name]
    if record["task"] == {"name": DEFAULT_TASK}:
        del record["task"]  # as in the records of runs from before there were other tasks
    record["training"] = {name: value for name, value in record["training"].items() if name not in MAY_CHANGE}
    for group, options in BEFORE.items():
        for name, value in options.items():
            if name in record.get(group, {}) and record[group][name] == value:
                del record[group][name]
        if record.get(group) == {}:
            del record[group]
    if record["leave_out"] is None:
        del record["leave_out"]
    if trajectories:
        record["dataset"] = describe(trajectories)
    return record


def resumed(config: TrainConfig, *, given: Sequence[str]) -> TrainConfig:
    """The configuration of the run to go on with, with what was given anew and may be.

    Raises:
        UserError: no run there, or an option that would change what it computes.
    """
    record, settings = _saved(user_path(config.resume or ""))
    refused = [name for name in given if not name.startswith(FREE_WHEN_RESUMED)]
    if refused:
        raise UserError(
            f"a resumed run keeps its configuration; leave out {', '.join(refused)}, or start a new run without resume="
        )
    record.pop("dataset", None)
    for group in _groups_of(record):
        record[group] = BEFORE[group] | record.get(group, {})
    wishes = literal(plain(config))
    record["training"] = {**wishes["training"], **BEFORE["training"], **settings, **record["training"]}
    record["training"] = {name: record["training"][name] for name in wishes["training"]}
    for name in given:
        key = name.removeprefix("training.")
        if key != name and key in wishes["training"]:
            record["training"][key] = wishes["training"][key]
    for name in ("device", "threads", "logger"):
        record[name] = wishes[name]
    if "data" in given:
        record["data"] = wishes["data"]
    record = {"task": {"name": DEFAULT_TASK}, "leave_out": None} | record | {"resume": wishes["resume"], "output": None}
    with readable_errors("train", schema=schema_of("train", record)):
        found = to_schema("train", OmegaConf.create(record))
    if "data" in given:
        make_absolute(found)
    return found


def _groups_of(record: Mapping[str, Any]) -> list[str]:
    """The groups of options, of those that grew later, that the task of a recorded run has."""
    task = find_task(record.get("task", {}).get("name", DEFAULT_TASK))
    return [each.name for each in fields(task.Settings) if each.name in BEFORE]


def _saved(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the ``config.json`` of a run, anybody's, says of it and of its training: values, of which none is looked up.

    Raises:
        UserError: there is none, or nothing that a training wrote.
    """
    path = folder / "config.json"
    try:
        saved = json.loads(read_small(path, at_most=MAX_CONFIG_BYTES))
        record, settings = literal(saved["config"]), literal(saved["training"])
        record = present_config(record)
        groups = [record, settings, record["training"], *(record.get(name, {}) for name in ("task", *BEFORE))]
        if not all(isinstance(each, dict) for each in groups):
            raise TypeError("not the options of a training by their groups")
        if not isinstance(record.get("task", {}).get("name", DEFAULT_TASK), str):
            raise TypeError("the name of its task is no word")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            f"resume={folder}: no readable config.json there ({str(error)[:200]}); give the run folder that "
            "`dfplan train` printed"
        ) from error
    return record, settings


def _provenance(record: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """How weights came to be, for the description that travels with them; of a file or folder only the name."""
    config = _names_of_paths(record)
    return {"commit": find_commit(), "torch": torch.__version__, "device": str(device), "config": config}


def _names_of_paths(value: Any) -> Any:
    """The same with the last part only of every text that is the path of a file or folder."""
    if isinstance(value, dict):
        return {name: _names_of_paths(each) for name, each in value.items()}
    is_path = isinstance(value, str) and "/" in value and os.path.exists(os.path.expanduser(value))
    return Path(value).name if is_path else value


def _logger(config: TrainConfig, folder: Path, record: dict[str, Any]) -> Logger | None:
    match config.logger.name:
        case "wandb":
            return wandb_logger(folder, project=config.logger.project or "dfplan", config=record)
        case _:
            return None  # metrics.jsonl is always written
