"""Models by name: those that come with the package, those of one's own trainings, and those of others at the hub."""

from pathlib import Path

from dfplan.errors import UserError
from dfplan.files import user_path
from dfplan.models import hub
from dfplan.models.bundle import find_bundle
from dfplan.models.forcing_model import ForcingModel, load_forcing_model

WEIGHTS = Path(__file__).parents[1] / "weights"


def bundled_names() -> list[str]:
    """Names of the models that come with the package."""
    return sorted(folder.parent.name for folder in WEIGHTS.glob("*/model.json"))


def load(weights: str | Path) -> ForcingModel:
    """A trained planner: one that comes with dfplan, by its name, one in a folder, or one at the Hugging Face Hub.

    Args:
        weights: such as ``maze2d-large``, ``runs/train/maze2d-large/2026-11-29_10-00-00`` (a model or a training run),
            or ``hf://<organisation>/<name>``, with ``@<branch, tag or commit>`` behind it where it is to be that one.
            A name means the bundled model, also where there is a folder of that name: for that, write
            ``./maze2d-large``. Without ``hf://``, the hub is asked where there is no such folder.

    Raises:
        UserError: there is none, it is damaged, it is no planner, or the hub cannot be reached.
    """
    return load_forcing_model(folder_of(weights))


def folder_of(weights: str | Path) -> Path:
    """The folder of the bundle that :func:`load` loads, fetched from the hub if need be.

    Raises:
        UserError: there is none, or the hub cannot be reached.
    """
    if isinstance(weights, str) and weights in bundled_names():
        return WEIGHTS / str(weights)
    if found := find_bundle(user_path(weights)):
        return found
    if hub.is_hub_id(weights) and not user_path(weights).exists():
        return hub.fetch(str(weights))
    raise UserError(
        f"no model {str(weights)!r}: give {', '.join(bundled_names())}, the folder of a model or of a training run, or "
        "hf://<organisation>/<name> at the Hugging Face Hub"
    )
