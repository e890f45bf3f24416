"""Do several things keep to their ways in pictures predicted ten times as far as was trained? Trains, and rolls out."""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named, path_of
from frechet import frechet_distance
from prediction import LENGTHS, SETTINGS, SHOWN, WorldModel, facts_of, features, frechet, pixel_error
from prediction_picture import draw as draw_record
from records import Record, between_marks, head, load, row, source
from scene import Drives, Looker, drive, find, train_looker
from worlds import add_options, run, train

from dfplan.models import load_forcing_model
from dfplan.models.sight import load_sight
from dfplan.planner import Planner, PlannerSettings
from dfplan_envs.discs_picture import draw

HERE = Path(__file__).parent
SUMMARY, README = HERE / "summary.json", HERE / "README.md"
BEGIN, END = "<!-- measured: written by benchmarks/video/run.py -->", "<!-- end of measured -->"
NUM_STEPS, NOISE = 100_000, 0.3
HISTORY_FRAMES = 2
STEPS_PER_POINT, POINTS = 2, 16  # of a training window
LENGTH = STEPS_PER_POINT * POINTS
TOKENIZER = ("task=autoencoder", "task.pooled=48", "task.foreground_weight=20", "training.num_steps=2000")
# What all three share; what differs is how noise comes.
FORCING = ("recipe=video", "frames.stack=2", "frames.stride=1")
METHODS: Mapping[str, tuple[str, ...]] = {
    "forcing": FORCING,
    "next-token": (*FORCING, "diffusion.levels=next", "diffusion.actions_apart=0"),
    "full-sequence": (*FORCING, "diffusion.levels=shared", "diffusion.actions_apart=0", "model.causal=false"),
}
FIGURES = {"forcing": "forcing", "next-token": "teacher_forcing", "full-sequence": "full_sequence"}
STILL = "last frame, repeated"


@dataclass(frozen=True)
class Shown:
    """What every model is measured by: drives, their pictures, and a network that tells these apart."""

    drives: Drives
    real: np.ndarray
    looker: Looker

    @classmethod
    def of(cls, looker: Looker, *, first: int, count: int) -> "Shown":
        """Drives of seeds from ``first`` on."""
        drives = drive(
            seeds=range(first, first + count),
            num_steps=max(LENGTHS) * LENGTH,
            steps_per_point=STEPS_PER_POINT,
            history_frames=HISTORY_FRAMES,
        )
        return cls(drives, pictures(drives.places), looker)

    def features(self, frames: np.ndarray) -> np.ndarray:
        """Features ``(drives * points, dim)`` of frames ``(drives, points, …)``."""
        return features(self.looker, frames.reshape(-1, *frames.shape[2:]))


def pictures(places: np.ndarray) -> np.ndarray:
    """Pictures ``(…, 64, 64, 3)`` of places ``(…, 8)``."""
    frames = draw(places.reshape(-1, places.shape[-1]))
    return frames.reshape(*places.shape[:-1], *frames.shape[1:])


def part(times: int) -> slice:
    """Points of the training length that ends at so many of them."""
    return slice(POINTS * (times - 1), POINTS * times)


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--videos", type=int, default=48, help="of each row (default 48)")
    parser.add_argument("--choosing", type=int, default=12, help="videos on which settings are chosen (default 12)")
    parser.add_argument("--looker-steps", type=int, default=1500, help="of the network that tells pictures apart")
    parser.add_argument("--film", type=Path, help="write one drive, real and predicted, to this mp4")
    add_options(parser, runs=Path("runs/video"))


