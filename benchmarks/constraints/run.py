"""Are constraints kept, by plans and by what is driven? Writes a dated result file; tables.py makes the table of it."""

import argparse
import itertools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from cases import PARTS, Case, draw_cases

from dfplan.agent import MPCAgent, PlannedActions, ShootingTracker
from dfplan.cli.build import describe_weights
from dfplan.cli.folders import bundled_weights
from dfplan.domains.maze.environment import load_maze
from dfplan.models import load_forcing_model
from dfplan.planner import GuidanceSettings, Planner, PlannerSettings
from dfplan.planner.draft import Draft

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named

HERE = Path(__file__).parent
CONTROLLERS = ("pursuit", "actions")
REPLAN_EVERY = {"pursuit": 32, "actions": 8}  # as configs/controller
COMBINATIONS = [each for size in (3, 2, 1) for each in itertools.combinations(PARTS, size)]


class GridPlanner(Planner):
    """The rival: no candidates, so that every part is the shortest path over visited positions."""

    def draft(self, states: np.ndarray, ends: np.ndarray, **_: Any) -> tuple[list[Draft], list[torch.Tensor]]:
        """Nothing."""
        none = np.zeros(0, np.int64)
        empty = Draft(np.zeros((0, 1, self.observation_dim)), none, none, np.zeros(0), np.zeros(2, np.int64), 1)
        return [empty] * len(states), []


def _planner(kind: type[Planner] = Planner, **guidance: Any) -> Callable[..., Planner]:
    def make(model: Any, constraints: Any) -> Planner:
        settings = PlannerSettings(guidance=GuidanceSettings(**guidance))
        return kind(model, settings=settings, constraints=constraints)

    return make


METHODS: dict[str, Callable[..., Planner]] = {
    "candidates": _planner(method="chosen"),
    "guidance": _planner(method="chosen", constraints=30.0),
    "parts": _planner(method="parts"),
    "detours": _planner(method="detours"),
    "routes": _planner(),
    "guided routes": _planner(constraints=3.0),
    "grid": _planner(GridPlanner),
}


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("--mazes", nargs="+", default=["medium", "large"])
    parser.add_argument("--methods", nargs="+", default=["routes"], choices=list(METHODS))
    parser.add_argument("--combinations", nargs="+", default=None, help="such as keep_out+speed (default: every one)")
    parser.add_argument("--pairs", type=int, default=100, help="of start and goal, a maze (default 100)")
    parser.add_argument("--controllers", nargs="*", default=list(CONTROLLERS), choices=CONTROLLERS)


def results(arguments: argparse.Namespace) -> Named:
    """Every combination in every maze; what was tuned was tuned on seeds of 1000 and above."""
    torch.set_num_threads(1)
    chosen = [tuple(each.split("+")) for each in arguments.combinations] if arguments.combinations else COMBINATIONS
    record: dict[str, Any] = {
        "question": "are constraints kept, by plans and by what is driven?",
        "seed": arguments.seed,
        "left_out": {},
        "weights": {},
        "rows": [],
    }
    for name in arguments.mazes:
        maze = load_maze(f"maze2d-{name}-v1")
        folder = bundled_weights() / f"maze2d-{name}"
        model = load_forcing_model(folder)
        record["weights"][name] = describe_weights(folder, model.metadata)
        cases, record["left_out"][name] = draw_cases(model, maze=maze, seed=arguments.seed, count=arguments.pairs)
        for parts, method in itertools.product(chosen, arguments.methods):
            began = time.process_time()
            rows = [
                measure(
                    case, METHODS[method](model, case.constraints(parts)), maze=maze, controllers=arguments.controllers
                )
                for case in cases
            ]
            record["rows"].append({"maze": name, "parts": list(parts), "method": method, "cases": rows})
            print(
                f"{name} {'+'.join(parts)} {method}: {said(rows)}; {time.process_time() - began:.0f} CPU s", flush=True
            )
    yield "", record


def measure(case: Case, planner: Planner, *, maze: Any, controllers: list[str]) -> dict[str, Any]:
    """The plan of a case, and what is driven by it."""
    began = time.process_time()
    state = np.concatenate([case.start, [0.0, 0.0]])
    plan = planner.plan(
        state[None],
        case.goal[None],
        horizon=maze.max_episode_steps,
        generators=[torch.Generator().manual_seed(case.number)],
    )
    seconds = time.process_time() - began
    steps = int(plan.num_steps[0])
    points = plan.observations[0, : steps // plan.steps_per_point, :2]
    found: dict[str, Any] = {
        "number": case.number,
        "cpu_seconds": seconds,
        "arrives": bool(plan.arrival[0] <= steps),
        "points": len(points),
        "points_in_walls": int(maze.contains_wall(points).sum()),
        "evaluations": 0 if plan.evaluations is None else int(plan.evaluations[0]),
        **_verdict(plan.verdict),
    }
    return found | {name: drive(case, planner, maze=maze, controller=name) for name in controllers}


def drive(case: Case, planner: Planner, *, maze: Any, controller: str) -> dict[str, Any]:
    """One episode to its end."""
    model, plans = planner.model, []
    driver = (
        ShootingTracker(model.dynamics, goal_radius=model.goal_radius, constraints=planner.constraints)
        if controller == "pursuit"
        else PlannedActions()
    )
    agent = MPCAgent(
        planner,
        controller=driver,
        replan_every=REPLAN_EVERY[controller],
        horizon=maze.max_episode_steps,
        on_plan=plans.append,
    )
    env = gymnasium.make(f"dfplan_envs:maze2d-{maze.name}-v1", disable_env_checker=True)
    wish = {"start": tuple(case.start.tolist()), "goal": tuple(case.goal.tolist())}
    observation, info = env.reset(seed=case.number, options=wish)
    agent.reset(seeds=[case.number], goals=case.goal[None])
    positions, success = [info["position"]], []
    for _ in range(maze.max_episode_steps):
        observation, _, _, _, info = env.step(agent.act(observation[None])[0])
        positions.append(info["position"])
        success.append(info["success"])
    env.close()
    verdict = planner.constraints.judge(
        np.stack(positions)[None],
        num_steps=np.array([len(success)]),
        radius=model.goal_radius,
        seconds_per_step=model.dynamics.step,
    )
    return {
        "success": any(success),
        "at_end": bool(success[-1]),
        "first_touch": success.index(True) + 1 if any(success) else None,
        "plans": len(plans),
        **_verdict(verdict),
    }


def _verdict(verdict: Any) -> dict[str, Any]:
    clearance = float(verdict.clearance[0])
    return {
        "broken": list(verdict.broken[0]),
        "clearance": clearance if np.isfinite(clearance) else None,
        "missed": int(verdict.missed[0].sum()),
        "top_speed": float(verdict.top_speed[0]),
    }


def said(rows: list[dict[str, Any]]) -> str:
    """One line about the cases of a row."""
    plans = np.mean([not row["broken"] and row["arrives"] for row in rows])
    walls = sum(row["points_in_walls"] for row in rows) / max(sum(row["points"] for row in rows), 1)
    text = f"plans {plans:.0%}, walls {walls:.1%}, {np.mean([row['cpu_seconds'] for row in rows]):.2f} CPU s"
    for name in CONTROLLERS:
        if name in rows[0]:
            driven = [row[name] for row in rows]
            kept = np.mean([not each["broken"] and each["success"] for each in driven])
            text += f"; {name} {kept:.0%}, success {np.mean([each['success'] for each in driven]):.0%}"
    return text


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, seed=0)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
