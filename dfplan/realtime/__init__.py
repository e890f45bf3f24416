"""Acting on time, every time: the planner in a process of its own, and a loop that never waits for it."""

from dfplan.realtime.agent import RealtimeAgent
from dfplan.realtime.episode import ActInfo, Patience
from dfplan.realtime.followers import ActionQueue, Follower, PathFollower
from dfplan.realtime.gate import ObservationGate
from dfplan.realtime.loop import LoopReport, run_loop
from dfplan.realtime.priority import undisturbed
from dfplan.realtime.process import PlannerProcess
from dfplan.realtime.supervisor import PlanningSupervisor

__all__ = [
    "ActInfo",
    "ActionQueue",
    "Follower",
    "LoopReport",
    "ObservationGate",
    "PathFollower",
    "Patience",
    "PlannerProcess",
    "PlanningSupervisor",
    "RealtimeAgent",
    "run_loop",
    "undisturbed",
]
