"""Finds the domain of an environment: its own, or what serves any environment of Gymnasium."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import gymnasium

from dfplan import plugins
from dfplan.domain import Domain, PlanScorer
from dfplan.domains.gymnasium import GymnasiumDomain, register_known
from dfplan.domains.maze import layouts
from dfplan.domains.maze.closed_door import ClosedDoorDomain
from dfplan.domains.maze.domain import MazeDomain
from dfplan.domains.maze.environment import qualified_id
from dfplan.domains.maze.many_layouts import MANY, TOKENS, ManyMazesDomain, many_layouts
from dfplan.domains.maze.random_layouts import named_layout
from dfplan.domains.maze.tmaze import TMazeDomain
from dfplan.domains.metaworld.domain import MetaWorldDomain
from dfplan.domains.movers import MoversDomain
from dfplan.domains.ogbench.domain import PointMazeDomain
from dfplan.domains.ogbench.environment import PREFIX as POINT_MAZES
from dfplan.domains.published.domain import PublishedDomain
from dfplan.domains.published.worlds import WORLDS
from dfplan.domains.pusht import PixelPushTDomain, PushTDomain
from dfplan.domains.pusht_scene import ENV_ID, PIXELS_ID
from dfplan.domains.scripted.by_sight import SeenDomain
from dfplan.domains.scripted.domain import KNOWN, ScriptedDomain
from dfplan.domains.series import NAME as SERIES
from dfplan.domains.series import SeriesDomain
from dfplan.errors import CodeOfOthers, UserError

OURS = "dfplan_envs"
DRAWN = "maze2d"


@runtime_checkable
class HasMap(Protocol):
    """A domain that knows where there is room, and may tell planners whose data were of elsewhere."""

    def with_map(self, scorer: PlanScorer) -> PlanScorer:
        """A scorer of such weights that is told; a UserError where it has no use for a map."""
        ...


@dataclass(frozen=True)
class Drawn:
    """An environment that a file draws, or chance.

    Attributes:
        env_id: by which :func:`find_domain` finds it, without the file.
        env_name: for people, after the file or the seed; what no name can have becomes ``_`` in it.
        window_tokens: tokens of a training window.
    """

    env_id: str
    env_name: str
    window_tokens: int


def find_drawn(kind: str, *, layout: str | None) -> Drawn | None:
    """The environment of a kind that a file draws, or chance (``random:7``); None without ``layout``, of another kind.

    Raises:
        UserError: no file draws such environments, there is none, or something is wrong with it.
    """
    if kind != DRAWN and layout is None:
        return None
    if kind != DRAWN:
        raise UserError(f"layout= draws mazes of your own, env={DRAWN}; got env={kind}")
    if layout is None:
        raise UserError(
            f"env={DRAWN} is a maze of your own; draw it in a text file and give layout=<file>, or layout=random:<seed>"
        )
    if many := many_layouts(layout):
        return Drawn(many, many.removesuffix("-v0"), TOKENS)
    rows, name = named_layout(layout) or (layouts.read_layout(layout), Path(layout).stem)
    return Drawn(layouts.id_of(rows), f"{DRAWN}-{re.sub('[^A-Za-z0-9_.-]', '_', name)}", layouts.num_tokens(rows))


@cache
def find_domain(env_id: str) -> Domain:
    """The domain of an environment: of an installed package that brings one by this id, or our own.

    Raises:
        UserError: there is no such environment, or its spaces are not those that plans can be made in.
    """
    if env_id in plugins.installed("domains"):
        with CodeOfOthers(f"the domain of {env_id}, which an installed package brings,"):
            domain = plugins.find("domains", env_id, own={})(env_id)
            _ = domain.spec, domain.protocol  # which every domain has
        return domain
    if env_id == SERIES:
        return SeriesDomain()
    if MANY.fullmatch(env_id):
        return _kind(env_id)(env_id)
    if env_id not in gymnasium.registry:
        try:
            gymnasium.make(qualified_id(env_id)).close()  # which has dfplan's own registered, if it is one of these
        except gymnasium.error.Error as error:
            register_known(env_id)
            if env_id not in gymnasium.registry:
                raise UserError(f"no environment {env_id!r}: {error}. Names look like maze2d-large-v1") from error
    if str(gymnasium.registry[env_id].entry_point).startswith(OURS):
        env = gymnasium.make(env_id, disable_env_checker=True)
        kinds = {
            "maze": MazeDomain,
            "arms": TMazeDomain,
            "ways": ClosedDoorDomain,
            "num_movers": MoversDomain,
            "observe": SeenDomain,
            "driver": ScriptedDomain,
        }  # by what tells them
        own = next((kinds[name] for name in kinds if env.has_wrapper_attr(name)), None)
        env.close()
        if own is not None:
            return own(env_id)
    return _kind(env_id)(env_id)


def _kind(env_id: str) -> Callable[[str], Any]:
    """What is known besides: of environments that others have written, and of many mazes to train in."""
    if MANY.fullmatch(env_id):
        return ManyMazesDomain
    if env_id.startswith("metaworld/"):
        return MetaWorldDomain
    if env_id.startswith(POINT_MAZES):
        return PointMazeDomain
    if env_id == ENV_ID:
        return PushTDomain
    if env_id == PIXELS_ID:
        return PixelPushTDomain
    if env_id in WORLDS:
        return PublishedDomain
    return ScriptedDomain if env_id in KNOWN else GymnasiumDomain
