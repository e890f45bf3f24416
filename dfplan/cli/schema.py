"""What every option is: its type, its range and one line of meaning.

Groups that are settings of the library are made from its own declarations, defaults included; the defaults of all other
options stand in ``configs/``. The help of a command is made from this file, so an option and its explanation cannot
drift apart.
"""

from collections.abc import Iterator
from dataclasses import Field, dataclass, field, fields, is_dataclass, make_dataclass
from functools import cache
from typing import Any

from dfplan.cli.folders import group_choices
from dfplan.cli.group_schema import ControllerConfig, EnvConfig, LoggerConfig, PlannerConfig, TrainingConfig
from dfplan.cli.structure import plain_type
from dfplan.cli.task_modules import DEFAULT_TASK, find_task, is_group
from dfplan.options import group, option


@dataclass
class ComputeConfig:
    """What every command that computes has."""

    env: EnvConfig = group(EnvConfig, "the environment")
    seed: int = option("what every random number derives from", low=0, high=2**32 - 1)
    device: str = option("auto, cpu, cuda, cuda:1 or mps")
    threads: int | None = option("CPU threads; null = as torch decides; more gain planning little", low=1, high=1024)


@dataclass
class RunConfig(ComputeConfig):
    """What every command has besides that writes a folder of its own."""

    output: str | None = option("folder to write to; null = runs/<command>/<env>/<time>", path=True)


@dataclass
class AgentConfig(ComputeConfig):
    """What acts, and in how many episodes."""

    planner: PlannerConfig = group(PlannerConfig, "how plans are made")
    controller: ControllerConfig = group(ControllerConfig, "how plans become actions")
    n_episodes: int = option("episodes", low=1, high=1_000_000)
    n_envs: int = option("environments side by side; changes speed and memory, not results", low=1)
    weights: str = option(
        "bundled, bundled-rnn, a name such as maze2d-large, or a folder: of a model or of a training run"
    )
    agent: str = option(
        "trained = plans with weights=; grid = the shortest path over the places that the data visited, no network; "
        "two that are told the map: waypoints = the data's own driver, oracle = a strong heuristic; script = what "
        "drives where data are made by a script (Fetch, Meta-World)",
        choices=("trained", "grid", "waypoints", "oracle", "script"),
    )
    ddim_steps: int | None = option(
        "weights of a Diffuser: steps of deterministic sampling (DDIM); null = all its levels, as published", low=1
    )
    grid_margin: float = option(
        "agent=grid: distance to keep from where the data never was, where there is room", low=0
    )


@dataclass
class EvalConfig(AgentConfig, RunConfig):
    """``dfplan eval``."""

    goal: str = option(
        "fixed = the environment's own; random = one drawn per episode (Multi2D); detour = start and goal cells whose "
        "way is at least 3 times the straight line, which leads into dead ends",
        choices=("fixed", "random", "detour"),
    )
    goal_given: str = option(
        "what the agent is told where the environment shows frames: image = a picture of itself at the goal; "
        "state = where it is",
        choices=("image", "state"),
    )
    view: str = option(
        "where the environment shows frames: top = as in training; mujoco = drawn by MuJoCo, in other colours and with "
        "perspective",
        choices=("top", "mujoco"),
    )
    tokenizer: str = option(
        "what finds the agent in frames: trained = as weights= were trained; or a folder, of a keypoint tokenizer "
        "or of the run that trained it"
    )
    vectorization: str = option(
        "how they run: batched = one after the other without overhead; sync, async = Gymnasium's vector environments, "
        "in this process or in one each; changes speed, not results",
        choices=("batched", "sync", "async"),
    )
    report: bool = option("false = no report.html, the page to look at, beside the results; it takes some seconds")


@dataclass
class RecordConfig(AgentConfig):
    """``dfplan record``."""

    data: str = option("data set to write: minari:<data set id>, <file>.hdf5 (D4RL), or a folder (LeRobot v3.0)")
    goal: str = option(
        "where goals are chosen: fixed = the environment's own; random = one per episode", choices=("fixed", "random")
    )
    description: str = option("what is done in the episodes, in words; Minari and LeRobot keep it")
    fps: float | None = option("LeRobot: frames a second, where the environment does not say", above=0)


