"""``dfplan COMMAND --help``: what the command does, its groups and options with the values in force, and examples."""

import textwrap
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dfplan.cli.any_environment import FORECASTING, SERIES, makes_its_data
from dfplan.cli.compose import compose_options
from dfplan.cli.folders import group_choices
from dfplan.cli.launcher_schema import LauncherConfig
from dfplan.cli.schema import flatten, schema_of
from dfplan.errors import printable

ABOUT = {
    "eval": "Roll an agent out and score it: a table, a results JSON, a picture of the roll-outs, and report.html,\n"
    "a page to look at (`dfplan view`), with videos of episodes once `pip install 'dfplan[video]'` was run.\n"
    "The last line printed is the path of the results JSON.",
    "record": "Roll an agent out and write what it saw, did and earned as a data set, which `dfplan inspect` and\n"
    "`dfplan train` read, as do the readers of Minari, D4RL and LeRobot. The last line printed is its path.",
    "evolve": "Practise and learn from it, round after round: go for goals that the data lack, keep what arrived, and\n"
    "fine-tune on that and the data. Writes weights and scores of each round, curve.json and curve.png; Ctrl-C stops,\n"
    "resume=<folder> goes on. The last line printed is the folder of the last weights.",
    "bench": "Run agents side by side on the same starts and goals, in one process and in turns: scores with\n"
    "intervals, paired differences, time of plans and decisions, memory. A table, a results JSON, a picture and\n"
    "report.html, a page to look at (`dfplan view`).",
    "plan": "Make one plan and draw it, with how it was denoised row by row.",
    "train": "Train a model: data, training, validation, checkpoints, and at the end weights for `eval` and `plan`.\n"
    "Ctrl-C saves and stops; resume=<run folder> continues exactly where it stopped.",
    "generate": "Make a maze2d dataset by D4RL's published procedure, as a D4RL HDF5 file.",
    "forecast": "Draw futures of a series that nobody acts on, and, with backtests=, hold them against what came:\n"
    "scores beside a random walk, the last value and the last change, and a picture of fans.\n"
    "The last line printed is the path of the results JSON.",
    "export": "Write a trained transformer as ONNX and torch.export, with a manifest of SHA-256 sums, shapes and\n"
    "constants; dfplan.export.onnx_planner plans with it without torch. The last line printed is the folder.",
}
EXAMPLES = {
    "eval": (
        "dfplan eval env=maze2d-medium goal=random n_episodes=200 seed=7",
        "dfplan eval env=maze2d-large goal=detour controller=actions",
        "dfplan eval env=maze2d layout=mine.txt weights=runs/train/...",
        "dfplan eval -m controller=actions,shooting seed=0,1,2",
        "dfplan eval -m seed=0,1,2,3,4,5,6,7 launcher=joblib",
    ),
    "record": (
        "dfplan record env=maze2d-large goal=random data=minari:mine/large-v0 n_episodes=200",
        "dfplan record env=Pendulum-v1 weights=runs/train/... data=rollouts.hdf5",
    ),
    "evolve": (
        "dfplan evolve env=maze2d-medium weights=runs/train/... data=short.hdf5 rounds=3",
        "dfplan evolve resume=runs/evolve/... rounds=5",
    ),
    "bench": (
        "dfplan bench env=maze2d-large goal=random agents=default,fast,actions",
        "dfplan bench +options_of.few=[planner.num_candidates=4] agents=default,few n_episodes=20",
    ),
    "plan": (
        "dfplan plan env=maze2d-large start=1,1 goal=7,9",
        "dfplan plan env=maze2d-umaze planner.pyramid_offset=0",
        "dfplan plan planner.guidance.waypoints=[[7,1]] planner.guidance.keep_out=[[2,3.7,0.4]] objective=smoothness",
    ),
    "train": (
        "dfplan train env=maze2d-umaze model=rnn training.num_steps=2000",
        "dfplan train task=diffuser --help",
        "dfplan train recipe=diffuser-large",
        "dfplan train env=maze2d layout=mine.txt",
        "dfplan train resume=runs/train/...",
    ),
    "forecast": (
        "dfplan train env=none data=series.csv",
        "dfplan forecast data=series.csv weights=runs/train/... num_steps=30",
        "dfplan forecast data=series.csv weights=runs/train/... num_steps=30 backtests=5",
    ),
    "export": ("dfplan export env=maze2d-large", "dfplan export weights=runs/train/... planner.num_candidates=4"),
    "generate": (
        "dfplan generate env=maze2d-large",
        "dfplan generate env=maze2d-umaze num_steps=10000 output=u.hdf5",
        "dfplan generate env=Hopper-v5 quality=medium policy=tqc-hopper.safetensors output=hopper-medium.hdf5",
        "dfplan generate env=maze2d layout=mine.txt",
        "dfplan generate env=metaworld/push-v3 quality=multimodal output=push.hdf5",
    ),
}
INDENT, WIDTH = 35, 118


