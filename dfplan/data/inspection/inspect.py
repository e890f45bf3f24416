"""The whole inspection of a data set that could be read."""

from dataclasses import asdict, dataclass
from typing import Any

from dfplan.data.inspection.actions import find_out_of_bounds, find_without_effect
from dfplan.data.inspection.episodes import find_duplicates, find_wrong_flags
from dfplan.data.inspection.finding import Finding
from dfplan.data.inspection.motion import (
    describe_leaps,
    find_clock_gaps,
    find_far_values,
    find_leaps,
    find_missing_rows,
    find_turns,
)
from dfplan.data.inspection.steps import find_pairs
from dfplan.data.inspection.summary import summarise
from dfplan.data.inspection.units import find_scales, find_step_times
from dfplan.types import Trajectories


@dataclass(frozen=True)
class Inspection:
    """What is in a data set, and what was found wrong or doubtful.

    Attributes:
        summary: shapes, ranges, lengths, ends and rewards; JSON-ready.
        findings: those that are wrong first.
    """

    summary: dict[str, Any]
    findings: tuple[Finding, ...]

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """Findings by which the data contradict themselves."""
        return tuple(each for each in self.findings if each.wrong)

    def as_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {**self.summary, "findings": [asdict(each) for each in self.findings]}


def inspect(data: Trajectories) -> Inspection:
    """Look a data set over; nothing in it is changed."""
    pairs = find_pairs(data)
    found = [
        *find_wrong_flags(data),
        *find_out_of_bounds(data),
        *find_far_values(data),
        *find_clock_gaps(data),
        *find_step_times(data, pairs),
        *find_scales(data),
        *find_duplicates(data),
        *describe_leaps(data, find_leaps(data, pairs)),  # often for a reason that stands above
        *find_missing_rows(data, pairs),
        *find_turns(data),
        *find_without_effect(data),
    ]
    return Inspection(summarise(data), tuple(sorted(found, key=lambda each: not each.wrong)))
