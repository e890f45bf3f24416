"""Groups of options that several commands have: the library's settings, and what the command line says besides."""

from dataclasses import dataclass
from typing import get_args

from dfplan.options import group, option
from dfplan.settings.guidance import GuidanceNumbers
from dfplan.settings.planning import PlanningNumbers, Rule, TreeSettings
from dfplan.settings.training import Length, Loop, MatrixPrecision, Rates


@dataclass(frozen=True)
class TreeLimits:
    """Where a search in a tree ends."""

    max_nodes: int | None = option("plans in a tree, the first ones included; null = no limit", default=None, low=0)
    max_evaluations: int | None = option(
        "sequences through the network for one tree; null = no limit", default=None, low=0
    )


@dataclass(frozen=True)
class TreeConfig(Rule, TreeSettings, TreeLimits):
    """How plans are searched where planner.search=tree."""


@dataclass(frozen=True)
class Search:
    """What kind of planner it is."""

    search: str = option(
        "candidates = the best of some plans; tree = take plans back and denoise them anew, while the budget lasts",
        default="candidates",
        choices=("candidates", "tree"),
    )


@dataclass(frozen=True)
class PlannerConfig(PlanningNumbers, Search):
    """How a plan is made."""

    map: str = option(
        "where plans may lead: data = where the data were; told = wherever there is room in env=, of which weights may "
        "know nothing (planner=map has what goes with it)",
        default="data",
        choices=("data", "told"),
    )
    horizon: int | None = option("steps a plan looks ahead; null = a whole episode", default=None, low=1)
    guidance: GuidanceNumbers = group(GuidanceNumbers, "what plans are steered towards")
    tree: TreeConfig = group(TreeConfig, "how plans are searched")


@dataclass
class EnvConfig:
    """One of dfplan's environments, or any of Gymnasium."""

    name: str = option("name of the environment in result files and weights", characters="-.")
    id: str = option("Gymnasium id", characters="-./")
    window_tokens: int = option("tokens of a window of the model, as trained for this environment", low=1)


@dataclass
class ControllerConfig:
    """How a plan becomes actions."""

    name: str = option(
        "actions = the planned ones; shooting = drive along the path; inverse = what leads "
        "to the next planned state by inverse dynamics; tracker = towards the next planned state, Diffuser's PD law",
        choices=("actions", "shooting", "inverse", "tracker"),
    )
    replan_every: int = option("steps between two plans, at most; 0 = no such limit: plan once", low=0)
    replan_when: float | None = option(
        "distance between plan and world above which to plan anew; null = never", above=0
    )
    shrinking: bool = option("true = plans look no further than the end of the episode")
    inference_delay: int = option(
        "actions: steps after which a plan is there; until then goes on what is left of the plan before", low=0
    )
    prev_chunk_left_over: bool = option(
        "true = the planner is told what is done until its plan is there, and plans on from that"
    )
    tube: float | None = option("shooting: distance from the path that costs nothing", above=0)
    lookahead: int | None = option("shooting: steps simulated ahead", low=1)
    least_steps: int | None = option(
        "inverse: steps to the planned state that is steered to, at least; null = 1, the next state that is due", low=1
    )
    inverse: str | None = option(
        "inverse: folder of inverse dynamics or of the run that trained them; null = the folder inverse in weights=",
        path=True,
    )


@dataclass(frozen=True)
class TrainingConfig(Loop, Rates, Length):
    """The training loop."""

    matrix_precision: MatrixPrecision | None = option(
        "arithmetic of Muon's iteration; null = what this processor multiplies faster",
        default=None,
        choices=get_args(MatrixPrecision),
    )
    compiled: bool | None = option(
        "train through torch.compile; null = where there is a C++ compiler, which it needs", default=None
    )


@dataclass
class LoggerConfig:
    """Where training metrics go besides metrics.jsonl."""

    name: str = option("jsonl, or wandb as well", choices=("jsonl", "wandb"))
    project: str | None = option("project name at Weights & Biases")
