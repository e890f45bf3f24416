"""Measures the published maze scores: runs experiments and keeps their result files, dated, beside this script."""

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image

from dfplan.cli.folders import group_choices
from dfplan.cli.main import main as dfplan
from dfplan.evaluation.report import write_record

RESULTS = Path(__file__).parent / "results"
PICTURED = "maze2d-large-pursuit"  # whose roll-outs stand at the top of the README
PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "maze2d-large.png"


def main() -> int:
    """Run the experiments one after the other; return the exit status of the first that fails, or 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiments", nargs="*", help="names from configs/experiment; none = all of them")
    parser.add_argument("--set", nargs="*", default=[], metavar="key=value", help="options for every experiment")
    parser.add_argument(
        "--weights",
        nargs="*",
        default=["bundled"],
        metavar="seed1=FOLDER",
        help="trainings to evaluate; a folder holds one run or model folder per maze (maze2d-large, maze2d-large-rnn); "
        "'bundled' are the weights that come with dfplan",
    )
    arguments = parser.parse_args()
    names = arguments.experiments or group_choices("experiment")
    kept: list[tuple[Path, str, str]] = []
    with tempfile.TemporaryDirectory() as temporary:
        for label, folder in (parse_weights(word) for word in arguments.weights):
            for name in names:
                weights = find_training(folder, experiment=name)
                if weights is None:
                    print(f"{label}: no {weights_name(name)} in {folder}; {name} left out")
                    continue
                output = Path(temporary) / f"{label}-{name}"
                words = [f"experiment={name}", f"output={output}", *weights, *arguments.set]
                status = dfplan(["eval", *words])
                if status != 0:
                    return status
                kept.append((output, name, label))
        # Kept only now: a file changed here would mark the commit of the results after it as altered.
        for output, name, label in kept:
            keep(output, name=name, label=label, pictured=name == PICTURED and label == "bundled" and not arguments.set)
    return 0 if kept else 2


def parse_weights(word: str) -> tuple[str, Path | None]:
    """``seed1=FOLDER`` as (label, folder); ``bundled`` has no folder."""
    label, equals, folder = word.partition("=")
    if not equals and label != "bundled":
        raise SystemExit(f"--weights takes label=FOLDER or bundled; got {word!r}")
    if equals and not Path(folder).is_dir():
        raise SystemExit(f"--weights {word}: no such folder")
    return label, Path(folder) if equals else None


def weights_name(experiment: str) -> str:
    """The folder of weights that an experiment is about, such as maze2d-large-rnn."""
    maze = experiment.split("-")[1]
    return f"maze2d-{maze}-rnn" if "-rnn-" in experiment else f"maze2d-{maze}"


def find_training(folder: Path | None, *, experiment: str) -> list[str] | None:
    """What to say to `dfplan eval` to get these weights; None where the folder has none for this experiment."""
    if folder is None:
        return []
    weights = folder / weights_name(experiment)
    return [f"weights={weights}"] if weights.is_dir() else None


def keep(folder: Path, *, name: str, label: str, pictured: bool) -> None:
    """Keep the results of one experiment as a dated file, and its picture as the README's.

    Where the weights lay is no business of the file: it names them by label, and by training seed and checksum.
    """
    record = json.loads((folder / "results.json").read_text())
    record.pop("record_sha256", None)  # written anew with the file
    record["config"]["weights"] = label if label != "bundled" else record["config"]["weights"]
    ending = "" if label == "bundled" else f"_{label}"
    kept = write_record(record, path=RESULTS / f"{datetime.now(UTC):%Y-%m-%d}_{name}{ending}.json")
    if pictured:
        # In 256 colours it is four times smaller.
        picture = Image.open(folder / "rollouts.png").convert("P", palette=Image.Palette.ADAPTIVE, colors=256)
        picture.save(PICTURE, optimize=True)
    print(f"kept as {kept}")


if __name__ == "__main__":
    sys.exit(main())
