"""Draw matrices.png: three scheduling matrices of one family, and levels.png: the levels that training sees."""

import torch
from canvas import PAPER, draw_levels, title, write
from matplotlib.figure import Figure

from dfplan.diffusion import autoregressive_matrix, full_sequence_matrix, pyramid_matrix, sample_levels

NUM_TOKENS, NUM_LEVELS, NUM_WINDOWS = 8, 4, 12


def draw_matrices() -> None:
    """The same plan, denoised all at once, with growing uncertainty, and token by token."""
    size = {"num_levels": NUM_LEVELS}
    matrices = {
        "full sequence: offset 0": full_sequence_matrix(NUM_TOKENS, **size),
        "pyramid: offset 1": pyramid_matrix(NUM_TOKENS, offset=1.0, **size),
        f"autoregressive: offset {NUM_LEVELS}": autoregressive_matrix(NUM_TOKENS, **size),
    }
    figure = Figure(figsize=(8, 3.6), dpi=110, layout="constrained", facecolor=PAPER)
    axes = figure.subplots(1, 3)
    for ax, (name, matrix) in zip(axes, matrices.items(), strict=True):
        image = draw_levels(ax, matrix.numpy(), num_levels=NUM_LEVELS)
        title(ax, f"{name}\n{len(matrix) - 1} calls of the network")
    bar = figure.colorbar(image, ax=axes, aspect=30, pad=0.02, ticks=range(NUM_LEVELS + 1))
    bar.set_label("noise level: 0 is clean", fontsize=9)
    write(figure, "matrices.png")


def draw_training_levels() -> None:
    """A dozen training windows of each kind."""
    kinds = {
        "independent\n(Diffusion Forcing)": "independent",
        "shared\n(full-sequence diffusion)": "shared",
        "next\n(teacher forcing)": "next",
    }
    figure = Figure(figsize=(8, 3), dpi=110, layout="constrained", facecolor=PAPER)
    axes = figure.subplots(1, 3)
    for ax, (name, kind) in zip(axes, kinds.items(), strict=True):
        levels = sample_levels((NUM_WINDOWS, NUM_TOKENS), kind=kind, generator=torch.Generator().manual_seed(1))
        image = draw_levels(ax, levels.numpy(), num_levels=1, axes_named=False)
        ax.set(xlabel="token", ylabel="training window", yticks=[])
        title(ax, name)
    figure.colorbar(image, ax=axes, aspect=30, pad=0.02).set_label("noise level: 0 is clean", fontsize=9)
    write(figure, "levels.png")


if __name__ == "__main__":
    draw_matrices()
    draw_training_levels()
