"""Where :mod:`dfplan.domains.maze.sources` stood before it moved into its domain: scripts from then still find it."""

import sys

import dfplan.domains.maze.sources as moved

sys.modules[__name__] = moved