@dataclass
class EvolveConfig(RunConfig):
    """``dfplan evolve``."""

    planner: PlannerConfig = group(PlannerConfig, "how plans are made")
    controller: ControllerConfig = group(ControllerConfig, "how plans become actions")
    training: TrainingConfig = group(TrainingConfig, "the fine-tuning of a round")
    weights: str = option("what gets better: bundled, or a folder of a model or of a training run")
    data: str = option("the data set that weights= were trained on, as of `dfplan train`")
    rounds: int = option("of practice and fine-tuning", low=0, high=1000)
    n_episodes: int = option("episodes that are practised in a round", low=1, high=100_000)
    n_envs: int = option("environments side by side; changes speed and memory, not results", low=1)
    unseen: float = option(
        "what is evaluated: of episodes that the environment begins, the share whose start and goal are farthest from "
        "all that the data do; 1 = all",
        above=0,
        high=1,
    )
    keep: str = option(
        "arrived = learn from episodes that came to their goal; all = from others as well: they went where they ended",
        choices=("arrived", "all"),
    )
    share: float = option(
        "of what is learned from, about how much was practised; 0 = practise nothing, and fine-tune on the data alone",
        low=0,
        high=0.99,
    )
    eval_episodes: int = option("episodes that each round is evaluated in; never practised", low=1, high=100_000)
    eval_seed: int = option("of these; seed= is of all else", low=0, high=2**32 - 1)
    resume: str | None = option("folder of an evolution to go on with, as it was begun, but for rounds=", path=True)


@dataclass
class BenchConfig(RunConfig):
    """``dfplan bench``."""

    agents: list[str] = option("names of agents, the first being what the others are compared with: default,fast")
    options_of: dict[str, list[str]] = option("by the name of an agent its options of `dfplan eval`")
    goal: str = option("as of `dfplan eval`", choices=("fixed", "random", "detour"))
    n_episodes: int = option("episodes, the same for every agent", low=1, high=1_000_000)
    n_envs: int = option("environments side by side; also the batch size that is timed besides 1", low=1)
    n_plans: int = option("plans that are timed, for each batch size", low=1)
    least_plans: int = option("how many of n_plans are timed however long they take", low=1)
    timing_seconds: float = option(
        "seconds after which planning of an agent is timed no more, once least_plans are, for each batch size", above=0
    )
    report: bool = option("false = no report.html, the page to look at, beside the results; it takes some seconds")


@dataclass
class PlanConfig(RunConfig):
    """``dfplan plan``."""

    planner: PlannerConfig = group(PlannerConfig, "how the plan is made")
    start: list[float] | None = option(
        "where to plan from, such as x,y; null = the first start cell, elsewhere as the episode of seed= begins"
    )
    goal: list[float] | None = option(
        "where to plan to, as many numbers as a goal has, such as x,y; null = the environment's own goal"
    )
    objective: str | None = option(
        "what else the plan is steered towards: reward, distance, time, stay, smoothness, progress, with a weight of "
        "30 (or as planner.guidance says), or one of an installed package; null = nothing"
    )
    weights: str = option(
        "bundled, bundled-rnn, a name such as maze2d-large, or a folder: of a model or of a training run"
    )


@dataclass
class ForecastConfig(RunConfig):
    """``dfplan forecast``."""

    data: str | None = option("rows over time, as those trained on: .csv, .npy or any data set without actions")
    weights: str | None = option("folder of a training of env=none, or of a model")
    num_steps: int = option("rows to forecast", low=1)
    num_futures: int = option("futures of each forecast", low=1)
    num_drawn: int | None = option(
        "futures that are drawn for each, of which num_futures stand for all (centres of k-means, for guesses of which "
        "the best counts; they are no sample); null = no more than num_futures",
        low=1,
    )
    backtests: int = option(
        "0 = go on where the data ends; more = as many forecasts an episode of its last rows, held against them", low=0
    )
    num_levels: int = option("noise levels from pure noise to clean: network calls of a future", low=1)


@dataclass
class TaskConfig:
    """What is trained; the options of a task are declared in its module of :mod:`dfplan.tasks`."""

    name: str = option("module of dfplan.tasks")


@dataclass
class TrainConfig(RunConfig):
    """``dfplan train``, less what its task adds: see :func:`train_schema`."""

    task: TaskConfig = group(TaskConfig, "what is trained")
    training: TrainingConfig = group(TrainingConfig, "the training loop")
    logger: LoggerConfig = group(LoggerConfig, "where metrics go")
    data: str = option(
        "generated, d4rl (download), minari:<id>, or the path of a D4RL .hdf5 file; none = the task's own"
    )
    leave_out: list[int] | None = option("ids of episodes of a minari: dataset that are not read; null = none")
    resume: str | None = option("run folder to continue; its own configuration is used", path=True)


