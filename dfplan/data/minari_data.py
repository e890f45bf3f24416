"""Datasets of Minari from the local store.

Downloads nothing: ``minari download <id>`` does, and ``MINARI_DATASETS_PATH`` names the store.
"""

from collections.abc import Callable, Collection, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.data.d4rl_file import BAD_REWARDS, hash_file
from dfplan.data.jumps import cut_jumps
from dfplan.errors import UserError
from dfplan.types import Trajectories

MAIN_FILE = "main_data.hdf5"
NUM_NAMED = 10  # episodes, in a note


def read_minari(
    dataset_id: str, *, leave_out: Collection[int] = (), on_progress: Callable[[int, int], None] | None = None
) -> Trajectories:
    """Read a dataset of the local Minari store; an episode of T steps gives T + 1 rows, one without steps none.

    Of observations that are dicts (PointMaze, AntMaze) the entry "observation" is taken. Where an episode begins with
    the very observation that the one before ended with, the collector had only drawn a new goal (PointMaze): the two
    are joined at that row, which is marked in ``segment_ends``. Where a step is impossible, a trajectory ends (see
    :func:`dfplan.data.jumps.find_jumps`). Notes tell of that, and of episodes that are left out.

    Args:
        dataset_id: such as ``D4RL/pointmaze/large-v2``.
        leave_out: ids of episodes that are not read.
        on_progress: called as ``on_progress(episodes_done, episodes_in_all)``.

    Raises:
        UserError: Minari or the dataset is missing, damaged, or has a layout that does not fit; names every episode
            that does not fit.
    """
    dataset = _open(dataset_id)
    found = _Episodes(f"minari:{dataset_id}", leave_out=leave_out)
    for done, episode in enumerate(iterate_episodes(dataset.iterate_episodes(), dataset_id), start=1):
        found.take(episode)
        if on_progress is not None:
            on_progress(done, int(dataset.total_episodes))
    found.check()
    main_file = Path(dataset.storage.data_path) / MAIN_FILE
    checksum = hash_file(main_file) if main_file.is_file() else ""
    return found.joined(checksum=checksum)


def open_minari(dataset_id: str) -> Any:
    """Open a dataset of the local store.

    Raises:
        UserError: Minari is not installed, or there is no such dataset that can be opened.
    """
    return _open(dataset_id)


def _open(dataset_id: str) -> Any:
    try:
        import minari  # optional, and slow to import
    except ImportError as error:
        raise UserError("reading Minari datasets needs a package: pip install 'dfplan[minari]'") from error
    try:
        return minari.load_dataset(dataset_id)
    except FileNotFoundError as error:
        raise UserError(
            f"no dataset {dataset_id!r} in the local Minari store; fetch it with: minari download {dataset_id} "
            "(minari list local shows what is there, MINARI_DATASETS_PATH names the store); or use data=generated"
        ) from error
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"cannot open minari:{dataset_id}: {_one_line(error)}; check its name or fetch it again"
        ) from error


def iterate_episodes(episodes: Iterable[Any], dataset_id: str) -> Any:
    """Iterate over the episodes; what a damaged file raises becomes an error that names the fix."""
    try:
        yield from episodes
    except BlockingIOError as error:
        raise UserError(
            f"minari:{dataset_id}: another program has it open for writing; run again once that has closed it"
        ) from error
    except (OSError, KeyError, ValueError, RuntimeError, AssertionError) as error:
        raise UserError(
            f"minari:{dataset_id} is damaged ({_one_line(error)}); fetch it again with minari download {dataset_id} "
            "--force"
        ) from error


