"""The tables of the benchmark of representation alignment, out of a record."""

import statistics
from collections.abc import Iterator, Mapping
from typing import Any

Row = Mapping[str, Any]


def render(record: Mapping[str, Any], *, file: str, depth: int, success: float) -> str:
    """All tables of a record."""
    return "\n".join(
        [*by_step(record["rows"], depth=depth), "", *to_success(record["rows"], success), "", source(record, file)]
    )


def by_step(rows: list[Row], *, depth: int) -> Iterator[str]:
    """One line for each arm and number of steps, means over seeds."""
    names = (
        "arm", "steps", "seeds", "probe, cells", "probe R²", "CKNNA encoder", "CKNNA state", "denoising loss",
        "latched score", "of each seed", "success %", "plan in walls %",
    )  # fmt: skip
    yield f"| {' | '.join(names)} |"
    yield "|---|" + "---:|" * (len(names) - 1)
    for arm in dict.fromkeys(row["arm"] for row in rows):
        for step in sorted({row["step"] for row in rows if row["arm"] == arm}):
            yield line([row for row in rows if row["arm"] == arm and row["step"] == step], depth=depth)


def line(rows: list[Row], *, depth: int) -> str:
    """One arm at one number of steps."""
    blocks = [row["blocks"][depth - 1] for row in rows]
    scores = [row["scores"]["latched_normalized_return"]["mean"] for row in rows]
    cells = (
        rows[0]["arm"],
        str(rows[0]["step"]),
        str(len(rows)),
        spread([block["probe"]["median"] for block in blocks], digits=3),
        spread([block["probe"]["r2"] for block in blocks], digits=3),
        spread([block["cknna"]["encoder"] for block in blocks], digits=3),
        spread([block["cknna"]["state"] for block in blocks], digits=3),
        spread([row["denoising_loss"] for row in rows], digits=4),
        spread(scores, digits=1),
        " ".join(f"{each:.0f}" for each in scores),
        spread([100 * row["scores"]["success_rate"]["mean"] for row in rows], digits=0),
        spread([100 * row["scores"]["planned_wall_share"]["mean"] for row in rows], digits=1),
    )
    return f"| {' | '.join(cells)} |"


def spread(values: list[float], *, digits: int) -> str:
    """Mean and, with more than one, standard deviation over seeds."""
    mean = f"{statistics.fmean(values):.{digits}f}"
    return f"{mean} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else mean


def to_success(rows: list[Row], success: float) -> Iterator[str]:
    """The first measured number of steps at which each seed has the success."""
    yield f"| arm | steps to {100 * success:.0f} % success, each seed |"
    yield "|---|---:|"
    for arm in dict.fromkeys(row["arm"] for row in rows):
        found = []
        for seed in sorted({row["seed"] for row in rows if row["arm"] == arm}):
            own = [row for row in rows if row["arm"] == arm and row["seed"] == seed]
            reached = [row["step"] for row in own if row["scores"]["success_rate"]["mean"] >= success]
            found.append(str(min(reached)) if reached else f"> {max(row['step'] for row in own)}")
        yield f"| {arm} | {', '.join(found)} |"


def source(record: Mapping[str, Any], file: str) -> str:
    """Which file, and under what circumstances."""
    commits = {row["commit"][:12] for row in record["rows"]}
    return (
        f"[{file}](results/{file}): hidden states at noise level {record['level']}, ± is the standard deviation over "
        f"training seeds, {record['machine']}, commit {', '.join(f'`{each}`' for each in sorted(commits))}"
    )
