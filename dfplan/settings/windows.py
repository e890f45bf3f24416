"""What a model is shown of the data."""

from dataclasses import dataclass

from dfplan.options import option
from dfplan.ranges import check_settings


@dataclass(frozen=True)
class WindowSettings:
    """Windows of tokens with a goal in hindsight: see :class:`~dfplan.data.windows.WindowDataset`.

    Raises:
        UserError: a number out of range.
    """

    steps_per_token: int = option("environment steps that one token stands for", default=16, low=1)
    points_per_token: int = option("observations kept of a token's steps", default=2, low=1)
    goal_jitter: float = option("largest displacement of a hindsight goal per axis", default=0.1, low=0)
    restart_share: float = option(
        "share of windows that start where the collector drew a new goal", default=0.25, low=0, high=1
    )
    segment_goal_share: float = option(
        "share of windows whose goal is where the collector was heading", default=1.0, low=0, high=1
    )
    held_steps: int = option(
        "last steps of a way that are repeated to the end of a window that shows its goal; 0 = what comes next",
        default=16,
        low=0,
    )
    goal_radius: float = option("distance that counts as being at the goal", default=0.5, above=0)

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def steps_per_point(self) -> int:
        """Steps between two observations that are kept."""
        return self.steps_per_token // self.points_per_token
