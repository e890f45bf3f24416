"""dfplan's planner program, made slower: ``slow_planner.py --slowdown=50`` and the options of the real one."""

import sys
import time
from typing import Any

from dfplan.realtime import planner_program


class SlowPlanMaker(planner_program.PlanMaker):
    """Takes ``slowdown`` times as long for a plan."""

    slowdown = 1.0

    def __call__(self, request: Any) -> Any:
        """See :class:`PlanMaker`."""
        began = time.perf_counter()
        answer = super().__call__(request)
        time.sleep((self.slowdown - 1) * (time.perf_counter() - began))
        return answer


if __name__ == "__main__":
    slow = next(argument for argument in sys.argv if argument.startswith("--slowdown="))
    sys.argv.remove(slow)
    SlowPlanMaker.slowdown = float(slow.split("=")[1])
    planner_program.PlanMaker = SlowPlanMaker
    planner_program.main()
