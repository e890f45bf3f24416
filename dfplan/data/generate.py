"""Where :mod:`dfplan.domains.maze.generate` stood before it moved into its domain: scripts from then still find it."""

import sys

import dfplan.domains.maze.generate as moved

sys.modules[__name__] = moved
