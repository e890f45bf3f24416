"""Any data set of the local Minari store, with vectors or dicts of vectors as observations."""

from dataclasses import replace
from typing import Any

import numpy as np

from dfplan.data.d4rl_file import hash_file
from dfplan.data.formats.layout import flattened, lay_out, vectors
from dfplan.data.minari_data import MAIN_FILE, iterate_episodes, open_minari
from dfplan.errors import UserError
from dfplan.types import Bounds, Trajectories

OUTCOMES = ("rewards", "terminations", "truncations")
GOALS = {"desired_goal": "goals", "achieved_goal": "achieved_goals"}


def read(dataset_id: str) -> Trajectories:
    """Read a data set; an episode of T steps gives T + 1 rows, one without steps none, which a note tells.

    Of dicts as Gymnasium-Robotics' goal environments give them, "observation", "desired_goal" and "achieved_goal"
    become observations, goals and achieved goals; other dicts are flattened by name.

    Raises:
        UserError: Minari or the data set is missing, damaged, or has a layout that does not fit; names the episode.
    """
    dataset, source = open_minari(dataset_id), f"minari:{dataset_id}"
    episodes, empty, names = [], [], ()
    for episode in iterate_episodes(dataset, dataset_id):
        where = f"{source}, episode {episode.id}"
        arrays, names = _arrays(episode, where)
        if len(arrays["actions"]):
            episodes.append(arrays)
        else:
            empty.append(int(episode.id))
    if not episodes:
        raise UserError(f"{source} has no episode with a step; choose another data set")
    for name in ("observations", "actions"):
        if len({each[name].shape[1:] for each in episodes}) > 1:
            raise UserError(f"{source}: {name} must be as long in all episodes; record the data set again")
    finals = np.stack([each["observations"][-1] for each in episodes])
    file = dataset.storage.data_path / MAIN_FILE
    goals = {name: np.concatenate([each[name] for each in episodes]) for name in GOALS.values() if name in episodes[0]}
    data = lay_out(
        {
            name: np.concatenate([each[name][: len(each["actions"])] for each in episodes])
            for name in episodes[0]
            if name not in goals
        },
        ends=np.cumsum([len(each["actions"]) for each in episodes]),
        source=source,
        finals=finals,
        notes=(f"left out, as they are without a step: episodes {', '.join(map(str, empty))}",) if empty else (),
        checksum=hash_file(file) if file.is_file() else "",
        observation_names=names,
        action_bounds=_bounds(dataset.action_space),
    )
    return _with_goals(data, goals)


def _with_goals(data: Trajectories, goals: dict[str, Any]) -> Trajectories:
    for name, values in goals.items():
        if not np.isfinite(values).all():
            raise UserError(f"{data.source}: {name} have NaN or infinity; record the data set again")
    return replace(data, **goals)


def _arrays(episode: Any, where: str) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """What one episode holds, by names of `Trajectories`, and the names of the dimensions of a flattened dict."""
    observed, names = episode.observations, ()
    found = {}
    if isinstance(observed, dict) and {"observation", *GOALS} <= set(observed):
        found = {ours: vectors(np.asarray(observed[name]), name=name, source=where) for name, ours in GOALS.items()}
        observed = observed["observation"]
    if isinstance(observed, dict):
        observed, names = flattened({name: np.asarray(each) for name, each in observed.items()}, source=where)
    found["observations"] = vectors(np.asarray(observed), name="observations", source=where)
    found["actions"] = vectors(np.asarray(episode.actions), name="actions", source=where)
    steps = len(found["actions"])
    for name in OUTCOMES:
        values = np.asarray(getattr(episode, name))
        if steps and values.shape != (steps,):
            raise UserError(f"{where}: must have as many {name} as actions, {steps}; got shape {list(values.shape)}")
        found[name] = values.astype(np.float32 if name == "rewards" else bool)
    if wrong := {
        name: len(found[name])
        for name in found
        if name in ("observations", *GOALS.values()) and len(found[name]) != steps + 1
    }:
        raise UserError(f"{where}: must have one more observation than actions, {steps + 1}; got {wrong}")
    return found, names


def _bounds(space: Any) -> Bounds | None:
    low, high = getattr(space, "low", None), getattr(space, "high", None)
    if low is None or high is None or not (np.isfinite(low).all() and np.isfinite(high).all()):
        return None
    return Bounds(np.asarray(low, np.float32).reshape(-1), np.asarray(high, np.float32).reshape(-1))