def print_help(command: str, *, options: Sequence[str]) -> None:
    """Print the help of a command; values shown are those that the options given beside ``--help`` lead to."""
    print(printable("\n".join(_lines(command, compose_options(command, options, return_hydra_config=True)))))


def _lines(command: str, composed: DictConfig) -> list[str]:
    choices = composed.hydra.runtime.choices
    lines = [ABOUT[command], "", f"usage: dfplan {command} [key=value ...]", ""]
    groups, options, nested = [], [], []
    for name, each in flatten(schema_of(command, composed)):
        if is_dataclass(each.type):
            if name in choices:
                groups.append(_line(name, choices[name], " | ".join(_offered(command, name))))
        else:
            value = OmegaConf.select(composed, name)
            if isinstance(value, DictConfig):
                nested += [
                    _line(f"{name}.{key}", f"[{', '.join(words)}]", f"agents={key}") for key, words in value.items()
                ]
                value = "{...}"
            (nested if "." in name else options).append(_line(name, value, _meaning(each)))
    if whole := {"eval": "experiment", "train": "recipe"}.get(command):
        groups.append(_line(whole, None, " | ".join(group_choices(whole))))
    lines += ["groups (each choice is a file of settings):", *groups, "", "options:", *options]
    lines += ["", "settings within the groups:", *nested, "", "what runs the points of a sweep, with -m:"]
    for each in fields(LauncherConfig):
        name = "launcher" if each.name == "name" else f"launcher.{each.name}"
        lines.append(_line(name, each.default, _meaning(each)))
    lines += ["", "examples:"]
    lines += [f"  {example}" for example in EXAMPLES[command]]
    return [*lines, "", "-m runs every combination of a=1,2 b=3,4; --cfg job prints the configuration and stops."]


def _offered(command: str, group: str) -> list[str]:
    if group != "env":
        return group_choices(group)
    offered = [choice for choice in group_choices(group) if choice != SERIES or command in FORECASTING]
    return [choice for choice in offered if command != "generate" or not makes_its_data(choice)]


def _meaning(each: Any) -> str:
    return each.metadata["meaning"]


def _line(name: str, value: Any, meaning: str) -> str:
    """One option, its value in force and its meaning, wrapped to a terminal."""
    shown = str(value).lower() if isinstance(value, bool) else "null" if value is None else value
    # A list of words may be longer than a line; its parts stand on lines of their own then.
    left = textwrap.fill(f"{name}={shown}", WIDTH, initial_indent="  ", subsequent_indent=" " * (len(name) + 4))
    first = f"{left:<{INDENT}}" if len(left) < INDENT else f"{left}\n{'':<{INDENT}}"
    lines = textwrap.wrap(meaning, WIDTH - INDENT, break_on_hyphens=False, break_long_words=False)
    return first + f"\n{'':<{INDENT}}".join(lines)
