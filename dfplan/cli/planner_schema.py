"""The options of a planner; see :mod:`dfplan.cli.schema`."""

from dataclasses import dataclass
from typing import Any

from dfplan.options import group, option

METHODS = ("chosen", "parts", "routes", "detours")
OBJECTIVES = ("reward", "distance", "time", "stay", "smoothness", "progress")


@dataclass
class GuidanceConfig:
    """What plans must keep, and are steered towards by gradients. Weights are log-probabilities per unit of theirs."""

    reward: float = option("weight of the predicted share of time at the goal", low=0)
    distance: float = option("weight of the mean distance to the goal, in goal radii", low=0)
    time: float = option("weight of arriving early: the share of the plan that passes before", low=0)
    stay: float = option("weight of staying: mean distance from the goal after arriving, in goal radii", low=0)
    smoothness: float = option("weight of the squared change of the step from point to point", low=0)
    progress: float = option("weight of the progress along distance_field, in goal radii", low=0)
    constraints: float = option("weight of waypoints, keep_out, keep_in, max_speed; they are kept without, too", low=0)
    method: str = option(
        "how they are kept: chosen = the candidate that keeps most; parts = way-points are goals of parts, mended and "
        "driven in imagination; routes = and around what is in the way by the map of visited positions; detours = and "
        "around it by chance",
        choices=METHODS,
    )
    rounds: int = option("times that a plan is made anew while it breaks something", low=1)
    waypoints: list[Any] | None = option("places to pass: [[x,y],...]", row_lengths=(2,))
    in_order: bool = option("pass the waypoints in the order given, rather than in any")
    keep_out: list[Any] | None = option(
        "regions to avoid, discs [x,y,radius] or boxes [x1,y1,x2,y2]: [[...],...]", row_lengths=(3, 4)
    )
    keep_in: list[Any] | None = option(
        "regions, one of which to be in, discs or boxes: [[...],...]", row_lengths=(3, 4)
    )
    max_speed: float | None = option("speed not to exceed, in units per second", above=0)
    distance_field: str | None = option(
        "map: a .npz file with arrays distances (grid along x and y), origin (x,y) and cell (edge length)",
        path=True,
    )
    lowest_level: float = option("noise level of a token below which it is no longer guided", low=0, high=1)
    highest_level: float = option("noise level of a token above which it is not guided yet", low=0, high=1)
    num_futures: int = option("sampled futures to average over (Monte Carlo guidance); 0 = the mean", low=0)
    lookahead: int | None = option("tokens after those being denoised that guide; null = all", low=0)


@dataclass
class TreeConfig:
    """How plans are searched where planner.search=tree."""

    max_nodes: int | None = option("plans in a tree, the first ones included; null = no limit", low=0)
    max_evaluations: int | None = option("sequences through the network for one tree; null = no limit", low=0)
    tokens_per_edge: int = option("tokens (rows of the matrix) between two places where children leave a plan", low=1)
    num_siblings: int = option("children that can leave a plan at the same place", low=1)
    strengths: list[float] = option("of the guidance of siblings, in turn: [0,1]; 0 = none, fresh noise alone")
    apart: float = option("distance that places where children leave keep from places passed earlier", low=0)
    selection: str = option("how a branch is chosen", choices=("puct", "uct"))
    exploration: float = option("weight of what was tried little; plans are worth 0 to 1", low=0)
    widening: float | None = option(
        "w offers ceil(visits**w) of a plan's branches; null = all from the start", low=0, high=1
    )


@dataclass
class PlannerConfig:
    """How a plan is made."""

    search: str = option(
        "candidates = the best of some plans; tree = take plans back and denoise them anew, while the budget lasts",
        choices=("candidates", "tree"),
    )
    num_candidates: int = option("plans denoised side by side, of which the one that arrives first is kept", low=1)
    num_levels: int = option("noise levels from pure noise to clean", low=1)
    level_power: float = option("spacing of the levels: 1 = even, more = closer towards clean", above=0)
    matrix: str = option(
        "scheduling matrix: pyramid = by the slope; full-sequence = all tokens together; autoregressive = one by one",
        choices=("pyramid", "full-sequence", "autoregressive"),
    )
    slope: float = option("pyramid: levels by which each token lags the one before it; 0 = all together", low=0)
    quorum: float = option("share of candidates that must arrive before later tokens are left undone", low=0, high=1)
    jump_penalty: float = option("doubt in a plan whose positions jump against its own velocities", low=0)
    support_penalty: float = option("doubt in a plan per share of its steps where the data never was", low=0)
    roll_out: bool = option("score candidates by what the model predicts for their actions alone (world model)")
    spread: float = option("noise on candidates' actions before they are rolled out, in standard deviations", low=0)
    temperature: float = option(
        "0 = the best candidate; more = the mean of all, weighted by softmax(value / (temperature * deviation))", low=0
    )
    eta: float = option("0 = deterministic denoising, 1 = ancestral sampling", low=0, high=1)
    context_level: float = option("noise level at which the present observation is shown", low=0, high=1)
    history: int | None = option(
        "tokens of what was done and seen before that plans follow from; 0 = the present observation alone, null = all",
        low=0,
    )
    wanted_reward: float | None = option(
        "mean reward of a step to ask for, of weights trained with diffusion.returns_shown=true; null = not said"
    )
    absent: str | None = option(
        "what plans leave pure noise: actions (a path alone), observations (actions alone), rewards; null = nothing",
        choices=("actions", "rewards", "observations"),
    )
    goal_guidance: float = option("how much the goal is believed: 0 = not shown, 1 = shown, more = exaggerated", low=0)
    window_tokens: int = option("tokens denoised at a time; 0 = the training window", low=0)
    budget_ms: float | None = option("milliseconds after which a plan ends with what is finished; null = none", above=0)
    horizon: int | None = option("steps a plan looks ahead; null = a whole episode", low=1)
    guidance: GuidanceConfig = group(GuidanceConfig, "what plans are steered towards")
    tree: TreeConfig = group(TreeConfig, "how plans are searched")
