"""A planner process without torch: what ``dfplan export`` wrote, run by ONNX Runtime, behind the real-time agent.

    dfplan export env=maze2d-large output=exported
    python examples/drive_maze_robot.py --exported exported

It is also the pattern for any other planner or agent: a program that hands a function from a request to a plan to
``serve_plans``; where there are only actions, ``dfplan.realtime.plans.plan_of_actions`` makes them a plan. It does not
begin with the actions that are committed, so it is for followers of paths.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from dfplan.export.onnx_planner import OnnxPlanner
from dfplan.realtime.serving import serve_plans
from dfplan.realtime.wire import Message
from dfplan.types import Plan


def main() -> None:
    """Load, plan once for nothing, as the first plan of a process takes longest, and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exported", type=Path, required=True, help="folder that dfplan export wrote")
    parser.add_argument("--horizon", type=int, default=800, help="steps to look ahead")
    parser.add_argument("--socket", type=int, required=True, help="inherited; added by PlannerProcess")
    arguments = parser.parse_args()
    planner = OnnxPlanner(arguments.exported)

    def plan(observation: np.ndarray, goal: np.ndarray, seed: int) -> Plan:
        noise = planner.draw_noise([np.random.default_rng(seed)], horizon=arguments.horizon)
        return planner.plan(observation[None], goal[None], horizon=arguments.horizon, noise=noise)

    def answer(request: Message) -> tuple[Plan, float]:
        return plan(request["observation"], request["goal"], request["seed"]), planner.settings.stabilization_level

    layout, middle = planner.manifest.layout, planner.manifest.normalization.observation_mean
    for _ in range(2):
        began = time.perf_counter()
        plan(middle, middle[: layout["goal_dim"]], 0)
    serve_plans(
        answer,
        descriptor=arguments.socket,
        ready={
            "action_dim": layout["action_dim"],
            "observation_dim": layout["observation_dim"],
            "plan_seconds": time.perf_counter() - began,
        },
    )


if __name__ == "__main__":
    main()
