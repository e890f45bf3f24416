"""How pictures are looked at."""

from dataclasses import dataclass

from dfplan.options import option
from dfplan.ranges import check_settings


@dataclass(frozen=True)
class FramesSettings:
    """See :class:`dfplan.models.sight.LatentSight`, and for keypoints in the mazes their ``StateEstimator``.

    Raises:
        UserError: a number out of range.
    """

    tokenizer: str = option("bundled, or a folder: of a tokenizer or of the run that trained it", default="bundled")
    stack: int = option("moments whose latents an observation holds, now included", default=3, low=1, high=64)
    stride: int = option("steps between these moments", default=8, low=1, high=1000)
    position_gain: float = option(
        "keypoints: share of a surprise that corrects the position (alpha)", default=0.5, above=0, high=1
    )
    speed_gain: float = option(
        "keypoints: share of a surprise that corrects the speed (beta)", default=0.1, above=0, high=1
    )
    step_seconds: float = option("keypoints: time from frame to frame", default=0.01, above=0)
    max_rows: int = option("rows whose pictures are looked at, from their beginning", default=500_000, low=1000)

    def __post_init__(self) -> None:
        check_settings(self)
