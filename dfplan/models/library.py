"""Models by name: those that come with the package, and those of one's own trainings."""

from pathlib import Path

from dfplan.errors import UserError
from dfplan.files import user_path
from dfplan.models.bundle import find_bundle
from dfplan.models.forcing_model import ForcingModel, load_forcing_model

WEIGHTS = Path(__file__).parents[1] / "weights"


def bundled_names() -> list[str]:
    """Names of the models that come with the package."""
    return sorted(folder.parent.name for folder in WEIGHTS.glob("*/model.json"))


def load(weights: str | Path) -> ForcingModel:
    """A trained planner: one that comes with dfplan, by its name, or that in a folder of a model or a training run.

    Args:
        weights: such as ``maze2d-large`` or ``runs/train/maze2d-large/2026-11-29_10-00-00``. A name means the bundled
            model, also where there is a folder of that name: for that, write ``./maze2d-large``.

    Raises:
        UserError: there is none, it is damaged, or it is no planner.
    """
    if weights in bundled_names():
        return load_forcing_model(WEIGHTS / str(weights))
    if found := find_bundle(user_path(weights)):
        return load_forcing_model(found)
    raise UserError(
        f"no model {str(weights)!r}: give {', '.join(bundled_names())}, or the folder of a model or of a training run"
    )
