"""OGBench's point mazes as a domain: any environment of Gymnasium's with goals, of which data can be made."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from dfplan.data.d4rl_file import generated_file
from dfplan.domain import Situation
from dfplan.domains.gymnasium import GymnasiumDomain
from dfplan.domains.ogbench.environment import TASKS, maze_and_kind
from dfplan.domains.ogbench.generate import NOISE, generate
from dfplan.domains.ogbench.protocol import PointMazeProtocol
from dfplan.domains.ogbench.splice import splice
from dfplan.scorers import VisitedScorer
from dfplan.scorers.support import measure_support
from dfplan.settings.resynthesis import ResynthesisSettings
from dfplan.types import Plan, Trajectories

CELL = 0.5  # environment units, of the map of visited places; corridors are 2.6 wide to a point
LEAP = 3.0  # times a long usual step: nothing walks as far, so a teleporter was there


class PointMazeDomain(GymnasiumDomain):
    """See :class:`dfplan.domain.Domain`; observations and goals are places, and nothing tells how fast one is.

    Args:
        env_id: such as ``ogbench/pointmaze-giant-stitch-v0``.
    """

    procedure = frozenset({"noise"})
    options = frozenset({"agent"})
    can_resynthesise = True

    def __init__(self, env_id: str) -> None:
        self.maze_name, self.kind = maze_and_kind(env_id)
        super().__init__(env_id)
        self.spec = replace(self.spec, observation_dim=self.spec.goal_dim)  # which is shown twice

    @property
    def achieved_apart(self) -> bool:
        """See :class:`dfplan.domain.Domain`: it is all that is observed."""
        return False

    def observation(self, observed: Any) -> np.ndarray:
        """See :class:`GymnasiumDomain`: the place."""
        return np.asarray(observed["observation"], np.float32)

    def reset_options(self, episode: int) -> dict[str, Any]:
        """See :class:`GymnasiumDomain`: one task after the other."""
        return {"task": TASKS[episode % len(TASKS)]}

    def generate(
        self,
        path: Path,
        *,
        num_steps: int | None,
        on_progress: Callable[[int, int], None],
        say: Callable[[str], None],
        seed: int,
        noise: float | None = None,
    ) -> None:
        """See :class:`dfplan.domain.Domain`: by OGBench's procedure, on as many processors as there are."""
        generate(
            path,
            env_id=self.env_id,
            maze=self.maze_name,
            kind=self.kind,
            noise=NOISE if noise is None else noise,
            num_steps=num_steps,
            seed=seed,
            num_processes=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
            on_progress=on_progress,
        )

    def load(self, source: str, *, say: Callable[[str], None], **how: Any) -> Trajectories:
        """See :class:`dfplan.domain.Domain`; "generated" is made unless it lies in the cache."""
        if source != "generated":
            return super().load(source, say=say, **how)
        path = generated_file(how["cache_folder"], env_id=self.env_id)
        if not path.is_file():
            say(f"generating data of {self.env_id} into {path}, this once")
            path.parent.mkdir(parents=True, exist_ok=True)
            with how["bar"](f"data of {self.env_id}") as show:
                self.generate(path, num_steps=None, seed=0, on_progress=show, say=say)
        return super().load(str(path), say=say)

    def take(self, data: Trajectories, *, say: Callable[[str], None]) -> Trajectories:
        """See :class:`dfplan.domain.Domain`: cut where a teleporter was, as nothing can be planned through it."""
        return without_leaps(super().take(data, say=say), say=say)

    def fit_scorer(self, data: Trajectories) -> VisitedScorer:
        """See :class:`dfplan.domain.Domain`: by where the data were."""
        # One visit will do: nothing is noise here, and some corridors are hardly ever gone through.
        support = measure_support(data, goal_dim=self.spec.goal_dim, cell=CELL, least_visits=1)
        return VisitedScorer(self.goal_radius or 1.0, support)

    def resynthesise(
        self, data: Trajectories, resynthesis: ResynthesisSettings, *, scorer: VisitedScorer, **how: Any
    ) -> Trajectories:
        """See :class:`dfplan.domain.Domain`: spliced; of the settings, how many steps, and of standing, count."""
        asked = {"num_steps": resynthesis.num_steps, "hold": resynthesis.shortest_hold}
        return splice(data, scorer.support, within=scorer.goal_radius, **asked, **how)

    def controllers(self) -> Mapping[str, Callable[..., Any]]:
        """See :class:`dfplan.domain.Domain`: the planned actions, of plans as long as an episode."""
        from dfplan.agent.controllers import PlannedActions  # with torch, of which data need none

        return {"actions": lambda *_, **__: PlannedActions(self.spec.action_bounds.low.size)}

    def planners(self) -> Mapping[str, Callable[..., Any]]:
        """See :class:`dfplan.domain.Domain`: the shortest path over the places that the data visited."""
        from dfplan.domains.ogbench.grid import GridPlanner

        def plan_on_grid(model: Any, *, margin: float) -> GridPlanner:
            return GridPlanner(model.support, goal_radius=model.goal_radius, margin=margin)

        return {"grid": plan_on_grid}

    def agents(self) -> Mapping[str, Callable[[], Any]]:
        """See :class:`dfplan.domain.Domain`: none that needs no map."""
        return {}

    def protocol(self, **options: str) -> PointMazeProtocol:
        """See :class:`dfplan.domain.Domain`; there are no options."""
        return PointMazeProtocol(self)

    def draw_plan(self, plan: Plan, situation: Situation, *, path: Path, title: str, **shown: Any) -> Path:
        """See :class:`dfplan.domain.Domain`: over the maze."""
        from dfplan.domains.ogbench.protocol import draw_ways  # matplotlib is slow to import

        last = min(int(plan.arrival[0]), int(plan.num_steps[0])) // plan.steps_per_point
        way = np.concatenate([situation.observation[None], plan.observations[0, : max(last, 1)]])
        return draw_ways(self.protocol().scene(), {"plan": [way]}, goals=situation.goal[None], path=path, title=title)

    def _measure_radius(self, env: gymnasium.Env) -> float:
        """See :class:`GymnasiumDomain`: the package's own."""
        return float(env.unwrapped.maze._goal_tol)  # type: ignore[attr-defined]


def without_leaps(data: Trajectories, *, say: Callable[[str], None]) -> Trajectories:
    """Episodes cut where a step is several times as long as others are.

    The place before, in the teleporter, is left out: nobody stays there. So is what is left of one row alone.
    """
    inside = np.ones(len(data), bool)
    inside[data.starts[1:] - 1] = False
    rows = np.flatnonzero(inside)
    steps = np.linalg.norm(data.observations[rows + 1] - data.observations[rows], axis=1)
    leaps = rows[steps > LEAP * np.quantile(steps, 0.9)] if len(rows) else rows
    if not len(leaps):
        return data
    starts = np.union1d(data.starts, [leaps, leaps + 1])
    lengths = np.diff(starts)
    kept = np.repeat(lengths > 1, lengths)
    say(f"{data.source}: cut at {len(leaps)} steps that nothing walks, which teleporters made: plans do without them")
    rest = {name: values[kept] for name, values in data.per_row().items()}
    return replace(data, starts=np.append(0, np.cumsum(lengths[lengths > 1])), **rest)
