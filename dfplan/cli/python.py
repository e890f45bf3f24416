"""What the commands do, as functions of Python: the same options and defaults, and the same results."""

from collections.abc import Sequence
from pathlib import Path

from dfplan.cli.arguments import read_words
from dfplan.cli.commands.train import carry_out
from dfplan.cli.compose import checked, compose_options, reading
from dfplan.cli.folders import release
from dfplan.cli.out_of_memory import told_in_one_line
from dfplan.cli.places import make_absolute
from dfplan.data.formats import layout
from dfplan.errors import EndedEarly, UserError
from dfplan.models.forcing_model import ForcingModel
from dfplan.models.library import load
from dfplan.types import Trajectories

ARGUMENTS = ("env", "data", "output", "resume")  # what the arguments of the function are for, or the command line alone


def train(
    data: Trajectories | str | Path,
    *,
    env: str,
    steps: int | None = None,
    seed: int = 0,
    output: str | Path | None = None,
    options: Sequence[str] = (),
) -> ForcingModel:
    """Train a planner as ``dfplan train`` does, into a run folder that ``dfplan train resume=`` goes on with.

    ::

        model = dfplan.train(dfplan.read("my.hdf5"), env="Hopper-v5", steps=5000)
        agent = dfplan.Agent(model, gymnasium.make("Hopper-v5"))

    Args:
        data: trajectories in memory, or what ``data=`` names: a data set, or, where the environment
            has such, "generated" or "d4rl".
        env: a Gymnasium id, or the name of a configuration such as ``maze2d-large``.
        steps: optimiser steps; None is what the command line takes.
        seed: what every random number derives from.
        output: the run folder, a new or empty one; None is ``runs/train/<env>/<time>``.
        options: more options as on the command line: ``["model=rnn", "training.batch_size=32"]``.

    Returns:
        The planner with its averaged weights, as :func:`dfplan.load` loads it from the run folder.

    Raises:
        UserError: data of another environment, an option that there is not, or whatever else the command refuses.
        EndedEarly: a signal stopped it; what was done is in the run folder.
    """
    texts = [env, *(options if isinstance(options, list | tuple) else [options])]
    if not all(isinstance(each, str) for each in texts) or isinstance(options, str):
        raise UserError(f"env is a text, and options a list of texts; got env={env!r:.60} and options={options!r:.60}")
    if not isinstance(data, Trajectories | str | Path):
        raise UserError(f"data are dfplan.Trajectories or what data= names; got {type(data).__name__}")
    said = read_words("train", texts[1:])
    if said.help or said.show or said.sweep or said.config_folder or set(said.given) & set(ARGUMENTS):
        raise UserError(f"options are key=value, but for {', '.join(ARGUMENTS)}; got {' '.join(options)}")
    words = [f"env={env}", f"seed={seed}", *([] if steps is None else [f"training.num_steps={steps}"]), *said.options]
    in_memory = layout.checked(data) if isinstance(data, Trajectories) else None
    words += [f"data={in_memory.source if in_memory else data}", *([] if output is None else [f"output={output}"])]
    try:
        with reading(None):
            config = checked("train", compose_options("train", words), given=("output",))
        make_absolute(config)
        with told_in_one_line("train", config):
            result = carry_out(config, data=in_memory)
    finally:
        release()
    if not result.finished:
        raise EndedEarly(result.exit_status)
    return load(result.run_folder.absolute())
