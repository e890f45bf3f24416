"""Builds whatever can be evaluated behind one contract: our planner, Diffuser, or what a domain has of its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from dfplan.agent.pixels import PixelAgent, Sight
from dfplan.baselines.behaviour_cloning import is_behaviour_cloning, load_behaviour_cloning
from dfplan.baselines.diffuser import DiffuserPlanner, is_diffuser, load_diffuser
from dfplan.cli.build import build_agent, build_planner, find_weights, warn_of_other_environment, with_map
from dfplan.cli.schema import EvalConfig
from dfplan.domain import OPTIONS, Domain
from dfplan.domains.maze.state_estimator import StateEstimator, load_estimator, load_keypoints
from dfplan.errors import UserError
from dfplan.evaluation.rollout import Agent
from dfplan.models.bundle import load_bundle
from dfplan.models.forcing_model import load_forcing_model
from dfplan.models.sight import LatentSight
from dfplan.models.sight import load_sight as load_latent_sight
from dfplan.planner import Planner
from dfplan.tasks.seen import find_tokenizer


@dataclass(frozen=True)
class BuiltAgent:
    """An agent, and what is to be said of it in results.

    Attributes:
        agent: acts.
        name: what plans: transformer, rnn, diffuser, or the name of an agent of the domain.
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


def build_named_agent(
    config: EvalConfig, domain: Domain, *, device: torch.device, say: Callable[[str], None]
) -> BuiltAgent:
    """Build what ``agent=`` and ``weights=`` name; ``say`` hears about doubts.

    Raises:
        UserError: no such weights, or options that do not go together.
    """
    check_options(config, domain)
    if config.agent == "trained":
        weights = find_weights(config.weights, env_name=config.env.name)
        if is_diffuser(weights):
            return _diffuser(config, domain, weights=weights, device=device, say=say)
        if is_behaviour_cloning(weights):
            return _cloned(config, domain, weights=weights, say=say)
        return _dfplan(config, domain, weights=weights, device=device, say=say)
    _refuse_ddim_steps(config, of=f"agent={config.agent}")
    if config.agent in domain.planners():
        return _without_network(config, domain, say=say)
    agents = domain.agents()
    if config.agent not in agents:
        known = ["trained", *domain.planners(), *agents]
        raise UserError(f"unknown agent {config.agent!r}; choose {', '.join(known)}")
    return BuiltAgent(agents[config.agent](), name=config.agent, controller=config.agent)


def check_options(config: EvalConfig, domain: Domain) -> None:
    """Refuse options that a domain does not have, or that contradict each other.

    Raises:
        UserError: there are some.
    """
    name = config.env.name
    for option, default in OPTIONS.items():
        if option not in domain.options and getattr(config, option) != default:
            raise UserError(f"{option}={getattr(config, option)} is not for {name}; leave it out")
    if not domain.shows_frames and (config.view, config.tokenizer) != ("top", "trained"):
        raise UserError(f"{name} shows states: there is nothing to view= and no tokenizer=; leave them out")
    if domain.shows_frames and config.agent != "trained":
        raise UserError(f"agent={config.agent} needs states, but {name} shows frames; use agent=trained")


def _refuse_ddim_steps(config: EvalConfig, *, of: str) -> None:
    if config.ddim_steps is not None:
        raise UserError(f"ddim_steps={config.ddim_steps} is for weights of a Diffuser, not for {of}; leave it out")


def _dfplan(
    config: EvalConfig, domain: Domain, *, weights: Path, device: torch.device, say: Callable[[str], None]
) -> BuiltAgent:
    _refuse_ddim_steps(config, of=f"{weights} (planner.num_levels is its number of levels)")
    planner = build_planner(
        config.planner, weights=weights, env_name=config.env.name, device=device, say=say, domain=domain
    )
    agent = _planning(config, domain, planner, weights=weights, say=say)
    return BuiltAgent(
        agent=agent,
        name=planner.model.metadata["model"]["name"],
        controller=config.controller.name,
        num_parameters=planner.model.denoiser.num_parameters,
        weights=weights,
        metadata=planner.model.metadata,
        planner=planner,
    )


def _planning(
    config: EvalConfig, domain: Domain, planner: Planner, *, weights: Path, say: Callable[[str], None]
) -> Agent:
    """A planner in a receding horizon, with the eyes that its weights were trained with where it is shown frames."""
    sight = load_sight(weights, planner.model.metadata)
    check_sees(domain, sight is not None, weights=weights, env_name=config.env.name)
    layout = planner.model.layout
    if isinstance(sight, LatentSight):
        _check_latents(sight, layout.observation_dim, weights=weights)
    else:
        _check_sizes((layout.observation_dim, layout.action_dim, layout.goal_dim), config, domain)
    agent = build_agent(
        planner,
        domain,
        controller=config.controller,
        model=planner.model,
        weights=weights,
        horizon=config.planner.horizon or domain.spec.episode_steps,
    )
    return agent if sight is None else PixelAgent(agent, sight=_with_tokenizer(config, sight, say=say))


