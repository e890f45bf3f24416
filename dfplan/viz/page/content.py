"""What stands on a page, before it is any page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dfplan.viz.page.film import Film


@dataclass(frozen=True)
class Listing:
    """A table.

    Attributes:
        columns: what stands above them; the first one names the rows.
        rows: a label, and a cell for each other column.
        note: below it.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True)
class EpisodeView:
    """One episode that is shown.

    Attributes:
        name: such as "best".
        title: such as "episode 3, score 241".
        drawn: of :func:`dfplan.viz.page.drawn.drawn_episode`; None where nothing can be drawn.
        film: of it; None where there is none.
        note: why there is none, or what is to be known of it.
    """

    name: str
    title: str
    drawn: Mapping[str, Any] | None = None
    film: Film | None = None
    note: str = ""


@dataclass(frozen=True)
class AgentView:
    """What there is to see of an agent.

    Attributes:
        name: of it.
        episodes: a few.
        plan: of :func:`dfplan.viz.page.drawn.drawn_plan`; None where there is none.
        plan_note: what is to be said of it, or why there is none.
        tree: of :func:`dfplan.viz.page.drawn.drawn_tree`; None where none was searched.
    """

    name: str
    episodes: Sequence[EpisodeView] = ()
    plan: Mapping[str, Any] | None = None
    plan_note: str = ""
    tree: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Content:
    """Everything on a page. Texts are plain: nothing in them is markup.

    Attributes:
        title: what was done.
        facts: name and value of what is told of it first.
        scores: what it scored.
        charts: pictures as SVG by what they show, of :mod:`dfplan.viz.page.charts`: these are markup.
        agents: what there is to see of each.
        scene: of :func:`dfplan.viz.page.drawn.drawn_scene`; None where states are no places.
        picture: of all roll-outs, as PNG.
        constraints: what had to be kept; None where nothing had to.
        times: what it took.
        config: with what it ran.
        circumstances: when, where and by what code.
        command: that does it again.
        command_note: what else is to be known of that.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    scores: Listing
    times: Listing
    config: Mapping[str, Any]
    circumstances: Mapping[str, Any]
    command: str
    command_note: str = ""
    charts: Mapping[str, str] = field(default_factory=dict)
    agents: Sequence[AgentView] = ()
    scene: Mapping[str, Any] | None = None
    picture: bytes | None = None
    constraints: Listing | None = None
