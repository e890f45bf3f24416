"""The settings of a planner: what a plan costs, how it is steered and by what it is chosen."""

import math
from dataclasses import dataclass, field

from dfplan.errors import UserError
from dfplan.planner.guidance_settings import GuidanceSettings


@dataclass(frozen=True)
class PlannerSettings:
    """How to plan.

    Attributes:
        num_levels: noise levels from pure noise to clean.
        level_power: how they are spaced: level ``k`` lies at ``(k / num_levels) ** level_power``. 1 is evenly, more is
            closer towards clean.
        slope: of the scheduling matrix: levels by which each token lags behind the one before.
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
        if self.spread and not self.roll_out:
            raise UserError(f"spread={self.spread} changes actions, whose states are then unknown; give roll_out=true")
        if not (math.isfinite(self.level_power) and self.level_power > 0):
            raise UserError(f"level_power must be above 0; got {self.level_power}")
        if self.budget_ms is not None and not self.budget_ms > 0:
            raise UserError(f"budget_ms must be above 0, or None for no limit; got {self.budget_ms}")


# For problems that are over in some hundred steps, as configs/planner/short.yaml: found on Pendulum (docs/log.md).
SHORT_PROBLEMS = PlannerSettings(roll_out=True, spread=0.6, temperature=0.1)
SHORT_HORIZON = 8  # steps
