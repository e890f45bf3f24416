"""Handwritten digits, the small real images that come with scikit-learn: 1,797 of 8 x 8 pixels, integers 0 to 16."""

from dataclasses import dataclass

import numpy as np
from sklearn.datasets import load_digits

BRIGHTEST = 16
SPLIT_SEED = 0  # fixed: which digits are held out must not depend on the seed of a training


@dataclass(frozen=True)
class Digits:
    """Some digits.

    Attributes:
        images: ``[count, 8, 8]`` float32 in [-1, 1].
        labels: ``[count]`` integers 0 to 9.
    """

    images: np.ndarray
    labels: np.ndarray

    def sample(self, batch_size: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """Draw images with replacement, as ``images [batch, 1, 8, 8]``: a dataset of the training loop."""
        return {"images": self.images[generator.integers(len(self.images), size=batch_size), None]}


def load_digit_halves() -> tuple[Digits, Digits]:
    """Two halves of the digits, always the same; the first is to train on, the second to compare with.

    Source: UCI "Optical Recognition of Handwritten Digits", test part, as ``sklearn.datasets.load_digits`` has it.
    """
    found = load_digits()
    images = np.asarray(found.images, dtype=np.float32) / (BRIGHTEST / 2) - 1  # type: ignore[attr-defined]
    labels = np.asarray(found.target)  # type: ignore[attr-defined]
    order = np.random.default_rng(SPLIT_SEED).permutation(len(images))
    halves = (order[: len(order) // 2], order[len(order) // 2 :])
    first, second = (Digits(images[chosen], labels[chosen]) for chosen in halves)
    return first, second


def as_stored(images: np.ndarray) -> np.ndarray:
    """Images in [-1, 1] as the data have them: rounded to the 17 shades from 0 to 16."""
    return np.clip(np.round((images + 1) * (BRIGHTEST / 2)), 0, BRIGHTEST)
