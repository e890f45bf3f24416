"""Episodes as wholes: flags that contradict them, and such as are there twice."""

import hashlib

import numpy as np

from dfplan.data.formats.layout import place
from dfplan.data.inspection.finding import Finding, listed
from dfplan.data.inspection.steps import change, step_rows
from dfplan.types import Trajectories

CLOSE = 3.0  # long usual steps (nine of ten are shorter)
MOST_END = 0.5  # of episodes


def find_wrong_flags(data: Trajectories) -> list[Finding]:
    """Terminations after which an episode goes on, and ends at which the state does."""
    findings = []
    if data.terminations is not None:
        last = np.zeros(len(data), bool)
        last[data.starts[1:] - 1] = True
        if not data.last_actions:
            last[np.maximum(data.starts[1:] - 2, data.starts[:-1])] = True
        inside = np.flatnonzero(data.terminations & ~last)
        if len(inside):
            said = f"terminated here, yet the episode goes on ({len(inside)} such rows)"
            fix = "end the episode there, or clear the flag"
            findings.append(Finding("flags", place(int(inside[0]), data.starts), said, fix))
    return findings or _ends_that_are_none(data)


def _ends_that_are_none(data: Trajectories) -> list[Finding]:
    """Ends behind which the next episode begins within a usual step, as a collector leaves them that goes on."""
    ends = data.starts[1:-1]
    rows = step_rows(data)
    lengths = np.diff(data.starts)
    if data.last_actions and len(lengths) > 2 and np.median(lengths) == 1:
        said = f"{(lengths == 1).sum()} of {len(lengths)} episodes are of one row"
        return [
            Finding("flags", place(int(np.argmax(lengths == 1)), data.starts), said, "the flags are inverted; mend")
        ]
    if not len(ends) or not len(rows):
        return []
    usual = np.quantile(np.abs(change(data, rows[:: max(1, len(rows) // 50_000)], slice(None))), 0.9, axis=0)
    across = np.abs(change(data, ends - 1, slice(None)))
    moving = usual > 0
    goes_on = (across[:, moving] <= CLOSE * usual[moving]).all(axis=1) & moving.any()
    # Of two resets to one place, the second may happen to be near; of a collector that goes on, all are.
    if goes_on.mean() <= MOST_END or _resets_to_one_place(data, usual):
        return []
    said = f"the state goes on behind the end of {goes_on.sum()} of {len(data.starts) - 1} episodes as inside of them"
    where = place(int(ends[np.argmax(goes_on)] - 1), data.starts)
    return [Finding("flags", where, said, "join them if the end was only a new goal, or time", wrong=False)]


def _resets_to_one_place(data: Trajectories, usual: np.ndarray) -> bool:
    begins = data.observations[data.starts[:-1]].astype(np.float64)
    moving = usual > 0
    near = np.abs(begins - np.median(begins, axis=0))[:, moving] <= CLOSE * usual[moving]
    return bool(near.all(axis=1).mean() > MOST_END)


def find_duplicates(data: Trajectories) -> list[Finding]:
    """Episodes that hold what another one does, number by number; those that never move do not count."""
    seen: dict[bytes, int] = {}
    again = []
    for number, (begin, end) in enumerate(zip(data.starts[:-1].tolist(), data.starts[1:].tolist(), strict=True)):
        observed = data.observations[begin:end]
        if end - begin < 2 or (observed == observed[0]).all():
            continue
        digest = hashlib.sha256(observed.tobytes() + data.actions[begin:end].tobytes()).digest()
        if digest in seen:
            again.append((seen[digest], number))
        seen.setdefault(digest, number)
    if not again:
        return []
    first, number = again[0]
    rows = int(data.starts[number + 1] - data.starts[number])
    said = f"all its {rows} rows are those of episode {first}"
    if len(again) > 1:
        said += f", and episodes {listed(np.array([each for _, each in again[1:]]))} are there twice, too"
    return [Finding("duplicates", place(int(data.starts[number]), data.starts), said, "take one of them out")]
