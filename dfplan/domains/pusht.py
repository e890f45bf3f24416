"""PushT (arXiv 2303.04137): a disc pushes a T onto a target, from what is seen of both in the last two steps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import gymnasium
import numpy as np
from gymnasium.wrappers import FrameStackObservation

from dfplan.blocks import Frames
from dfplan.domains.episodes import EpisodeProtocol
from dfplan.domains.gymnasium import GymnasiumDomain
from dfplan.domains.pusht_demonstrations import as_points, demonstrations
from dfplan.domains.pusht_scene import ENOUGH, ENV_ID, NUM_SEEN, PIXELS_ID, coverage, draw
from dfplan.evaluation.metrics import mean_interval
from dfplan.evaluation.rollout import Rollouts
from dfplan.protocol import Measures
from dfplan.types import Trajectories

import dfplan.viz  # noqa: F401  # isort: skip  (first: it sees to a notebook's backend)
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from dfplan.domains.pusht_scene import SIDE, TARGET, TARGET_ANGLE, corners
from dfplan.viz.figures import save

if TYPE_CHECKING:
    from dfplan.planner.guidance_settings import GuidanceSettings

NUM_SHOWN = 2 * NUM_SEEN  # numbers of a state that are shown beside pictures: where the disc is


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


class PixelPushTDomain(PushTDomain):
    """See :class:`dfplan.domain.Domain`; what is shown are pictures, and where the disc is, now and a step before.

    Data are states, of which pictures are drawn when they are asked for, or pictures as they were recorded.
    """

    make_options: Mapping[str, str] = {}

    def __init__(self, env_id: str = PIXELS_ID) -> None:
        super().__init__(env_id)

    def make(self) -> gymnasium.Env:
        """See :meth:`GymnasiumDomain.make`."""
        return GymnasiumDomain.make(self)

    def take(self, data: Trajectories, *, say: Callable[[str], None]) -> Trajectories:
        """See :class:`dfplan.domain.Domain`."""
        return GymnasiumDomain.take(self, data, say=say) if data.pictures else PushTDomain().take(data, say=say)

    def show(self, data: Trajectories) -> Trajectories:
        """See :class:`dfplan.domain.Domain`."""
        if data.pictures:
            return data
        frames = Frames.drawn(data.observations, _pictures_of, of=self.env_id)
        return replace(data, observations=data.observations[:, :NUM_SHOWN], pictures={"pixels": frames})

    def protocol(self, **options: str) -> "PixelPushTProtocol":
        """See :class:`dfplan.domain.Domain`."""
        return PixelPushTProtocol(self)


def _pictures_of(states: np.ndarray) -> np.ndarray:
    """Pictures ``(n, 2, 96, 96, 3)`` of states: discs, then corners, of two steps each."""
    points = as_points(states)
    scenes = (points[:, [step, *range(NUM_SEEN + 8 * step, NUM_SEEN + 8 * step + 8)]] for step in range(NUM_SEEN))
    return np.stack([draw(each) for each in scenes], axis=1)


class PushTProtocol(EpisodeProtocol):
    """See :class:`~dfplan.protocol.EvaluationProtocol`; the best coverage in an episode is measured besides."""

    def __init__(self, domain: PushTDomain) -> None:
        super().__init__(domain)
        self.rows = {"coverage": ("best coverage", "% of the target, in an episode", 100, 1), **self.rows}

    def measure(self, rollouts: Rollouts) -> Measures:
        """See :class:`~dfplan.protocol.EvaluationProtocol`; an episode ends with success, which is a coverage."""
        measures, best = super().measure(rollouts), [float(each.max()) for each in self.covered(rollouts)]
        return replace(
            measures,
            metrics={**measures.metrics, "coverage": asdict(mean_interval(np.array(best)))},
            episodes=[{**each, "coverage": found} for each, found in zip(measures.episodes, best, strict=True)],
        )

    def draw(self, rollouts: Rollouts, *, path: Path, name: str, guidance: "GuidanceSettings | None") -> Path:
        """See :class:`~dfplan.protocol.EvaluationProtocol`: T and disc."""
        from dfplan.domains.pusht import draw_scenes  # matplotlib is slow to import

        scenes = [as_points(each)[:, [1, *range(-8, 0)]] for each in rollouts.states]
        return draw_scenes(scenes, self.covered(rollouts), path=path, title=name)

    def covered(self, rollouts: Rollouts) -> list[np.ndarray]:
        """Share of the target that is covered, of each episode at every step ``(steps,)``."""
        return [coverage(as_points(each)[:, -8:]) for each in rollouts.states]


class PixelPushTProtocol(PushTProtocol):
    """The same, by what is earned, for the T is not kept: what is covered beyond a success does not count."""

    def covered(self, rollouts: Rollouts) -> list[np.ndarray]:
        """See :class:`PushTProtocol`."""
        return [ENOUGH * np.asarray(each) for each in rollouts.rewards]

    def draw(self, rollouts: Rollouts, *, path: Path, name: str, guidance: "GuidanceSettings | None") -> Path:
        """See :class:`~dfplan.protocol.EvaluationProtocol`."""
        return EpisodeProtocol.draw(self, rollouts, path=path, name=name, guidance=guidance)


MOST_SHOWN, COLUMNS = 12, 4
GREEN, GREY, BLUE = "#009E73", "#444444", "#0072B2"


def draw_scenes(scenes: Sequence[np.ndarray], covered: Sequence[np.ndarray], *, path: Path, title: str) -> Path:
    """Draw the first episodes.

    Args:
        scenes: disc and corners ``(steps + 1, 9)`` of each episode.
        covered: shares of the target ``(steps + 1,)`` likewise.
        path: where to.
        title: above the picture.

    Returns:
        ``path``.
    """
    shown = min(len(scenes), MOST_SHOWN)
    rows = -(-shown // COLUMNS)
    figure = Figure(figsize=(2.6 * COLUMNS, 2.8 * rows), layout="constrained", dpi=110)
    axes = figure.subplots(rows, COLUMNS, squeeze=False).reshape(-1)
    for axis, scene, share in zip(axes, scenes, covered, strict=False):
        best = int(np.argmax(share))
        _draw_t(axis, corners(np.array(TARGET), np.array(TARGET_ANGLE)), color=GREEN, alpha=0.35)
        _draw_t(axis, scene[0, 1:], color=GREY, alpha=0.2)
        _draw_t(axis, scene[best, 1:], color=GREY, alpha=0.7)
        axis.plot(np.real(scene[: best + 1, 0]), np.imag(scene[: best + 1, 0]), color=BLUE, linewidth=0.8)
        axis.set_title(f"{100 * share[best]:.0f} % at step {best}", fontsize="small")
    for axis in axes:
        axis.set(xlim=(0, SIDE), ylim=(SIDE, 0), aspect="equal", xticks=[], yticks=[])
    for axis in axes[shown:]:
        axis.set_axis_off()
    figure.suptitle(f"{title}\ngreen: target; grey: T at first, and at its best; blue: way of the disc until then")
    return save(figure, path)


def _draw_t(axis: Axes, found: np.ndarray, **how: float | str) -> None:
    for part in (found[:4], found[4:]):
        axis.add_patch(Polygon(np.stack([np.real(part), np.imag(part)], axis=1), linewidth=0, **how))  # type: ignore[arg-type]
