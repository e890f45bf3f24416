"""Episodes that are in other units than the rest, or of another step time."""

from dataclasses import dataclass

import numpy as np

from dfplan.data.formats.layout import place
from dfplan.data.inspection.finding import NUM_NAMED, Finding, listed, name_of
from dfplan.data.inspection.steps import Pair, change, episodes_of, step_rows, without_turns
from dfplan.types import Trajectories

FACTORS = {
    180 / np.pi: "degrees and radians",
    1000.0: "thousandths and wholes, as millimetres and metres",
    100.0: "hundredths and wholes, as centimetres and metres",
    25.4: "inches and millimetres",
}
NEAR = 1.25  # times or part of a factor, within which a ratio is taken for it
AROUND = 1.5  # times the range of ordinary episodes
CLEFT = 0.5  # share of a factor's logarithm that no episode may lie in
MOST_VARY = 0.5  # of rows that differ from the one before, as contacts and switches do not
OFF = 1.2  # times the usual step time, from which on it is another one
NOISE = 6.0  # times the usual scatter
FEWEST = 8  # steps of an episode
LEAST_CORRELATION = 0.9  # of its steps with its velocities


def find_step_times(data: Trajectories, pairs: list[Pair]) -> list[Finding]:
    """Episodes whose velocities tell another time from row to row, in all coordinates or in one alone."""
    if not pairs or len(data.starts) < 3:
        return _against_declared(data, pairs)
    ratios = np.stack([_ratios(data, each) for each in pairs], axis=1)
    off = _is_off(ratios)
    known = ~np.isnan(ratios)
    findings = []
    whole = (off == known).all(axis=1) & known.any(axis=1) & (len(pairs) > 1)
    for number in np.flatnonzero(whole)[:1]:
        times = float(np.nanmedian(ratios[number]))
        said = (
            f"its steps are {times:.3g} times as long as its velocities make those of other episodes, as in episodes "
            f"{listed(np.flatnonzero(whole))} ({whole.sum()} of {len(whole)})"
        )
        fix = "another rate of recording or other units; bring all episodes to one"
        findings.append(Finding("step time", place(int(data.starts[number]), data.starts), said, fix))
    for index, each in enumerate(pairs):
        alone = off[:, index] & ~whole
        alone[alone] = [_units_of(each) is not None for each in ratios[alone, index].tolist()]
        if alone.any():
            findings.append(_one_coordinate(data, each, alone, ratios[:, index]))
    return findings or _against_declared(data, pairs)


