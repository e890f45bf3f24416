"""``dfplan generate``: a data set by a published or documented procedure, written as D4RL HDF5."""

from dfplan.cli.folders import TAKEN, dataset_folder, take
from dfplan.cli.progress import progress_bar
from dfplan.cli.schema import GenerateConfig
from dfplan.domains.find import find_domain
from dfplan.domains.maze.sources import generated_file
from dfplan.errors import UserError
from dfplan.files import user_path


def run(config: GenerateConfig) -> None:
    """Generate; the last line printed is the path of the file."""
    chosen = user_path(config.output) if config.output is not None else None
    path = chosen or generated_file(dataset_folder(), env_id=config.env.id)
    if path.is_dir():
        raise UserError(f"output={path} is a folder; name a file such as {path / 'data.hdf5'}")
    if path.exists() and not config.overwrite:
        raise UserError(f"{path} exists; choose another output=, or overwrite=true to replace it")
    if chosen:
        take(path.with_name(f".{path.name}{TAKEN}"), chosen=path)
    domain = find_domain(config.env.id)
    with progress_bar(f"generating {config.env.name}") as show:
        domain.generate(path, num_steps=config.num_steps, seed=config.seed, noise=config.noise, on_progress=show)
    print(path)
