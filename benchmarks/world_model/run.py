"""Rolls three world models out to ten times their training length; writes a dated result file, picture and tables.

python benchmarks/world_model/run.py --weights forcing=… next-token=… full-sequence=…
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.append(str(Path(__file__).parents[1]))
from report import draw, write_tables
from videos import CellClassifier, Videos, drive, features, train_classifier

from dfplan.data.frames import Camera, load_camera
from dfplan.evaluation.frechet import frechet_distance
from dfplan.evaluation.report import circumstances, write_record
from dfplan.models import load_forcing_model
from dfplan.models.bundle import bundle_checksum
from dfplan.models.tokenizers import load_observer
from dfplan.planner import Planner, PlannerSettings
from dfplan.planner.world_model import WorldModel

HERE = Path(__file__).parent
LENGTHS = (1, 2, 4, 6, 8, 10)  # times the training length
SHOWN = (0.25, 0.5, 1, 2, 4, 6, 8, 10)  # of the strip
HISTORY_FRAMES = 3
# Each model is rolled out as suits it best: with the settings of these that are closest to the real frames at the end,
# on videos that are not reported. One level is what a model of next tokens is made for, slope 0 one of full sequences.
_STEADY = [{"context_level": level} for level in (0.0, 0.02, 0.05, 0.1)]
GRID: dict[str, list[dict[str, Any]]] = {
    "forcing": [*_STEADY, *({"window_tokens": 1} | each for each in _STEADY)],
    "next-token": [
        {"num_levels": levels, "slope": slope, "window_tokens": window}
        for levels, slope, window in ((1, 1.0, 0), (1, 1.0, 1), (1, 0.0, 0), (3, 1.0, 0))
    ],
    "full-sequence": [{"slope": 0.0, "num_levels": levels} | each for levels in (3, 10) for each in _STEADY],
}


@dataclass(frozen=True)
class Scene:
    """What every model is shown and measured by.

    Attributes:
        camera: of the real maze.
        classifier: fixed; its features tell frames apart.
        length: steps of a training window.
        points: points of a training window.
    """

    camera: Camera
    classifier: CellClassifier
    length: int
    points: int

    def features(self, frames: np.ndarray) -> np.ndarray:
        """Features ``(videos * points, dim)`` of frames ``(videos, points, height, width, 3)``."""
        return features(self.classifier, frames.reshape(-1, *frames.shape[2:]))

    def part(self, times: int) -> slice:
        """Points of the training length that ends at so many of them."""
        return slice(self.points * (times - 1), self.points * times)


def main() -> int:
    """Measure, print, keep a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", nargs="+", required=True, metavar="METHOD=FOLDER", help=", ".join(GRID))
    parser.add_argument("--env", default="pixelmaze-medium-v1")
    parser.add_argument("--videos", type=int, default=48, help="of each row")
    parser.add_argument("--choosing", type=int, default=16, help="videos on which settings are chosen")
    parser.add_argument("--seed", type=int, default=1000, help="of the first video")
    parser.add_argument("--classifier-steps", type=int, default=300)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--note", default="", help="what else the machine was doing")
    parser.add_argument("--output", type=Path, default=HERE / "results", help="folder of the result file")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    load = os.getloadavg()
    folders = {name: Path(folder) for name, folder in (each.split("=", 1) for each in arguments.weights)}
    models = {name: load_forcing_model(folder) for name, folder in folders.items()}
    length = {model.num_tokens * model.layout.steps_per_token for model in models.values()}
    spacing = {model.layout.steps_per_point for model in models.values()}
    if len(length) > 1 or len(spacing) > 1:
        raise SystemExit("the models do not have windows of one length; train them alike")
    (num_steps,), (steps_per_point,) = length, spacing
    classifier, accuracy = train_classifier(arguments.env, seed=5, num_steps=arguments.classifier_steps)
    scene = Scene(load_camera(arguments.env), classifier, num_steps, num_steps // steps_per_point)

    def videos(first: int, count: int) -> Videos:
        return drive(
            arguments.env,
            seeds=range(first, first + count),
            num_steps=max(LENGTHS) * num_steps,
            steps_per_point=steps_per_point,
            history_frames=HISTORY_FRAMES,
        )

    shown, choosing = videos(arguments.seed, arguments.videos), videos(arguments.seed + 500, arguments.choosing)
    others = videos(arguments.seed + 5000, arguments.videos)
    rows, strips = [], {}
    for name, model in models.items():
        sight = load_observer(folders[name], model.metadata["frames"])
        tried = []
        for settings in GRID[name]:
            world = WorldModel(Planner(model, settings=PlannerSettings(**settings)), sight=sight)
            found = measure(world, choosing, scene=scene, lengths=(max(LENGTHS),))[0]
            tried.append({"settings": settings} | found[-1])
            print(name, json.dumps(tried[-1]), flush=True)
        best = min(tried, key=lambda each: each["frechet"])["settings"]
        world = WorldModel(Planner(model, settings=PlannerSettings(**best)), sight=sight)
        began = time.perf_counter()
        found, strips[name] = measure(world, shown, scene=scene, lengths=LENGTHS)
        rows.append(
            {"method": name, "settings": best, "tried": tried, "lengths": found, "weights": facts_of(folders[name])}
            | {"seconds": round(time.perf_counter() - began, 1)}
        )
        print(name, json.dumps(found), flush=True)
    record = {
        "question": "frames predicted from given actions, far beyond the training length, against the real ones",
        "env": arguments.env,
        "num_videos": arguments.videos,
        "seed": arguments.seed,
        "training_length_steps": num_steps,
        "classifier": {"steps": arguments.classifier_steps, "accuracy": accuracy, "features": classifier.FEATURES},
        "floor": floor(shown, others, scene=scene, world=world),
        "rows": rows,
        "load_before": load,
        "load_after": os.getloadavg(),
        "threads": arguments.threads,
        "note": arguments.note,
    } | circumstances()
    now = datetime.now(UTC)
    path = write_record(record, path=arguments.output / f"{now:%Y-%m-%d-%H%M}.json")
    at = [round(each * scene.points) - 1 for each in SHOWN]
    strips = {"real": scene.camera.render(shown.positions[0, at])} | {
        name: frames[0, at] for name, frames in strips.items()
    }
    draw(record, strips, times=SHOWN, path=path.with_suffix(".png"))
    if arguments.output == HERE / "results":
        write_tables(HERE / "README.md", record, name=path.stem)
    print(path)
    return 0


def measure(
    world: WorldModel, videos: Videos, *, scene: Scene, lengths: tuple[int, ...]
) -> tuple[list[dict[str, float]], np.ndarray]:
    """Errors and Fréchet distance in the last training length up to each of ``lengths``, and all frames predicted."""
    history = np.stack([scene.camera.render(positions) for positions in videos.history])
    generators = [torch.Generator().manual_seed(row) for row in range(len(videos.actions))]
    predicted = world.roll_out(history, videos.actions, generators=generators)
    frames = world.draw(predicted)
    found = []
    for times in lengths:
        part = scene.part(times)
        real = scene.camera.render(videos.positions[:, part])
        error = np.linalg.norm(predicted[:, part, :2] - videos.positions[:, part], axis=-1)
        found.append(
            {
                "times": times,
                "position_error": float(np.median(error)),
                "position_error_p90": float(np.quantile(error, 0.9)),
                "pixel_error": pixel_error(frames[:, part], real),
                "frechet": frechet_distance(scene.features(frames[:, part]), scene.features(real)),
            }
        )
    return found, frames


def pixel_error(frames: np.ndarray, real: np.ndarray) -> float:
    """Mean squared difference of pixels in [0, 1]."""
    return float(np.mean([((a.astype(np.float32) - b) / 255) ** 2 for a, b in zip(frames, real, strict=True)]))


def floor(shown: Videos, others: Videos, *, scene: Scene, world: WorldModel) -> list[dict[str, float]]:
    """What cannot be undercut: real frames against those of other drives, and against the same ones drawn."""
    rows = []
    for times in LENGTHS:
        part = scene.part(times)
        real, other = (scene.camera.render(each.positions[:, part]) for each in (shown, others))
        drawn = world.draw(shown.positions[:, part])
        rows.append(
            {
                "times": times,
                "other_drives": frechet_distance(scene.features(other), scene.features(real)),
                "drawn": frechet_distance(scene.features(drawn), scene.features(real)),
                "drawn_pixel_error": pixel_error(drawn, real),
            }
        )
    return rows


def facts_of(folder: Path) -> Mapping[str, Any]:
    """How a model was trained, as its bundle tells, and its checksum."""
    metadata = load_forcing_model(folder).metadata
    return {"sha256": bundle_checksum(folder), "model": metadata["model"], "provenance": metadata["provenance"]}


if __name__ == "__main__":
    sys.exit(main())