def _with_tokenizer(config: EvalConfig, sight: LatentSight | StateEstimator, *, say: Callable[[str], None]) -> Sight:
    """The same, or with the tokenizer that is asked for: where the agent is, another one can say as well."""
    if config.tokenizer == "trained":
        return sight
    folder = find_tokenizer(config.tokenizer, env_name=config.env.name, option="tokenizer")
    if isinstance(sight, LatentSight):
        raise UserError(
            f"tokenizer={config.tokenizer}: the weights in {config.weights} plan with latents, which mean nothing in "
            "those of another tokenizer; leave it out, or train anew with frames.tokenizer="
        )
    warn_of_other_environment(folder, load_bundle(folder)[1], env_name=config.env.name, say=say)
    return replace(sight, tokenizer=load_keypoints(folder), folder=folder)


def load_sight(weights: Path, metadata: Mapping[str, Any]) -> LatentSight | StateEstimator | None:
    """What the bundle of a planner sees with; None where it is told states."""
    described = metadata.get("frames")
    if described is None:
        return None
    return load_estimator(weights, described) if "motion" in described else load_latent_sight(weights, described)


def _check_latents(sight: LatentSight, observation_dim: int, *, weights: Path) -> None:
    if sight.observation_dim != observation_dim:
        raise UserError(
            f"{weights} sees {sight.observation_dim} numbers and plans with {observation_dim}; train it again"
        )


def _cloned(config: EvalConfig, domain: Domain, *, weights: Path, say: Callable[[str], None]) -> BuiltAgent:
    """Behaviour cloning, which plans nothing."""
    agent = load_behaviour_cloning(weights)
    warn_of_other_environment(weights, agent.metadata, env_name=config.env.name, say=say)
    sight = load_sight(weights, agent.metadata)
    check_sees(domain, sight is not None, weights=weights, env_name=config.env.name)
    if isinstance(sight, LatentSight):
        _check_latents(sight, agent.sizes[0], weights=weights)
    else:
        _check_sizes(agent.sizes, config, domain)
    inside: Any = agent
    return BuiltAgent(
        agent if sight is None else PixelAgent(inside, sight=_with_tokenizer(config, sight, say=say)),
        name=agent.metadata["model"]["name"],
        controller="none",
        num_parameters=sum(each.numel() for each in agent.cloning.parameters()),
        weights=weights,
        metadata=agent.metadata,
    )


def _check_sizes(found: tuple[int, ...], config: EvalConfig, domain: Domain) -> None:
    wanted = domain.spec.observation_dim, domain.spec.action_bounds.low.size, domain.spec.goal_dim
    if found != wanted:
        raise UserError(
            f"the weights in {config.weights} are of observations, actions and goals of {found} numbers, "
            f"{config.env.name} has {wanted}; give weights that were trained on it"
        )


def check_sees(domain: Domain, sees: bool, *, weights: Path, env_name: str) -> None:
    """Refuse weights that know frames where states are shown, or the other way round.

    Raises:
        UserError: they do.
    """
    if domain.shows_frames != sees:
        shown, known = ("states", "frames") if sees else ("frames", "states")
        raise UserError(
            f"{env_name} shows {shown}, but the weights in {weights} were trained on {known}; "
            f"give weights of {env_name}, or another env="
        )


def _without_network(config: EvalConfig, domain: Domain, *, say: Callable[[str], None]) -> BuiltAgent:
    """A planner that goes by what comes with ``weights`` and was measured; their network is not used."""
    own = next(iter(domain.controllers()))
    if config.controller.name != own:
        raise UserError(
            f"agent={config.agent} plans a path and no actions; it needs controller={own}, not {config.controller.name}"
        )
    weights = find_weights(config.weights, env_name=config.env.name)
    if is_diffuser(weights):
        raise UserError(f"{weights} is a Diffuser, which has no map of where the data was; give other weights=")
    model = load_forcing_model(weights)
    warn_of_other_environment(weights, model.metadata, env_name=config.env.name, say=say)
    if config.planner.map == "told":
        model = with_map(model, domain, env_name=config.env.name)
    agent = build_agent(
        domain.planners()[config.agent](model, margin=config.grid_margin),
        domain,
        controller=config.controller,
        model=model,
        weights=weights,
        horizon=config.planner.horizon or domain.spec.episode_steps,
    )
    return BuiltAgent(agent, name=config.agent, controller=own, weights=weights, metadata=model.metadata)


def _diffuser(
    config: EvalConfig, domain: Domain, *, weights: Path, device: torch.device, say: Callable[[str], None]
) -> BuiltAgent:
    """Diffuser; of the options of ``planner`` it has only ``horizon``, by default what it was trained on."""
    if domain.shows_frames:
        raise UserError(f"{weights} is a Diffuser, which needs states, but {config.env.name} shows frames")
    model = load_diffuser(weights).to(str(device))
    warn_of_other_environment(weights, model.metadata, env_name=config.env.name, say=say)
    if config.controller.replan_every or config.controller.replan_when is not None:
        say("Diffuser as published plans once an episode and tracks the planned states: controller=tracker")
    return BuiltAgent(
        agent=build_agent(
            DiffuserPlanner(model, ddim_steps=config.ddim_steps),
            domain,
            controller=config.controller,
            model=model,
            weights=weights,
            horizon=config.planner.horizon or model.horizon,
        ),
        name="diffuser",
        controller=config.controller.name,
        num_parameters=sum(each.numel() for each in model.unet.parameters()),
        weights=weights,
        metadata=model.metadata,
    )
