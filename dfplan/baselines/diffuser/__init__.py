"""Diffuser for mazes (arXiv 2205.09991), written from its published description: network, data, sampler, tracker."""

from dfplan.baselines.diffuser.model import DiffuserModel, is_diffuser, load_diffuser
from dfplan.baselines.diffuser.planner import DiffuserPlanner
from dfplan.baselines.diffuser.task import DiffuserTask
from dfplan.baselines.diffuser.temporal_unet import TemporalUnet
from dfplan.baselines.diffuser.tracker import StateTracker
from dfplan.baselines.diffuser.windows import LimitsNormalizer, SegmentWindows

__all__ = [
    "DiffuserModel",
    "DiffuserPlanner",
    "DiffuserTask",
    "LimitsNormalizer",
    "SegmentWindows",
    "StateTracker",
    "TemporalUnet",
    "is_diffuser",
    "load_diffuser",
]
