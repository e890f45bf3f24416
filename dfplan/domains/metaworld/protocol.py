"""How Meta-World is evaluated: as any environment, and of several tasks the success of each besides."""

from dataclasses import replace

import numpy as np

from dfplan.domains.episodes import EpisodeProtocol
from dfplan.evaluation.rollout import Rollouts
from dfplan.protocol import Measures


class TasksProtocol(EpisodeProtocol):
    """See :class:`~dfplan.protocol.EvaluationProtocol`; an episode ends with its first success."""

    def measure(self, rollouts: Rollouts) -> Measures:
        """See :class:`~dfplan.protocol.EvaluationProtocol`."""
        measures, of_task = super().measure(rollouts), dict[str, list[bool]]()
        for number, episode in enumerate(measures.episodes):
            options = self.environments.reset_options(number) or {}
            of_task.setdefault(str(options["task"]), []).append(bool(episode["success"]))
        told = {task: float(np.mean(success)) for task, success in of_task.items()}
        return replace(measures, facts={**measures.facts, "success_of_each_task": told})
