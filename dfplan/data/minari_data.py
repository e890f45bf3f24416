"""Where data of Minari's store were read before each format had one reader: scripts from then still find it."""

from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any

from dfplan.data.d4rl_file import hash_file
from dfplan.data.formats.minari import lay_out_episodes
from dfplan.data.formats.minari_file import MAIN_FILE, iterate_episodes, open_minari
from dfplan.errors import UserError
from dfplan.types import Trajectories


def read_minari(dataset_id: str, *, leave_out: Collection[int] = ()) -> Trajectories:
    """See :func:`dfplan.domains.maze.recorded.read_recorded`."""
    from dfplan.domains.maze.recorded import as_driven, check_widths

    dataset = _open(dataset_id)
    file = Path(dataset.storage.data_path) / MAIN_FILE
    lay = partial(
        lay_out_episodes,
        source=f"minari:{dataset_id}",
        action_bounds=None,
        checksum=hash_file(file) if file.is_file() else "",
        leave_out=leave_out,
    )
    try:
        data = lay(iterate_episodes(dataset.iterate_episodes(), dataset_id))
    except UserError:  # once more, to name all episodes that are at fault
        data = lay(iterate_episodes(dataset.iterate_episodes(), dataset_id), look=True)
    check_widths(data)
    return as_driven(data)


def _open(dataset_id: str) -> Any:
    return open_minari(dataset_id)
