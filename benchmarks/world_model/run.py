"""Rolls three world models out to ten times their training length; writes a dated result file, picture and tables.

python benchmarks/world_model/run.py --weights forcing=… next-token=… full-sequence=…
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named, path_of
from frechet import frechet_distance
from prediction import LENGTHS, SETTINGS, SHOWN, WorldModel, facts_of, features, frechet, pixel_error
from prediction_picture import draw
from records import evaluate
from report import pages
from videos import CellClassifier, Videos, drive, train_classifier

from dfplan.domains.camera import Camera, load_camera
from dfplan.domains.maze.state_estimator import load_estimator
from dfplan.models import ForcingModel, load_forcing_model
from dfplan.planner import Planner, PlannerSettings

HERE = Path(__file__).parent
HISTORY_FRAMES = 3
# The weights that come with dfplan to plan with: longer trained than the others, mostly on resynthesised trajectories.
GRID = {**SETTINGS, "planner": SETTINGS["forcing"]}
# How the same weights plan; a model of next tokens knows nothing of the future until it is there.
PLANS = {"forcing": [], "planner": [], "full-sequence": ["planner.pyramid_offset=0"]}


@dataclass(frozen=True)
class Scene:
    """What every model is shown and measured by.

    Attributes:
        env_id: the real maze.
        camera: above it.
        classifier: fixed; its features tell frames apart.
        length: steps of a training window.
        points: points of a training window.
    """

    env_id: str
    camera: Camera
    classifier: CellClassifier
    length: int
    points: int

    def drive(self, *, first: int, count: int) -> Videos:
        """Real drives, as long as the longest roll-out, one a seed."""
        return drive(
            self.env_id,
            seeds=range(first, first + count),
            num_steps=max(LENGTHS) * self.length,
            steps_per_point=self.length // self.points,
            history_frames=HISTORY_FRAMES,
        )

    def strip(self, frames: np.ndarray) -> np.ndarray:
        """Those frames of a drive ``(points, height, width, 3)`` that the picture shows."""
        return frames[[round(each * self.points) - 1 for each in SHOWN]]

    def features(self, frames: np.ndarray) -> np.ndarray:
        """Features ``(videos * points, dim)`` of frames ``(videos, points, height, width, 3)``."""
        return features(self.classifier, frames.reshape(-1, *frames.shape[2:]))

    def part(self, times: int) -> slice:
        """Points of the training length that ends at so many of them."""
        return slice(self.points * (times - 1), self.points * times)


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("--weights", nargs="+", required=True, metavar="METHOD=FOLDER", help=", ".join(GRID))
    parser.add_argument("--env", default="pixelmaze-medium-v1")
    parser.add_argument("--videos", type=int, default=48, help="of each row")
    parser.add_argument("--choosing", type=int, default=16, help="videos on which settings are chosen")
    parser.add_argument("--classifier-steps", type=int, default=300)


def results(arguments: argparse.Namespace) -> Named:
    """Every model on the same drives, and a picture of them; ``--episodes`` are planned with the same weights."""
    torch.set_num_threads(arguments.threads)
    folders = {name: Path(folder) for name, folder in (each.split("=", 1) for each in arguments.weights)}
    models = {name: load_forcing_model(folder) for name, folder in folders.items()}
    classifier, accuracy = train_classifier(arguments.env, seed=5, num_steps=arguments.classifier_steps)
    scene = scene_of(models, arguments.env, classifier)
    shown, choosing, others = (
        scene.drive(first=arguments.seed + after, count=count)
        for after, count in ((0, arguments.videos), (500, arguments.choosing), (5000, arguments.videos))
    )
    rows, strips = [], {"real": scene.strip(scene.camera.render(shown.positions[0]))}
    for name, folder in folders.items():
        world, row = choose(name, models[name], folder, choosing, scene=scene)
        began = time.perf_counter()
        row["lengths"], frames = measure(world, shown, scene=scene, lengths=LENGTHS)
        row |= {"seconds": round(time.perf_counter() - began, 1), "weights": facts_of(folder)}
        row |= planned(name, folder, env_id=arguments.env, episodes=arguments.episodes)
        rows.append(row)
        strips[name] = scene.strip(frames[0])
        print(name, json.dumps(row["lengths"]), flush=True)
    record = {
        "question": "frames predicted from given actions, far beyond the training length, against the real ones",
        "env": arguments.env,
        "num_videos": arguments.videos,
        "seed": arguments.seed,
        "training_length_steps": scene.length,
        "classifier": {"steps": arguments.classifier_steps, "accuracy": accuracy, "features": classifier.FEATURES},
        "floor": floor(shown, others, scene=scene, world=world),
        "rows": rows,
        "threads": arguments.threads,
    }
    yield "", record
    draw(record, strips, times=SHOWN, path=path_of(arguments, "", ".png"))


def scene_of(models: Mapping[str, ForcingModel], env_id: str, classifier: CellClassifier) -> Scene:
    """The scene of models that were trained alike."""
    windows = {(model.num_tokens, model.layout) for model in models.values()}
    if len(windows) > 1:
        raise SystemExit("the models do not have windows of one length and layout; train them alike")
    num_tokens, layout = windows.pop()
    length = num_tokens * layout.steps_per_token
    return Scene(env_id, load_camera(env_id), classifier, length, length // layout.steps_per_point)


def choose(
    name: str, model: ForcingModel, folder: Path, videos: Videos, *, scene: Scene
) -> tuple[WorldModel, dict[str, Any]]:
    """The world model with the settings of its grid that are best at the end, and what was tried."""
    sight, tried = load_estimator(folder, model.metadata["frames"]), []
    for settings in GRID[name]:
        world = WorldModel(Planner(model, settings=PlannerSettings(**settings)), sight=sight)
        (found,), _ = measure(world, videos, scene=scene, lengths=(max(LENGTHS),))
        tried.append({"settings": settings} | found)
        print(name, json.dumps(tried[-1]), flush=True)
    best = min(tried, key=lambda each: each["frechet"])["settings"]
    world = WorldModel(Planner(model, settings=PlannerSettings(**best)), sight=sight)
    return world, {"method": name, "settings": best, "tried": tried}


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
                **frechet(scene.features(frames[:, part]), scene.features(real), num_drives=len(real)),
            }
        )
    return found, frames


def planned(name: str, folder: Path, *, env_id: str, episodes: int) -> dict[str, Any]:
    """Score and success of the same weights as planner, if the model is one that plans."""
    if name not in PLANS or not episodes:
        return {}
    words = [f"env={env_id.removesuffix('-v1')}", f"weights={folder}", f"n_episodes={episodes}", "seed=1000"]
    record = evaluate([*words, "threads=1", *PLANS[name]])
    if record is None:
        raise SystemExit(f"{folder} does not plan; see above")
    return {"planned": {key: record["metrics"][key] for key in ("normalized_return", "success_rate")}}


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


BENCHMARK = Benchmark(
    says=__doc__, folder=HERE, measure=results, options=options, episodes=32, seed=1000, threads=1, pages=pages
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
