"""dfplan as a LeRobot policy: LeRobot imports every installed ``lerobot_policy_*`` package, which registers it."""

from lerobot_policy_dfplan.configuration_dfplan import DfplanConfig
from lerobot_policy_dfplan.modeling_dfplan import DfplanPolicy
from lerobot_policy_dfplan.processor_dfplan import make_dfplan_pre_post_processors

__all__ = ["DfplanConfig", "DfplanPolicy", "make_dfplan_pre_post_processors"]
