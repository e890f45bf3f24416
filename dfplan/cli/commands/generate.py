"""``dfplan generate``: a dataset of a maze by a published or documented procedure, written as D4RL HDF5."""

from dfplan.cli.folders import TAKEN, dataset_folder, take
from dfplan.cli.progress import progress_bar
from dfplan.cli.schema import GenerateConfig
from dfplan.domains.maze.demonstrations import CLOSED_DOOR, demonstrate_closed_door
from dfplan.domains.maze.sources import default_num_steps, generate_file, generated_file
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
    how = {"seed": config.seed, "noise": config.noise}
    with progress_bar(f"generating {config.env.name}") as show:
        if config.env.id == CLOSED_DOOR:
            from dfplan.data.formats import write  # slow to import, and of no use to the mazes

            data = demonstrate_closed_door(num_steps=config.num_steps or 128_000, **how, on_progress=show)
            path.unlink(missing_ok=True)
            write(data, path)
        else:
            num_steps = config.num_steps or default_num_steps(config.env.id)
            generate_file(path, env_id=config.env.id, num_steps=num_steps, **how, on_progress=show)
    print(path)
