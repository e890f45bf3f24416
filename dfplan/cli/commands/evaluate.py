"""``dfplan eval``: roll an agent out, score it, write the record and a picture."""

from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from dfplan.cli.build import describe_weights, select_device
from dfplan.cli.build_agents import build_named_agent
from dfplan.cli.commands import evaluate_any
from dfplan.cli.compose import plain
from dfplan.cli.folders import make_run_folder
from dfplan.cli.progress import progress_bar, say
from dfplan.cli.schema import EvalConfig
from dfplan.domains import find_domain
from dfplan.domains.maze.environment import load_maze, shows_frames
from dfplan.domains.maze.frames import load_camera
from dfplan.evaluation.report import build_record, render_table, write_record
from dfplan.evaluation.rollout import Rollouts, evaluate_agent
from dfplan.planner import GuidanceSettings, Planner
from dfplan.types import Verdict


def run(config: EvalConfig) -> int:
    """Evaluate; the last line printed is the path of the results JSON.

    Returns:
        3 where there are constraints and no episode keeps all of them, else 0.
    """
    domain = find_domain(config.env.id)
    if domain is not None:
        return evaluate_any.run(config, domain)
    view = config.view if shows_frames(config.env.id) else None
    if view is not None:
        load_camera(config.env.id, view=view)  # says in one line what it lacks
    device = select_device(config.device, threads=config.threads)
    built = build_named_agent(config, device=device, say=say)
    maze = load_maze(config.env.id)
    folder = make_run_folder("eval", env_name=config.env.name, chosen=config.output)
    with progress_bar(f"{config.env.name}, {config.goal} goal") as show:
        rollouts = evaluate_agent(
            built.agent,
            env_id=config.env.id,
            goal=config.goal,
            num_episodes=config.n_episodes,
            num_envs=config.n_envs,
            seed=config.seed,
            vectorization=config.vectorization,
            goal_given=config.goal_given,
            view=view,
            on_progress=show,
        )
    settings = plain(config)
    del settings["output"]  # says nothing about the result
    verdict = judge_driven(rollouts, built.planner)
    record = build_record(
        rollouts,
        verdict=verdict,
        planner=built.name,
        controller=built.controller,
        device=str(device),
        config=settings,
        weights=describe_weights(built.weights, built.metadata) if built.weights else None,
    )
    results = write_record(record, path=folder / "results.json")
    try:
        Console().print(render_table(record))
        picture = _draw(
            rollouts,
            maze=maze,
            path=folder / "rollouts.png",
            name=f"{config.env.name}, {built.controller}",
            guidance=None if built.planner is None else built.planner.settings.guidance,
        )
        print(f"picture: {picture}")
    finally:
        print(results)  # the scores are there, whatever becomes of table and picture
    return 3 if verdict is not None and not verdict.kept.any() else 0


def judge_driven(rollouts: Rollouts, planner: Planner | None) -> Verdict | None:
    """How well what was driven keeps the constraints of a planner; None where there are none."""
    if planner is None or not planner.constraints:
        return None
    return planner.constraints.judge(
        rollouts.positions.astype(np.float64),
        num_steps=np.full(len(rollouts), rollouts.rewards.shape[1]),
        radius=planner.model.goal_radius,
        seconds_per_step=planner.model.point_mass.step,
    )


def _draw(rollouts: Rollouts, *, maze: Any, path: Path, name: str, guidance: GuidanceSettings | None) -> Path:
    from dfplan.domains.maze.pictures import draw_rollouts  # matplotlib is slow to import; the scores come first

    return draw_rollouts(
        rollouts.positions,
        goals=rollouts.goals,
        at_goal=rollouts.at_goal,
        maze=maze,
        path=path,
        title=f"{name}: D4RL score {rollouts.scores.normalized_return.mean():.0f}",
        guidance=guidance,
    )
