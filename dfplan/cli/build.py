"""Builds the objects of the library from a checked configuration: plain values in, one explicit function per object."""

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import torch

from dfplan import plugins
from dfplan.agent import Controller, InferenceDelay, InverseControl, MPCAgent, PlanMaker, PlannedActions
from dfplan.baselines.diffuser import is_diffuser
from dfplan.cli.any_environment import untold
from dfplan.cli.folders import bundled_weights, config_folder
from dfplan.cli.group_schema import ControllerConfig, PlannerConfig
from dfplan.domain import Domain
from dfplan.domains.find import DRAWN, HasMap
from dfplan.domains.former import present_config
from dfplan.errors import UserError
from dfplan.files import user_path
from dfplan.models import hub
from dfplan.models.bundle import TENSORS_FILE, find_bundle
from dfplan.models.forcing_model import ForcingModel, load_forcing_model
from dfplan.models.inverse_dynamics import load_inverse_dynamics
from dfplan.models.library import bundled_names
from dfplan.planner import GuidanceSettings, Planner, PlannerSettings, TreePlanner
from dfplan.planner.constraints import Constraints
from dfplan.planner.objectives import load_distance_field
from dfplan.settings.guidance import GuidanceNumbers
from dfplan.settings.planning import PlanningNumbers

BUNDLED = {"bundled": "", "bundled-rnn": "-rnn"}  # what is said on the command line: ending of the folder's name


def select_device(name: str, *, threads: int | None) -> torch.device:
    """The device that is asked for, ``auto`` being a GPU where there is one; also sets the number of CPU threads.

    Raises:
        UserError: no such device on this machine.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
        raise UserError(f"device must be auto, cpu, cuda, cuda:<number> or mps; got {name!r}")
    device = torch.device(name)
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        raise UserError(f"device={name} is not on this machine, which has {count} CUDA devices; use device=cpu")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError("device=mps is not on this machine; use device=cpu")
    return device


def resolve_compiled(wanted: bool | None, *, say: Callable[[str], None]) -> bool:
    """Tell whether to train through ``torch.compile``: as wanted, or where there is the C++ compiler it needs.

    Raises:
        UserError: it is wanted and there is no compiler.
    """
    compiler = shutil.which(os.environ.get("CXX", "g++")) or shutil.which("clang++")
    if compiler is None and wanted:
        raise UserError("training.compiled=true needs a C++ compiler; install g++ or give training.compiled=false")
    if compiler is None and wanted is None:
        say("no C++ compiler here: training without torch.compile, about 1.4 times slower")
    return compiler is not None if wanted is None else wanted


def find_weights(weights: str, *, env_name: str) -> Path:
    """The folder of a bundle: the one that comes with dfplan, a bundle's own, that of a training run, or of the hub.

    Raises:
        UserError: there is none; says what else could be done.
    """
    if weights in BUNDLED:
        folder = bundled_weights() / (env_name + BUNDLED[weights])
        if (folder / "model.json").is_file():
            return folder
        has_data = (config_folder() / "env" / f"{env_name}.yaml").is_file()  # dfplan's own; an id of Gymnasium has none
        data = [] if has_data else ["data=<a data set of it>"]
        environment = [f"env={env_name}", *data]
        if not has_data and env_name.startswith(f"{DRAWN}-"):
            environment = [f"env={DRAWN}", "layout=<that of here>"]  # which makes its data
        command = " ".join(["dfplan train", *untold(env_name), *environment])
        raise UserError(
            f"no weights for {folder.name} come with dfplan; train some with `{command}` and give "
            "weights=<its run folder>"
        )
    if found := find_bundle(Path(weights)):
        return found
    if hub.is_hub_id(weights) and not user_path(weights).exists():
        return hub.fetch(weights)
    if weights in (names := bundled_names()) and not user_path(weights).exists():
        return bundled_weights() / weights
    lacks = "no model.json in it or in its sub-folder model" if user_path(weights).exists() else "no such folder"
    known = ", ".join((*BUNDLED, *names))
    raise UserError(f"weights={weights}: {lacks}; give the run folder of a training, or one of {known}")


def build_planner(
    planner: PlannerConfig,
    *,
    weights: Path,
    env_name: str,
    device: torch.device,
    say: Callable[[str], None],
    domain: Domain | None = None,
) -> Planner:
    """Load the weights and set the planner up; ``say`` hears about weights of another environment.

    Raises:
        UserError: the weights are damaged, or a Diffuser's, or a map is to be told that the ``domain`` does not have.
    """
    if is_diffuser(weights):
        raise UserError(f"{weights} is a Diffuser, for `dfplan eval` and `dfplan bench` alone; give other weights=")
    numbers = {each.name: getattr(planner, each.name) for each in fields(PlanningNumbers)}
    settings = PlannerSettings(**numbers, guidance=build_guidance(planner.guidance))
    model = load_forcing_model(weights).to(str(device))
    warn_of_other_environment(weights, model.metadata, env_name=env_name, say=say)
    if planner.map == "told":
        model = with_map(model, domain, env_name=env_name)
    if planner.search == "candidates":
        return Planner(model, settings=settings)
    return TreePlanner(
        model,
        settings=settings,
        tree=planner.tree,
        rule=planner.tree,
        max_nodes=planner.tree.max_nodes,
        max_evaluations=planner.tree.max_evaluations,
    )


def with_map(model: ForcingModel, domain: Domain | None, *, env_name: str) -> ForcingModel:
    """A model that is told where there is room in an environment, whatever its data were of.

    Raises:
        UserError: nobody knows where there is.
    """
    if not isinstance(domain, HasMap):
        raise UserError(f"planner.map=told: nobody knows where there is room in {env_name}; give planner.map=data")
    return replace(model, scorer=domain.with_map(model.scorer))


def warn_of_other_environment(
    weights: Path, metadata: Mapping[str, Any], *, env_name: str, say: Callable[[str], None]
) -> None:
    """Tell where weights were trained on another environment."""
    if metadata.get("env") != env_name:
        say(f"warning: the weights in {weights} were trained on {metadata.get('env')}, not on {env_name}")


def describe_weights(folder: Path, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Which weights these are, wherever they lie: checksum, training seed, commit and data they were trained on.

    ``data`` is "resynthesised" where its trajectories were resynthesised before training, else "collected"; None
    where the bundle does not say.
    """
    provenance = metadata.get("provenance", {})
    config = present_config(provenance.get("config", {}))
    was_resynthesised = config.get("resynthesis", {}).get("num_steps", 0) > 0
    return {
        "sha256": hashlib.sha256((folder / TENSORS_FILE).read_bytes()).hexdigest(),
        "training_seed": config.get("seed"),
        "training_commit": provenance.get("commit"),
        "data": ("resynthesised" if was_resynthesised else "collected") if config else None,
    }


