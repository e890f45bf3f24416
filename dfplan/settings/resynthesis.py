"""Trajectory resynthesis: how the trajectories in the data are driven again, faster, before training."""

from dataclasses import dataclass

from dfplan.errors import UserError
from dfplan.options import option
from dfplan.ranges import check_settings


@dataclass(frozen=True)
class ResynthesisSettings:
    """See :func:`dfplan.domains.maze.resynthesis.resynthesise`; each way draws its own noise between 0 and the largest.

    Raises:
        UserError: a number out of range, or the least stay is longer than the most.
    """

    num_steps: int = option("transitions to imagine; 0 = train on the data as they are", default=1_200_000, low=0)
    tube: float = option("distance from the collector's way that costs nothing", default=0.45, above=0)
    noise: float = option("largest standard deviation of the noise on the actions", default=0.2, low=0)
    shortest_hold: int = option("least steps of standing at the end of a way", default=32, low=1)
    longest_hold: int = option("most steps of standing at the end of a way", default=64, low=1)
    return_share: float = option(
        "share of ways after which it is driven back to their end from beside it", default=0.25, low=0, high=1
    )

    def __post_init__(self) -> None:
        check_settings(self)
        if self.num_steps and self.shortest_hold > self.longest_hold:
            raise UserError(
                f"resynthesis.shortest_hold must be at most resynthesis.longest_hold; got {self.shortest_hold} and "
                f"{self.longest_hold}"
            )