def results(arguments: argparse.Namespace) -> Named:
    """Every method and training on the same drives, and a picture of the first of them."""
    torch.set_num_threads(1)
    data = arguments.runs / "discs.hdf5"
    if not data.exists():
        run("generate", "env=discs", f"num_steps={NUM_STEPS}", f"noise={NOISE}", f"output={data}")
    looker, error = train_looker(seed=5, num_steps=arguments.looker_steps)
    seed = arguments.seed
    shown, choosing, others = (
        Shown.of(looker, first=first, count=count)
        for first, count in (
            (seed, arguments.videos),
            (seed + 500, arguments.choosing),
            (seed + 5000, arguments.videos),
        )
    )
    rows, films = [], {"real": shown.real[0]}
    for training in arguments.trainings:
        eyes = ["env=pixel-discs", f"data={data}", f"seed={training}"]
        tokenizer = arguments.runs / f"tokenizer-{training}"
        train(tokenizer, [*eyes, *TOKENIZER])
        for method in arguments.methods:
            folder = arguments.runs / f"{method}-{training}"
            cost = train(folder, [*eyes, f"frames.tokenizer={tokenizer}", *METHODS[method], *arguments.set])
            world, found = choose(method, folder / "model", choosing)
            began = time.perf_counter()
            lengths, frames = measure(world, shown)
            found |= {"training": training, "lengths": lengths, "seconds": round(time.perf_counter() - began, 1)}
            rows.append(found | {"cpu_seconds_of_training": cost, "weights": facts_of(folder / "model")})
            films.setdefault(method, frames[0])
            print(method, training, json.dumps(lengths[-1]), flush=True)
    record = {
        "question": "frames of several things predicted from given actions, ten times the training length ahead",
        "num_videos": arguments.videos,
        "seed": seed,
        "training_length_steps": LENGTH,
        "looker": {"steps": arguments.looker_steps, "median_error": error, "features": looker.FEATURES},
        "trained": {name: list(words) for name, words in METHODS.items()},
        "floor": floor(shown, others, world=world),
        "rows": rows,
        "figures": figures(rows),
    }
    yield "", record
    strips = {name: frames[[round(each * POINTS) - 1 for each in SHOWN]] for name, frames in films.items()}
    first = record | {"rows": [each for each in rows if each["training"] == arguments.trainings[0]]}
    draw_record(first, strips, times=SHOWN, path=path_of(arguments, "", ".png"))
    if arguments.film:
        write_film(arguments.film, films)


def choose(method: str, weights: Path, drives: Shown) -> tuple[WorldModel, dict[str, Any]]:
    """The world model with those settings that come nearest to the real frames at the end, and what was tried."""
    model = load_forcing_model(weights)
    sight, tried, worlds = load_sight(weights, model.metadata["frames"]), [], []
    for settings in SETTINGS[method]:
        worlds.append(WorldModel(Planner(model, settings=PlannerSettings(**settings)), sight=sight))
        (found,), _ = measure(worlds[-1], drives, lengths=(max(LENGTHS),))
        tried.append({"settings": settings} | found)
        print(method, json.dumps(tried[-1]), flush=True)
    best = int(np.argmin([each["frechet"] for each in tried]))
    return worlds[best], {"method": method, "settings": tried[best]["settings"], "tried": tried}


