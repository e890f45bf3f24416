"""Any environment of Gymnasium with boxes for spaces: sizes, data, rewards and goals as the environment has them.

A dict of boxes is flattened by name. Where the environment is one with goals, as Gymnasium-Robotics has them, what is
achieved stands in front of the observation, and the goal is handed over apart.
"""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from dfplan.blocks import deviation, is_mapped, rows_of, rows_where, stacked
from dfplan.domain import PlanScorer, Situation
from dfplan.domains import pusht_scene
from dfplan.domains.episodes import EpisodeProtocol
from dfplan.domains.metaworld import environment as metaworld
from dfplan.domains.ogbench import environment as ogbench
from dfplan.domains.pictured import as_shown, check_pictures, pictures_in, without_pictures
from dfplan.domains.spaces import as_goal, as_observation, goal_like, has_goals, names_of, read_spec
from dfplan.domains.tried import Tried
from dfplan.errors import UserError
from dfplan.scorers import GoalScorer, ReturnScorer, fit_value
from dfplan.types import Plan, Trajectories

# Packages by which the ids of their environments begin, and what of dfplan brings them.
EXTRAS = {"gym_pusht": "pusht"}
# Packages that register environments when they are imported; asked where an id is not known without.
REGISTERING = ("gymnasium_robotics", "ogbench", *EXTRAS)
DISCOUNT = 0.97  # a step; the horizon that a value at the end looks beyond is some 33 steps
ROUNDING = 1e-3  # of the span of an action, by which data may lie outside
NUM_HALVINGS = 40
MAZE_SOURCES = ("generated", "d4rl")  # data that only the mazes have


def register_known(env_id: str) -> None:
    """Have Gymnasium import the installed packages that may register an environment that it does not know yet.

    Raises:
        UserError: the id names the package that registers it, which is not installed.
    """
    metaworld.register()
    pusht_scene.register()
    ogbench.register()
    named = env_id.partition("/")[0]
    for package in (named,) if named in EXTRAS else REGISTERING:
        if env_id in gymnasium.registry:
            return
        if importlib.util.find_spec(package) is not None:
            with suppress(gymnasium.error.Error, ImportError, AssertionError, TypeError):  # the import alone matters
                gymnasium.make(f"{package}:{env_id}", disable_env_checker=True).close()
        elif named in EXTRAS:
            raise UserError(f"env={env_id} comes with a package: pip install 'dfplan[{EXTRAS[named]}]'")


def is_of_robotics(env_id: str) -> bool:
    """Whether an environment comes with Gymnasium-Robotics."""
    return str(gymnasium.spec(env_id).entry_point).startswith("gymnasium_robotics")


