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
from dfplan.domain import OPTIONS, Domain
from dfplan.domains.find import find_domain
from dfplan.errors import UserError, counted
from dfplan.evaluation.rollout import Rollouts, evaluate_agent
from dfplan.types import Trajectories


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


def as_trajectories(rollouts: Rollouts, domain: Domain) -> Trajectories:
    """Lay episodes end to end; the last row of each is the observation that it ended in.

    What was achieved of a goal is recorded apart from an observation that it was put in front of.
    """
    lengths, spec = [len(rows) for rows in rollouts.states], domain.spec
    ends = np.cumsum(lengths)
    last = np.zeros(ends[-1], bool)
    last[ends - 2] = True  # the row of the last action; the one behind has none
    terminated = np.repeat(rollouts.terminated, lengths)
    observations = np.concatenate(rollouts.states).astype(np.float32)
    goals = {
        "goals": np.concatenate(rollouts.goals).astype(np.float32),
        "achieved_goals": domain.achieved_goal(observations).copy(),
    }
    return Trajectories(
        observations=observations[:, spec.goal_dim :].copy() if domain.achieved_apart else observations,
        actions=_behind_each(rollouts.actions),
        starts=np.append(0, ends),
        segment_ends=np.zeros(ends[-1], bool),
        source=f"{counted(len(ends), 'episode')} in {rollouts.env_id}, seed {rollouts.seed}",
        rewards=_behind_each(rollouts.rewards),
        terminations=last & terminated,
        truncations=last & ~terminated,
        action_bounds=spec.action_bounds,
        step_seconds=spec.step_seconds,
        **(goals if spec.goal_dim and domain.tells_goals else {}),
    )


def _behind_each(steps: list[np.ndarray]) -> np.ndarray:
    """What was done or earned in the steps of each episode, with a row of zeros behind, float32."""
    return np.concatenate([np.concatenate([each, np.zeros_like(each[:1])]) for each in steps]).astype(np.float32)
