"""Models of others at the Hugging Face Hub: bundles, fetched once, of which nothing is run."""

import re
from pathlib import Path

from dfplan.errors import UserError
from dfplan.models.bundle import find_bundle

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")  # <organisation>/<name>
KINDS_OF_FILES = ("*.json", "*.safetensors")  # all that bundles are made of; nothing else is fetched


def is_hub_id(name: str | Path) -> bool:
    """Whether a name that is no folder here may be that of a model at the hub."""
    return isinstance(name, str) and HUB_ID.fullmatch(name) is not None and ".." not in name


def fetch(hub_id: str) -> Path:
    """The folder of a bundle at the hub, in the cache of Hugging Face; what is there already is not fetched again.

    Raises:
        UserError: the package for it is missing, the hub cannot be reached, or it has no such bundle.
    """
    try:
        from huggingface_hub import snapshot_download  # optional, and slow to import
        from huggingface_hub.errors import HFValidationError
    except ImportError as error:
        raise UserError(
            f"there is no folder {hub_id}; to fetch it from the Hugging Face Hub takes a package: pip install "
            "'dfplan[hub]'"
        ) from error
    try:
        folder = Path(snapshot_download(hub_id, allow_patterns=list(KINDS_OF_FILES)))
    except (OSError, HFValidationError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"there is no folder {hub_id}, and none was fetched from the Hugging Face Hub ({reason}); check the name, "
            "and the network"
        ) from error
    if found := find_bundle(folder):
        return found
    raise UserError(f"{hub_id} at the Hugging Face Hub holds no model of dfplan: no model.json there, or in model/")
