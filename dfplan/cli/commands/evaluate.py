"""``dfplan eval``: roll an agent out, score it, write the record and a picture."""

import gymnasium
from rich.console import Console

from dfplan.cli.build import build_agent, select_device
from dfplan.cli.compose import plain
from dfplan.cli.folders import make_run_folder
from dfplan.cli.progress import progress_bar
from dfplan.cli.schema import EvalConfig
from dfplan.evaluation.report import build_record, render_table, write_record
from dfplan.evaluation.rollout import Rollouts, evaluate_agent


def run(config: EvalConfig) -> None:
    """Evaluate; the last line printed is the path of the results JSON."""
    device = select_device(config.device, threads=config.threads)
    agent = build_agent(config, device=device)
    folder = make_run_folder("eval", env_name=config.env.name, chosen=config.output)
    maze = gymnasium.make(config.env.id).unwrapped.maze  # type: ignore[attr-defined]
    total = config.n_episodes * maze.max_episode_steps
    with progress_bar(f"{config.env.name}, {config.goal} goal", total=total, unit="steps") as show:
        rollouts = evaluate_agent(
            agent,
            env_id=config.env.id,
            goal=config.goal,
            num_episodes=config.n_episodes,
            num_envs=config.n_envs,
            seed=config.seed,
            on_progress=lambda done, _: show(done),
        )
    record = build_record(
        rollouts,
        planner=config.planner.name,
        controller=config.controller.name,
        device=str(device),
        config=plain(config),
    )
    results = write_record(record, path=folder / "results.json")
    console = Console()
    console.print(render_table(record))
    picture = folder / "rollouts.png"
    _draw(rollouts, maze=maze, path=picture, title=f"{config.env.name}, {config.controller.name}")
    print(f"picture: {picture}")  # noqa: T201
    print(results)  # noqa: T201


def _draw(rollouts: Rollouts, *, maze: object, path: object, title: str) -> None:
    from dfplan.viz.maze import draw_rollouts  # matplotlib is slow to import; the scores come first

    draw_rollouts(
        rollouts.positions,
        goals=rollouts.goals,
        at_goal=rollouts.at_goal,
        maze=maze,
        path=path,  # type: ignore[arg-type]
        title=f"{title}: {rollouts.scores.normalized_return.mean():.0f} of D4RL's 100",
    )
