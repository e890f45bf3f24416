"""Small images side by side in one picture."""

from pathlib import Path

import numpy as np
from matplotlib.image import imsave

from dfplan.files import written_whole

GAP = 1  # pixels between two images


def draw_image_grid(images: np.ndarray, *, path: Path, num_columns: int = 8, scale: int = 4) -> Path:
    """Write images as a grid, row by row.

    Args:
        images: ``[count, height, width]`` in grey or ``[count, height, width, 3]`` in colour; 8 bits, or numbers from 0
            to 1, beyond which they are clipped.
        path: of the PNG.
        num_columns: images in a row.
        scale: pixels of the picture for one of an image, so that single ones can be seen.
    """
    values = images if images.dtype == np.uint8 else (255 * np.clip(images, 0, 1)).round().astype(np.uint8)
    if values.ndim == 3:
        values = np.repeat(values[..., None], 3, axis=-1)
    count, height, width, _ = values.shape
    num_rows = -(-count // num_columns)
    grid = np.full((num_rows * (height + GAP) - GAP, num_columns * (width + GAP) - GAP, 3), 255, dtype=np.uint8)
    for index, image in enumerate(values):
        row, column = (
            place * (size + GAP) for place, size in zip(divmod(index, num_columns), (height, width), strict=True)
        )
        grid[row : row + height, column : column + width] = image
    with written_whole(path) as temporary:
        imsave(temporary, grid.repeat(scale, axis=0).repeat(scale, axis=1), format="png")
    return path
