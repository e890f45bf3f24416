"""Where :mod:`dfplan.domains.maze.generate` stood before the mazes were a domain: scripts from then still find it."""

import importlib
import sys

sys.modules[__name__] = importlib.import_module("dfplan.domains.maze.generate")
