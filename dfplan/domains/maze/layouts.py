"""Mazes of one's own: a layout drawn in a text file, and an environment id that says all of it.

As the id holds the whole maze, it is the same one wherever it is met: in a run that is resumed, in another process, in
a file of data.
"""

import base64
import io
import math
import re
from pathlib import Path

import gymnasium
import numpy as np

from dfplan.domains.maze.beginnings import way_lengths
from dfplan.errors import UserError
from dfplan.files import read_small, user_path

WALL, FREE, GOAL = "#", "O", "G"
SPELLINGS = {".": FREE, " ": FREE, "o": FREE, "g": GOAL}  # besides those
LEAST, MOST_CELLS = 3, 1000
MAX_BYTES = 16 * 1024
PICTURES = (".png", ".bmp", ".gif", ".jpg", ".jpeg")
HALF = 128  # of the range of a pixel: less is dark, and if channels differ by more it has a colour
ID = re.compile(r"maze2d-(\d{1,3})x(\d{1,3})-([\w-]+)-(\d{1,3})x(\d{1,3})-v0")
# Of an episode, for every cell of the longest way: 300, 600 and 800 steps for D4RL's U-Maze, medium and large.
STEPS_PER_CELL = 40
LEAST_TOKENS, TOKENS_TO_SPARE = 16, 4  # of a window, which takes a token or less for each cell of the longest way

Layout = tuple[str, ...]


def read_layout(path: str | Path) -> Layout:
    """Read a layout: a line a row, ``#`` for walls, ``O``, ``.`` or spaces for free cells, ``G`` for the fixed goal.

    Or a picture, a pixel a cell: dark is wall, light is free, and the one in colour the goal.

    Raises:
        UserError: there is no such file, or it is no maze; says in which row and column.
    """
    path = user_path(path)
    content = read_small(path, at_most=MAX_BYTES)
    try:
        text = _drawn_as_text(content, path) if path.suffix.lower() in PICTURES else content.decode()
    except UnicodeDecodeError as error:
        raise UserError(
            f"layout={path}: is no text; draw the maze in lines of # (wall), O (free) and G (goal)"
        ) from error
    lines = [line.rstrip("\r") for line in text.rstrip().split("\n")]
    rows = tuple("".join(SPELLINGS.get(each, each) for each in line) for line in lines)
    if wrong := check_layout(rows):
        raise UserError(f"layout={path}: {wrong}")
    return rows


def _drawn_as_text(content: bytes, path: Path) -> str:
    """What a picture shows, as text.

    Raises:
        UserError: it is none, or has more pixels than cells are taken.
    """
    from PIL import Image  # which Matplotlib brings; slow to import

    try:
        picture = Image.open(io.BytesIO(content))
        if picture.width * picture.height > MOST_CELLS:
            raise UserError(
                f"layout={path}: has {picture.height} x {picture.width} pixels; a pixel is a cell, and up to "
                f"{MOST_CELLS} are taken: scale it down until corridors are a pixel wide"
            )
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"layout={path}: is no picture that can be read ({error}); save it as PNG") from error
    cells = np.where(pixels.mean(axis=2) < HALF, WALL, FREE)
    cells[np.ptp(pixels, axis=2) > HALF] = GOAL
    return "\n".join("".join(row) for row in cells.tolist())


def check_layout(rows: Layout) -> str | None:
    """What is wrong with a layout, in a sentence; None where nothing is."""
    widths = {len(row) for row in rows}
    if len(widths) > 1:
        number = next(index for index, row in enumerate(rows) if len(row) != len(rows[0]))
        return f"row {number} has {len(rows[number])} cells and row 0 has {len(rows[0])}; make all rows as long"
    if len(rows) < LEAST or len(rows[0]) < LEAST or len(rows) * len(rows[0]) > MOST_CELLS:
        return f"has {len(rows)} x {len(rows[0])} cells; from {LEAST} x {LEAST} to {MOST_CELLS} in all are taken"
    cells = np.array([list(row) for row in rows])
    if len(strange := np.argwhere(~np.isin(cells, (WALL, FREE, GOAL)))):
        row, column = strange[0].tolist()
        return (
            f"row {row}, column {column} is {str(cells[row, column])!r}; cells are # (wall), O (free) or G (the goal)"
        )
    if (count := int((cells == GOAL).sum())) != 1:
        return f"has {count} cells G; mark one, the goal of Maze2D (goals of Multi2D are drawn anywhere)"
    edge = np.ones_like(cells, dtype=bool)
    edge[1:-1, 1:-1] = False
    if len(open_ends := np.argwhere(edge & (cells != WALL))):
        row, column = open_ends[0].tolist()
        return f"row {row}, column {column} is open to the outside; put # all around"
    ways = way_lengths(np.argwhere(cells != WALL))
    if len(ways) < 2:
        return "has no free cell beside G; leave O where the ball may be"
    if not np.isfinite(ways).all():
        row, column = np.argwhere(cells != WALL)[np.argmin(np.isfinite(ways[0]))].tolist()
        return f"row {row}, column {column} cannot be reached from everywhere; open a way to it, or wall it up"
    return None


def id_of(rows: Layout) -> str:
    """The id of the environment of a layout."""
    walls = np.array([[cell == WALL for cell in row] for row in rows])
    code = base64.urlsafe_b64encode(np.packbits(walls).tobytes()).decode().rstrip("=")
    goal = next((number, row.index(GOAL)) for number, row in enumerate(rows) if GOAL in row)
    return f"maze2d-{len(rows)}x{len(rows[0])}-{code}-{goal[0]}x{goal[1]}-v0"


def layout_of(env_id: str) -> Layout | None:
    """The layout that an id says; None where it says none, or what is no maze."""
    if (said := ID.fullmatch(env_id)) is None:
        return None
    height, width, row, column = (int(said[group]) for group in (1, 2, 4, 5))
    size = height * width
    try:
        code = base64.b64decode(said[3] + "=" * (-len(said[3]) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    if not 0 < size <= MOST_CELLS or len(code) != math.ceil(size / 8) or not (row < height and column < width):
        return None
    bits = np.unpackbits(np.frombuffer(code, np.uint8))[:size].reshape(height, width)
    cells = np.where(bits, WALL, FREE)
    cells[row, column] = GOAL
    rows = tuple("".join(each) for each in cells.tolist())
    return rows if check_layout(rows) is None and id_of(rows) == env_id else None


def longest_way(rows: Layout) -> int:
    """Cells of the longest of all shortest ways between two cells."""
    return int(way_lengths(_free_cells(rows)).max())


def _free_cells(rows: Layout) -> np.ndarray:
    return np.argwhere([[cell != WALL for cell in row] for row in rows])


def num_tokens(rows: Layout) -> int:
    """Tokens of a training window that the longest way fits into."""
    return max(LEAST_TOKENS, longest_way(rows) + TOKENS_TO_SPARE)


def register_layout(env_id: str) -> None:
    """Have Gymnasium know the environment of an id that says its layout; others are left as they are."""
    if env_id in gymnasium.registry or (rows := layout_of(env_id)) is None:
        return
    steps = 100 * math.ceil(STEPS_PER_CELL * longest_way(rows) / 100)
    gymnasium.register(
        env_id,
        entry_point="dfplan_envs.maze_env:MazeEnv",
        vector_entry_point="dfplan_envs.vector_env:MazeVectorEnv",
        max_episode_steps=steps,
        kwargs={"maze_name": "/".join((str(steps), *rows))},
    )
