"""What plans must keep and are steered towards, in numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dfplan.options import option

METHODS = ("chosen", "parts", "routes", "detours")


@dataclass(frozen=True)
class GuidanceNumbers:
    """What is said of guidance; :class:`~dfplan.planner.GuidanceSettings` makes objectives and constraints of it.

    A weight is a log-probability per unit of its objective; 0 leaves it out. Way-points are passed within a goal
    radius. Without guidance at the end of denoising (``lowest_level``, arXiv 2404.07724) a plan is smoother, with it,
    it keeps closer to its constraints.
    """

    reward: float = option(
        "weight of the predicted share of time at the goal; without goals, of rewards and the value at the end, in "
        "spans of the data's returns",
        default=0.0,
        low=0,
    )
    distance: float = option("weight of the mean distance to the goal, in goal radii", default=0.0, low=0)
    time: float = option("weight of arriving early: the share of the plan that passes before", default=0.0, low=0)
    stay: float = option(
        "weight of staying: mean distance from the goal after arriving, in goal radii", default=0.0, low=0
    )
    smoothness: float = option("weight of the squared change of the step from point to point", default=0.0, low=0)
    progress: float = option("weight of the progress along distance_field, in goal radii", default=0.0, low=0)
    constraints: float = option(
        "weight of waypoints, keep_out, keep_in, max_speed; they are kept without, too", default=0.0, low=0
    )
    custom: str | None = option(
        "name of an objective that an installed package brings; it is weighted there (docs/howto/own-package.md)",
        default=None,
    )
    method: str = option(
        "how they are kept: chosen = the candidate that keeps most; parts = way-points are goals of parts, mended and "
        "driven in imagination; routes = and around what is in the way by the map of visited places; detours = and "
        "around it by chance",
        default="routes",
        choices=METHODS,
    )
    rounds: int = option("times that a plan is made anew while it breaks something", default=4, low=1)
    waypoints: Sequence[Sequence[float]] = option("places to pass: [[x,y],...]", default=(), row_lengths=(2,))
    in_order: bool = option("pass the waypoints in the order given, rather than in any", default=False)
    keep_out: Sequence[Any] = option(
        "regions to avoid, discs [x,y,radius] or boxes [x1,y1,x2,y2]: [[...],...]", default=(), row_lengths=(3, 4)
    )
    keep_in: Sequence[Any] = option(
        "regions, one of which to be in, discs or boxes: [[...],...]", default=(), row_lengths=(3, 4)
    )
    max_speed: float | None = option("speed not to exceed, in units per second", default=None, above=0)
    distance_field: Any = option(
        "map: a .npz file with arrays distances (grid along x and y), origin (x,y) and cell (edge length)",
        default=None,
        path=True,
    )
    lowest_level: float = option(
        "noise level of a token below which it is no longer guided", default=0.3, low=0, high=1
    )
    highest_level: float = option("noise level of a token above which it is not guided yet", default=1.0, low=0, high=1)
    num_futures: int = option("sampled futures to average over (Monte Carlo guidance); 0 = the mean", default=0, low=0)
    lookahead: int | None = option("tokens after those being denoised that guide; null = all", default=None, low=0)
