"""Trains a model of digits by the loop that trains planners, and measures its samples against digits it never saw.

Half A of the digits trained the model and trains the classifier whose features are compared; half B is what samples
should look like.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import sklearn
import torch
from sklearn.neural_network import MLPClassifier

from dfplan.cli.build import describe_weights
from dfplan.errors import UserError
from dfplan.evaluation.report import find_commit
from dfplan.models.bundle import load_bundle
from dfplan.models.forcing_model import load_weights
from dfplan.settings.training import Rates
from dfplan.training import train
from dfplan.training.settings import Settings

sys.path.append(str(Path(__file__).parents[1]))
from denoising import ImageDDPMTask
from digits import BRIGHTEST, Digits, as_stored, load_digit_halves
from frame import Benchmark, Named, path_of
from frechet import frechet_distance
from image_grid import draw_image_grid
from image_network import NAME, NUM_STEPS, build_unet, sample_images

HERE = Path(__file__).parent
BARS = {"frechet_share_of_noise": 0.25, "entropy_share_of_real": 0.9}
NUM_PICTURED = 64
TRAINED = {"width": 32, "dropout": 0.1, "num_levels": 1000, "num_steps": 3000, "learning_rate": 1e-3}


def train_in(folder: Path, *, seed: int) -> None:
    """Train in a new folder, or go on there, with the weights as ``folder/model``."""
    learned, held_out = load_digit_halves()
    sizes = {"image_size": learned.images.shape[-1], "channels": 1, "width": TRAINED["width"]}
    torch.manual_seed(seed)  # of the initial weights
    task = ImageDDPMTask(
        build_unet(**sizes, dropout=TRAINED["dropout"]),
        num_levels=TRAINED["num_levels"],
        rates=Rates(learning_rate=TRAINED["learning_rate"], weight_decay=0.0),
        held_out=held_out,
        metadata={
            "model": {"name": NAME, **sizes, "num_levels": TRAINED["num_levels"]},
            "provenance": {"commit": find_commit(), "config": {"seed": seed, **TRAINED}},
        },
    )
    settings = Settings(num_steps=TRAINED["num_steps"], seed=seed, device="cpu")
    train(task, learned, settings, run_folder=folder, resume=folder.exists(), config={"seed": seed, **TRAINED})


class Judge:
    """A fixed classifier: one hidden layer of 64 units, whose activations are the features."""

    def __init__(self, digits: Digits) -> None:
        self.network = MLPClassifier((64,), alpha=1e-2, max_iter=400, random_state=0)
        self.network.fit(flat(as_stored(digits.images)), digits.labels)

    def features(self, pixels: np.ndarray) -> np.ndarray:
        """Activations ``[count, 64]`` of the hidden layer for pixels from 0 to 16."""
        return np.maximum(flat(pixels) @ self.network.coefs_[0] + self.network.intercepts_[0], 0)

    def labels(self, pixels: np.ndarray) -> np.ndarray:
        """The digit that each image is taken for."""
        return self.network.predict(flat(pixels))


def flat(pixels: np.ndarray) -> np.ndarray:
    """Pixels from 0 to 16 as vectors from 0 to 1."""
    return pixels.reshape(len(pixels), -1) / BRIGHTEST


def entropy(labels: np.ndarray) -> float:
    """Of the distribution of labels, in bits."""
    shares = np.bincount(labels, minlength=10) / len(labels)
    return float(-(shares[shares > 0] * np.log2(shares[shares > 0])).sum())


def nearest_distances(pixels: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Euclidean distance of each image to the nearest of the others, pixels from 0 to 1."""
    ours, theirs = flat(pixels), flat(others)
    squares = (ours**2).sum(axis=1)[:, None] + (theirs**2).sum(axis=1) - 2 * ours @ theirs.T
    return np.sqrt(squares.min(axis=1).clip(min=0))


def distances_of(pixels: np.ndarray, train: np.ndarray) -> dict[str, float]:
    """How far images are from the nearest training image."""
    found = nearest_distances(pixels, train)
    quantiles = {"p1": 1, "p10": 10, "median": 50, "p90": 90}
    return {"least": float(found.min())} | {name: float(np.percentile(found, q)) for name, q in quantiles.items()}


