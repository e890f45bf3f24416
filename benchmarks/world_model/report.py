"""The picture and the tables of a record of `run.py`; as a program, the tables of the newest of training seed 0."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).parents[1]))

from frame import Benchmark
from records import between_marks, head, row

from dfplan.files import written_whole

HERE = Path(__file__).parent
BEGIN, END = "<!-- tables: written by benchmarks/world_model/report.py -->", "<!-- end of tables -->"
COLORS = {
    "forcing": "#0072B2",
    "next-token": "#D55E00",
    "full-sequence": "#009E73",
    "planner": "#56B4E9",
}  # Okabe and Ito
MEASURES = (
    ("frechet", "Fréchet distance to the real frames"),
    ("position_error", "median distance from the real position"),
    ("pixel_error", "mean squared error of pixels"),
)


def draw(record: Mapping[str, Any], strips: Mapping[str, np.ndarray], *, times: tuple[float, ...], path: Path) -> None:
    """Above, frames of one drive, real and as each model predicts them; below, the measures over time.

    Args:
        record: see `run.py`.
        strips: frames ``(shown, height, width, 3)`` of every row of the strip.
        times: when, in training lengths.
        path: of the picture.
    """
    figure = Figure(figsize=(1.5 * len(times), 1.55 * len(strips) + 3.4), layout="constrained", dpi=110)
    parts: Any = figure.subfigures(2, 1, height_ratios=(1.55 * len(strips), 3.4))
    above, below = parts
    axes = above.subplots(len(strips), len(times), squeeze=False)
    for line, (name, frames) in enumerate(strips.items()):
        for column, frame in enumerate(frames):
            axis = axes[line, column]
            axis.imshow(frame, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            if not line:
                axis.set_title(f"{times[column]:g} ×", fontsize=9)
        axes[line, 0].set_ylabel(name, fontsize=9)
    for axis, (measure, meaning) in zip(below.subplots(1, len(MEASURES)), MEASURES, strict=True):
        for each in record["rows"]:
            points = [(part["times"], part[measure]) for part in each["lengths"]]
            axis.plot(
                *zip(*points, strict=True), "o-", color=COLORS[each["method"]], label=each["method"], markersize=4
            )
        if measure == "frechet":
            points = [(part["times"], part["other_drives"]) for part in record["floor"]]
            axis.plot(*zip(*points, strict=True), "--", color="#6B7280", label="other real drives")
            axis.legend(fontsize=8)
        axis.set(title=meaning, xlabel="time in training lengths", yscale="log")
        axis.title.set_fontsize(9)
        axis.grid(alpha=0.3)
    with written_whole(path) as temporary:
        figure.savefig(temporary, facecolor="white")


def pages() -> dict[Path, str]:
    """The README with the tables of the newest file of training seed 0."""
    newest = sorted(path for path in (HERE / "results").glob("*.json") if "_seed" not in path.stem)[-1]
    readme, text = HERE / "README.md", "\n".join(_lines(json.loads(newest.read_text()), newest.stem))
    return {readme: between_marks(readme.read_text(), text, begin=BEGIN, end=END)}


def _lines(record: Mapping[str, Any], name: str) -> Iterator[str]:
    times = [part["times"] for part in record["floor"]]
    yield from head("Fréchet distance · median error of the position, at", *(f"{each} ×" for each in times))
    for each in record["rows"]:
        cells = (f"{part['frechet']:.3g} · {part['position_error']:.2f}" for part in each["lengths"])
        yield row(each["method"], *cells)
        between = (f"{part['frechet_low']:.3g} … {part['frechet_high']:.3g}" for part in each["lengths"])
        yield row(f"{each['method']}, drives drawn anew, 95 %", *between)
    for key, meaning in (("other_drives", "other real drives"), ("drawn", "the real positions, drawn")):
        yield row(meaning, *(f"{part[key]:.3g}" for part in record["floor"]))
    yield ""
    chosen = "; ".join(
        f"{each['method']}: " + ", ".join(f"{option}={value:g}" for option, value in each["settings"].items())
        for each in record["rows"]
    )
    yield f"Settings chosen on other drives: {chosen}."
    for each in record["rows"]:
        if "planned" in each:
            score, success = each["planned"]["normalized_return"], each["planned"]["success_rate"]
            yield (
                f"The weights of {each['method']} as planner of {record['env']}: score {score['mean']:.1f} "
                f"[{score['low']:.1f}, {score['high']:.1f}], success {100 * success['mean']:.0f} %."
            )
    yield ""
    yield f"![frames and curves](results/{name}.png)"
    yield ""
    yield (
        f"[{name}.json](results/{name}.json): {record['num_videos']} drives of seed {record['seed']} and on through "
        f"{record['env']}; training length {record['training_length_steps']} steps; classifier right on "
        f"{100 * record['classifier']['accuracy']:.1f} % of held-out frames; {record['machine']}, commit "
        f"`{record['commit'][:12]}`."
    )


BENCHMARK = Benchmark(says=__doc__, folder=HERE, pages=pages)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
