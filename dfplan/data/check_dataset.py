"""Reads a dataset in another process: libhdf5 has crashed on malformed files, and must not take this one with it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from dfplan.data.d4rl_file import note_file
from dfplan.data.formats import read
from dfplan.errors import UserError

TIMEOUT_SECONDS = 600
MARK = "dfplan-dataset "


def check_in_another_process(path: Path) -> dict[str, Any]:
    """Return ``rows``, ``trajectories``, ``notes`` and whether a checksum was ``noted`` of a dataset that can be read.

    Raises:
        UserError: it cannot; also where reading crashes or hangs.
    """
    command = [sys.executable, "-m", "dfplan.data.check_dataset", str(path.absolute())]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise UserError(f"{path}: not read within {TIMEOUT_SECONDS} seconds; it is damaged, get it again") from error
    last = answer.stdout.rstrip().rpartition("\n")[2]
    if answer.returncode not in (0, 2) or not last.startswith(MARK):
        raise UserError(f"{path}: reading it crashes the HDF5 library; it is damaged or worse, get it again")
    facts = json.loads(last.removeprefix(MARK))
    if "refused" in facts:
        raise UserError(facts["refused"])
    return facts


def main(path: Path) -> int:
    """Answer in one line of JSON."""
    try:
        data = read(path)
    except UserError as error:
        facts = {"refused": str(error)}
    else:
        facts = {"rows": len(data), "trajectories": len(data.starts) - 1, "noted": note_file(path).is_file()}
        facts["notes"] = data.notes
    sys.stdout.write(MARK + json.dumps(facts) + "\n")
    return 2 if "refused" in facts else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
