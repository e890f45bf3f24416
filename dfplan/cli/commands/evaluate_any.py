"""``dfplan eval`` in any environment of Gymnasium: returns, successes where it tells them, and a picture."""

from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from dfplan.baselines.behaviour_cloning import is_behaviour_cloning, load_behaviour_cloning
from dfplan.cli.build import (
    build_agent,
    build_planner,
    describe_weights,
    find_weights,
    select_device,
    warn_of_other_environment,
)
from dfplan.cli.build_agents import BuiltAgent
from dfplan.cli.compose import plain
from dfplan.cli.folders import make_run_folder
from dfplan.cli.progress import progress_bar, say
from dfplan.cli.schema import EvalConfig
from dfplan.domain import Spec
from dfplan.domains import GymnasiumDomain
from dfplan.errors import UserError
from dfplan.evaluation.episodes import Episodes, evaluate_episodes
from dfplan.evaluation.report import write_record

# Options of the mazes alone, and what they are where nothing is said.
MAZES_ALONE = {
    "goal": "fixed",
    "goal_given": "image",
    "view": "top",
    "tokenizer": "trained",
    "agent": "trained",
    "ddim_steps": None,
}


def run(config: EvalConfig, domain: GymnasiumDomain) -> int:
    """Evaluate; the last line printed is the path of the results JSON.

    Raises:
        UserError: options of the mazes, or weights of another robot.
    """
    device = select_device(config.device, threads=config.threads)
    built = build_any_agent(config, domain, device=device)
    folder = make_run_folder("eval", env_name=config.env.name, chosen=config.output)
    with progress_bar(f"{config.env.name}, episodes") as show:
        episodes = evaluate_episodes(
            built.agent,
            domain,
            num_episodes=config.n_episodes,
            num_envs=config.n_envs,
            seed=config.seed,
            on_progress=show,
        )
    settings = plain(config)
    del settings["output"]  # says nothing about the result
    record = episodes.record(
        env=config.env.name,
        planner=built.name,
        controller=built.controller,
        device=str(device),
        weights=describe_weights(built.weights, built.metadata) if built.weights else None,
        config=settings,
    )
    results = write_record(record, path=folder / "results.json")
    try:
        Console().print(_table(record))
        print(f"picture: {_draw(episodes, folder=folder, name=config.env.name)}")
    finally:
        print(results)  # the scores are there, whatever becomes of table and picture
    return 0


def build_any_agent(config: EvalConfig, domain: GymnasiumDomain, *, device: torch.device) -> BuiltAgent:
    """The agent of ``weights=``.

    Raises:
        UserError: options of the mazes, or weights of another robot.
    """
    for name, default in MAZES_ALONE.items():
        if getattr(config, name) != default:
            raise UserError(f"{name}={getattr(config, name)} is for mazes, and {config.env.name} is none; leave it out")
    weights = find_weights(config.weights, env_name=config.env.name)
    if is_behaviour_cloning(weights):
        return _cloned(config, domain, weights=weights)
    planner = build_planner(config.planner, weights=weights, env_name=config.env.name, device=device, say=say)
    layout, spec = planner.model.layout, domain.spec
    _check_sizes((layout.observation_dim, layout.action_dim, layout.position_dim), config, spec)
    agent = build_agent(
        planner,
        controller=config.controller,
        model=planner.model,
        weights=weights,
        horizon=config.planner.horizon or spec.episode_steps,
        episode_steps=spec.episode_steps,
    )
    return BuiltAgent(
        agent,
        name=planner.model.metadata["model"]["name"],
        controller=config.controller.name,
        num_parameters=planner.model.denoiser.num_parameters,
        weights=weights,
        metadata=planner.model.metadata,
        planner=planner,
    )


def _cloned(config: EvalConfig, domain: GymnasiumDomain, *, weights: Path) -> BuiltAgent:
    """Behaviour cloning, which plans nothing."""
    agent = load_behaviour_cloning(weights)
    warn_of_other_environment(weights, agent.metadata, env_name=config.env.name, say=say)
    _check_sizes(agent.sizes, config, domain.spec)
    return BuiltAgent(
        agent,
        name=agent.metadata["model"]["name"],
        controller="none",
        num_parameters=sum(each.numel() for each in agent.cloning.parameters()),
        weights=weights,
        metadata=agent.metadata,
    )


def _check_sizes(found: tuple[int, ...], config: EvalConfig, spec: Spec) -> None:
    wanted = spec.observation_dim, spec.action_bounds.low.size, spec.goal_dim
    if found != wanted:
        raise UserError(
            f"the weights in {config.weights} are of observations, actions and goals of {found} numbers, "
            f"{config.env.name} has {wanted}; give weights that were trained on it"
        )


def _table(record: dict[str, Any]) -> Table:
    table = Table(title=f"{record['env']}, {record['n_episodes']} episodes, seed {record['seed']}")
    for name in ("metric", "mean", "95 % interval"):
        table.add_column(name, justify="left" if name == "metric" else "right")
    for name, estimate in record["metrics"].items():
        low, high = estimate["low"], estimate["high"]
        between = "–" if low is None else f"{low:.4g} … {high:.4g}"
        table.add_row(name.replace("_", " "), f"{estimate['mean']:.4g}", between)
    seconds = record["plan_seconds"]
    if seconds["p50"] is not None:
        table.add_row("planning", f"{1000 * seconds['p50']:.1f} ms", f"p95 {1000 * seconds['p95']:.1f} ms")
    return table


def _draw(episodes: Episodes, *, folder: Any, name: str) -> Any:
    from dfplan.viz.episodes import draw_episodes  # matplotlib is slow to import; the scores come first

    title = f"{name}: return {episodes.returns.mean():.4g}"
    return draw_episodes(episodes.rewards, episodes.observations, path=folder / "rollouts.png", title=title)
