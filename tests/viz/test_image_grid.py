"""A grid of images holds every pixel where it belongs."""

import from_benchmarks
import numpy as np
from PIL import Image

draw_image_grid = from_benchmarks.module("image_grid", of="image_ddpm").draw_image_grid


def test_grey_numbers_become_shades_row_by_row(tmp_path):
    images = np.stack([np.full((2, 3), value) for value in (0.0, 0.5, 1.7)])
    path = draw_image_grid(images, path=tmp_path / "grid.png", num_columns=2, scale=1)
    shown = np.asarray(Image.open(path).convert("RGB"))
    assert shown.shape == (2 + 1 + 2, 3 + 1 + 3, 3)
    assert (shown[:2, :3] == 0).all()
    assert (shown[:2, 4:] == 128).all()
    assert (shown[3:, :3] == 255).all()
    assert (shown[2] == 255).all()  # the gap


def test_colours_and_scale(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (1, 4, 5, 3), dtype=np.uint8)
    path = draw_image_grid(image, path=tmp_path / "grid.png", num_columns=1, scale=2)
    shown = np.asarray(Image.open(path).convert("RGB"))
    assert (shown[::2, ::2] == image[0]).all()
    assert (shown[1::2, 1::2] == image[0]).all()
