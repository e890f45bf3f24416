"""What goes before and after the policy: batching and devices only, as nothing is normalised outside the weights."""

from typing import Any

from lerobot.processor import make_default_pre_post_processors

from lerobot_policy_dfplan.configuration_dfplan import DfplanConfig


def make_dfplan_pre_post_processors(
    config: DfplanConfig, dataset_stats: dict[str, dict[str, Any]] | None = None
) -> tuple[Any, Any]:
    """LeRobot's usual pipelines; with the mapping ``IDENTITY`` they leave all values as they are."""
    return make_default_pre_post_processors(config, dataset_stats)