class _Episodes:
    """The episodes of a dataset as they are read: those that are taken, and what is wrong with the others."""

    def __init__(self, source: str, *, leave_out: Collection[int]) -> None:
        self.source, self.leave_out = source, set(leave_out)
        self.rows: list[np.ndarray] = []
        self.steps: list[dict[str, np.ndarray]] = []
        self.left_out: list[int] = []
        self.without_step: list[int] = []
        self.faults: dict[int, str] = {}

    def take(self, episode: Any) -> None:
        """Take an episode in, unless there is nothing in it, something wrong with it, or it is not wanted."""
        number = int(episode.id)
        if number in self.leave_out:
            self.left_out.append(number)
            return
        try:
            observed, acted = _checked_arrays(episode)
            steps = {"actions": acted, **(_checked_outcomes(episode, num_steps=len(acted)) if len(acted) else {})}
        except UserError as error:
            self.faults[number] = str(error)
            return
        if len(acted):
            self.rows.append(observed)
            self.steps.append(steps)
        else:
            self.without_step.append(number)

    def check(self) -> None:
        """Refuse the dataset if an episode is faulty, none is left, or an unknown one was to be left out."""
        if self.faults:
            number, fault = next(iter(self.faults.items()))
            others = f" (and {len(self.faults) - 1} more are faulty)" if len(self.faults) > 1 else ""
            way_out = "choose another dataset"
            if self.rows:
                numbers = ",".join(map(str, sorted({*self.faults, *self.left_out})))
                way_out = f"mend the dataset, or leave them out with leave_out=[{numbers}]"
            raise UserError(f"{self.source}, episode {number}: {fault}{others}; {way_out}")
        if unknown := self.leave_out - set(self.left_out):
            raise UserError(f"{self.source} has no episodes {sorted(unknown)} that leave_out= names; check their ids")
        if not self.rows:
            raise UserError(f"{self.source} has no episode with a step; choose another dataset")
        widths = {array.shape[1] for array in self.rows}, {each["actions"].shape[1] for each in self.steps}
        if any(len(width) > 1 for width in widths):
            raise UserError(
                f"{self.source}: all episodes must have vectors of the same length; got {widths[0]} and {widths[1]}"
            )

    def joined(self, *, checksum: str) -> Trajectories:
        """Lay the episodes end to end; one that goes on where its predecessor ended loses its first row to it."""
        goes_on = [False] + [np.array_equal(before[-1], after[0]) for before, after in pairwise(self.rows)]
        kept_rows: list[np.ndarray] = []
        named = set.intersection(*(set(each) for each in self.steps))
        kept: dict[str, list[np.ndarray]] = {name: [] for name in sorted(named)}
        for observed, steps, joined in zip(self.rows, self.steps, goes_on, strict=True):
            kept_rows.append(observed[1:] if joined else observed)
            for name in kept:
                values = steps[name]
                if joined:
                    kept[name][-1][-1] = values[0]
                    values = values[1:]
                kept[name].append(np.concatenate([values, np.zeros_like(values, shape=(1, *values.shape[1:]))]))
        ends = np.cumsum([len(array) for array in kept_rows])
        segment_ends = np.zeros(ends[-1], bool)
        segment_ends[ends - 1] = True
        starts = np.concatenate([[0], ends[:-1]])[~np.array(goes_on)]
        arrays: dict[str, Any] = {name: np.concatenate(values) for name, values in kept.items()}
        notes = self._notes()
        if "rewards" in arrays and not np.isfinite(arrays["rewards"]).all():
            del arrays["rewards"]
            notes += (BAD_REWARDS,)
        trajectories = Trajectories(
            observations=np.concatenate(kept_rows),
            starts=np.append(starts, ends[-1]),
            segment_ends=segment_ends,
            source=self.source,
            checksum=checksum,
            notes=notes,
            **arrays,
        )
        return cut_jumps(trajectories)

    def _notes(self) -> tuple[str, ...]:
        notes = {"left out as asked": self.left_out, "left out, as they are without a step": self.without_step}
        return tuple(
            f"{len(numbers)} of {len(self.rows) + len(self.left_out) + len(self.without_step)} episodes {what}: "
            f"{', '.join(map(str, numbers[:NUM_NAMED]))}{', ...' if len(numbers) > NUM_NAMED else ''}"
            for what, numbers in notes.items()
            if numbers
        )


def _checked_arrays(episode: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return observations ``(T + 1, dim)`` and actions ``(T, dim)`` of an episode as float32; raise what is wrong."""
    observations = episode.observations
    if isinstance(observations, dict):
        if "observation" not in observations:
            raise UserError(f"observations have no entry 'observation', only {', '.join(observations)}")
        observations = observations["observation"]
    checked = {}
    for name, given in (("observations", observations), ("actions", episode.actions)):
        array = np.asarray(given)
        if array.ndim != 2 or array.dtype.kind != "f":
            raise UserError(
                f"{name} must be vectors of floating-point numbers, one a step; got {array.dtype} of shape "
                f"{array.shape}"
            )
        with np.errstate(over="ignore"):  # what single precision cannot hold counts as infinite
            checked[name] = array.astype(np.float32)
        finite = np.isfinite(checked[name]).all(axis=1)
        if not finite.all():
            raise UserError(f"{name} has NaN or infinity in row {int(np.argmin(finite))}")
    lengths = len(checked["observations"]), len(checked["actions"])
    if lengths[0] != lengths[1] + 1:
        raise UserError(f"must have one more observation than actions; got {lengths[0]} and {lengths[1]}")
    return checked["observations"], checked["actions"]


def _checked_outcomes(episode: Any, *, num_steps: int) -> dict[str, np.ndarray]:
    """Return rewards, terminations and truncations ``(T,)`` of an episode, if it has them; raise what is wrong."""
    kinds = {"rewards": np.float32, "terminations": bool, "truncations": bool}
    with np.errstate(over="ignore"):
        outcomes = {
            name: np.asarray(getattr(episode, name), kind)
            for name, kind in kinds.items()
            if getattr(episode, name, None) is not None
        }
    for name, values in outcomes.items():
        if values.shape != (num_steps,):
            raise UserError(f"must have as many {name} as actions; got shape {list(values.shape)} and {num_steps}")
    return outcomes


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