def measure(
    world: WorldModel, shown: Shown, *, lengths: Sequence[int] = LENGTHS
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """What is told of frames in the last training length up to each of ``lengths``, and all frames predicted."""
    history = np.stack([pictures(places) for places in shown.drives.history])
    generators = [torch.Generator().manual_seed(number) for number in range(len(shown.real))]
    frames = world.draw(world.roll_out(history, shown.drives.actions, generators=generators))
    return [told(frames, shown, times=times) for times in lengths], frames


def told(frames: np.ndarray, shown: Shown, *, times: int) -> dict[str, Any]:
    """Errors and Fréchet distance of frames ``(drives, points, …)`` in one training length.

    The error of a disc's place is the median over all moments, of each disc by itself; ``position_error`` is the mean
    of the four discs.
    """
    predicted, real = frames[:, part(times)], shown.real[:, part(times)]
    where = find(predicted.reshape(-1, *predicted.shape[2:]))
    error = np.linalg.norm(where - shown.drives.places[:, part(times)].reshape(where.shape), axis=-1)
    each = np.median(error, axis=0)
    return {
        "times": times,
        "position_error": float(each.mean()),
        "position_error_of_each": each.tolist(),
        "position_error_p90": float(np.quantile(error, 0.9)),
        "pixel_error": pixel_error(predicted, real),
        **frechet(shown.features(predicted), shown.features(real), num_drives=len(real)),
    }


def floor(shown: Shown, others: Shown, *, world: WorldModel) -> list[dict[str, Any]]:
    """Real frames of other drives, the same ones through the tokenizer, and the last one that was seen, repeated."""
    drawn = world.sight.frames(world.sight.places(shown.real.reshape(-1, *shown.real.shape[2:])))
    drawn = drawn.reshape(shown.real.shape)
    still = np.broadcast_to(pictures(shown.drives.history[-1])[:, None], shown.real.shape)
    rows = []
    for times in LENGTHS:
        real, other = (shown.features(each[:, part(times)]) for each in (shown.real, others.real))
        rows.append(
            {
                "times": times,
                "other_drives": frechet_distance(other, real),
                "drawn": told(drawn, shown, times=times),
                "still": told(still, shown, times=times),
            }
        )
    return rows


def figures(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """At ten times: the mean of the trainings, between the least and the most that 95 % of drives drawn anew give."""
    found = {}
    for method, name in FIGURES.items():
        ends = [each["lengths"][-1] for each in rows if each["method"] == method]
        if not ends:
            continue
        found[f"{name}.frechet"] = {
            "mean": float(np.mean([each["frechet"] for each in ends])),
            "low": min(each["frechet_low"] for each in ends),
            "high": max(each["frechet_high"] for each in ends),
            "n": len(ends),
        }
        found[f"{name}.position_error"] = float(np.mean([each["position_error"] for each in ends]))
    return found


def write_film(path: Path, films: Mapping[str, np.ndarray], *, larger: int = 4) -> None:
    """One drive, side by side, real and as each method predicts it."""
    from dfplan.viz.page.film import encode  # needs an extra

    side_by_side = np.concatenate(list(films.values()), axis=2)
    path.write_bytes(encode(side_by_side.repeat(larger, axis=1).repeat(larger, axis=2)).video)


def table(record: Record) -> str:
    """A line for each method and training, and those of what no model is needed for."""
    lines = list(head("Fréchet distance · error of a disc's place, at", *(f"{each} ×" for each in LENGTHS)))

    def line(name: str, found: Sequence[Mapping[str, Any]]) -> str:
        return row(name, *(f"{each['frechet']:.3g} · {each['position_error']:.3f}" for each in found))

    for each in record["rows"]:
        lines.append(line(f"{each['method']}, training {each['training']}", each["lengths"]))
        between = (f"{part['frechet_low']:.3g} … {part['frechet_high']:.3g}" for part in each["lengths"])
        lines.append(row("drives drawn anew, 95 %", *between))
    lines.append(line(STILL, [each["still"] for each in record["floor"]]))
    lines.append(line("the real frames, through the tokenizer", [each["drawn"] for each in record["floor"]]))
    lines.append(row("other real drives", *(f"{each['other_drives']:.3g}" for each in record["floor"])))
    chosen = "; ".join(
        f"{each['method']} {each['training']}: "
        + ", ".join(f"{key}={value:g}" for key, value in each["settings"].items())
        for each in record["rows"]
    )
    picture = f"![frames and curves](results/{Path(record['file']).with_suffix('.png')})"
    return "\n".join([*lines, "", f"Settings chosen on other drives: {chosen}.", "", picture, "", source(record)])


def pages() -> dict[Path, str]:
    """The figures, and the README with their table."""
    found = load(HERE / "results")
    text = table(found[0]) if found else "Nothing is measured yet."
    told_figures = found[0]["figures"] if found else {}
    readme = between_marks(README.read_text(), text, begin=BEGIN, end=END)
    return {SUMMARY: json.dumps(told_figures, indent=1) + "\n", README: readme}


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, seed=1000, pages=pages)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
