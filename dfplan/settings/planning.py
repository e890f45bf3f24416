"""How plans are denoised, chosen and searched."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dfplan import plugins
from dfplan.errors import UserError
from dfplan.options import option
from dfplan.ranges import check_settings

SLOTS = ("actions", "rewards", "observations")  # of a token
MATRICES = ("pyramid", "full-sequence", "autoregressive")


@dataclass(frozen=True)
class PlanningNumbers:
    """What is said of planning but for guidance: :class:`~dfplan.planner.PlannerSettings` has both.

    Level ``k`` of ``num_levels`` lies at ``(k / num_levels) ** rho``. ``matrix`` may also be a function that makes one
    ``[rows, tokens]`` of a number of tokens, from ``num_levels`` in row 0 to 0 in the last
    (:func:`dfplan.diffusion.validate_matrix`), or the name of one that a package brings. ``temperature`` is that of
    model predictive path integral control (arXiv 1509.01149), ``cfg_scale`` that of classifier-free guidance (arXiv
    2207.12598), and ``noise_scale`` below 1 is low-temperature sampling (arXiv 2211.15657). What stands in a plan for
    something ``absent`` is the mean of the data; with the observations, rewards are absent, too. With ``budget_ms``, a
    plan ends with the tokens that are finished by then, the first one always; plans made together share their time, and
    what a plan is then depends on the machine and its load.

    Raises:
        UserError: a number out of range, or settings that do not go together.
    """

    num_candidates: int = option(
        "plans denoised side by side, of which the one that arrives first is kept", default=16, low=1
    )
    num_levels: int = option("noise levels from pure noise to clean", default=3, low=1)
    rho: float = option("spacing of the levels: 1 = even, more = closer towards clean", default=2.0, above=0)
    matrix: str | Callable[[int], Any] = option(
        "scheduling matrix: pyramid = by its offset; full-sequence = all tokens together; autoregressive = one by one; "
        "or the name of one that an installed package brings",
        default="pyramid",
        characters="-.",
    )
    pyramid_offset: float = option(
        "pyramid: levels by which each token lags the one before it; 0 = all together", default=1.0, low=0
    )
    early_stop_fraction: float = option(
        "share of candidates that must arrive before later tokens are left undone", default=0.5, low=0, high=1
    )
    halve_after: int | None = option(
        "tokens after which the half of the candidates that is doubted more is let go; null = never",
        default=2,
        low=1,
    )
    consistency_penalty: float = option(
        "doubt in a plan whose places jump against its own velocities", default=4.0, low=0
    )
    ood_penalty: float = option("doubt in a plan per share of its steps where the data never was", default=60.0, low=0)
    roll_out: bool = option(
        "score candidates by what the model predicts for their actions alone (world model)", default=False
    )
    spread: float = option(
        "noise on candidates' actions before they are rolled out, in standard deviations", default=0.0, low=0
    )
    temperature: float = option(
        "0 = the best candidate; more = the mean of all, weighted by softmax(value / (temperature * deviation))",
        default=0.0,
        low=0,
    )
    noise_scale: float = option(
        "of the noise that plans begin as: 1 = as in training, less = nearer to what is done most", default=1.0, low=0
    )
    eta: float = option("0 = deterministic denoising, 1 = ancestral sampling", default=0.0, low=0, high=1)
    stabilization_level: float = option(
        "noise level at which the present observation is shown", default=0.0, low=0, high=1
    )
    history: int | None = option(
        "tokens of what was done and seen before that plans follow from; 0 = the present observation alone, null = all",
        default=0,
        low=0,
    )
    wanted_reward: float | None = option(
        "mean reward of a step to ask for, of weights trained with diffusion.returns_shown=true; null = not said",
        default=None,
    )
    absent: str | None = option(
        "what plans leave pure noise: actions (a path alone), observations (actions alone), rewards; null = nothing",
        default=None,
        choices=SLOTS,
    )
    cfg_scale: float = option(
        "how much the goal is believed: 0 = not shown, 1 = shown, more = exaggerated", default=1.0, low=0
    )
    window_tokens: int = option("tokens denoised at a time; 0 = the training window", default=0, low=0)
    budget_ms: float | None = option(
        "milliseconds after which a plan ends with what is finished; null = none", default=None, above=0
    )

    def __post_init__(self) -> None:
        check_settings(self)
        if isinstance(self.matrix, str):
            plugins.find("matrices", self.matrix, own=dict.fromkeys(MATRICES))
        elif not callable(self.matrix):
            raise UserError(
                f"matrix must be {', '.join(MATRICES)}, or a function of a number of tokens; got {self.matrix!r:.60}"
            )
        if self.spread and not self.roll_out:
            raise UserError(f"spread={self.spread} changes actions, whose states are then unknown; give roll_out=true")


@dataclass(frozen=True)
class TreeSettings:
    """What the nodes of a plan tree are.

    No child leaves within ``minimum_distance`` of a place that another plan of the tree passes no later, so that
    siblings and cousins take different routes. The noise of every child is fresh, whatever its guidance. Where the way
    that the weights know is closed, plans that do not see the goal (``num_blind``) find others, and plans that do leave
    those for the goal.

    Raises:
        UserError: a number out of range, or more blind siblings than siblings.
    """

    tokens_per_edge: int = option(
        "tokens (rows of the matrix) between two places where children leave a plan", default=2, low=1
    )
    num_siblings: int = option("children that can leave a plan at the same place", default=4, low=1)
    strengths: Sequence[float] = option(
        "of the guidance of siblings, in turn: [0,1]; 0 = none, fresh noise alone", default=(0.0,), low=0
    )
    num_blind: int = option(
        "of num_siblings, how many are not shown the goal and explore; of the first plans, the same share",
        default=0,
        low=0,
    )
    minimum_distance: float = option(
        "distance that places where children leave keep from places passed earlier", default=0.5, low=0
    )

    def __post_init__(self) -> None:
        check_settings(self)
        if self.num_blind > self.num_siblings:
            raise UserError(f"num_blind={self.num_blind} of num_siblings={self.num_siblings} are too many")


@dataclass(frozen=True)
class Rule:
    """How a branch is chosen on the way down; values lie in [0, 1].

    "puct" (AlphaZero, Science 362, 2018): worth + exploration · prior · √visits / (1 + visits of the child), an untried
    branch being worth what its node's own simulation was. "uct" (Kocsis and Szepesvári 2006): worth + exploration ·
    √(ln visits / visits of the child), untried branches first. ``widening``: Couëtoux et al. 2011.
    """

    selection: str = option("how a branch is chosen", default="puct", choices=("puct", "uct"))
    exploration: float = option("weight of what was tried little; plans are worth 0 to 1", default=1.0, low=0)
    widening: float | None = option(
        "w offers ceil(visits**w) of a plan's branches; null = all from the start", default=None, low=0, high=1
    )

    def __post_init__(self) -> None:
        check_settings(self)
