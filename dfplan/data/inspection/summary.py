"""What is in a data set, in numbers and as lines of a table."""

from typing import Any

import numpy as np

from dfplan.data.inspection.actions import action_rows
from dfplan.errors import counted
from dfplan.types import Trajectories

NUM_SHOWN = 24  # dimensions


def summarise(data: Trajectories) -> dict[str, Any]:
    """Shapes, ranges, lengths, ends and rewards, JSON-ready."""
    rows = action_rows(data)
    steps = np.diff(data.starts) - (not data.last_actions)
    found: dict[str, Any] = {
        "source": data.source,
        "sha256": data.checksum or None,
        "rows": len(data),
        "steps": int(steps.sum()),
        "episodes": len(steps),
        "step_seconds": data.step_seconds,
        "lengths": _spread(steps),
        "ends": _ends(data),
        "observations": _ranges(data.observations, data.observation_names),
        "actions": _ranges(data.actions[rows], data.action_names),
        "action_bounds": None
        if data.action_bounds is None
        else [data.action_bounds.low.tolist(), data.action_bounds.high.tolist()],
    }
    for name in ("goals", "achieved_goals"):
        if getattr(data, name) is not None:
            found[name] = _ranges(getattr(data, name), ())
    if data.rewards is not None:
        found["rewards"] = _spread(data.rewards[rows])
        found["returns"] = _spread(episode_returns(data))
    return found | {"notes": list(data.notes)}


def episode_returns(data: Trajectories) -> np.ndarray:
    """The sum of rewards of each episode; 0 without rewards."""
    if data.rewards is None:
        return np.zeros(len(data.starts) - 1)
    return np.add.reduceat(data.rewards.astype(np.float64), data.starts[:-1])


def _ends(data: Trajectories) -> dict[str, int | None]:
    """How many episodes end by termination, by truncation alone, and by neither; None where that is not recorded."""
    counts: list[np.ndarray | None] = []
    for flags in (data.terminations, data.truncations):
        if flags is None:
            counts.append(None)
            continue
        last = data.starts[1:] - 1
        before = np.maximum(last - (not data.last_actions), data.starts[:-1])
        counts.append(flags[last] | flags[before])
    terminated, truncated = counts
    nothing = np.zeros(len(data.starts) - 1, bool)
    one, other = (nothing if each is None else each for each in counts)
    return {
        "terminated": None if terminated is None else int(one.sum()),
        "truncated": None if truncated is None else int((other & ~one).sum()),
        "neither": None if terminated is None and truncated is None else int((~one & ~other).sum()),
    }


def _spread(values: np.ndarray) -> dict[str, float]:
    if not len(values):
        return {}
    names = {"min": np.min, "median": np.median, "mean": np.mean, "max": np.max}
    return {name: float(function(values.astype(np.float64))) for name, function in names.items()}


def _ranges(table: np.ndarray, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Of each dimension its name, range, mean and deviation, and whether it never varies."""
    if not len(table):
        return []
    low, high = table.min(axis=0), table.max(axis=0)
    mean, deviation = table.mean(axis=0, dtype=np.float64), table.std(axis=0, dtype=np.float64)
    return [
        {
            "name": names[index] if names else str(index),
            "min": float(low[index]),
            "mean": float(mean[index]),
            "max": float(high[index]),
            "std": float(deviation[index]),
            "constant": bool(low[index] == high[index]),
        }
        for index in range(table.shape[1])
    ]


def lines_of(summary: dict[str, Any]) -> list[str]:
    """The summary as a table for people."""
    step = f", {summary['step_seconds']:.4g} s each" if summary["step_seconds"] else ""
    ends = ", ".join(f"{number} {name}" for name, number in summary["ends"].items() if number is not None)
    ends = ends or "not recorded, by termination or truncation"
    steps, episodes = counted(summary["steps"], "step"), counted(summary["episodes"], "episode")
    lines = [
        f"{'data':<14}{summary['source']}",
        f"{'rows':<14}{summary['rows']:,}: {steps} in {episodes}{step}",
        f"{'length':<14}{_spread_line(summary['lengths'])}",
        f"{'ends':<14}{ends}",
    ]
    if "rewards" in summary:
        lines += [
            f"{'return':<14}{_spread_line(summary['returns'])} (sum of rewards of an episode)",
            f"{'reward':<14}{_spread_line(summary['rewards'])}",
        ]
    else:
        lines.append(f"{'reward':<14}none recorded")
    for name in ("observations", "actions", "goals", "achieved_goals"):
        if name in summary:
            lines += _table(name, summary[name])
    if summary["action_bounds"] is None:
        lines.append("actions have no declared bounds")
    return [*lines, *(f"note: {note}" for note in summary["notes"])]


def _spread_line(spread: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.6g}" for name, value in spread.items())


def _table(name: str, ranges: list[dict[str, Any]]) -> list[str]:
    if not ranges:
        return [f"{name:<14}none"]
    lines = [f"{name:<22}{'min':>12}{'mean':>12}{'max':>12}{'std':>12}"]
    for each in ranges[:NUM_SHOWN]:
        numbers = "".join(f"{each[key]:>12.4g}" for key in ("min", "mean", "max", "std"))
        lines.append(f"  {each['name'][:19]:<20}{numbers}{'  never varies' if each['constant'] else ''}")
    if len(ranges) > NUM_SHOWN:
        lines.append(f"  and {len(ranges) - NUM_SHOWN} more, which inspection.json lists")
    return lines
