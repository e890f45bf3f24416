"""The share of lost score that an adaptation regains is what its definition says."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="module")
def script():
    path = Path(__file__).parents[1] / "benchmarks" / "lora" / "run.py"
    specification = importlib.util.spec_from_file_location("lora_benchmark", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_regained_share(script):
    before = np.random.default_rng(0).uniform(0, 100, size=40)
    reference = before + np.random.default_rng(1).uniform(50, 150, size=40)
    for share in (0.0, 0.5, 1.0):
        found = script.regained_share(before + share * (reference - before), before=before, reference=reference)
        assert found == pytest.approx({"mean": share, "low": share, "high": share})
    noise = np.random.default_rng(2).normal(scale=30, size=40)
    found = script.regained_share(reference + noise, before=before, reference=reference)
    assert found["mean"] == pytest.approx(1 + noise.mean() / (reference - before).mean())
    assert found["low"] < found["mean"] < found["high"]
