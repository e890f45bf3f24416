"""The mazes as a domain: what commands ask of them, by state and by sight."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from dfplan.arrays import numbers_of
from dfplan.blocks import PICTURE, Frames
from dfplan.domain import PlanScorer, Situation, Spec
from dfplan.domains.camera import load_camera
from dfplan.domains.maze.dynamics import fit_dynamics
from dfplan.domains.maze.environment import load_maze, shows_frames, step_seconds
from dfplan.domains.maze.layouts import layout_of
from dfplan.domains.maze.protocol import MazeProtocol
from dfplan.domains.maze.resynthesis import resynthesise
from dfplan.domains.maze.scorer import PointMassScorer
from dfplan.domains.maze.sources import check_trajectories, default_num_steps, generate_file, load_trajectories
from dfplan.errors import UserError
from dfplan.scorers.support import measure_support
from dfplan.settings.resynthesis import ResynthesisSettings
from dfplan.types import Bounds, Plan, Support, Trajectories


class MazeDomain:
    """See :class:`dfplan.domain.Domain`; observations are positions, then velocities, and goals are positions.

    Args:
        env_id: such as ``maze2d-large-v1`` or ``pixelmaze-large-v1``.

    Raises:
        UserError: it is no maze.
    """

    options = frozenset({"goal", "goal_given", "view", "vectorization", "tokenizer", "agent", "ddim_steps"})
    procedure = frozenset({"noise"})
    can_resynthesise = tells_goals = True
    achieved_apart = False
    tasks = None

    def __init__(self, env_id: str) -> None:
        self.env_id = env_id
        self.maze = load_maze(env_id)
        self.shows_frames = shows_frames(env_id)
        self.spec = Spec(
            observation_dim=4,
            action_bounds=Bounds(-np.ones(2, np.float32), np.ones(2, np.float32)),
            goal_dim=2,
            episode_steps=self.maze.max_episode_steps,
            step_seconds=step_seconds(env_id),
        )

    def load(
        self,
        source: str,
        *,
        say: Callable[[str], None],
        cache_folder: Path,
        leave_out: Sequence[int] = (),
        bar: Callable[[str], Any],
    ) -> Trajectories:
        """See :class:`dfplan.domain.Domain`; "generated" and "d4rl" are data sets, too."""
        with bar(f"data of {self.env_id}") as show:
            return load_trajectories(
                source,
                env_id=self.env_id,
                cache_folder=cache_folder,
                leave_out=leave_out,
                say=say,
                on_progress=show,
            )

    def generate(
        self,
        path: Path,
        *,
        num_steps: int | None,
        on_progress: Callable[[int, int], None],
        say: Callable[[str], None],
        **how: Any,
    ) -> None:
        """See :class:`dfplan.domain.Domain`: by D4RL's procedure, of states; a maze of one's own is shown."""
        if layout_of(self.env_id):
            say("\n".join(self.maze.layout))
        steps = num_steps or default_num_steps(self.env_id)
        generate_file(path, env_id=self.env_id, num_steps=steps, on_progress=on_progress, **how)

    def take(self, data: Trajectories, *, say: Callable[[str], None]) -> Trajectories:
        """See :class:`dfplan.domain.Domain`."""
        return check_trajectories(data, env_id=self.env_id, say=say)

    def show(self, data: Trajectories) -> Trajectories:
        """See :class:`dfplan.domain.Domain`: by sight, what the camera shows of positions, and nothing beside it."""
        if not self.shows_frames:
            return data
        pictures = Frames.drawn(data.observations[:, :2], load_camera(self.env_id).render, of=self.env_id)
        return replace(data, observations=data.observations[:, :0], observation_names=(), pictures={PICTURE: pictures})

    def fit_scorer(self, data: Trajectories) -> PointMassScorer:
        """See :class:`dfplan.domain.Domain`: how the ball is pushed, and where it was."""
        return PointMassScorer(fit_dynamics(data), measure_support(data), goal_radius=self.maze.goal_radius)

    def resynthesise(
        self, data: Trajectories, resynthesis: ResynthesisSettings, *, scorer: Any, **how: Any
    ) -> Trajectories:
        """See :class:`dfplan.domain.Domain`; drives by the shooting tracker."""
        from dfplan.domains.maze.shooting import ShootingTracker

        known = {name: getattr(scorer, name) for name in ("goal_radius", "support")}
        driver = ShootingTracker(scorer.dynamics, tube=resynthesis.tube, **known)
        return resynthesise(data, driver, resynthesis, dynamics=scorer.dynamics, **known, **how)

    def with_map(self, scorer: PlanScorer) -> PointMassScorer:
        """See :class:`dfplan.domains.find.HasMap`: where the ball can be."""
        from dfplan.domains.maze.oracle import DistanceMap

        if not isinstance(scorer, PointMassScorer):
            raise UserError("planner.map=told is for weights that know how the ball moves: train some in a maze")
        # The grid begins at -1 and is twice as fine; only within the walls all around lies what can be reached.
        free = DistanceMap(self.maze.walls).free[4:-12:2, 4:-12:2]
        return scorer.with_map(Support(free, origin=np.full(2, -0.8), cell=0.1))

    def achieved_goal(self, observations: np.ndarray) -> np.ndarray:
        """See :class:`dfplan.domain.Domain`: the position."""
        return observations[..., :2]

    def seen(self, env: gymnasium.Env[Any, Any], observed: Any) -> tuple[np.ndarray, np.ndarray]:
        """See :class:`dfplan.domain.Domain`; the goal stands in the observation, or is an attribute of the maze."""
        shown, place = observed, None
        if isinstance(observed, Mapping):
            shown, place = observed.get("observation"), observed.get("desired_goal")
        if place is None and not env.has_wrapper_attr("goal"):
            raise UserError(
                f"{env} tells no goal: neither 'desired_goal' in its observations nor an attribute 'goal'; wrap it in "
                "dfplan.agent.GoalObservation"
            )
        named = ("goal", env.get_wrapper_attr("goal")) if place is None else ("desired_goal", place)
        return numbers_of("observation", shown), np.array(numbers_of(*named), np.float64)

    def situation(self, *, start: Sequence[float] | None, goal: Sequence[float] | None, seed: int) -> Situation:
        """See :class:`dfplan.domain.Domain`: at rest; by default from the first start cell to the maze's own goal."""
        places = (start or self.maze.free_cells[0].tolist(), goal or list(self.maze.goal_cell))
        for name, place in zip(("start", "goal"), places, strict=True):
            if len(place) != self.spec.goal_dim:
                raise UserError(f"{name} must be 2 numbers, for instance {name}=1,1; got {list(place)}")
            self.check_place(name, place)
        first, last = (np.array(place, np.float64) for place in places)
        return Situation(
            np.concatenate([first, np.zeros(2)]),
            last,
            f"from {_pair(first)} to {_pair(last)}",
            frames=load_camera(self.env_id).render(np.stack([first, last])) if self.shows_frames else None,
        )

    def check_place(self, name: str, place: Sequence[float]) -> None:
        """See :class:`dfplan.domain.Domain`; names the nearest free point."""
        position = np.array(place, dtype=np.float64)
        if self.maze.contains_wall(position):
            free = _pair(self.maze.nearest_free_point(position).round(2))
            raise UserError(
                f"{name}={_pair(position)} lies in a wall or outside the maze; the nearest free point is {name}={free}"
            )

    def controllers(self) -> Mapping[str, Callable[..., Any]]:
        """See :class:`dfplan.domain.Domain`: the tracker of paths, and Diffuser's of states."""
        from dfplan.baselines.diffuser import StateTracker
        from dfplan.domains.maze.shooting import ShootingTracker

        def shooting(model: Any, constraints: Any = None, **chosen: Any) -> ShootingTracker:
            return ShootingTracker(model.dynamics, goal_radius=model.goal_radius, constraints=constraints, **chosen)

        return {"shooting": shooting, "tracker": lambda *_, **__: StateTracker()}

    def agents(self) -> Mapping[str, Callable[[], Any]]:
        """See :class:`dfplan.domain.Domain`: two drivers with privileged information."""
        from dfplan.domains.maze.oracle import OracleAgent
        from dfplan.domains.maze.waypoints import WaypointAgent

        return {
            "waypoints": lambda: WaypointAgent(self.maze.walls),
            "oracle": lambda: OracleAgent(self.maze.walls, goal_radius=self.maze.goal_radius),
        }

    def planners(self) -> Mapping[str, Callable[..., Any]]:
        """See :class:`dfplan.domain.Domain`: the shortest path over the positions that the data visited."""
        from dfplan.domains.maze.grid import GridPlanner

        def plan_on_grid(model: Any, *, margin: float) -> GridPlanner:
            return GridPlanner(model.support, dynamics=model.dynamics, goal_radius=model.goal_radius, margin=margin)

        return {"grid": plan_on_grid}

    def protocol(self, **options: str) -> MazeProtocol:
        """See :class:`dfplan.domain.Domain`; the arguments are those of :class:`MazeProtocol`."""
        if not self.shows_frames:
            options.pop("view", None)
        elif "view" in options:
            load_camera(self.env_id, view=options["view"])  # says in one line what it lacks
        return MazeProtocol(self.env_id, **options)  # type: ignore[arg-type]

    def remark(self, plan: Plan) -> str:
        """See :class:`dfplan.domain.Domain`: how much of it lies in walls."""
        points = plan.observations[0, : int(plan.num_steps[0]) // plan.steps_per_point, :2]
        return f"{float(self.maze.contains_wall(points).mean()):.0%} of its points lie in walls"

    def draw_plan(self, plan: Plan, situation: Situation, *, path: Path, title: str, **shown: Any) -> Path:
        """See :class:`dfplan.domain.Domain`: over the maze."""
        from dfplan.domains.maze.pictures import draw_plan  # matplotlib is slow to import

        return draw_plan(plan, path=path, title=title, **self._ends(situation), **shown)

    def draw_tree(self, trees: Any, situation: Situation, *, path: Path, title: str) -> Path:
        """See :class:`dfplan.domain.Domain`: over the maze, and beside it which plan leaves which."""
        from dfplan.domains.maze.tree_pictures import draw_tree, drawn_plans

        drawn = drawn_plans(trees)
        answer = int(np.argmax([plan.value for plan in drawn]))
        return draw_tree(drawn, answer=answer, path=path, title=title, **self._ends(situation))

    def _ends(self, situation: Situation) -> dict[str, Any]:
        return {"maze": self.maze, "start": situation.observation[:2], "goal": situation.goal}


def _pair(position: np.ndarray) -> str:
    return ",".join(f"{value:g}" for value in position)
