"""``dfplan record``: roll an agent out and keep what it saw, did and earned as a data set."""

from dataclasses import fields
from typing import Any

import numpy as np

from dfplan.cli.build import select_device
from dfplan.cli.build_agents import build_named_agent, check_options
from dfplan.cli.folders import TAKEN, take
from dfplan.cli.progress import progress_bar, say, say_outside
from dfplan.cli.schema import AgentConfig, EvalConfig, RecordConfig
from dfplan.data.formats.choose import check_target, write
from dfplan.domain import OPTIONS
from dfplan.domains.find import find_domain
from dfplan.errors import UserError
from dfplan.evaluation.recording import as_trajectories
from dfplan.evaluation.rollout import evaluate_agent


def run(config: RecordConfig) -> None:
    """Record; the last line printed is the path of the data set.

    Raises:
        UserError: the data set is there already or cannot be written, or the environment shows frames.
    """
    domain = find_domain(config.env.id)
    asked = _as_eval(config)
    check_options(asked, domain)
    if domain.shows_frames:
        raise UserError(f"{config.env.name} shows frames, and dfplan record writes vectors; give an env= of states")
    spec = domain.spec
    rate = config.fps if spec.step_seconds is None else 1 / spec.step_seconds
    path = check_target(config.data, fps=rate)  # before the work
    take(path.with_name(f".{path.name}{TAKEN}"), chosen=config.data, option="data")
    device = select_device(config.device, threads=config.threads)
    built = build_named_agent(asked, domain, device=device, say=say)
    with progress_bar(f"{config.env.name}, episodes") as show:
        rollouts = evaluate_agent(
            built.agent,
            domain.protocol(**({"goal": config.goal} if "goal" in domain.options else {})),
            num_episodes=config.n_episodes,
            num_envs=config.n_envs,
            seed=config.seed,
            on_progress=show,
        )
    say_outside(rollouts.outside_data)
    data = as_trajectories(rollouts, domain)
    say(
        f"{data.source}: {np.sum([len(rewards) for rewards in rollouts.rewards]):,} steps, mean return "
        f"{rollouts.returns.mean():.4g}"
    )
    print(write(data, config.data, task=config.description, fps=config.fps))


def _as_eval(config: RecordConfig) -> EvalConfig:
    """The options with which `dfplan eval` has the same agent."""
    shared: dict[str, Any] = {each.name: getattr(config, each.name) for each in fields(AgentConfig)}
    others: dict[str, Any] = {name: value for name, value in OPTIONS.items() if name not in shared} | {
        "goal": config.goal
    }
    return EvalConfig(**shared, **others, output=None, report=False)