@cache
def train_schema(task: str) -> type:
    """``dfplan train`` of one task: its options within ``task``, its groups beside.

    Raises:
        UserError: no such task.
    """
    declared = fields(find_task(task).Settings)
    options = [_again(each) for each in declared if not is_group(each)]
    groups = [_again(each) for each in declared if is_group(each)]
    task_config = make_dataclass("TaskConfig", options, bases=(TaskConfig,))
    return make_dataclass(
        "TrainConfig", [("task", task_config, group(task_config, "what is trained")), *groups], bases=(TrainConfig,)
    )


def _again(each: Field[Any]) -> tuple[str, Any, Any]:
    """The declaration of a field, for another dataclass."""
    return (
        each.name,
        each.type,
        field(default=each.default, default_factory=each.default_factory, metadata=each.metadata),
    )


@dataclass
class GenerateConfig:
    """``dfplan generate``."""

    env: EnvConfig = group(EnvConfig, "the environment")
    seed: int = option("what every random number derives from", low=0, high=2**32 - 1)
    num_steps: int | None = option("transitions; null = as many as the published dataset", low=1)
    noise: float | None = option(
        "scripted drivers: standard deviation of the noise on the actions; null = 0.5, as the published data, "
        "or, for Fetch, one drawn up to 0.15 in every episode, and for Meta-World 0.1",
        low=0,
    )
    quality: str | None = option(
        "published experts: expert = the policy as published; medium = one that earns 35 to 50 % of it; mixed = six, "
        "from poor to expert; scripts of Meta-World: expert, or multimodal = two ways to do a task, in equal shares",
        choices=("expert", "medium", "mixed", "multimodal"),
    )
    policy: str | None = option("published experts: file of the policy, safetensors", path=True)
    output: str | None = option("file to write; null = the dataset cache, where training looks", path=True)
    overwrite: bool = option("replace an existing file")


@dataclass
class ExportConfig:
    """``dfplan export``."""

    env: EnvConfig = group(EnvConfig, "the environment")
    planner: PlannerConfig = group(PlannerConfig, "how the exported planner plans")
    weights: str = option("bundled, or a folder: of a model or of a training run")
    output: str | None = option("folder to write to; null = runs/export/<env>/<time>", path=True)


SCHEMAS: dict[str, type] = {
    "export": ExportConfig,
    "eval": EvalConfig,
    "record": RecordConfig,
    "evolve": EvolveConfig,
    "bench": BenchConfig,
    "plan": PlanConfig,
    "forecast": ForecastConfig,
    "train": train_schema(DEFAULT_TASK),
    "generate": GenerateConfig,
}


def schema_of(command: str, composed: Any) -> type:
    """The schema of a command; that of ``dfplan train`` depends on the task in what Hydra composed.

    Raises:
        UserError: no such task.
    """
    if command != "train" or composed is None:
        return SCHEMAS[command]
    task = composed.get("task")
    name = task if isinstance(task, str) else (task or {}).get("name")
    return train_schema(name if isinstance(name, str) else DEFAULT_TASK)


@cache
def text_options(command: str) -> frozenset[str]:
    """Names of the options that are text, such as paths; those of every task, since a recipe may choose any."""
    return frozenset(
        name for name, each in _all_options(command) if plain_type(each) is str or each.metadata.get("path")
    )


def path_options(command: str) -> frozenset[str]:
    """Names of those of them that may be any text, as paths are."""
    limits = {
        name: [each.metadata.get(limit) for limit in ("choices", "characters")] for name, each in _all_options(command)
    }
    return frozenset(name for name in text_options(command) if not any(limits[name]))


def _all_options(command: str) -> list[tuple[str, Any]]:
    schemas = map(train_schema, group_choices("task")) if command == "train" else [SCHEMAS[command]]
    return [option for schema in schemas for option in flatten(schema)]


def flatten(schema: type, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every option of a schema, those of its groups behind its own, by dotted name with its dataclass field."""
    for each in sorted(fields(schema), key=lambda each: is_dataclass(each.type) and bool(prefix)):
        yield prefix + each.name, each
        if is_dataclass(each.type):
            yield from flatten(each.type, f"{prefix}{each.name}.")  # type: ignore[arg-type]
