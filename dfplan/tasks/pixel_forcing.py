"""The planner that sees by keypoints: task=forcing, with defaults of their own (configs/task/pixel-forcing.yaml)."""

from dfplan.tasks.forcing import Settings, build

__all__ = ["Settings", "build"]
