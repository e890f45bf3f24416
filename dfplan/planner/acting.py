"""How weights are usually driven: as their training wrote down, or as such weights are where it wrote nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from dfplan.errors import UserError
from dfplan.models.forcing_model import ForcingModel
from dfplan.planner.settings import CHUNKS, SHORT_HORIZON, SHORT_PROBLEMS, PlannerSettings
from dfplan.settings.planning import PlanningNumbers

ACTING = "acting"  # its name in the description of a bundle
# What weights may say of a plan: all but a matrix, whose name could be that of code that an installed package brings.
TOLD = frozenset(each.name for each in fields(PlanningNumbers)) - {"matrix"}
REPLAN_ACTIONS, REPLAN_CHUNKS = 2, 4  # steps between two plans, as configs/controller has it


@dataclass(frozen=True)
class Acting:
    """How planned actions are made and carried out.

    Attributes:
        settings: of each plan.
        horizon: steps that a plan looks ahead; None is a whole episode.
        replan_every: steps between two plans.
    """

    settings: PlannerSettings
    horizon: int | None
    replan_every: int


def written(planner: Any, *, horizon: int | None, replan_every: int) -> dict[str, Any]:
    """What a bundle says of acting, as plain JSON; of a planner those of :data:`TOLD`.

    What is as everywhere is left out; so is guidance, which is asked for, not usual.
    """
    usual = PlanningNumbers()
    told = {name: getattr(planner, name) for name in sorted(TOLD) if getattr(planner, name) != getattr(usual, name)}
    return {"planner": told, "horizon": horizon, "replan_every": replan_every}


def usual_acting(model: ForcingModel) -> Acting:
    """How weights that plan actions are driven where nobody says it.

    Raises:
        UserError: what their description says of it cannot be.
    """
    told = model.metadata.get(ACTING)
    if told is None:
        is_chunk = model.num_tokens == 1
        return Acting(
            CHUNKS if is_chunk else SHORT_PROBLEMS, SHORT_HORIZON, REPLAN_CHUNKS if is_chunk else REPLAN_ACTIONS
        )
    if not isinstance(told, Mapping) or not isinstance(told.get("planner"), Mapping) or set(told["planner"]) - TOLD:
        raise UserError(f"{ACTING} of the weights must have planner: settings of a plan by name; got {told!r:.80}")
    often: Any = told.get("replan_every")
    horizon: Any = told.get("horizon")
    _check_steps(replan_every=often, **({} if horizon is None else {"horizon": horizon}))
    return Acting(PlannerSettings(**told["planner"]), horizon, often)


def _check_steps(**told: Any) -> None:
    for name, steps in told.items():
        if type(steps) is not int or steps < 1:
            raise UserError(f"{ACTING}.{name} of the weights must be a whole number from 1 on; got {steps!r}")
