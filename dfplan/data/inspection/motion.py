"""Steps that no motion has made: leaps, values far from all others, angles that begin anew, rows that are missing."""

from dataclasses import replace

import numpy as np

from dfplan.data.formats.layout import place
from dfplan.data.inspection.finding import Finding, name_of
from dfplan.data.inspection.steps import (
    FEWEST,
    Pair,
    change,
    episodes_of,
    sampled,
    step_rows,
    turn_of,
    without_turns,
)
from dfplan.data.jumps import find_jumps
from dfplan.errors import counted
from dfplan.types import Trajectories

FAR_OF_ACTIONS = 2  # likewise, where no bounds are declared: what is drawn from a Gaussian lies within 0.8
FAR = 20  # times the spread of all but a thousandth at either end
MOST_ROWS = 200_000
FEWEST_A_PHASE = 6  # steps of half an episode
UNEVEN_IF_ALIGNED = 1.35  # pedestrians that were marked in every other frame: 1.3
LONGEST_PERIOD = 8  # of rows that were taken out again and again
UNEVEN = 1.2  # times the usual step: at most 1.07 in recorded motion, at least 1.3 where every third row is missing
WHOLE = 0.15  # how far from a whole number the steps may be that others fit into
MOST_STALE = 0.5  # of leaps
FEW = 2  # dimensions, any of which may leap alone
AROUND, STANDS_OUT = 2, 2  # steps at either side, than the longest of which a leap is so many times as long
EXACT = 0.95  # correlation of steps with velocities that are trusted with telling leaps
MOST_FIT, FEWEST_MISSING = 0.9, 0.02  # of steps
CLOCK_NAMES = ("time", "timestamp", "stamp", "t")


