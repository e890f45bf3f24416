"""Training: one loop for every task."""

from dfplan.training.log import Logger, wandb_logger
from dfplan.training.loop import TrainingResult, train
from dfplan.training.settings import Settings
from dfplan.training.task import Dataset, Task

__all__ = ["Dataset", "Logger", "Settings", "Task", "TrainingResult", "train", "wandb_logger"]
