"""dfplan's planner as a program: ``python -m dfplan.realtime.planner_program --weights=… --horizon=… --socket=…``."""

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dfplan.errors import UserError
from dfplan.models.forcing_model import ForcingModel, load_forcing_model
from dfplan.planner import Planner, PlannerSettings
from dfplan.planner.constraints import Constraints
from dfplan.realtime.serving import serve_plans
from dfplan.realtime.wire import Message
from dfplan.types import Plan

NOTHING = Constraints()


def level_of_noise(noise: np.ndarray, *, model: ForcingModel, largest: float = 0.5) -> float:
    """The noise level at which an observation with this much noise on it belongs.

    At level ``l`` a token is ``alpha(l) * clean + sigma(l) * noise``; so an observation whose normalised noise has
    standard deviation ``sigma(l) / alpha(l)`` is, scaled by alpha, exactly what the model was trained to see there.

    Args:
        noise: ``(observation_dim,)`` standard deviations in environment units.
        model: its normaliser and schedule.
        largest: level that is never exceeded: beyond it, nothing is left of where the robot is.
    """
    ratio = float(np.sqrt(np.mean((noise / model.normalizer.observation_std.cpu().numpy()) ** 2)))
    levels = torch.linspace(0, largest, 501)
    alpha, sigma = model.parameterization.schedule(levels)
    return float(levels[min(int(torch.searchsorted(sigma / alpha, ratio)), len(levels) - 1)])


class PlanMaker:
    """Makes the plan that a request asks for.

    Args:
        model: the trained model.
        settings: how to plan; a request's noise raises the level of the context.
        horizon: steps to look ahead.
        constraints: what plans must keep.
    """

    def __init__(
        self,
        model: ForcingModel,
        *,
        settings: PlannerSettings,
        horizon: int,
        constraints: Constraints = NOTHING,
    ) -> None:
        self._model = model
        self._constraints = constraints
        self._settings = settings
        self._horizon = horizon

    def __call__(self, request: Message) -> tuple[Plan, float]:
        """A plan for a ``request``, and the level its context was shown at."""
        level = level_of_noise(request["observation_noise"], model=self._model)
        settings = replace(self._settings, stabilization_level=max(level, self._settings.stabilization_level))
        planner = Planner(self._model, settings=settings, constraints=self._constraints)
        passed, expected = request["passed"], len(planner.constraints.waypoints)
        if len(passed) not in (0, expected):
            raise UserError(f"{expected} way-points are to be passed; {len(passed)} are told of")
        plan = planner.plan(
            request["observation"][None],
            request["goal"][None],
            horizon=self._horizon,
            generators=[torch.Generator().manual_seed(request["seed"])],
            committed=[request["committed"].reshape(-1, self._model.layout.action_dim)],
            passed=passed[None] > 0 if len(passed) else None,
        )
        return plan, settings.stabilization_level

    def warm_up(self) -> float:
        """Plan twice for nothing; returns the seconds of the second, as the first of a process takes far longer."""
        middle = self._model.normalizer.observation_mean.cpu().numpy()[None].astype(np.float64)
        support, dim = getattr(self._model.scorer, "support", None), self._model.layout.goal_dim
        if support is not None and support.visited.any():
            # The middle itself may lie where the data never was, and nothing can be kept from there.
            centers = support.origin + support.cell * (np.argwhere(support.visited) + 0.5)
            middle[0, :dim] = centers[np.linalg.norm(centers - middle[0, :dim], axis=1).argmin()]
        planner, began = Planner(self._model, settings=self._settings, constraints=self._constraints), 0.0
        for _ in range(2):
            began = time.perf_counter()
            planner.plan(
                middle,
                middle[:, :dim],
                horizon=self._horizon,
                generators=[torch.Generator().manual_seed(0)],
            )
        return time.perf_counter() - began


def main() -> None:
    """Load the weights, warm up, and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--horizon", type=int, required=True)
    parser.add_argument("--socket", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--niceness", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=NUMBER", help="a planner setting")
    parser.add_argument("--constraints", type=_constraints, default=NOTHING, help="keep_out, waypoints, … as JSON")
    arguments = parser.parse_args()
    os.nice(arguments.niceness)
    torch.set_num_threads(arguments.threads)
    model = load_forcing_model(arguments.weights)
    maker = PlanMaker(
        model,
        settings=_settings(arguments.set),
        horizon=arguments.horizon,
        constraints=arguments.constraints,
    )
    layout, plan_seconds = model.layout, maker.warm_up()
    serve_plans(
        maker,
        descriptor=arguments.socket,
        ready={
            "action_dim": layout.action_dim,
            "observation_dim": layout.observation_dim,
            "plan_seconds": plan_seconds,
        },
    )


def _constraints(text: str) -> Constraints:
    """From JSON as :meth:`Constraints.as_values` has it; nothing in it can be anything but a value.

    Raises:
        ArgumentTypeError: it is something else.
    """
    try:
        values = json.loads(text)
        if "functions" in values:
            raise ValueError("functions are no values")
        return Constraints(**values)
    except (TypeError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _settings(options: list[str]) -> PlannerSettings:
    """From ``name=number``; whole numbers where the default is whole, 1 and 0 for true and false."""
    numbers: dict[str, Any] = {}
    for name, value in (option.split("=", 1) for option in options):
        default = getattr(PlannerSettings(), name, None)
        number = int(value) if isinstance(default, int) else float(value)
        numbers[name] = bool(number) if isinstance(default, bool) else number
    return PlannerSettings(**numbers)


if __name__ == "__main__":
    main()
