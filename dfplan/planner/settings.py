"""The settings of a planner: what a plan costs, how it is steered and by what it is chosen."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dfplan import plugins
from dfplan.errors import CodeOfOthers, UserError
from dfplan.planner.guidance_settings import GuidanceSettings
from dfplan.settings.planning import PlanningNumbers

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class PlannerSettings(PlanningNumbers):
    """How to plan, and ``guidance``: what plans are steered towards and must keep."""

    guidance: GuidanceSettings = field(default_factory=GuidanceSettings)

    def scheduling_matrix(self, num_tokens: int) -> "Tensor":
        """The scheduling matrix ``[rows, num_tokens]``.

        Raises:
            UserError: a function made one that a sampler cannot follow, or of another width.
        """
        from dfplan.diffusion import pyramid_matrix, validate_matrix

        make = self.matrix
        if isinstance(make, str):
            offsets = {"pyramid": self.pyramid_offset, "full-sequence": 0.0, "autoregressive": float(self.num_levels)}
            if make in offsets:
                return pyramid_matrix(num_tokens, num_levels=self.num_levels, offset=offsets[make])
            make = plugins.find("matrices", make, own={})
        with CodeOfOthers("the matrix that was chosen"):
            rows = make(num_tokens)
        made = validate_matrix(rows, num_levels=self.num_levels)
        if made.shape[1] != num_tokens:
            raise UserError(f"matrix made {made.shape[1]} columns for {num_tokens} tokens; it needs one a token")
        return made


# For problems of some hundred steps, as configs/planner/short.yaml: found on Pendulum (docs/log/2026/worlds.md).
SHORT_PROBLEMS = PlannerSettings(roll_out=True, temperature=0.1)
SHORT_HORIZON = 8  # steps
# For weights of one long token, as configs/planner/chunks.yaml: one sample, half of which is carried out.
CHUNKS = PlannerSettings(num_candidates=1)
