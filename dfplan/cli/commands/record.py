"""``dfplan record``: roll an agent out and keep what it saw, did and earned as a data set."""

from dataclasses import fields

import numpy as np

from dfplan.cli.build import select_device
from dfplan.cli.build_agents import BuiltAgent, build_named_agent
from dfplan.cli.commands.evaluate_any import build_any_agent
from dfplan.cli.folders import TAKEN, take
from dfplan.cli.progress import progress_bar, say
from dfplan.cli.schema import AgentConfig, EvalConfig, RecordConfig
from dfplan.data.formats.choose import check_target, write
from dfplan.domains import GymnasiumDomain, find_domain
from dfplan.domains.maze.environment import shows_frames
from dfplan.errors import UserError
from dfplan.evaluation.episodes import evaluate_episodes
from dfplan.evaluation.recording import MazeEpisodes, as_trajectories


def run(config: RecordConfig) -> None:
    """Record; the last line printed is the path of the data set.

    Raises:
        UserError: the data set is there already or cannot be written, or the environment shows frames.
    """
    domain = find_domain(config.env.id)
    if domain is None and shows_frames(config.env.id):
        raise UserError(f"{config.env.name} shows frames, and dfplan record writes vectors; give an env= of states")
    if domain is not None and config.goal != "fixed":
        raise UserError(f"goal={config.goal} is for mazes, and {config.env.name} is none; leave it out")
    environments = domain or MazeEpisodes(config.env.id, goal=config.goal)
    spec = environments.spec
    rate = config.fps if spec.step_seconds is None else 1 / spec.step_seconds
    path = check_target(config.data, fps=rate)  # before the work
    take(path.with_name(f".{path.name}{TAKEN}"), chosen=config.data, option="data")
    built = _build(config, domain)
    with progress_bar(f"{config.env.name}, episodes") as show:
        episodes = evaluate_episodes(
            built.agent,
            environments,
            num_episodes=config.n_episodes,
            num_envs=config.n_envs,
            seed=config.seed,
            on_progress=show,
        )
    data = as_trajectories(episodes, spec, achieved_apart=domain is not None and spec.goal_dim > 0)
    say(
        f"{data.source}: {np.sum([len(rewards) for rewards in episodes.rewards]):,} steps, mean return "
        f"{episodes.returns.mean():.4g}"
    )
    print(write(data, config.data, task=config.description, fps=config.fps))


def _build(config: RecordConfig, domain: GymnasiumDomain | None) -> BuiltAgent:
    """The agent, as `dfplan eval` has it with the same options."""
    device = select_device(config.device, threads=config.threads)
    shared = {each.name: getattr(config, each.name) for each in fields(AgentConfig)}
    of_eval = {"goal": "fixed", "goal_given": "image", "view": "top", "tokenizer": "trained"}
    asked = EvalConfig(**shared, **of_eval, vectorization="batched", output=None)
    if domain is not None:
        return build_any_agent(asked, domain, device=device)
    return build_named_agent(asked, device=device, say=say)
