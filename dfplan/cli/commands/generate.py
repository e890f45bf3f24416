"""``dfplan generate``: a data set by a published or documented procedure, written as D4RL HDF5."""

from pathlib import Path
from typing import Any

from dfplan.cli.folders import TAKEN, dataset_folder, take
from dfplan.cli.progress import progress_bar, say
from dfplan.cli.schema import GenerateConfig
from dfplan.data.d4rl_file import generated_file
from dfplan.domain import Domain
from dfplan.domains.find import find_domain
from dfplan.errors import UserError
from dfplan.files import user_path

OF_PROCEDURES = ("noise", "quality", "policy")


def run(config: GenerateConfig) -> None:
    """Generate; the last line printed is the path of the file."""
    chosen = user_path(config.output) if config.output is not None else None
    path = chosen or _usual_file(config)
    if path.is_dir():
        raise UserError(f"output={path} is a folder; name a file such as {path / 'data.hdf5'}")
    if path.exists() and not config.overwrite:
        raise UserError(f"{path} exists; choose another output=, or overwrite=true to replace it")
    domain = find_domain(config.env.id)
    asked = _asked(config, domain)
    if chosen:
        take(path.with_name(f".{path.name}{TAKEN}"), chosen=path)
    with progress_bar(f"generating {config.env.name}") as show:
        domain.generate(path, num_steps=config.num_steps, seed=config.seed, on_progress=show, say=say, **asked)
    print(path)


def _usual_file(config: GenerateConfig) -> Path:
    """Where training looks; data of a quality beside it."""
    quality = f"-{config.quality}" if config.quality else ""
    return generated_file(dataset_folder(), env_id=config.env.id + quality)


def _asked(config: GenerateConfig, domain: Domain) -> dict[str, Any]:
    """The options that are given of those that not every procedure has.

    Raises:
        UserError: this one does not have them.
    """
    given = {name: getattr(config, name) for name in OF_PROCEDURES}
    given = {name: value for name, value in given.items() if value is not None}
    wrong = sorted(given.keys() - set(domain.procedure))
    if wrong and domain.procedure:
        has = ", ".join(f"{name}=" for name in sorted(domain.procedure))
        raise UserError(f"{wrong[0]}= does not apply to data of {domain.env_id}; what does: {has}, num_steps=, seed=")
    return given
