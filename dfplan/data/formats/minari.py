"""Any data set of the local Minari store, with vectors, pictures or dicts of these as observations."""

import json
import zipfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.arrays import named_parts
from dfplan.blocks import PICTURE, Column, Frames
from dfplan.data.d4rl_file import hash_file
from dfplan.data.formats.extras import OWN_ARRAYS, with_differences
from dfplan.data.formats.layout import check_bytes, check_finite, flags, flattened, lay_out, numbers, vectors
from dfplan.data.formats.minari_file import MAIN_FILE, OUTCOMES, episodes_of, iterate_episodes, open_minari
from dfplan.errors import UserError, counted
from dfplan.types import Bounds, Trajectories

OWN_FILE, FACTS = "dfplan.npz", "facts"  # what Minari has no place for, beside its own file
SEEN = "pictures."  # names of pictures begin so until they are laid out
GOALS = {"desired_goal": "goals", "achieved_goal": "achieved_goals"}


def read(dataset_id: str, *, leave_out: Collection[int] = ()) -> Trajectories:
    """Read a data set; an episode of T steps gives T + 1 rows, one without steps or to leave out none: notes tell.

    Of dicts as Gymnasium-Robotics' goal environments give them, "observation", "desired_goal" and "achieved_goal"
    become observations, goals and achieved goals; other dicts are flattened by name. Pictures (8 bits, of height, width
    and channels) are kept apart, in a file where they are large.

    Raises:
        UserError: Minari or the data set is missing, damaged, or has a layout that does not fit; names the episode,
            and all that would have to be left out.
    """
    dataset, source = open_minari(dataset_id), f"minari:{dataset_id}"
    check_spaces(dataset, source)
    file = dataset.storage.data_path / MAIN_FILE
    lay = partial(
        lay_out_episodes,
        source=source,
        action_bounds=bounds_of(dataset.action_space),
        checksum=hash_file(file) if file.is_file() else "",
        leave_out=leave_out,
    )
    try:
        plain = lay(iterate_episodes(episodes_of(dataset), dataset_id))
    except UserError:  # once more, as only a look at each number tells all episodes that are at fault
        plain = lay(iterate_episodes(episodes_of(dataset), dataset_id), look=True)
    return _with_own_part(plain, dataset.storage.data_path / OWN_FILE)


def check_spaces(dataset: Any, source: str) -> None:
    """Refuse an open data set that is none of numbers, before any of it is read.

    Raises:
        UserError: it is none; says of what it is.
    """
    from gymnasium import spaces  # slow to import

    kinds = spaces.Box, spaces.Discrete, spaces.MultiBinary, spaces.MultiDiscrete
    if not isinstance(dataset.action_space, spaces.Box):
        raise UserError(
            f"{source} has actions of {dataset.action_space}, and dfplan plans boxes of numbers; record it with such"
        )
    if not all(isinstance(each, kinds) for _, each in named_parts(dataset.observation_space)):
        raise UserError(
            f"{source} has observations of {dataset.observation_space}, and dfplan reads numbers and dicts of them; "
            "record it with such"
        )


def lay_out_episodes(
    given: Iterable[Any],
    *,
    source: str,
    action_bounds: Bounds | None,
    checksum: str = "",
    leave_out: Collection[int] = (),
    look: bool = False,
) -> Trajectories:
    """What episodes, as Minari gives them, mean; all numbers are looked at once, or of each episode beforehand.

    Raises:
        UserError: some have a layout that does not fit, or none has a step; names the episodes.
    """
    columns: dict[str, Column] = {}
    lengths, finals, empty, names, widths = [], [], [], (), {}
    for number, arrays, parts in _fitting(given, source=source, leave_out=leave_out, look=look):
        steps, names = len(arrays["actions"]), parts
        if not steps:
            empty.append(number)
            continue
        columns = columns or {name: Column() for name in arrays}
        for name, column in columns.items():
            if widths.setdefault(name, arrays[name].shape[1:]) != arrays[name].shape[1:]:
                raise UserError(f"{source}: {name} must be as long in all episodes; record the data set again")
            is_whole = name in GOALS.values() or name.startswith(SEEN)
            column.append(arrays[name] if is_whole else arrays[name][:steps])
        lengths.append(steps)
        finals.append(arrays["observations"][-1])
    if not lengths:
        raise UserError(f"{source} has no episode with a step; choose another data set")
    found = {name: column.array() for name, column in columns.items()}
    goals = {name: found.pop(name) for name in GOALS.values() if name in found}
    pictures = {name: Frames.stored(found.pop(name)) for name in sorted(found) if name.startswith(SEEN)}
    data = lay_out(
        found,
        ends=np.cumsum(lengths),
        source=source,
        finals=np.stack(finals),
        notes=tuple(
            f"left out{why}: episodes {', '.join(map(str, each))}"
            for why, each in ((" as asked", sorted(leave_out)), (", as they are without a step", empty))
            if each
        ),
        checksum=checksum,
        observation_names=names,
        action_bounds=action_bounds,
    )
    for name, values in goals.items():
        check_finite(values, name=name, source=source)
    named = {name.removeprefix(SEEN): each for name, each in pictures.items()}
    return replace(data, **goals, pictures=named or None)


