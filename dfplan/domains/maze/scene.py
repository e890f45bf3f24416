"""What places of a maze are drawn over: its walls, x (the row) downwards and y (the column) to the right."""

from itertools import groupby
from typing import Any

from dfplan.protocol import Scene

CELL_OFFSET = -0.2  # cell (i, j) is centred on (i - 0.2, j - 0.2): D4RL sets the ball 0.2 off the grid of the walls
OUTER_WALL = 0.6  # share of the outermost wall cells that is cut off the picture


def scene_of(maze: Any) -> Scene:
    """Scene of a maze (its ``layout``, rows of characters with ``#`` for wall); each stretch of wall is a block."""
    corner, blocks = CELL_OFFSET - 0.5, []
    for row, cells in enumerate(maze.layout):
        column = 0
        for character, stretch in groupby(cells):
            width = len(list(stretch))
            if character == "#":
                blocks.append((corner + column, corner + row, float(width), 1.0))
            column += width
    low, (rows, columns) = corner + OUTER_WALL, (len(maze.layout), len(maze.layout[0]))
    return Scene(
        right=1,
        down=0,
        limits=(low, low, corner + columns - OUTER_WALL, corner + rows - OUTER_WALL),
        blocks=tuple(blocks),
        goal_radius=float(maze.goal_radius),
    )
