"""The settings of a planner: what a plan costs, how it is steered and by what it is chosen."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dfplan.errors import UserError
from dfplan.planner.guidance_settings import GuidanceSettings
from dfplan.types import SLOTS

if TYPE_CHECKING:
    from torch import Tensor

MATRICES = ("pyramid", "full-sequence", "autoregressive")


@dataclass(frozen=True)
class PlannerSettings:
    """How to plan.

    Attributes:
        num_levels: noise levels from pure noise to clean.
        level_power: how they are spaced: level ``k`` lies at ``(k / num_levels) ** level_power``. 1 is evenly, more is
            closer towards clean.
        matrix: the scheduling matrix: "pyramid" has the ``slope``, "full-sequence" denoises all tokens together,
            "autoregressive" one after the other; or a function that makes one ``[rows, tokens]`` of a number of tokens,
            from ``num_levels`` in row 0 to 0 in the last (:func:`dfplan.diffusion.validate_matrix`).
        slope: of the pyramid: levels by which each token lags behind the one before.
        num_candidates: plans denoised side by side, of which one is chosen.
        quorum: share of an environment's candidates that must have arrived before the later tokens are left undone.
        jump_penalty: how much a plan whose positions jump, against its own velocities, counts as later than it says.
        support_penalty: how much a plan counts as later per share of its steps where the data never was.
        roll_out: whether candidates are scored by what the same weights, as a world model, predict for their actions
            alone, rather than by the states and rewards that were denoised along with these.
        spread: noise on the actions of candidates before they are rolled out, in standard deviations of the data.
        temperature: 0 takes the candidate of the largest value; more takes the mean of all, weighted by
            ``softmax(value / (temperature * standard deviation of the values))``, as model predictive path integral
            control does (arXiv 1509.01149).
        eta: 0 deterministic … 1 ancestral sampling.
        context_level: noise level at which the present observation is presented (stabilisation).
        history: most tokens of what was done and seen before that plans follow from, beside the present observation. 0
            is none, None is everything since the episode began.
        wanted_reward: mean reward of a step that plans are asked for, of weights that were trained to be told it; None
            is not to say (with a goal: the mean of the data).
        absent: "actions", "rewards" or "observations" (and with these, rewards), which plans leave pure noise: nothing
            is planned of them, and what stands for them in a plan is the mean of the data. None is nothing.
        goal_guidance: how much the goal is believed (classifier-free guidance, arXiv 2207.12598): 0 does not show it, 1
            shows it, more exaggerates what it changes, at twice the cost.
        window_tokens: tokens denoised at a time; longer horizons chain windows. 0 takes the training window.
        budget_ms: milliseconds of wall time for each plan after which denoising stops; plans end with the tokens that
            are finished by then, the first one always. None is no limit. Plans made together share their time. What a
            plan is then depends on the machine and its load.
        guidance: objectives whose gradients steer the denoising.
    """

    num_levels: int = 3
    level_power: float = 2.0
    matrix: "str | Callable[[int], Tensor]" = "pyramid"
    slope: float = 1.0
    num_candidates: int = 16
    quorum: float = 0.5
    jump_penalty: float = 4.0
    support_penalty: float = 60.0
    roll_out: bool = False
    spread: float = 0.0
    temperature: float = 0.0
    eta: float = 0.0
    context_level: float = 0.0
    history: int | None = 0
    wanted_reward: float | None = None
    absent: str | None = None
    goal_guidance: float = 1.0
    window_tokens: int = 0
    budget_ms: float | None = None
    guidance: GuidanceSettings = field(default_factory=GuidanceSettings)

    def __post_init__(self) -> None:
        for name in ("num_levels", "num_candidates"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1; got {getattr(self, name)}")
        for name in ("quorum", "eta", "context_level"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{name} must lie between 0 and 1; got {getattr(self, name)}")
        at_least_0 = ("slope", "jump_penalty", "support_penalty", "goal_guidance", "window_tokens")
        for name in (*at_least_0, "spread", "temperature", *(("history",) if self.history is not None else ())):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise UserError(f"{name} must be 0 or more; got {getattr(self, name)}")
        _check_choices(self.matrix, self.absent)
        if self.spread and not self.roll_out:
            raise UserError(f"spread={self.spread} changes actions, whose states are then unknown; give roll_out=true")
        if not (math.isfinite(self.level_power) and self.level_power > 0):
            raise UserError(f"level_power must be above 0; got {self.level_power}")
        if self.budget_ms is not None and not self.budget_ms > 0:
            raise UserError(f"budget_ms must be above 0, or None for no limit; got {self.budget_ms}")

    def scheduling_matrix(self, num_tokens: int) -> "Tensor":
        """The scheduling matrix ``[rows, num_tokens]``.

        Raises:
            UserError: a function made one that a sampler cannot follow, or of another width.
        """
        from dfplan.diffusion import sloped_matrix, validate_matrix

        if isinstance(self.matrix, str):
            slopes = {"pyramid": self.slope, "full-sequence": 0.0, "autoregressive": float(self.num_levels)}
            return sloped_matrix(num_tokens, num_levels=self.num_levels, slope=slopes[self.matrix])
        made = validate_matrix(self.matrix(num_tokens), num_levels=self.num_levels)
        if made.shape[1] != num_tokens:
            raise UserError(f"matrix made {made.shape[1]} columns for {num_tokens} tokens; it needs one a token")
        return made


def _check_choices(matrix: "str | Callable[[int], Tensor]", absent: str | None) -> None:
    if isinstance(matrix, str) and matrix not in MATRICES:
        raise UserError(f"matrix must be {', '.join(MATRICES)} or a function; got {matrix!r}")
    if absent not in (None, *SLOTS):
        raise UserError(f"absent must be {', '.join(SLOTS)} or None; got {absent!r}")


# For problems that are over in some hundred steps, as configs/planner/short.yaml: found on Pendulum (docs/log.md).
SHORT_PROBLEMS = PlannerSettings(roll_out=True, temperature=0.1)
SHORT_HORIZON = 8  # steps
