"""Modules of ``benchmarks/``, whose folders do not stay on the import path: ``metaworld`` there is no Meta-World."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def module(name: str, *, of: str = "") -> ModuleType:
    """One that several benchmarks share, or one of a benchmark's own."""
    before = list(sys.path)
    sys.path[:0] = [str(BENCHMARKS / of), str(BENCHMARKS)]
    try:
        return importlib.import_module(name)
    finally:
        sys.path[:] = before
