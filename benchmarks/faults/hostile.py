"""Files made to harm whoever opens them: none may run anything, each must be refused fast and small."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from child import in_child
from hostile_bundles import bundle_attacks
from hostile_others import config_attacks, dataset_attacks, export_attacks, record_attacks

from dfplan.errors import UserError

MAX_SECONDS, MAX_MEGABYTES = 2.0, 200.0
# Of address space, which is more than what is resident: threads and mapped files count too.
ADDRESS_SPACE = 1 << 30


@dataclass(frozen=True)
class Attack:
    """A file and what a victim would do with it.

    Attributes:
        name: for the result file.
        make: writes the files into a folder; the path is that of a file which exists only if the attack ran something.
        open: opens them as a user would; raises UserError or returns a status that is not 0.
    """

    name: str
    make: Callable[[Path, Path], None]
    open: Callable[[Path], Any]


def run(folder: Path) -> dict[str, Any]:
    """Open every hostile file in a child process of its own.

    Returns:
        How many there are, how many ran something, how many were not refused with one line that names a file or option,
        how many took too long or too much; and the worst.
    """
    attacks = [Attack(*each) for each in _all_attacks()]
    found: dict[str, Any] = {"files": len(attacks), "executions": 0, "not_refused": [], "too_slow": [], "too_large": []}
    slowest, largest = 0.0, 0.0
    for index, attack in enumerate(attacks):
        place, canary = folder / f"attack-{index}", folder / f"canary-{index}"
        place.mkdir()
        attack.make(place, canary)
        outcome = in_child(partial(_open, attack, place), memory_limit=ADDRESS_SPACE, timeout=300)
        found["executions"] += canary.exists()
        if outcome.status != 2 or "Traceback" in outcome.text:
            found["not_refused"].append([attack.name, outcome.status, outcome.text[-300:]])
        seconds = _seconds(outcome.text)
        found["too_slow"] += [[attack.name, seconds]] if seconds > MAX_SECONDS else []
        found["too_large"] += [[attack.name, outcome.megabytes]] if not outcome.megabytes < MAX_MEGABYTES else []
        slowest, largest = max(slowest, seconds), max(largest, outcome.megabytes)
    return {**found, "slowest_seconds": slowest, "largest_megabytes": largest, "names": [each.name for each in attacks]}


def _all_attacks() -> list[tuple[str, Callable[[Path, Path], None], Callable[[Path], Any]]]:
    return [*bundle_attacks(), *dataset_attacks(), *export_attacks(), *record_attacks(), *config_attacks()]


def _open(attack: Attack, place: Path) -> int:
    """In a child: 2 where the file is refused, as the command line would."""
    began = time.process_time()
    try:
        status = attack.open(place)
    except UserError as error:
        print(f"refused: {error}")
        status = 2
    print(f"seconds {time.process_time() - began:.3f}")
    return status if isinstance(status, int) else 0


def _seconds(text: str) -> float:
    """Processor time of the opening: wall time would measure what else the machine does."""
    last = text.rstrip().rpartition("\n")[2]
    return float(last.removeprefix("seconds ")) if last.startswith("seconds ") else float("inf")
