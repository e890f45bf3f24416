"""The tables of the newest record of training seed 0."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from frame import Benchmark
from records import between_marks, head, row

HERE = Path(__file__).parent
BEGIN, END = "<!-- tables: written by benchmarks/world_model/report.py -->", "<!-- end of tables -->"


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
