"""Shared by all tests: pytest puts this folder on the import path, so that ``tiny_model`` beside it can be imported."""

import os

import pytest

# Whoever runs the tests may ask programs for colours, or for lines of some length.
for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
    os.environ.pop(name, None)
# As the command line has it: threads that spin while they wait would take the processor from each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put tests that must run alone behind all others, whose work would disturb them."""
    items.sort(key=lambda item: item.get_closest_marker("alone") is not None)
