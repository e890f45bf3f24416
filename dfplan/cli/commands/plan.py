"""``dfplan plan``: one plan, and how it was denoised row by row, or found in a tree of plans."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dfplan.cli.build import build_planner, find_weights, select_device, with_objective
from dfplan.cli.build_agents import check_sees, load_sight
from dfplan.cli.folders import make_run_folder
from dfplan.cli.progress import say
from dfplan.cli.schema import PlanConfig
from dfplan.domain import Domain, Situation
from dfplan.domains.find import find_domain
from dfplan.planner import Planner, PlanTrees, TreePlanner
from dfplan.types import Plan, Verdict


def run(config: PlanConfig) -> int:
    """Plan once; the last line printed is the path of the picture.

    Returns:
        3 where the plan must keep something, and breaks it or does not arrive; else 0.
    """
    device = select_device(config.device, threads=config.threads)
    domain = find_domain(config.env.id)
    situation = domain.situation(start=config.start, goal=config.goal, seed=config.seed)
    for place in config.planner.guidance.waypoints:
        domain.check_place("planner.guidance.waypoints", place)
    weights = find_weights(config.weights, env_name=config.env.name)
    guidance = with_objective(config.planner.guidance, config.objective)
    config.planner = replace(config.planner, guidance=guidance)
    planner = build_planner(
        config.planner, weights=weights, env_name=config.env.name, device=device, say=say, domain=domain
    )
    trees, plan = _plan(config, domain, situation, planner, weights=weights)
    folder = make_run_folder("plan", env_name=config.env.name, chosen=config.output)
    steps, arrival = int(plan.num_steps[0]), int(plan.arrival[0])
    facts = []
    if domain.spec.goal_dim and domain.tells_goals:
        facts.append(f"arrives at step {arrival}" if arrival <= steps else f"does not arrive within {steps} steps")
    else:
        facts.append(f"{steps} steps, worth {float(plan.value[0]):.4g}")
    of_states = plan.observations.shape[2] == domain.spec.observation_dim  # and not of latents
    remarks = [domain.remark(plan)] if of_states else []
    print(f"{situation.text}: {'; '.join(filter(None, [*facts, *remarks]))}")
    if plan.verdict is not None:
        print(say_verdict(plan.verdict, arrives=arrival <= steps, max_speed=planner.constraints.max_speed))
    if (
        trees
        and of_states
        and (picture := domain.draw_tree(trees, situation, path=folder / "tree.png", title=config.env.name))
    ):
        print(picture)
    if not of_states:
        from dfplan.viz.episodes import draw_planned  # matplotlib is slow to import

        print(draw_planned(plan, path=folder / "plan.png", title=config.env.name))
        return 0
    matrix = planner.settings.scheduling_matrix(min(planner.window_tokens, plan.rewards.shape[1]))
    shown = {"matrix": None if plan.history is None else matrix.numpy(), "guidance": planner.settings.guidance}
    print(domain.draw_plan(plan, situation, path=folder / "plan.png", title=config.env.name, **shown))
    return 0 if plan.verdict is None or (plan.verdict.kept.all() and arrival <= steps) else 3


def _plan(
    config: PlanConfig, domain: Domain, situation: Situation, planner: Planner, *, weights: Path
) -> tuple[PlanTrees | None, Plan]:
    """A plan for the situation, and the tree that it was found in, if it was."""
    observation, goal = situation.observation[None], situation.goal[None] if domain.tells_goals else None
    sight = load_sight(weights, planner.model.metadata)
    check_sees(domain, sight is not None, weights=weights, env_name=config.env.name)
    if sight is not None:
        shown = observation if situation.frames is None else situation.frames[:1]
        observation = sight.told(sight.begin(shown))
        goal = goal if situation.frames is None else sight.goals(situation.frames[1:])
    asked: dict[str, Any] = {
        "horizon": config.planner.horizon or domain.spec.episode_steps,
        "generators": [torch.Generator().manual_seed(config.seed)],
    }
    if isinstance(planner, TreePlanner) and not planner.plans_parts:
        trees = planner.grow(planner.believe(observation, goal), **asked)
        return trees, planner.answer(trees)
    shows_rows = not isinstance(planner, TreePlanner)
    return None, planner.plan(observation, goal, **asked, record_history=shows_rows)


def say_verdict(verdict: Verdict, *, arrives: bool, max_speed: float | None) -> str:
    """One line about the first row: what is kept or broken, and by how much."""
    names, missed = verdict.broken[0], int(verdict.missed[0].sum())
    facts = []
    if np.isfinite(verdict.clearance[0]):
        facts.append(f"least clearance {verdict.clearance[0]:z.2f}")
    if verdict.missed.shape[1]:
        passed = [str(step) for step, miss in zip(verdict.passes[0], verdict.missed[0], strict=True) if not miss]
        facts.append(f"way-points passed at steps {', '.join(passed)}" if passed else "no way-point passed")
        facts += [f"{missed} of {verdict.missed.shape[1]} missed"] if missed else []
    limit = "" if max_speed is None else f" of {max_speed:g} allowed"
    facts.append(f"top speed {verdict.top_speed[0]:.2f}{limit}")
    kept = "keeps what was asked" if arrives else "breaks nothing on a way that does not arrive"
    return f"{'breaks ' + ', '.join(names) if names else kept}: {'; '.join(facts)}"