class GymnasiumDomain:
    """See :class:`dfplan.domain.Domain`.

    Args:
        env_id: of an environment with boxes for observations and actions.

    Raises:
        UserError: there is no such environment, or its spaces are others.
    """

    options: frozenset[str] = frozenset()
    procedure: frozenset[str] = frozenset()
    tasks: frozenset[str] | None = frozenset({"forcing", "lora", "behaviour-cloning", "inverse-dynamics"})
    shows_frames = can_resynthesise = False
    pictures: Mapping[str, tuple[int, ...]] = {}  # shapes of what cameras show, by their names
    tells_goals = True
    make_options: Mapping[str, Any] = {}  # of the environment, where a domain wants others than it has

    def __init__(self, env_id: str) -> None:
        self.env_id = env_id
        env = self.make()
        try:
            self.has_goals = has_goals(env.observation_space)
            self.pictures = pictures_in(env.observation_space)
            self.shows_frames = bool(self.pictures)
            if self.pictures and self.tasks:
                self.tasks |= {"autoencoder"}
            self.spec = read_spec(env)
            self.observation_names = names_of(env.observation_space)
            self.goal_radius = self._measure_radius(env) if self.has_goals else None
        finally:
            env.close()

    def make(self) -> gymnasium.Env:
        """A new environment.

        Raises:
            UserError: it cannot be made.
        """
        try:
            register_known(self.env_id)
            return Tried(gymnasium.make(self.env_id, disable_env_checker=True, **self.make_options))
        except ImportError as error:
            raise UserError(f"env={self.env_id} lacks a package ({error}): pip install 'dfplan[robots]'") from error
        except (gymnasium.error.Error, AssertionError, TypeError) as error:
            if isinstance(error, AssertionError) and is_of_robotics(self.env_id):
                raise UserError(
                    f"env={self.env_id} does not run on MuJoCo {version('mujoco')}: Gymnasium-Robotics' Fetch and "
                    "FrankaKitchen need one below 3.12; pip install 'dfplan[robots]' in an environment of its own"
                ) from error
            raise self._cannot_be_made(error) from error
        except Exception as error:  # of a constructor that others wrote
            raise self._cannot_be_made(error) from error

    def _cannot_be_made(self, error: Exception) -> UserError:
        told = (str(error) or type(error).__name__).splitlines()[0]
        return UserError(f"env={self.env_id} cannot be made: {told[:300]}")

    def observation(self, observed: Any) -> np.ndarray:
        """See :func:`as_observation`, and where there are pictures :func:`dfplan.domains.pictured.as_shown`."""
        if not self.pictures:
            return as_observation(observed)
        return as_shown(observed, self.pictures, as_observation(without_pictures(observed)))

    def show(self, data: Trajectories) -> Trajectories:
        """See :class:`dfplan.domain.Domain`: as they were recorded."""
        return data

    def goal(self, observed: Any) -> np.ndarray:
        """See :func:`as_goal`."""
        return as_goal(observed)

    @property
    def has_one_procedure(self) -> bool:
        """Whether data can be made in one way, so that "generated" says which they are."""
        return bool(self.procedure) and "quality" not in self.procedure

    @property
    def achieved_apart(self) -> bool:
        """See :class:`dfplan.domain.Domain`: as Gymnasium-Robotics' environments show it."""
        return self.has_goals

    def reset_options(self, episode: int) -> dict[str, Any] | None:
        """None: an environment begins as it likes."""
        return None

    def generate(self, path: Path, **how: Any) -> None:
        """See :class:`dfplan.domain.Domain`: nobody knows how."""
        raise UserError(
            f"no procedure is known that makes data of {self.env_id}; record some, as Minari, HDF5, ... have it"
        )

    def load(
        self, source: str, *, say: Callable[[str], None], leave_out: Sequence[int] = (), **how: Any
    ) -> Trajectories:
        """See :class:`dfplan.domain.Domain`."""
        from dfplan.data.d4rl_file import generated_file  # slow to import, and of no use to the mazes
        from dfplan.data.formats import read
        from dfplan.data.formats.choose import ACCEPTED

        if source == "generated" and self.has_one_procedure and (cache_folder := how.get("cache_folder")) is not None:
            source = str(generated_file(cache_folder, env_id=self.env_id))
            if not Path(source).is_file():
                name = self.env_id.removesuffix("-v0")
                raise UserError(
                    f"nothing is generated yet: run `dfplan generate env={name}` first, or give data=<file>"
                )
        elif source in MAZE_SOURCES:
            raise UserError(f"data={source} is for mazes; give data=<a data set of {self.env_id}>: {ACCEPTED}")
        return self.take(read(source, leave_out=leave_out), say=say)

    def take(self, data: Trajectories, *, say: Callable[[str], None]) -> Trajectories:
        """See :class:`dfplan.domain.Domain`."""
        for note in data.notes:
            say(f"{data.source}: {note}")
        if self.has_goals and data.achieved_goals is not None:
            parts = data.achieved_goals, data.observations
            observations = (np.concatenate([each[rows] for each in parts], axis=1) for rows in rows_of(parts[1]))
            whole = stacked(each.astype(np.float32, copy=False) for each in observations)
            data = replace(data, observations=whole, observation_names=())
        mapped = sum(each.nbytes for each in data.per_row().values() if is_mapped(each))
        if mapped:
            say(f"{data.source}: {mapped:,} bytes of it stay on disk, as they are large for the memory that is left")
        self._check_data(data)
        check_pictures(data, self.pictures, env_id=self.env_id)
        data = replace(data, observation_names=self.observation_names or data.observation_names)
        if not self.spec.goal_dim and data.rewards is None:
            raise UserError(
                f"{data.source} has no rewards, and {self.env_id} has no goals: there is nothing to plan for; record "
                "the data set with its rewards"
            )
        return data

    def fit_scorer(self, data: Trajectories) -> PlanScorer:
        """See :class:`dfplan.domain.Domain`: how near goals are, or what is earned and still to be earned."""
        if self.has_goals:
            spread = float(deviation(data.observations[:, : self.spec.goal_dim], np.float32).max())
            return GoalScorer(self.goal_radius or 0.1 * spread)
        return ReturnScorer(DISCOUNT, fit_value(data, discount=DISCOUNT))

    def resynthesise(self, data: Trajectories, resynthesis: Any, **how: Any) -> Trajectories:
        """See :class:`dfplan.domain.Domain`: never asked, as nobody knows how."""
        raise UserError(f"the trajectories of {self.env_id} cannot be resynthesised; give resynthesis=none")

    def achieved_goal(self, observations: np.ndarray) -> np.ndarray:
        """See :class:`dfplan.domain.Domain`: what stands in front."""
        return observations[..., : self.spec.goal_dim]

    def seen(self, env: gymnasium.Env, observed: Any) -> tuple[np.ndarray, np.ndarray]:
        """See :class:`dfplan.domain.Domain`."""
        return self.observation(observed), self.goal(observed)

    def situation(self, *, start: Sequence[float] | None, goal: Sequence[float] | None, seed: int) -> Situation:
        """See :class:`dfplan.domain.Domain`: as the episode of a seed begins, towards its goal or the one given."""
        if start is not None:
            raise UserError(f"start= is for mazes; {self.env_id} begins as it likes: give another seed=")
        if goal is not None and len(goal) != self.spec.goal_dim:
            raise UserError(
                f"goal={list(goal)} has {len(goal)} numbers, and a goal of {self.env_id} has {self.spec.goal_dim}"
                + ("" if self.spec.goal_dim else ": leave it out")
            )
        env = self.make()
        try:
            observed, _ = env.reset(seed=seed, options=self.reset_options(seed))
        finally:
            env.close()
        wanted = self.goal(observed) if goal is None else np.asarray(goal, np.float32)
        text = f"the episode of seed {seed}" + ("" if goal is None else f" towards {list(goal)}")
        return Situation(self.observation(observed), wanted, text)

    def check_place(self, name: str, place: Sequence[float]) -> None:
        """See :class:`dfplan.domain.Domain`: nobody knows where nothing can be."""

    def controllers(self) -> Mapping[str, Callable[..., Any]]:
        """See :class:`dfplan.domain.Domain`: none."""
        return {}

    agents = planners = controllers

    def protocol(self, **options: str) -> EpisodeProtocol:
        """See :class:`dfplan.domain.Domain`; there are no options."""
        return EpisodeProtocol(self)

    def remark(self, plan: Plan) -> str:
        """See :class:`dfplan.domain.Domain`."""
        return ""

    def draw_plan(self, plan: Plan, situation: Situation, *, path: Path, title: str, **shown: Any) -> Path:
        """See :class:`dfplan.domain.Domain`: numbers against steps."""
        from dfplan.viz.episodes import draw_planned  # matplotlib is slow to import

        return draw_planned(plan, path=path, title=title)

    def draw_tree(self, trees: Any, situation: Situation, *, path: Path, title: str) -> None:
        """See :class:`dfplan.domain.Domain`: there is none."""

    def _measure_radius(self, env: gymnasium.Env) -> float | None:
        """Distance at which the reward stops being that of the goal itself; None where it falls from the first."""
        observed: Any = env.reset(seed=0)[0]
        shown = observed["desired_goal"]
        goal = as_goal(observed).astype(np.float64)
        away = np.ones_like(goal) / np.sqrt(goal.size)

        def is_there(distance: float) -> bool:
            compute: Any = env.unwrapped.compute_reward  # type: ignore[attr-defined]
            there, moved = goal_like(goal, shown), goal_like(goal + distance * away, shown)
            return bool(compute(moved, there, {}) == compute(there, there, {}))

        near, far = 1e-6, 1e6
        try:
            if not is_there(near) or is_there(far):
                return None
        except Exception:  # it has none, or one that asks for more than goals
            return None
        for _ in range(NUM_HALVINGS):
            middle = float(np.sqrt(near * far))
            near, far = (middle, far) if is_there(middle) else (near, middle)
        return near

    def _check_data(self, data: Trajectories) -> None:
        bounds, spec = self.spec.action_bounds, self.spec
        found = data.observations.shape[1], data.actions.shape[1]
        if found != (spec.observation_dim, bounds.low.size):
            if not found[1] and bounds.low.size:
                raise UserError(
                    f"{data.source} has observations alone, and {self.env_id} is acted in; give data with actions, or "
                    "forecast these with env=none"
                )
            goals = f", of which the first {spec.goal_dim} are the achieved goal" if spec.goal_dim else ""
            raise UserError(
                f"{data.source} has observations of {found[0]} and actions of {found[1]} numbers; {self.env_id} has "
                f"{spec.observation_dim}{goals}, and {bounds.low.size}; choose the env= that it was recorded in"
            )
        margin = ROUNDING * (bounds.high - bounds.low)
        low, high = bounds.low - margin, bounds.high + margin
        outside = rows_where(  # rows without an action hold zeros
            lambda acted: ((acted < low) | (acted > high)).any(axis=1) & acted.any(axis=1), data.actions
        )
        if len(outside):
            row = int(outside[0])
            raise UserError(
                f"{data.source}: {len(outside)} actions lie outside of what {self.env_id} takes, the first in row "
                f"{row}: {data.actions[row].tolist()}; bring them to its units, or clip them if the environment did"
            )