def _fitting(
    given: Iterable[Any], *, source: str, leave_out: Collection[int], look: bool
) -> Iterator[tuple[int, dict[str, np.ndarray], tuple[str, ...]]]:
    """The ids of the episodes that are not left out, and what these hold; at the end, names all that do not fit."""
    unknown, fit, faults = set(leave_out), False, {}
    for episode in given:
        number = int(episode.id)
        if number in leave_out:
            unknown.discard(number)
            continue
        try:
            arrays, names = _arrays(episode, f"{source}, episode {number}")
            for name, values in arrays.items() if look else ():
                if values.dtype.kind == "f":
                    check_finite(values, name=name, source=f"{source}, episode {number}")
            yield number, arrays, names
            fit = True
        except UserError as error:
            faults[number] = error
    if unknown:
        raise UserError(f"{source} has no episodes {sorted(unknown)} that leave_out= names; check their ids")
    if faults:
        first, *others = faults.values()
        more = f" (and {counted(len(others), 'more episode')} at fault)" if others else ""
        ids = ",".join(map(str, sorted({*faults, *leave_out})))
        way_out = f"leave_out=[{ids}] reads the rest" if fit else "choose another data set"
        raise UserError(f"{first}{more}; {way_out}") from first


def _with_own_part(plain: Trajectories, file: Path) -> Trajectories:
    """What Minari has no place for, where dfplan wrote the data set."""
    if not file.is_file():
        return plain
    try:
        with zipfile.ZipFile(file) as archive:
            check_bytes(sum(each.file_size for each in archive.infolist()), source=str(file))
        with np.load(file, allow_pickle=False) as kept:
            facts = json.loads(str(kept[FACTS]))
            own = {name: kept[name] for name in OWN_ARRAYS if name in kept.files}
    except UserError:
        raise
    except (OSError, ValueError, EOFError, KeyError, RecursionError, zipfile.BadZipFile) as error:
        raise UserError(f"{file} is damaged ({' '.join(str(error).split())[:100]}); take it out") from error
    return with_differences(plain, own, facts)


def _arrays(episode: Any, where: str) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """What one episode holds, by names of `Trajectories`, and the names of the dimensions of a flattened dict."""
    observed, names = episode.observations, ()
    found = {}
    if isinstance(observed, dict) and {"observation", *GOALS} <= set(observed):
        found = {ours: flattened({name: observed[name]}, source=where)[0] for name, ours in GOALS.items()}
        observed = observed["observation"]
    parts = [(name or PICTURE, np.asarray(each)) for name, each in named_parts(observed)]
    seen = {SEEN + name: each for name, each in parts if _is_picture(each)}
    found |= seen
    if seen and len(seen) == len(parts):
        observed = np.zeros((len(next(iter(seen.values()))), 0), np.float32)
    elif isinstance(observed, dict):
        observed, names = flattened(_without_pictures(observed), source=where)
    found["observations"] = vectors(np.asarray(observed), name="observations", source=where)
    found["actions"] = vectors(np.asarray(episode.actions), name="actions", source=where)
    steps = len(found["actions"])
    for name in OUTCOMES:
        if not hasattr(episode, name):  # of old collectors
            continue
        kind = numbers if name == "rewards" else flags
        found[name] = kind(np.asarray(getattr(episode, name)), name=name, source=where)
        if len(found[name]) != steps:
            raise UserError(f"{where}: must have as many {name} as actions, {steps}; got {len(found[name])}")
    if wrong := {
        name: len(found[name])
        for name in found
        if (name in ("observations", *GOALS.values()) or name.startswith(SEEN)) and len(found[name]) != steps + 1
    }:
        raise UserError(f"{where}: must have one more observation than actions, {steps + 1}; got {wrong}")
    return found, names


def _without_pictures(observed: dict[str, Any]) -> dict[str, Any]:
    nested = {name: _without_pictures(each) for name, each in observed.items() if isinstance(each, dict)}
    return nested | {name: each for name, each in observed.items() if name not in nested and not _is_picture(each)}


def _is_picture(array: np.ndarray) -> bool:
    """Whether rows are pictures, or several of them."""
    return array.dtype == np.uint8 and array.ndim >= 4


def bounds_of(space: Any) -> Bounds | None:
    """The bounds of a space; None where it has none, or infinite ones."""
    low, high = getattr(space, "low", None), getattr(space, "high", None)
    if low is None or high is None or not (np.isfinite(low).all() and np.isfinite(high).all()):
        return None
    return Bounds(np.asarray(low, np.float32).reshape(-1), np.asarray(high, np.float32).reshape(-1))
