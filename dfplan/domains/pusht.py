"""PushT (arXiv 2303.04137): a disc pushes a T onto a target, from what is seen of both in the last two steps."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import gymnasium
import numpy as np
from gymnasium.wrappers import FrameStackObservation

from dfplan.domains.episodes import EpisodeProtocol
from dfplan.domains.gymnasium import GymnasiumDomain
from dfplan.domains.pusht_demonstrations import as_points, demonstrations
from dfplan.domains.pusht_scene import coverage
from dfplan.evaluation.metrics import mean_interval
from dfplan.evaluation.rollout import Rollouts
from dfplan.protocol import Measures
from dfplan.types import Trajectories

if TYPE_CHECKING:
    from dfplan.planner.guidance_settings import GuidanceSettings

ENV_ID = "gym_pusht/PushT-v0"
NUM_SEEN = 2  # steps; how fast the disc is, is not observed


class PushTDomain(GymnasiumDomain):
    """See :class:`dfplan.domain.Domain`; what is observed are disc and T, by its corners, now and a step before.

    An angle would leap where it begins anew.
    """

    make_options: Mapping[str, str] = {"obs_type": "environment_state_agent_pos"}

    def __init__(self, env_id: str = ENV_ID) -> None:
        super().__init__(env_id)
        env = self.make()
        rate = env.metadata["render_fps"]  # an action is held for as long; its dt is that of the physics
        env.close()
        self.spec = replace(self.spec, step_seconds=1 / rate)

    def make(self) -> gymnasium.Env:
        """See :meth:`GymnasiumDomain.make`."""
        return FrameStackObservation(super().make(), NUM_SEEN)

    def take(self, data: Trajectories, *, say: Callable[[str], None]) -> Trajectories:
        """See :class:`dfplan.domain.Domain`; what an agent observed here itself is taken as it is."""
        recorded = data.observations.shape[1] == self.spec.observation_dim and not data.observation_names
        return super().take(data if recorded else demonstrations(data, say=say), say=say)

    def protocol(self, **options: str) -> "PushTProtocol":
        """See :class:`dfplan.domain.Domain`."""
        return PushTProtocol(self)


class PushTProtocol(EpisodeProtocol):
    """See :class:`~dfplan.protocol.EvaluationProtocol`; the best coverage in an episode is measured besides."""

    def __init__(self, domain: PushTDomain) -> None:
        super().__init__(domain)
        self.rows = {"coverage": ("best coverage", "% of the target, in an episode", 100, 1), **self.rows}

    def measure(self, rollouts: Rollouts) -> Measures:
        """See :class:`~dfplan.protocol.EvaluationProtocol`; an episode ends with success, which is a coverage."""
        measures, best = super().measure(rollouts), [float(each.max()) for each in _covered(rollouts)]
        return replace(
            measures,
            metrics={**measures.metrics, "coverage": asdict(mean_interval(np.array(best)))},
            episodes=[{**each, "coverage": found} for each, found in zip(measures.episodes, best, strict=True)],
        )

    def draw(self, rollouts: Rollouts, *, path: Path, name: str, guidance: "GuidanceSettings | None") -> Path:
        """See :class:`~dfplan.protocol.EvaluationProtocol`: T and disc."""
        from dfplan.domains.pusht_pictures import draw_scenes  # matplotlib is slow to import

        scenes = [as_points(each)[:, [1, *range(-8, 0)]] for each in rollouts.states]
        return draw_scenes(scenes, _covered(rollouts), path=path, title=name)


def _covered(rollouts: Rollouts) -> list[np.ndarray]:
    return [coverage(as_points(each)[:, -8:]) for each in rollouts.states]