def build_controller(
    controller: ControllerConfig,
    domain: Domain,
    *,
    model: Any,
    weights: Path,
    constraints: Constraints | None = None,
) -> Controller:
    """What turns plans into actions; inverse dynamics may come with the ``weights`` of the planner.

    A controller of the domain is told the ``constraints``; the others follow a plan that keeps them.

    Raises:
        UserError: there are no inverse dynamics, and they are needed, or there is no such controller.
    """
    match controller.name:
        case "actions":
            return PlannedActions(domain.spec.action_bounds.low.size)
        case "inverse":
            inverse = load_inverse_dynamics(find_inverse_dynamics(controller.inverse, weights=weights))
            return InverseControl(inverse, bounds=domain.spec.action_bounds, least_steps=controller.least_steps or 1)
    own = domain.controllers()
    if controller.name not in own:
        known = ", ".join(("actions", "inverse", *own))
        raise UserError(f"controller={controller.name} is not for {domain.env_id}; choose {known}")
    given = {"tube": controller.tube, "lookahead": controller.lookahead}
    chosen = {name: value for name, value in given.items() if value is not None}
    return own[controller.name](model, constraints, **chosen)


def find_inverse_dynamics(named: str | None, *, weights: Path) -> Path:
    """The folder of inverse dynamics: a bundle's own, that of a training run, or the one within ``weights``.

    Raises:
        UserError: there is none.
    """
    folder = weights / "inverse" if named is None else Path(named)
    if found := find_bundle(folder):
        return found
    raise UserError(
        f"controller=inverse finds no inverse dynamics in {folder}; train some with `dfplan train "
        "task=inverse-dynamics` and give controller.inverse=<its run folder>"
    )


def build_agent(
    planner: PlanMaker,
    domain: Domain,
    *,
    controller: ControllerConfig,
    model: Any,
    weights: Path,
    horizon: int,
) -> MPCAgent:
    """The planner, from the bundle ``weights``, in a receding horizon; ``model`` has what controllers ask for."""
    return MPCAgent(
        planner,
        controller=build_controller(
            controller, domain, model=model, weights=weights, constraints=getattr(planner, "constraints", None)
        ),
        replan_every=controller.replan_every,
        horizon=horizon,
        replan_when=controller.replan_when,
        episode_steps=domain.spec.episode_steps if controller.shrinking else None,
        clips=True,
        delay=InferenceDelay(controller.inference_delay, controller.prev_chunk_left_over),
    )


OBJECTIVES = ("reward", "distance", "time", "stay", "smoothness", "progress")
NAMED_WEIGHT = 30.0  # of an objective that is asked for by its name


def build_guidance(guidance: GuidanceNumbers) -> GuidanceSettings:
    """Plain numbers become regions, and the name of a file the distance field in it."""
    settings = asdict(guidance)
    if guidance.distance_field is not None:
        settings["distance_field"] = load_distance_field(user_path(guidance.distance_field))
    return GuidanceSettings(**settings)


def with_objective(guidance: GuidanceNumbers, name: str | None) -> GuidanceNumbers:
    """The same with the named objective, unless it has a weight already; of an installed package, as it weighs it.

    Raises:
        UserError: nobody knows it.
    """
    if name is None:
        return guidance
    if name not in OBJECTIVES:
        plugins.find("objectives", name, own=dict.fromkeys(OBJECTIVES))
        return replace(guidance, custom=name)
    return guidance if getattr(guidance, name) > 0 else replace(guidance, **{name: NAMED_WEIGHT})
