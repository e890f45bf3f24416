"""What says of states what is still to be earned from them."""

from dataclasses import dataclass

from dfplan.errors import UserError
from dfplan.options import option
from dfplan.ranges import check_settings


@dataclass(frozen=True)
class ValueSettings:
    """The value at the end of a plan, where plans are scored by rewards.

    ``features`` is what the policies behind the data go on to earn, by least squares (:mod:`dfplan.scorers.value`), in
    no time. ``networks`` is nearer to what the best of them earn (:mod:`dfplan.training.value`): for data of mixed
    quality, of which much is not to be done again.

    Raises:
        UserError: a number out of range.
    """

    kind: str = option(
        "features = what those behind the data earned, at once; networks = what the better of them would, minutes",
        default="features",
        choices=("features", "networks"),
    )
    discount: float = option("networks: worth of a reward a step later", default=0.99, above=0, below=1)
    expectile: float = option(
        "networks: 0.5 = the mean of what came, nearer to 1 = the best of it", default=0.7, above=0, below=1
    )
    look_ahead: int = option("networks: steps whose rewards are taken as they came", default=4, low=1)
    num_steps: int = option("networks: batches trained on", default=10_000, low=1)
    width: int = option("networks: hidden size", default=128, low=8)
    members: int = option("networks: how many; the value is their mean", default=4, low=1)
    temperature: float | None = option(
        "networks: windows to plan by are drawn by exp(advantage / (temperature * its deviation)); null = all alike",
        default=None,
        above=0,
    )
    advantage_steps: int | None = option(
        "networks: steps of an advantage that count as they were taken, before the value of where they led: many tell "
        "policies apart that each go on as they began; null = those of a window",
        default=None,
        low=1,
    )

    def __post_init__(self) -> None:
        check_settings(self)
        if self.temperature is not None and self.kind != "networks":
            raise UserError(
                f"value.temperature={self.temperature} weighs by what networks say is to be earned; give value=networks"
            )
        if self.advantage_steps is not None and self.temperature is None:
            raise UserError(
                f"value.advantage_steps={self.advantage_steps} is for windows drawn by advantage; give value=advantage"
            )
