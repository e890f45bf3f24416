"""dfplan's planner program, late: ``late_planner.py --least-seconds=0.07`` and the options of the real one."""

import sys
import time
from typing import Any

from dfplan.realtime import planner_program


class LatePlanMaker(planner_program.PlanMaker):
    """Takes ``least_seconds`` for a plan, unless it takes longer anyway."""

    least_seconds = 0.0

    def __call__(self, request: Any) -> Any:
        """See :class:`PlanMaker`."""
        began = time.perf_counter()
        answer = super().__call__(request)
        time.sleep(max(0.0, began + self.least_seconds - time.perf_counter()))
        return answer


if __name__ == "__main__":
    late = next(argument for argument in sys.argv if argument.startswith("--least-seconds="))
    sys.argv.remove(late)
    LatePlanMaker.least_seconds = float(late.split("=")[1])
    planner_program.PlanMaker = LatePlanMaker
    planner_program.main()
