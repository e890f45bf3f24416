"""Models of others at the Hugging Face Hub: bundles, fetched once, of which nothing is run."""

import re
from pathlib import Path

from dfplan.errors import UserError
from dfplan.models.bundle import find_bundle

PREFIX = "hf://"
# [hf://]<organisation>/<name>[@<revision>]; a revision is a branch, a tag, a commit or refs/pr/<number>.
HUB_ID = re.compile(rf"(?:{PREFIX})?([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@([A-Za-z0-9][\w./-]*))?")
KINDS_OF_FILES = ("*.json", "*.safetensors")  # all that bundles are made of; nothing else is fetched
PACKAGE_NEEDED = "takes a package: pip install 'dfplan[hub]'"


def is_hub_id(name: str | Path) -> bool:
    """Whether a name that is no folder here may be that of a model at the hub."""
    return isinstance(name, str) and HUB_ID.fullmatch(name) is not None and ".." not in name


def parts_of(hub_id: str) -> tuple[str, str | None]:
    """``<organisation>/<name>`` and the revision, None where none is said.

    Raises:
        UserError: it is no name of a model at the hub.
    """
    found = HUB_ID.fullmatch(hub_id) if isinstance(hub_id, str) else None
    if found is None or ".." in hub_id:
        raise UserError(f"{hub_id!r} is no name of a model at the Hugging Face Hub: {PREFIX}<organisation>/<name>")
    return found[1], found[2]


def fetch(hub_id: str) -> Path:
    """The folder of a bundle at the hub, in the cache of Hugging Face; what is there already is not fetched again.

    Args:
        hub_id: ``hf://<organisation>/<name>``, with or without ``hf://`` and ``@<revision>``.

    Raises:
        UserError: the package for it is missing, the hub cannot be reached, or it has no such bundle.
    """
    name, revision = parts_of(hub_id)
    absent = "" if hub_id.startswith(PREFIX) else f"there is no folder {hub_id}; "
    try:
        from huggingface_hub import snapshot_download  # optional, and slow to import
        from huggingface_hub.errors import HFValidationError
    except ImportError as error:
        raise UserError(f"{absent}to fetch {hub_id} from the Hugging Face Hub {PACKAGE_NEEDED}") from error
    try:
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=list(KINDS_OF_FILES)))
    except (OSError, HFValidationError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{absent}{hub_id} could not be fetched from the Hugging Face Hub ({reason}); check the name, and the "
            "network"
        ) from error
    if found := find_bundle(folder):
        return found
    raise UserError(f"{hub_id} at the Hugging Face Hub holds no model of dfplan: no model.json there, or in model/")
