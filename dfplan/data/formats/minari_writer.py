"""Writes trajectories as a data set of the local Minari store, from which they are read back as they were."""

import json
import shutil
import warnings
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.data.formats.extras import differences
from dfplan.data.formats.minari import FACTS, GOALS, OWN_FILE, bounds_of, lay_out_episodes
from dfplan.errors import UserError
from dfplan.files import cannot_write, write_whole
from dfplan.types import Trajectories


def check_target(dataset_id: str) -> Path:
    """The folder that a new data set would be written to.

    Raises:
        UserError: Minari is not installed, the data set is there already, or its name is none.
    """
    try:
        from minari.dataset.minari_dataset import parse_dataset_id  # optional, and slow to import
        from minari.storage import get_dataset_path
    except ImportError as error:
        raise UserError("writing Minari data sets needs a package: pip install 'dfplan[minari]'") from error
    try:
        parse_dataset_id(dataset_id)
    except (ValueError, TypeError) as error:  # TypeError where there is no version
        raise UserError(f"minari:{dataset_id} is no name of a data set; choose one such as mine/robot-v0") from error
    folder = Path(get_dataset_path(dataset_id))
    if folder.exists():
        raise UserError(f"minari:{dataset_id} is there already; choose another name")
    return folder


def write(dataset_id: str, data: Trajectories, *, task: str) -> Path:
    """Write a data set that Minari loads; what it has no place for lies beside its file, in ``dfplan.npz``.

    Minari has an observation more than actions in each episode. Where data hold an action in the last row of an
    episode, Minari is shown those before it, and that one is kept beside, as episodes are that have no step.

    Args:
        dataset_id: such as ``mine/robot-v0``; a new one.
        data: with actions.
        task: what is done, in words, for the description.

    Returns:
        The folder.

    Raises:
        UserError: Minari is not installed, the data set is there or cannot be written, its name is none, or there are
            no actions or steps.
    """
    folder = check_target(dataset_id)
    import minari
    from gymnasium import spaces

    if not data.actions.shape[1]:
        raise UserError(f"{data.source} has no actions, and a Minari data set needs some")
    episodes = _episodes(data)
    if not episodes:
        raise UserError(f"{data.source} has no step, as all of its episodes are of one row; Minari needs some")
    bounds = data.action_bounds
    size = data.actions.shape[1]
    box = spaces.Box(-np.inf, np.inf, (size,), np.float32)
    action_space = box if bounds is None else spaces.Box(bounds.low, bounds.high, dtype=np.float32)
    plain = lay_out_episodes(episodes, source=f"minari:{dataset_id}", action_bounds=bounds_of(action_space))
    own, facts = differences(data, plain)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of an author and code that are not named
            minari.create_dataset_from_buffers(
                dataset_id,
                buffer=episodes,
                action_space=action_space,
                observation_space=_space(episodes[0].observations),
                description=task or None,
                data_format="hdf5",
            )
        content = BytesIO()
        kept: dict[str, Any] = {**own, FACTS: np.array(json.dumps(facts))}
        np.savez_compressed(content, **kept)
        write_whole(folder / "data" / OWN_FILE, content.getvalue())
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise cannot_write(folder, error) from error
        raise
    return folder


def _episodes(data: Trajectories) -> list[Any]:
    """Minari's buffers of all episodes that have a step, numbered anew."""
    from minari.data_collector import EpisodeBuffer

    has_goals = data.goals is not None and data.achieved_goals is not None
    found: list[Any] = []
    for begin, end in pairwise(data.starts.tolist()):
        if end - begin < 2:
            continue
        steps = slice(begin, end - 1)
        observed: Any = data.observations[begin:end]
        if has_goals:
            observed = {"observation": observed} | {
                name: getattr(data, ours)[begin:end] for name, ours in GOALS.items()
            }
        flags = {name: _flags(data, name, begin, end) for name in ("terminations", "truncations")}
        if not flags["terminations"][-1]:
            flags["truncations"][-1] = True  # for whoever reads Minari's way; what was recorded is kept beside
        rewards = np.zeros(end - 1 - begin, np.float32) if data.rewards is None else data.rewards[steps]
        found.append(
            EpisodeBuffer(
                id=len(found),
                observations=observed,
                actions=data.actions[steps],  # type: ignore[arg-type] - arrays are as good as lists for all of these
                rewards=rewards,  # type: ignore[arg-type]
                **flags,
            )
        )
    return found


def _flags(data: Trajectories, name: str, begin: int, end: int) -> Any:
    """A flag for each step, that of the last row for the last."""
    rows = getattr(data, name)
    if rows is None:
        return np.zeros(end - 1 - begin, bool)
    flags = rows[begin : end - 1].copy()
    flags[-1] |= rows[end - 1]
    return flags


def _space(observed: Any) -> Any:
    from gymnasium import spaces

    if isinstance(observed, dict):
        return spaces.Dict({name: _space(each) for name, each in observed.items()})
    return spaces.Box(-np.inf, np.inf, (observed.shape[1],), np.float32)
