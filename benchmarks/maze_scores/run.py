"""Measures the published maze scores: runs experiments and keeps their result files, dated, beside this script."""

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from PIL import Image

from dfplan.cli.build import BUNDLED
from dfplan.cli.folders import bundled_weights, config_folder, group_choices
from dfplan.cli.main import main as dfplan

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named
from records import Record

PICTURED = "maze2d-large-pursuit"  # whose roll-outs stand at the top of docs/results/mazes.md
PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "maze2d-large.png"


@dataclass(frozen=True)
class Experiment:
    """What has to be known of a file in configs/experiment before it is run.

    Attributes:
        name: of the file.
        weights: the name of the folder of its weights, such as maze2d-large-rnn.
        agent: as `dfplan eval` calls it.
    """

    name: str
    weights: str
    agent: str


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("experiments", nargs="*", help="names from configs/experiment; none = all of them")
    parser.add_argument("--set", nargs="*", default=[], metavar="key=value", help="options for every experiment")
    parser.add_argument(
        "--weights",
        nargs="*",
        default=["bundled"],
        metavar="seed1=FOLDER",
        help="trainings to evaluate; a folder holds one run or model folder per name (maze2d-large, maze2d-large-rnn, "
        "maze2d-large-collected, maze2d-large-cloning, maze2d-eval-large); 'bundled' are the weights of dfplan",
    )


def results(arguments: argparse.Namespace) -> Named:
    """The experiments one after the other."""
    trainings = [parse_weights(word) for word in arguments.weights]
    kept, picture = 0, None
    with tempfile.TemporaryDirectory() as temporary:
        for experiment in (read_experiment(name) for name in arguments.experiments or group_choices("experiment")):
            for label, weights in find_trainings(experiment, trainings):
                output = Path(temporary) / f"{label}-{experiment.name}"
                words = [f"experiment={experiment.name}", f"output={output}", *weights, *arguments.set]
                if status := dfplan(["eval", *words, "report=false"]):
                    raise SystemExit(status)
                yield found(output, experiment=experiment, label=label)
                kept += 1
                if (experiment.name, label, arguments.set) == (PICTURED, "bundled", []):
                    picture = Image.open(output / "rollouts.png").convert(
                        "P", palette=Image.Palette.ADAPTIVE, colors=256
                    )
    if picture is not None:
        picture.save(PICTURE, optimize=True)
    if not kept:
        raise SystemExit(2)


def parse_weights(word: str) -> tuple[str, Path]:
    """``seed1=FOLDER`` as (label, folder); ``bundled`` are those of the package."""
    label, equals, folder = word.partition("=")
    if not equals and label != "bundled":
        raise SystemExit(f"--weights takes label=FOLDER or bundled; got {word!r}")
    if equals and not Path(folder).is_dir():
        raise SystemExit(f"--weights {word}: no such folder")
    return label, Path(folder) if equals else bundled_weights()


def read_experiment(name: str) -> Experiment:
    """What an experiment is about."""
    path = config_folder() / "experiment" / f"{name}.yaml"
    if not path.is_file():
        raise SystemExit(f"no experiment {name!r}; there are {', '.join(group_choices('experiment'))}")
    config: Any = OmegaConf.to_container(OmegaConf.load(path))
    env = next(each["override /env"] for each in config["defaults"] if "override /env" in each)
    named = config["weights"]
    weights = env + BUNDLED[named] if named in BUNDLED else Path(named).name
    return Experiment(name, weights=weights, agent=config.get("agent", "trained"))


def find_trainings(experiment: Experiment, trainings: list[tuple[str, Path]]) -> list[tuple[str, list[str]]]:
    """The trainings that have weights for an experiment: their labels, and what to say to `dfplan eval` to get them.

    What they lack is said. The grid has a map of the data and no training: the first will do. Others need nothing.
    """
    if experiment.agent not in ("trained", "grid"):
        return [("bundled", [])]
    chosen = []
    for label, folder in trainings:
        weights = folder / experiment.weights
        if weights.is_dir():
            chosen.append((label, [f"weights={weights}"]))
        else:
            print(f"{label}: no {experiment.weights} in {folder.name}; {experiment.name} left out")
    return chosen if experiment.agent == "trained" else chosen[:1]


def found(folder: Path, *, experiment: Experiment, label: str) -> tuple[str, Record]:
    """The results of one experiment, and what they are kept as.

    Where the weights lay is no business of the file: it names them by label, and by training seed and checksum. Weights
    that are called collected and were not trained so are refused.
    """
    record = json.loads((folder / "results.json").read_text())
    data = record["weights"].get("data")
    if experiment.weights.endswith("-collected") and data != "collected":
        raise SystemExit(
            f"{experiment.name}: {experiment.weights} of {label} learned from data {data}, by its own description; "
            "train it with resynthesis=none windows=collected"
        )
    record["config"]["weights"] = label
    return experiment.name if label == "bundled" else f"{experiment.name}_{label}", record


BENCHMARK = Benchmark(says=__doc__, folder=Path(__file__).parent, measure=results, options=options)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
