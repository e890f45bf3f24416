"""``dfplan generate``: a maze2d dataset by D4RL's published procedure, written as D4RL HDF5."""

from pathlib import Path

from dfplan.cli.folders import dataset_folder
from dfplan.cli.progress import progress_bar
from dfplan.cli.schema import GenerateConfig
from dfplan.data.sources import default_num_steps, generate_file, generated_file
from dfplan.errors import UserError


def run(config: GenerateConfig) -> None:
    """Generate; the last line printed is the path of the file."""
    if config.output is None:
        path = generated_file(dataset_folder(), env_id=config.env.id)
    else:
        path = Path(config.output).expanduser()
    if path.is_dir():
        raise UserError(f"output={path} is a folder; name a file such as {path / 'data.hdf5'}")
    if path.exists() and not config.overwrite:
        raise UserError(f"{path} exists; choose another output=, or overwrite=true to replace it")
    num_steps = config.num_steps or default_num_steps(config.env.id)
    with progress_bar(f"generating {config.env.name}") as show:
        generate_file(
            path, env_id=config.env.id, num_steps=num_steps, seed=config.seed, noise=config.noise, on_progress=show
        )
    print(path)
