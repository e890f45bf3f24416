"""Figures as files that are written whole."""

from pathlib import Path

from matplotlib.figure import Figure

from dfplan.errors import UserError
from dfplan.files import written_whole


def save(figure: Figure, path: Path) -> Path:
    """Write a figure whole; the ending of its name chooses the format."""
    allowed = figure.canvas.get_supported_filetypes()
    if path.suffix.removeprefix(".") not in allowed:
        raise UserError(f"cannot draw into {path}: its name must end in one of .{', .'.join(sorted(allowed))}")
    with written_whole(path) as temporary:
        figure.savefig(temporary, facecolor="white")
    return path
