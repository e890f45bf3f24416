"""Builds whatever can be evaluated behind one contract: our planner, Diffuser, a grid, or a driver told the maze."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from dfplan.agent import MPCAgent
from dfplan.agent.seeing import SeeingAgent
from dfplan.baselines.diffuser import DiffuserPlanner, is_diffuser, load_diffuser
from dfplan.cli.build import build_agent, build_planner, find_weights, warn_of_other_environment
from dfplan.cli.schema import EvalConfig
from dfplan.domains.maze.environment import load_maze, shows_frames
from dfplan.domains.maze.grid import GridPlanner
from dfplan.domains.maze.oracle import OracleAgent
from dfplan.domains.maze.waypoints import WaypointAgent
from dfplan.errors import UserError
from dfplan.evaluation.rollout import Agent
from dfplan.models.bundle import load_bundle
from dfplan.models.forcing_model import load_forcing_model
from dfplan.models.tokenizers import load_keypoints, load_observer
from dfplan.planner import Planner
from dfplan.tasks.pixel_forcing import find_tokenizer


@dataclass(frozen=True)
class BuiltAgent:
    """An agent, and what is to be said of it in results.

    Attributes:
        agent: acts.
        name: what plans: transformer, rnn, diffuser, grid, oracle or waypoints.
        controller: what turns plans into actions.
        num_parameters: of the network; 0 where there is none.
        weights: folder of the bundle, None where there is none.
        metadata: the description of the bundle.
        planner: of ours, None elsewhere.
    """

    agent: Agent
    name: str
    controller: str
    num_parameters: int = 0
    weights: Path | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    planner: Planner | None = None


def build_named_agent(config: EvalConfig, *, device: torch.device, say: Callable[[str], None]) -> BuiltAgent:
    """Build what ``agent=`` and ``weights=`` name; ``say`` hears about doubts.

    Raises:
        UserError: no such weights, or options that do not go together.
    """
    load_maze(config.env.id)  # what is no maze is refused before weights are looked for
    sees = shows_frames(config.env.id)
    if not sees and (config.view, config.tokenizer) != ("top", "trained"):
        raise UserError(f"{config.env.name} shows states: there is nothing to view= and no tokenizer=; leave them out")
    if sees and config.agent != "trained":
        raise UserError(f"agent={config.agent} needs states, but {config.env.name} shows frames; use agent=trained")
    if config.agent != "trained":
        _refuse_ddim_steps(config, of=f"agent={config.agent}")
    match config.agent:
        case "trained":
            weights = find_weights(config.weights, env_name=config.env.name)
            if is_diffuser(weights):
                if sees:
                    raise UserError(f"{weights} is a Diffuser, which needs states, but {config.env.name} shows frames")
                return _diffuser(config, weights=weights, device=device, say=say)
            return _dfplan(config, weights=weights, device=device, say=say)
        case "grid":
            return _grid(config, say=say)
        case "waypoints":
            return BuiltAgent(WaypointAgent(load_maze(config.env.id).walls), name="waypoints", controller="waypoints")
        case "oracle":
            maze = load_maze(config.env.id)
            return BuiltAgent(OracleAgent(maze.walls, goal_radius=maze.goal_radius), name="oracle", controller="oracle")
        case _:
            raise UserError(f"unknown agent {config.agent!r}; choose trained, grid, waypoints or oracle")


def _refuse_ddim_steps(config: EvalConfig, *, of: str) -> None:
    if config.ddim_steps is not None:
        raise UserError(f"ddim_steps={config.ddim_steps} is for weights of a Diffuser, not for {of}; leave it out")


def _dfplan(config: EvalConfig, *, weights: Path, device: torch.device, say: Callable[[str], None]) -> BuiltAgent:
    _refuse_ddim_steps(config, of=f"{weights} (planner.num_levels is its number of levels)")
    planner = build_planner(config.planner, weights=weights, env_name=config.env.name, device=device, say=say)
    steps = load_maze(config.env.id).max_episode_steps
    agent = build_agent(
        planner,
        controller=config.controller,
        model=planner.model,
        weights=weights,
        horizon=config.planner.horizon or steps,
        episode_steps=steps,
    )
    return BuiltAgent(
        agent=_seeing(agent, config=config, weights=weights, frames=planner.model.metadata.get("frames"), say=say),
        name=planner.model.metadata["model"]["name"],
        controller=config.controller.name,
        num_parameters=planner.model.denoiser.num_parameters,
        weights=weights,
        metadata=planner.model.metadata,
        planner=planner,
    )


def _seeing(
    agent: MPCAgent,
    *,
    config: EvalConfig,
    weights: Path,
    frames: Mapping[str, Any] | None,
    say: Callable[[str], None],
) -> MPCAgent | SeeingAgent:
    """The agent itself, or, where its environment shows frames, with the eyes that its weights were trained with."""
    if shows_frames(config.env.id) != (frames is not None):
        shown, known = ("frames", "states") if frames is None else ("states", "frames")
        raise UserError(
            f"{config.env.name} shows {shown}, but the weights in {weights} were trained on {known}; "
            f"give weights of {config.env.name}, or another env="
        )
    if frames is None:
        return agent
    observer = load_observer(weights, frames)
    if config.tokenizer != "trained":
        folder = find_tokenizer(config.tokenizer, env_name=config.env.name, option="tokenizer")
        warn_of_other_environment(folder, load_bundle(folder)[1], env_name=config.env.name, say=say)
        observer = replace(observer, tokenizer=load_keypoints(folder), folder=folder)
    return SeeingAgent(agent, observer=observer)


def _grid(config: EvalConfig, *, say: Callable[[str], None]) -> BuiltAgent:
    """The shortest path on the visited cells that come with ``weights``; their network is not used."""
    if config.controller.name != "pursuit":
        raise UserError(
            f"agent=grid plans a path and no actions; it needs controller=pursuit, not {config.controller.name}"
        )
    weights = find_weights(config.weights, env_name=config.env.name)
    if is_diffuser(weights):
        raise UserError(f"{weights} is a Diffuser, which has no map of visited positions; give other weights=")
    model, steps = load_forcing_model(weights), load_maze(config.env.id).max_episode_steps
    warn_of_other_environment(weights, model.metadata, env_name=config.env.name, say=say)
    agent = build_agent(
        GridPlanner(
            model.support, point_mass=model.point_mass, goal_radius=model.goal_radius, margin=config.grid_margin
        ),
        controller=config.controller,
        model=model,
        weights=weights,
        horizon=config.planner.horizon or steps,
        episode_steps=steps,
    )
    return BuiltAgent(agent, name="grid", controller="pursuit", weights=weights, metadata=model.metadata)


def _diffuser(config: EvalConfig, *, weights: Path, device: torch.device, say: Callable[[str], None]) -> BuiltAgent:
    """Diffuser; of the options of ``planner`` it has only ``horizon``, by default what it was trained on."""
    model = load_diffuser(weights).to(str(device))
    warn_of_other_environment(weights, model.metadata, env_name=config.env.name, say=say)
    if config.controller.replan_every or config.controller.replan_when is not None:
        say("Diffuser as published plans once an episode and tracks the planned states: controller=tracker")
    return BuiltAgent(
        agent=build_agent(
            DiffuserPlanner(model, ddim_steps=config.ddim_steps),
            controller=config.controller,
            model=model,
            weights=weights,
            horizon=config.planner.horizon or model.horizon,
            episode_steps=load_maze(config.env.id).max_episode_steps,
        ),
        name="diffuser",
        controller=config.controller.name,
        num_parameters=sum(each.numel() for each in model.unet.parameters()),
        weights=weights,
        metadata=model.metadata,
    )
