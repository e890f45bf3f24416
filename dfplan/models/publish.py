"""Puts a model where others can load it: its bundle and a card that says what it is, at the Hugging Face Hub."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dfplan.errors import UserError
from dfplan.models.bundle import DESCRIPTION_FILE, TENSORS_FILE, bundle_checksum
from dfplan.models.forcing_model import load_forcing_model
from dfplan.models.hub import PACKAGE_NEEDED, PREFIX, parts_of
from dfplan.models.library import folder_of

CARD = "README.md"
TEXT = """\
# {title}

A planner of dfplan: Diffusion Forcing over trajectories, for `{env}`.

```python
import dfplan

model = dfplan.load("{hub_id}")  # pip install 'dfplan[hub]'
```

| | |
|---|---|
{rows}

`{tensors}` holds the weights, `{description}` the whole configuration of the training and the SHA-256 of the weights.
Loading runs no code, and refuses files that do not match. This card was written from `{description}`; how well the
model does, and what it is for, is for its makers to add.
"""


def push_to_hub(
    weights: str | Path,
    hub_id: str,
    *,
    private: bool | None = None,
    license: str | None = None,
    message: str = "Upload a dfplan model",
) -> str:
    """Upload a planner, and a card where there is none yet; makes the repository, and the branch, if need be.

    Who uploads is whoever is logged in at the hub (``hf auth login``, or the variable ``HF_TOKEN``).

    Args:
        weights: as of :func:`dfplan.load`.
        hub_id: ``hf://<organisation>/<name>``, or ``hf://<organisation>/<name>@<branch>``.
        private: who may see a repository that is made; None is as the organisation has it.
        license: of the weights, as the card states it, such as ``mit``; None says nothing.
        message: of the commit.

    Returns:
        ``hf://<organisation>/<name>@<commit>``, by which :func:`dfplan.load` gets exactly this model.

    Raises:
        UserError: there is no such model, it is damaged, the package is missing, or the hub refuses.
    """
    name, branch = parts_of(hub_id)
    folder = folder_of(weights)
    model = load_forcing_model(folder)  # what cannot be loaded here is of no use to others
    try:
        from huggingface_hub import CommitOperationAdd, HfApi  # optional, and slow to import
        from huggingface_hub.errors import HFValidationError
    except ImportError as error:
        raise UserError(f"to upload to the Hugging Face Hub {PACKAGE_NEEDED}") from error
    api, files = HfApi(), {each: (folder / each).read_bytes() for each in (TENSORS_FILE, DESCRIPTION_FILE)}
    try:
        api.create_repo(name, private=private, exist_ok=True)
        if branch is not None:
            api.create_branch(name, branch=branch, exist_ok=True)
        if not api.file_exists(name, CARD, revision=branch):  # what people wrote there stays
            checksum = bundle_checksum(folder)
            files[CARD] = card_of(model.metadata, name=name, checksum=checksum, license=license).encode()
        added = [CommitOperationAdd(path, content) for path, content in files.items()]  # in one commit, or not at all
        commit = api.create_commit(name, added, revision=branch, commit_message=message)
    except (OSError, HFValidationError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{hub_id} could not be uploaded to ({reason}); log in with `hf auth login` as somebody who may write "
            "there, and check the network"
        ) from error
    return f"{PREFIX}{name}@{commit.oid}"


def card_of(metadata: Mapping[str, Any], *, name: str, checksum: str, license: str | None) -> str:
    """A model card of what the description of a bundle says, with the data at its head that the hub looks for."""
    from huggingface_hub import ModelCardData

    env, layout, made = metadata.get("env", "?"), metadata["layout"], metadata.get("provenance", {})
    network = ", ".join(f"{key} {value}" for key, value in metadata["model"].items() if key != "name")
    data = made.get("config", {}).get("dataset", {}).get("rows")
    facts = {
        "network": f"{metadata['model']['name']}, {network}",
        "a token": ", ".join(f"{key} {value}" for key, value in layout.items()),
        "tokens of a window": metadata["num_tokens"],
        "plans are scored by": metadata.get("scorer"),
        "rows of training data": None if data is None else f"{data:,}",
        "commit of dfplan": made.get("commit"),
        "SHA-256 of the weights": checksum,
    }
    rows = [f"| {key} | {value} |" for key, value in facts.items() if value is not None]
    tags = ["dfplan", "diffusion-forcing", "robotics"]
    head = ModelCardData(license=license, library_name="dfplan", pipeline_tag="robotics", tags=tags, model_name=name)
    text = TEXT.format(
        title=name.partition("/")[2],
        env=env,
        hub_id=f"{PREFIX}{name}",
        rows="\n".join(rows),
        tensors=TENSORS_FILE,
        description=DESCRIPTION_FILE,
    )
    return f"---\n{head.to_yaml()}\n---\n\n{text}"
