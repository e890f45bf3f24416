"""Writes summary.json, the figures of this benchmark, from the result files; ``--check`` tells if it is current.

Keys are ``<family>-<size>.<figure>``, such as ``multi2d-large.grid``. A figure is ``{mean, low, high, n}``, ``n`` being
the episodes of all trainings; ``actions_spread``, the largest less the smallest mean of three trainings, is a number.
What has no result files is left out, and said.
"""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark
from score_kinds import RESULTS, SIZES, Kind, Records, check_paired, estimate, load_kinds, mean_score

SUMMARY = Path(__file__).parent / "summary.json"
FAMILIES = {"maze2d": "fixed", "multi2d": "random"}
FIGURES = {  # planner, controller, data
    "tracker": ("transformer", "shooting", "resynthesised"),
    "actions": ("transformer", "actions", "resynthesised"),
    "actions_collected": ("transformer", "actions", "collected"),
    "cloning": ("behaviour-cloning", "none", "resynthesised"),
    "cloning_collected": ("behaviour-cloning", "none", "collected"),
    "grid": ("grid", "shooting", ""),
}
TRAININGS = 3  # that a spread is of


def summarize(kinds: dict[Kind, Records]) -> tuple[dict[str, Any], list[str]]:
    """The figures there are, and the keys of those there are not."""
    figures: dict[str, Any] = {}
    missing: list[str] = []
    for family, goal in FAMILIES.items():
        for size in SIZES:
            for name, method in FIGURES.items():
                records = kinds.get(Kind(f"maze2d-{size}", goal, *method), [])
                found = {name: figure(records)} | ({"actions_spread": spread(records)} if name == "actions" else {})
                for each, value in found.items():
                    if value is None:
                        missing.append(f"{family}-{size}.{each}")
                    else:
                        figures[f"{family}-{size}.{each}"] = value
    return figures, missing


def figure(records: Records) -> dict[str, float | int | None] | None:
    """The mean score with its interval; None without records."""
    if not records:
        return None
    check_paired(records)
    found = estimate(records, "normalized_return")
    return vars(found) | {"n": sum(each["n_episodes"] for each in records)}


def spread(records: Records) -> float | None:
    """The largest less the smallest mean score of the trainings; None where there are fewer than three."""
    scores = [mean_score(each) for each in records]
    return max(scores) - min(scores) if len(scores) >= TRAININGS else None


def pages() -> dict[Path, str]:
    """The figures."""
    figures, missing = summarize(load_kinds(RESULTS))
    for key in missing:
        print(f"no result files for {key}; left out")
    return {SUMMARY: json.dumps(figures, indent=1) + "\n"}


BENCHMARK = Benchmark(says=__doc__, folder=SUMMARY.parent, pages=pages)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