def measure(samples: np.ndarray, *, train: Digits, real: Digits, seed: int) -> dict[str, Any]:
    """Compare samples (pixels from 0 to 16) with real digits that were not trained on."""
    judge = Judge(train)
    train_pixels, real_pixels = as_stored(train.images), as_stored(real.images)
    noise = as_stored(np.random.default_rng(seed).standard_normal(samples.shape))
    sets = {"samples": samples, "training_half": train_pixels, "noise": noise}
    target = judge.features(real_pixels)
    frechet = {name: frechet_distance(judge.features(each), target) for name, each in sets.items()}
    labels = {"samples": judge.labels(samples), "real": real.labels}
    entropies = {name: entropy(each) for name, each in labels.items()}
    nearest = {name: distances_of(each, train_pixels) for name, each in (("samples", samples), ("real", real_pixels))}
    return {
        "classifier_accuracy_on_real": float((judge.labels(real_pixels) == real.labels).mean()),
        "frechet_to_real": frechet,
        "frechet_share_of_noise": frechet["samples"] / frechet["noise"],
        "label_entropy_bits": entropies,
        "entropy_share_of_real": entropies["samples"] / entropies["real"],
        "label_counts": {name: np.bincount(each, minlength=10).tolist() for name, each in labels.items()},
        "nearest_training_image": nearest,
    }


def passes(found: dict[str, Any]) -> dict[str, bool]:
    """Which bars are passed."""
    nearest = found["nearest_training_image"]
    return {
        "frechet": found["frechet_share_of_noise"] <= BARS["frechet_share_of_noise"],
        "entropy": found["entropy_share_of_real"] >= BARS["entropy_share_of_real"],
        "no_copies_median": nearest["samples"]["median"] >= nearest["real"]["median"],
        "no_copies_p1": nearest["samples"]["p1"] >= nearest["real"]["p1"],
    }


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("run", type=Path, help="folder of a training; where it has not ended, it goes on first")
    parser.add_argument("--training", type=int, default=0, help="its seed (default 0)")
    parser.add_argument("--steps", type=int, default=NUM_STEPS, help=f"of sampling (default {NUM_STEPS})")


def results(arguments: argparse.Namespace) -> Named:
    """Sample and measure, and draw the picture; status 1 if a bar is missed."""
    try:
        train_in(arguments.run, seed=arguments.training)
        tensors, metadata = load_bundle(arguments.run / "model")
        unet = build_unet(**{name: metadata["model"][name] for name in ("image_size", "channels", "width")}).eval()
        load_weights(unet, tensors, prefix="unet.", folder=arguments.run / "model")
        settings = json.loads((arguments.run / "config.json").read_text())["training"]
        train, real = load_digit_halves()
    except UserError as error:
        arguments.refuse(str(error))
    began = time.perf_counter()
    generator = torch.Generator().manual_seed(arguments.seed)
    shape, how = (len(real.images), 1, *real.images.shape[1:]), {"num_levels": metadata["model"]["num_levels"]}
    with torch.no_grad():
        drawn = sample_images(unet, shape, generator=generator, num_steps=arguments.steps, **how).numpy()[:, 0]
    seconds = time.perf_counter() - began
    samples = as_stored(drawn)
    found = measure(samples, train=train, real=real, seed=arguments.seed)
    record = {
        "question": "do samples of the image model look like digits that it never saw?",
        "seed": arguments.seed,
        "sampler": f"DPM-Solver++, {arguments.steps} steps",
        "num_samples": len(samples),
        "seconds_of_sampling": seconds,
        "threads": torch.get_num_threads(),
        "versions": {"torch": torch.__version__, "diffusers": diffusers.__version__, "sklearn": sklearn.__version__},
        "num_parameters": sum(each.numel() for each in unet.parameters()),
        "weights": describe_weights(arguments.run / "model", metadata),
        "training": metadata["provenance"] | {"num_steps": settings["num_steps"]},
        "bars": BARS,
        "passed": passes(found),
        **found,
    }
    arguments.output.mkdir(parents=True, exist_ok=True)
    name = f"{settings['num_steps']}-steps_seed{arguments.seed}"
    draw_image_grid(samples[:NUM_PICTURED] / BRIGHTEST, path=path_of(arguments, name, ".png"), num_columns=16)
    print(json.dumps({name: found[name] for name in found if name != "label_counts"}, indent=1))
    print(json.dumps(record["passed"]))
    yield name, record
    if not all(record["passed"].values()):
        raise SystemExit(1)


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, seed=0)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
