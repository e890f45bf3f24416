"""Measures the published maze scores: runs experiments and keeps their result files, dated, beside this script."""

import argparse
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image

from dfplan.cli.folders import group_choices
from dfplan.cli.main import main as dfplan

RESULTS = Path(__file__).parent / "results"
PICTURED = "maze2d-large-pursuit"  # whose roll-outs stand at the top of the README
PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "maze2d-large.png"


def keep_picture(path: Path) -> None:
    """Keep a picture of roll-outs for the README, in 256 colours, which makes it four times smaller."""
    Image.open(path).convert("P", palette=Image.Palette.ADAPTIVE, colors=256).save(PICTURE, optimize=True)


def main() -> int:
    """Run the experiments one after the other; return the exit status of the first that fails, or 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiments", nargs="*", help="names from configs/experiment; none = all of them")
    parser.add_argument("--set", nargs="*", default=[], metavar="key=value", help="options for every experiment")
    arguments = parser.parse_args()
    names = arguments.experiments or group_choices("experiment")
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            status = dfplan(["eval", f"experiment={name}", f"output={folder}/{name}", *arguments.set])
            if status != 0:
                return status
        # Kept only now: a file changed here would mark the commit of the results after it as altered.
        for name in names:
            keep(Path(folder) / name, name=name, pictured=name == PICTURED and not arguments.set)
    return 0


def keep(folder: Path, *, name: str, pictured: bool) -> None:
    """Copy the results of one experiment to their dated file, and its picture to the README's."""
    RESULTS.mkdir(exist_ok=True)
    kept = RESULTS / f"{datetime.now(UTC):%Y-%m-%d}_{name}.json"
    shutil.copyfile(folder / "results.json", kept)
    if pictured:
        keep_picture(folder / "rollouts.png")
    print(f"kept as {kept}")


if __name__ == "__main__":
    sys.exit(main())
