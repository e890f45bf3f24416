"""Scripts that users have import what they need from where it stood."""

import importlib

import pytest


@pytest.mark.parametrize("name", ["generate", "sources"])
def test_a_module_that_moved_is_the_same_one_at_its_former_address(name):
    assert importlib.import_module(f"dfplan.data.{name}") is importlib.import_module(f"dfplan.domains.maze.{name}")
