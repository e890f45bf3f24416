"""``dfplan generate``: a maze2d dataset by D4RL's published procedure, written as D4RL HDF5."""

from pathlib import Path

import dfplan_envs  # noqa: F401 - registers the environments
from dfplan.cli.folders import dataset_file
from dfplan.cli.progress import progress_bar
from dfplan.cli.schema import GenerateConfig
from dfplan.data.d4rl_file import write_d4rl
from dfplan.data.generate import generate_maze2d
from dfplan.errors import UserError


def run(config: GenerateConfig) -> None:
    """Generate; the last line printed is the path of the file."""
    path = Path(config.output).expanduser() if config.output else dataset_file(config.env.id)
    if path.is_dir():
        raise UserError(f"output={path} is a folder; name a file such as {path / 'data.hdf5'}")
    if path.exists() and not config.overwrite:
        raise UserError(f"{path} exists; choose another output=, or overwrite=true to replace it")
    num_steps = config.num_steps or config.env.dataset_steps
    with progress_bar(f"generating {config.env.id}", total=num_steps, unit="transitions") as show:
        arrays = generate_maze2d(
            config.env.id, num_steps=num_steps, seed=config.seed, noise=config.noise, on_progress=show
        )
    metadata = {"env_id": config.env.id, "num_steps": num_steps, "seed": config.seed, "noise": config.noise}
    write_d4rl(path, arrays, metadata=metadata)
    print(path)
