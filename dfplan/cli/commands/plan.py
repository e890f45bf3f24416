"""``dfplan plan``: one plan over the maze, and how it was denoised row by row, or found in a tree of plans."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dfplan.cli.build import build_planner, find_weights, select_device
from dfplan.cli.folders import make_run_folder
from dfplan.cli.guidance import with_objective
from dfplan.cli.progress import say
from dfplan.cli.schema import PlanConfig
from dfplan.domains.maze.environment import load_maze, shows_frames
from dfplan.domains.maze.frames import load_camera
from dfplan.errors import UserError
from dfplan.models.tokenizers import load_observer
from dfplan.planner import PlanTrees, TreePlanner
from dfplan.types import Plan, Verdict


def run(config: PlanConfig) -> int:
    """Plan from rest at ``start``; the last line printed is the path of the picture.

    Returns:
        3 where the plan must keep something, and breaks it or does not arrive; else 0.
    """
    device = select_device(config.device, threads=config.threads)
    weights = find_weights(config.weights, env_name=config.env.name)
    maze = load_maze(config.env.id)
    start = check_position("start", config.start or maze.free_cells[0].tolist(), maze=maze)
    goal = check_position("goal", config.goal or list(maze.goal_cell), maze=maze)
    for place in config.planner.guidance.waypoints or ():
        check_position("planner.guidance.waypoints", place, maze=maze)
    config.planner.guidance = with_objective(config.planner.guidance, config.objective)
    planner = build_planner(config.planner, weights=weights, env_name=config.env.name, device=device, say=say)
    seen_start, seen_goal = _as_seen(
        np.stack([start, goal]), weights=weights, frames=planner.model.metadata.get("frames"), env_id=config.env.id
    )
    situation = (np.concatenate([seen_start, np.zeros(2)])[None], seen_goal[None])
    wanted: dict[str, Any] = {
        "horizon": config.planner.horizon or maze.max_episode_steps,
        "generators": [torch.Generator().manual_seed(config.seed)],
    }
    if isinstance(planner, TreePlanner) and not planner.plans_parts:
        trees = planner.grow(planner.believe(*situation), **wanted)
        plan = planner.answer(trees)
    else:
        shows_rows = not isinstance(planner, TreePlanner)
        trees, plan = None, planner.plan(*situation, **wanted, record_history=shows_rows)
    folder = make_run_folder("plan", env_name=config.env.name, chosen=config.output)
    steps, arrival = int(plan.num_steps[0]), int(plan.arrival[0])
    verdict = f"arrives at step {arrival}" if arrival <= steps else f"does not arrive within {steps} steps"
    in_walls = float(maze.contains_wall(plan.observations[0, : steps // plan.steps_per_point, :2]).mean())
    print(f"from {_pair(start)} to {_pair(goal)}: {verdict}; {in_walls:.0%} of its points lie in walls")
    if plan.verdict is not None:
        print(say_verdict(plan.verdict, max_speed=planner.constraints.max_speed))
    matrix = planner.settings.scheduling_matrix(min(planner.window_tokens, plan.rewards.shape[1]))
    picture = {"maze": maze, "start": start, "goal": goal, "title": config.env.name}
    if trees:
        print(_draw_tree(trees, path=folder / "tree.png", **picture))
    picture |= {"matrix": None if plan.history is None else matrix.numpy(), "guidance": planner.settings.guidance}
    print(_draw(plan, path=folder / "plan.png", **picture))
    return 0 if plan.verdict is None or (plan.verdict.kept.all() and arrival <= steps) else 3


def say_verdict(verdict: Verdict, *, max_speed: float | None) -> str:
    """One line about the first row: what is kept or broken, and by how much."""
    names, missed = verdict.broken[0], int(verdict.missed[0].sum())
    facts = []
    if np.isfinite(verdict.clearance[0]):
        facts.append(f"least clearance {verdict.clearance[0]:.2f}")
    if verdict.missed.shape[1]:
        passed = [str(step) for step, miss in zip(verdict.passes[0], verdict.missed[0], strict=True) if not miss]
        facts.append(f"way-points passed at steps {', '.join(passed)}" if passed else "no way-point passed")
        facts += [f"{missed} of {verdict.missed.shape[1]} missed"] if missed else []
    limit = "" if max_speed is None else f" of {max_speed:g} allowed"
    facts.append(f"top speed {verdict.top_speed[0]:.2f}{limit}")
    return f"{'breaks ' + ', '.join(names) if names else 'keeps what was asked'}: {'; '.join(facts)}"


def _as_seen(positions: np.ndarray, *, weights: Path, frames: Mapping[str, Any] | None, env_id: str) -> np.ndarray:
    """The positions ``(n, 2)`` themselves, or, for a planner that sees, what it finds in the frames there."""
    if shows_frames(env_id) != (frames is not None):
        raise UserError(f"the weights in {weights} are not of {env_id}: one knows states, the other frames")
    return (
        positions if frames is None else load_observer(weights, frames).positions(load_camera(env_id).render(positions))
    )


def check_position(name: str, xy: list[float], *, maze: Any) -> np.ndarray:
    """Return the position ``(2,)`` if the ball can be there.

    Raises:
        UserError: it lies in a wall or outside the maze; names the nearest free point.
    """
    position = np.array(xy, dtype=np.float64)
    if maze.contains_wall(position):
        free = _pair(maze.nearest_free_point(position).round(2))
        raise UserError(
            f"{name}={_pair(position)} lies in a wall or outside the maze; the nearest free point is {name}={free}"
        )
    return position


def _pair(position: np.ndarray) -> str:
    return ",".join(f"{value:g}" for value in position)


def _draw(plan: Plan, **picture: Any) -> Path:
    from dfplan.domains.maze.pictures import draw_plan  # matplotlib is slow to import

    return draw_plan(plan, **picture)


def _draw_tree(trees: PlanTrees, **picture: Any) -> Path:
    from dfplan.domains.maze.tree_pictures import DrawnPlan, draw_tree

    tree, plans = trees.tree, trees.plans[0]
    # The root is the best of the first plans once more: where they are nodes themselves, it is left out.
    numbers = range(1, len(plans.nodes)) or range(1)
    drawn = [
        DrawnPlan(
            path=plans.path(node),
            parent=max(int(tree.parent[0, node]) - 1, -1),
            first_step=plans.nodes[node].num_kept * plans.layout.steps_per_token,
            last_step=min(plans.nodes[node].arrival, len(plans.nodes[node].tokens) * plans.layout.steps_per_token),
            arrives=plans.nodes[node].arrival <= len(plans.nodes[node].tokens) * plans.layout.steps_per_token,
            value=plans.value(node),
            visits=int(tree.visits[0, node]),
        )
        for node in numbers
    ]
    return draw_tree(drawn, answer=int(np.argmax([plan.value for plan in drawn])), **picture)
