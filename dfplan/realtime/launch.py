"""Becomes a planner program that does not outlive its loop: ``python launch.py LOOP_PID SIGNAL COMMAND…`` (Linux).

Run as a file, so that nothing of dfplan is loaded, and not between fork and exec of the loop, which would have to copy
its page tables for that.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask the system for a signal when the loop is gone, then become the command."""
    loop, signal, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal))
    if os.getppid() != int(loop):  # gone already
        sys.exit(1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