def _ratios(data: Trajectories, pair: Pair) -> np.ndarray:
    """The step time of each episode by one coordinate over the usual, ``(episodes,)``; NaN where that is not clear."""
    rows = step_rows(data)
    numbers, count = episodes_of(data, rows), len(data.starts) - 1
    moved = without_turns(change(data, rows, pair.coordinate))
    column = data.observations[:, pair.velocity].astype(np.float64)
    speed = (column[rows] + column[rows + 1]) / 2

    def summed(values: np.ndarray) -> np.ndarray:
        return np.bincount(numbers, weights=values, minlength=count)

    both, moves, speeds = summed(moved * speed), summed(moved**2), summed(speed**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        times, clear = both / speeds, both / np.sqrt(moves * speeds)
    times[~(clear >= LEAST_CORRELATION) | (np.bincount(numbers, minlength=count) < FEWEST)] = np.nan
    return times / np.nanmedian(times) if np.isfinite(times).any() else times


def _is_off(ratios: np.ndarray) -> np.ndarray:
    """Which ratios differ from 1 by more than a fifth and by far more than is usual; of a minority alone."""
    with np.errstate(invalid="ignore"):
        distance = np.abs(np.log(ratios))
        usual = [float(np.median(each[np.isfinite(each)])) if np.isfinite(each).any() else 0.0 for each in distance.T]
        return (distance > np.log(OFF)) & (distance > NOISE * np.array(usual))


def _one_coordinate(data: Trajectories, pair: Pair, alone: np.ndarray, ratios: np.ndarray) -> Finding:
    number = int(np.argmax(alone))
    times = float(ratios[number])
    coordinate, velocity = name_of(data, pair.coordinate), name_of(data, pair.velocity)
    said = (
        f"{coordinate} moves {times:.3g} times as far by its velocity ({velocity}) as in other episodes, as between "
        f"{_units_of(times)}; so in episodes "
        f"{listed(np.flatnonzero(alone))} ({alone.sum()} of {len(alone)})"
    )
    return Finding("units", place(int(data.starts[number]), data.starts), said, "bring all episodes to one unit")


def _against_declared(data: Trajectories, pairs: list[Pair]) -> list[Finding]:
    """Velocities that agree among each other, and not with the step time that is declared."""
    times = np.array([each.step_time for each in pairs])
    if data.step_seconds is None or len(times) < 2 or times.max() > OFF * times.min():
        return []
    found = float(np.median(times))
    if 1 / OFF < found / data.step_seconds < OFF:
        return []
    said = f"a step takes {data.step_seconds:.4g} s as declared, and {found:.4g} by {len(times)} velocities"
    return [Finding("step time", "", said, "rows were taken out, or units differ; mend either", wrong=False)]


def find_scales(data: Trajectories) -> list[Finding]:
    """Numbers that are, in some episodes, larger than in all others by what lies between two common units."""
    if len(data.starts) < 3:
        return []
    found: dict[tuple[int, ...], list[_Scale]] = {}
    for of, table in (("observation", data.observations), ("action", data.actions)):
        for dimension in range(table.shape[1]):
            scale = _scale(data, table[:, dimension], of=of, dimension=dimension)
            if scale is not None:
                found.setdefault(scale.episodes, []).append(scale)
    return [_describe_scales(data, scales) for scales in found.values()]


@dataclass(frozen=True)
class _Scale:
    """A dimension that is so many times as large in some episodes, the fewer of the two kinds.

    Attributes:
        name: of the dimension.
        episodes: their numbers.
        factor: times as large as in the others.
        exact: how far values lie off and how far they move both say so to a quarter.
    """

    name: str
    episodes: tuple[int, ...]
    factor: float
    exact: bool


def _scale(data: Trajectories, column: np.ndarray, *, of: str, dimension: int) -> _Scale | None:
    rows = step_rows(data)
    numbers, count = episodes_of(data, rows), len(data.starts) - 1
    many = np.maximum(np.bincount(numbers, minlength=count), 1)
    values = column[rows].astype(np.float64)
    kinds = [values]
    if of == "observation":
        kinds.append(without_turns(change(data, rows, dimension)))
    scales = [np.sqrt(np.bincount(numbers, weights=each**2, minlength=count) / many) for each in kinds]
    split = _split(scales[0])
    if split is None or np.count_nonzero(np.diff(values)) < MOST_VARY * len(values):
        return None
    low = ~split & (scales[0] > 0)
    factors = [float(np.median(each[split]) / max(np.median(each[low]), 1e-30)) for each in scales]
    likely = min(FACTORS, key=lambda factor: abs(np.log(factors[0] / factor)))
    if not all(_would_fit(each[split], each[low], factor=likely) for each in scales):
        return None
    few = split if split.sum() <= low.sum() else low
    return _Scale(
        name=name_of(data, dimension, of=of),
        episodes=tuple(np.flatnonzero(few).tolist()),
        factor=factors[0] if few is split else 1 / factors[0],
        exact=len(factors) > 1 and all(1 / NEAR < each / likely < NEAR for each in factors),
    )


def _would_fit(scales: np.ndarray, others: np.ndarray, *, factor: float) -> bool:
    """Whether scales lie farther from others than either among themselves, but would fit in once over the factor."""
    apart = scales.min() / others.max()
    if max(others.max() / max(others.min(), 1e-30), scales.max() / scales.min()) > apart:
        return False
    scales = scales / factor
    return bool(others.min() / AROUND < np.median(scales) < others.max() * AROUND)


def _describe_scales(data: Trajectories, scales: list[_Scale]) -> Finding:
    episodes, factor = np.array(scales[0].episodes), float(np.median([each.factor for each in scales]))
    units = _units_of(factor) or "two units"
    names = ", ".join(each.name for each in scales[:NUM_NAMED])
    more = f" and {len(scales) - NUM_NAMED} more" if len(scales) > NUM_NAMED else ""
    said = (
        f"{names}{more}: {factor:.3g} times as large as in other episodes, as between {units}; so in "
        f"{len(episodes)} of {len(data.starts) - 1} episodes, {listed(episodes)}"
    )
    where = place(int(data.starts[episodes[0]]), data.starts)
    wrong = len(scales) > 1 or scales[0].exact
    return Finding("units", where, said, "bring all to one unit", wrong=wrong)


def _split(scales: np.ndarray) -> np.ndarray | None:
    """Which scales lie above the widest cleft between two of them, if that is a wide one; those of 0 are of neither."""
    there = np.flatnonzero(scales > 0)
    if len(there) < 2:
        return None
    ordered = np.sort(np.log(scales[there]))
    cleft = int(np.argmax(np.diff(ordered)))
    if ordered[cleft + 1] - ordered[cleft] < CLEFT * np.log(min(FACTORS)):
        return None
    return scales > np.exp((ordered[cleft] + ordered[cleft + 1]) / 2)


def _units_of(ratio: float) -> str | None:
    """The units that lie a factor of this ratio, or of its inverse, apart; None where there are none that are known."""
    ratio = max(ratio, 1 / ratio) if ratio > 0 else 1.0
    factor = min(FACTORS, key=lambda each: abs(np.log(ratio / each)))
    return FACTORS[factor] if 1 / NEAR < ratio / factor < NEAR else None