def find_leaps(data: Trajectories, pairs: list[Pair]) -> np.ndarray:
    """Rows after which the state leaps: at once half of the coordinates that have velocities, or of all dimensions.

    Returns:
        ``(leaps,)`` row numbers.
    """
    varying = np.flatnonzero(~data.constant_dimensions()).tolist()
    exact = [[each.coordinate, each.velocity] for each in pairs if each.correlation >= EXACT]
    columns = exact or [[each] for each in varying]
    if not exact and len(varying) <= FEW:  # of one unit: a place on a plane
        return np.flatnonzero(find_jumps(_part(data, varying), num_axes=len(varying))) if varying else np.array([])
    votes = np.zeros(len(data), np.int64)
    rows = step_rows(data)
    for dimensions in columns:
        found = find_jumps(_part(data, dimensions), num_axes=1)
        if found.any() and turn_of(change(data, rows, dimensions[0])) is not None:
            found[rows] &= np.abs(without_turns(change(data, rows, dimensions[0]))) > np.pi / 2
        if len(dimensions) > 1:  # a velocity that was cut to a range tells nothing
            cut = _at_its_limits(data.observations[:, dimensions[1]])
            found[:-1] &= ~(cut[:-1] | cut[1:])
        else:
            found &= _stands_out(data, dimensions[0])
        votes += found
    return np.flatnonzero(votes >= (1 if len(columns) <= FEW else -(-len(columns) // 2)))


def _stands_out(data: Trajectories, dimension: int) -> np.ndarray:
    """Rows whose step to the next is far longer than the two before and after it: all of a whirl is long.

    Returns:
        ``(rows,)`` bool.
    """
    lengths = np.abs(np.diff(data.observations[:, dimension].astype(np.float64), append=np.nan))
    lengths[data.starts[1:] - 1] = 0.0
    padded = np.pad(lengths, AROUND)
    others = [padded[offset : offset + len(lengths)] for offset in range(2 * AROUND + 1) if offset != AROUND]
    return lengths > STANDS_OUT * np.max(others, axis=0)


def _at_its_limits(values: np.ndarray) -> np.ndarray:
    """Which values are the largest or the least, where more than two are: the values were cut to a range."""
    limits = [values == each for each in (values.min(), values.max())]
    return np.logical_or(*(each & (each.sum() > FEW) for each in limits))


def _part(data: Trajectories, dimensions: list[int]) -> Trajectories:
    return replace(data, observations=data.observations[:, dimensions])


def describe_leaps(data: Trajectories, leaps: np.ndarray) -> list[Finding]:
    """Leaps, and where they have a place in all episodes, that flags are set too late or too early."""
    if not len(leaps):
        return []
    stale = np.isin(leaps, data.starts[1:-1]) & (data.observations[leaps] == data.observations[leaps - 1]).all(axis=1)
    if stale.mean() > MOST_STALE:
        said = f"the first rows of {counted(int(stale.sum()), 'episode')} repeat the last one of the episode before"
        fix = (
            "leave them out (stale observations, as in D4RL's maze2d, whose true states are infos/qpos and infos/qvel)"
        )
        first = place(int(leaps[np.argmax(stale)]), data.starts)
        return [Finding("stale rows", first, said, fix, wrong=False), *describe_leaps(data, leaps[~stale])]
    episodes = episodes_of(data, leaps)
    ended, num_episodes = data.starts[1:] - 2, len(data.starts) - 1
    late, early = np.isin(leaps, ended).sum(), np.isin(leaps, data.starts[:-1]).sum()
    where = f"{place(int(leaps[0]), data.starts)} to the next"
    for often, word, which in ((late, "late", "last"), (early, "early", "first")):
        if num_episodes > 2 and 2 * often >= num_episodes - 1:
            said = f"the state leaps, as in {often} of {num_episodes} episodes at their {which} step"
            return [Finding("flags", where, said, f"the ends are flagged one row too {word}, move the flags")]
    said = f"the state leaps, as it does at {counted(len(leaps), 'step')} in "
    said += counted(len(np.unique(episodes)), "episode")
    fix = "flag an end there (terminals or timeouts; in a .csv a column episode), or record what is missing"
    return [Finding("jumps", where, said, fix)]


def find_far_values(data: Trajectories) -> list[Finding]:
    """Values so far from all others that no range of the rest explains them, as of a sensor that fell out."""
    findings = [_far_values(data, name, times=FAR) for name in ("observations", "actions", "rewards")]
    if data.action_bounds is None and findings[1] is None:
        findings.append(_far_values(data, "actions", times=FAR_OF_ACTIONS, wrong=False))
    return [each for each in findings if each is not None]


def _far_values(data: Trajectories, name: str, *, times: float, wrong: bool = True) -> Finding | None:
    values = getattr(data, name)
    if values is None or not values.size:
        return None
    table = values.reshape(len(values), -1)
    few = min(0.4, max(0.001, (FEW + 1) / len(table)))
    low, middle, high = np.quantile(sampled(table), [few, 0.5, 1 - few], axis=0)
    spread = high - low
    far = (np.abs(table - middle.astype(np.float32)) > times * spread) & (spread > 0)
    if not 0 < far.any(axis=1).sum() <= max(FEW, len(table) / 1000):
        return None
    row, dimension = (int(each) for each in np.argwhere(far)[0])
    what = "reward" if name == "rewards" else name_of(data, dimension, of=name.removesuffix("s"))
    said = (
        f"{what} is {table[row, dimension]:.4g}, and all but {far[:, dimension].sum()} rows lie about "
        f"{low[dimension]:.4g} to {high[dimension]:.4g}"
    )
    fix = "take the row out, or mend the value"
    return Finding("far values", place(row, data.starts), said, fix, wrong=wrong)


def find_turns(data: Trajectories) -> list[Finding]:
    """Angles that begin anew at a full turn, where a model sees a leap."""
    rows = step_rows(data)
    findings = []
    for dimension in range(data.observations.shape[1]):
        moved = change(data, rows, dimension)
        turn = turn_of(moved)
        if turn is not None:
            far = np.flatnonzero(np.abs(moved) > turn / 2)
            said = f"{name_of(data, dimension)} is an angle that begins anew, {len(far)} times by {turn:.4g}"
            where = place(int(rows[far[0]]), data.starts)
            findings.append(Finding("angles", where, said, "give its cosine and sine instead", wrong=False))
    return findings


def find_clock_gaps(data: Trajectories) -> list[Finding]:
    """Steps of a dimension that is named as a clock, which are not all alike."""
    findings = []
    rows = step_rows(data)
    for dimension, name in enumerate(data.observation_names):
        if name.lower() not in CLOCK_NAMES or len(rows) < 2:
            continue
        moved = change(data, rows, dimension)
        usual = float(np.median(moved))
        off = np.flatnonzero(np.abs(moved - usual) > 0.5 * abs(usual))
        if len(off):
            said = f"{name!r} goes on by {moved[off[0]]:.4g}, and else by {usual:.4g} ({len(off)} such steps)"
            fix = "end the episode at the gap, or record what is missing"
            findings.append(Finding("time stamps", f"{place(int(rows[off[0]]), data.starts)} to the next", said, fix))
    return findings


def find_missing_rows(data: Trajectories, pairs: list[Pair]) -> list[Finding]:
    """Steps that are twice (three times, ...) what velocities make of them, or that every so many rows are longer."""
    rows = step_rows(data)
    if len(rows) < 4 * FEWEST:
        return []
    return (_missing_by_velocity(data, rows, pairs) if pairs else []) or _missing_by_length(data, rows)


def _missing_by_velocity(data: Trajectories, rows: np.ndarray, pairs: list[Pair]) -> list[Finding]:
    """The steps over what velocities make of them: whole numbers, where rows were taken out of exact data."""
    above, below = np.zeros(len(rows)), np.zeros(len(rows))
    for each in pairs:
        moved = without_turns(change(data, rows, each.coordinate))
        ends = [
            each.step_time * data.observations[rows + offset, each.velocity].astype(np.float64) for offset in (0, 1)
        ]
        expected = np.clip(moved, np.minimum(*ends), np.maximum(*ends))
        scale = float(np.sqrt(np.mean(moved**2))) or 1.0
        above += moved * expected / scale**2
        below += expected**2 / scale**2
    fast = np.flatnonzero(below >= max(np.median(below), 1e-12))
    ratios = above[fast] / below[fast]
    for base in np.quantile(ratios, [0.1, 0.25, 0.5]):
        if base <= 0:
            continue
        times = ratios / base
        whole = np.round(times)
        fits = (whole >= 1) & (np.abs(times - whole) < WHOLE * np.minimum(whole, 2))
        missing = fits & (whole >= 2)
        if fits.mean() >= MOST_FIT and missing.mean() >= FEWEST_MISSING:
            said = (
                f"{missing.mean():.0%} of steps are {int(np.median(whole[missing]))} times as long as velocities make "
                "them in the others"
            )
            where = f"{place(int(rows[fast[np.argmax(missing)]]), data.starts)} to the next"
            return [Finding("missing rows", where, said, "rows were taken out; get the data as recorded", wrong=False)]
    return []


def _missing_by_length(data: Trajectories, rows: np.ndarray) -> list[Finding]:
    """Steps that are longer than the others every so many rows, counted in the data set or in its episodes."""
    rows = rows[:MOST_ROWS]
    moved = np.abs(change(data, rows, slice(None)))
    scale = np.quantile(moved, 0.9, axis=0)
    lengths = np.sqrt(np.square(moved[:, scale > 0] / scale[scale > 0]).sum(axis=1))
    episodes = episodes_of(data, rows)
    in_episodes = rows - data.starts[episodes]
    for period in range(2, LONGEST_PERIOD + 1):
        aligned = _aligned(lengths, in_episodes % period, episodes, period)
        for phases, uneven in ((rows % period, UNEVEN), (in_episodes % period, UNEVEN), (aligned, UNEVEN_IF_ALIGNED)):
            told = np.flatnonzero(phases >= 0)
            found = _longer_phase(lengths[told], phases[told], period, uneven=uneven)
            if found is not None:
                longest, times = found
                said = f"one of every {period} steps is {times:.1f} times as long as the others"
                where = f"{place(int(rows[told[np.argmax(phases[told] == longest)]]), data.starts)} to the next"
                fix = "rows were taken out; get the data as recorded"
                return [Finding("missing rows", where, said, fix, wrong=False)]
    return []


def _aligned(lengths: np.ndarray, phases: np.ndarray, episodes: np.ndarray, period: int) -> np.ndarray:
    """Phases counted from that of the longest steps, which the first half of each episode tells of the second.

    Returns:
        ``(steps,)``, -1 in first halves, and in episodes that are too short.
    """
    aligned = np.full(len(lengths), -1)
    for steps in np.split(np.arange(len(lengths)), np.flatnonzero(np.diff(episodes)) + 1):
        first, second = np.array_split(steps, 2)
        if len(first) >= FEWEST_A_PHASE * period:
            usual = [np.median(lengths[first][phases[first] == each]) for each in range(period)]
            aligned[second] = (phases[second] - int(np.argmax(usual))) % period
    return aligned


def _longer_phase(lengths: np.ndarray, phases: np.ndarray, period: int, *, uneven: float) -> tuple[int, float] | None:
    """The phase whose usual step is longer than those of all others, by how many times; None where there is none.

    It must be in either half of the data; the other phases must be alike.
    """
    half = len(lengths) // 2
    if half < FEWEST * period:
        return None
    parts = [_by_phase(lengths[part], phases[part], period) for part in (slice(0, half), slice(half, None))]
    if any(each is None or not each.min() for each in parts):
        return None
    first, second = (each for each in parts if each is not None)
    longest = int(np.argmax(first))
    others = [np.delete(each, longest) for each in (first, second)]
    times = min(each[longest] / other.max() for each, other in zip((first, second), others, strict=True))
    alike = all(other.max() < UNEVEN * other.min() for other in others)
    return (longest, float(times)) if times > uneven and alike else None


def _by_phase(lengths: np.ndarray, phases: np.ndarray, period: int) -> np.ndarray | None:
    """The usual length of the steps of each phase; None where there are too few of one."""
    if np.bincount(phases, minlength=period).min() < FEWEST:
        return None
    return np.array([np.median(lengths[phases == each]) for each in range(period)])
