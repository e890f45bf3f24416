"""The options of a planner: its settings, and what the command line says besides. See :mod:`dfplan.cli.schema`."""

from dataclasses import dataclass

from dfplan.options import group, option
from dfplan.settings.guidance import GuidanceNumbers
from dfplan.settings.planning import PlanningNumbers, Rule, TreeSettings


@dataclass(frozen=True)
class TreeLimits:
    """Where a search in a tree ends."""

    max_nodes: int | None = option("plans in a tree, the first ones included; null = no limit", default=None, low=0)
    max_evaluations: int | None = option(
        "sequences through the network for one tree; null = no limit", default=None, low=0
    )


@dataclass(frozen=True)
class TreeConfig(Rule, TreeSettings, TreeLimits):
    """How plans are searched where planner.search=tree."""


@dataclass(frozen=True)
class Search:
    """What kind of planner it is."""

    search: str = option(
        "candidates = the best of some plans; tree = take plans back and denoise them anew, while the budget lasts",
        default="candidates",
        choices=("candidates", "tree"),
    )


@dataclass(frozen=True)
class PlannerConfig(PlanningNumbers, Search):
    """How a plan is made."""

    map: str = option(
        "where plans may lead: data = where the data were; told = wherever there is room in env=, of which weights may "
        "know nothing (planner=map has what goes with it)",
        default="data",
        choices=("data", "told"),
    )
    horizon: int | None = option("steps a plan looks ahead; null = a whole episode", default=None, low=1)
    guidance: GuidanceNumbers = group(GuidanceNumbers, "what plans are steered towards")
    tree: TreeConfig = group(TreeConfig, "how plans are searched")
