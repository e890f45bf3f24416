"""A planner program for tests: plans of ones, made well or badly, by what the request's goal says."""

import argparse
import os
import time

import numpy as np

from dfplan.realtime.plans import plan_of_actions
from dfplan.realtime.serving import serve_plans

HANG, RAISE, NOT_FINITE, DIE = 1.0, 2.0, 3.0, 4.0  # first number of the goal
plan_seconds = 0.0


def make_plan(request):
    """A plan, or what the goal asks for instead."""
    os.write(1, b"a planner may print\n")
    time.sleep(plan_seconds)
    match request["goal"][0]:
        case 1.0:
            time.sleep(60)
        case 2.0:
            raise RuntimeError("as asked")
        case 3.0:
            return plan_of_actions(np.full((4, 2), np.nan)), 0.0
        case 4.0:
            os._exit(1)
    return plan_of_actions(np.ones((64, 2))), 0.125


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket", type=int)
    parser.add_argument("--plan-seconds", type=float, default=0.0)
    arguments = parser.parse_args()
    plan_seconds = arguments.plan_seconds
    serve_plans(
        make_plan,
        descriptor=arguments.socket,
        ready={"action_dim": 2, "observation_dim": 4, "plan_seconds": 0.001},
    )
