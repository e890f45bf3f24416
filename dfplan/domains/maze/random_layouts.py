"""Mazes that nobody has seen: random layouts of D4RL's sizes, of which those of some seeds are held out.

Which layouts are held out follows from the layouts themselves, so that no seed to learn from has one of them, nor one
turned or mirrored.
"""

import hashlib
import re

import numpy as np

from dfplan.domains.maze.layouts import FREE, GOAL, WALL, Layout
from dfplan.errors import UserError
from dfplan.files import user_path

# Rows and columns with the walls around, and free cells: D4RL's medium has 26 of 36, its large 46 of 70.
SIZES = {"medium": ((8, 8), (23, 28)), "large": ((9, 12), (41, 50))}
HELD_OUT = 10_000  # seeds from here on are for tests
NAMED = re.compile(r"random(?:-(\w+))?:(\d{1,15})")
MEANT = re.compile(r"random(-\w*)?:")
OPEN = np.lib.stride_tricks.sliding_window_view


def random_layout(seed: int, *, size: str = "medium", held_out: bool = False) -> Layout:
    """A layout in which every free cell can be reached from every other, with a goal anywhere.

    All is free at first; then cells are walled up, those in open places first, as long as the rest stays connected.

    Args:
        seed: everything follows from it.
        size: of :data:`SIZES`.
        held_out: whether a layout may be one that is held out: what learns or is tuned asks for none.

    Raises:
        UserError: there is no such size, or the seed is one of those held out and that was not asked for.
    """
    if size not in SIZES:
        raise UserError(f"a random maze is of a size of {', '.join(SIZES)}; got {size}")
    if seed < 0 or (seed >= HELD_OUT and not held_out):
        raise UserError(
            f"layouts to learn from have seeds from 0 to {HELD_OUT - 1:,}; got {seed}: from {HELD_OUT:,} on they are "
            "held out, to measure on; give held_out=True for that, and neither train nor tune on them"
        )
    shape, (fewest, most) = SIZES[size]
    generator = np.random.default_rng((seed, *shape))
    while True:
        walls = _walled_up(
            np.pad(np.zeros(np.subtract(shape, 2), bool), 1, constant_values=True), fewest, most, generator
        )
        if is_held_out(walls) == (seed >= HELD_OUT):
            break
    cells = np.where(walls, WALL, FREE)
    cells[tuple(generator.permutation(np.argwhere(~walls))[0])] = GOAL
    return tuple("".join(row) for row in cells.tolist())


def is_held_out(walls: np.ndarray) -> bool:
    """Whether a layout ``(rows, columns)`` is one of the half that is held out, with all that are its mirror images."""
    turned = [np.rot90(each, times) for each in (walls, walls[::-1]) for times in range(4)]
    least = min((each.shape, np.packbits(each).tobytes()) for each in turned)
    return bool(hashlib.sha256(repr(least).encode()).digest()[0] % 2)


def named_layout(name: str) -> tuple[Layout, str] | None:
    """The layout that is called ``random:7`` or ``random-large:7``, and its name; None where it is a file's.

    The name says of one that is held out that it is.

    Raises:
        UserError: something that begins like one of these, and is neither one nor a file.
    """
    if (said := NAMED.fullmatch(name)) is None:
        if MEANT.match(name) and not user_path(name).exists():
            sizes = ", ".join(f"random-{size}:<seed>" for size in SIZES)
            raise UserError(f"layout={name}: random mazes are {sizes}, the seed a whole number; or give a file")
        return None
    size, seed = said[1] or "medium", int(said[2])
    kind = "held-out" if seed >= HELD_OUT else "random"
    return random_layout(seed, size=size, held_out=True), f"{kind}-{size}-{seed}"


def _walled_up(walls: np.ndarray, fewest: int, most: int, generator: np.random.Generator) -> np.ndarray:
    """The same with more walls, so that ``fewest`` to ``most`` cells are free and these are connected."""
    wanted = generator.integers(fewest, most + 1)
    tried = walls.copy()
    while (~walls).sum() > wanted and not tried.all():
        squares = ~OPEN(walls, (2, 2)).any(axis=(2, 3))  # without a wall
        open_cells = np.zeros_like(walls)
        for row, column in np.argwhere(squares):
            open_cells[row : row + 2, column : column + 2] = True
        left = np.argwhere(open_cells & ~tried)
        cell = tuple(generator.choice(left if len(left) else np.argwhere(~tried)))
        tried[cell] = walls[cell] = True
        walls[cell] = _connected(~walls)
    return walls


def _connected(free: np.ndarray) -> bool:
    """Whether there is a way from every free cell to every other; those at the edge are none."""
    reached = np.zeros_like(free)
    reached[tuple(np.argwhere(free)[0])] = True
    while True:
        grown = reached.copy()
        grown[1:] |= reached[:-1]
        grown[:-1] |= reached[1:]
        grown[:, 1:] |= reached[:, :-1]
        grown[:, :-1] |= reached[:, 1:]
        grown &= free
        if (grown == reached).all():
            return bool((reached == free).all())
        reached = grown
