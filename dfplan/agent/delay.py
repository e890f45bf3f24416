"""What an agent does while a plan is being made, and what its planner is told of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dfplan.agent.controllers import PlannedActions
from dfplan.arrays import check_whole
from dfplan.errors import UserError


@dataclass(frozen=True)
class InferenceDelay:
    """Plans take steps to make (names as LeRobot has them).

    The plan that is made of the observation of step t is there at step t + delay; until then goes on what is left of
    the plan before::

        step     t               …        t + delay
        planner  ●────────────────────────▶
        acted    left of the plan before  the new plan, from its action number ``delay`` on

    What is left is told to the planner, which plans on from there: those actions stand in front of the new plan as
    known tokens, so that the two join without a seam. The first plan of an episode is waited for; none is asked for
    while another is under way.

    Attributes:
        steps: after which a plan is there; more than 0 needs a controller that plays plans back.
        prev_chunk_left_over: whether the planner is told what is done in the meantime; if not, it plans as if it could
            act at once.

    Raises:
        UserError: less than no step.
    """

    steps: int = 0
    prev_chunk_left_over: bool = True

    def __post_init__(self) -> None:
        check_whole(0, inference_delay=self.steps)

    def check(self, planner: Any, controller: Any) -> None:
        """Refuse those that cannot work with it.

        Raises:
            UserError: the controller leaves no actions, or the planner cannot be told of them.
        """
        if self.steps and not isinstance(controller, PlannedActions):
            raise UserError(
                f"inference_delay={self.steps} needs a controller that plays plans back, as of others no actions "
                f"are left; got {type(controller).__name__}: use PlannedActions (controller=actions)"
            )
        if self.steps and self.prev_chunk_left_over and not getattr(planner, "supports_rtc", False):
            raise UserError(
                f"{type(planner).__name__} cannot be told which actions a plan has to begin with; give "
                "prev_chunk_left_over=false, or a planner that can (planner.search=candidates)"
            )

    def horizon(self, planner: Any, horizon: int, *, replan_every: int) -> int:
        """Steps to look ahead: what is carried out at least, and no more where what comes later changes nothing."""
        carried_out = max(replan_every, self.steps) + self.steps  # until the next plan is there
        if self.steps:
            horizon = max(horizon, carried_out)
        return horizon if getattr(planner, "looks_ahead", True) else min(horizon, carried_out)

    def meantime(
        self, controller: Any, indices: np.ndarray, *, first: np.ndarray
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the controller is told with a new plan, and the planner before it; nothing without a delay.

        Args:
            controller: as of :meth:`check`.
            indices: environments that are planned for.
            first: ``(len(indices),)`` bool, for which of them it is the first plan.
        """
        if not self.steps:
            return {}, {}
        delays = np.where(first, 0, self.steps)
        if not self.prev_chunk_left_over:
            return {"delays": delays}, {}
        rows = zip(indices.tolist(), delays.tolist(), strict=True)
        return {"delays": delays}, {"committed": [controller.upcoming(row, delay) for row, delay in rows]}


AT_ONCE = InferenceDelay()
