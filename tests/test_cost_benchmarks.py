"""The benchmarks of cost measure what they say."""

import importlib
import json
import sys
from pathlib import Path

import pytest
import torch

from dfplan.models.transformer import TransformerDenoiser

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """A function that imports the run.py of a benchmark."""

    def load(name: str):
        monkeypatch.syspath_prepend(str(BENCHMARKS / name))
        sys.modules.pop("run", None)
        return importlib.import_module("run")

    yield load
    sys.modules.pop("run", None)


def test_operations_are_those_of_the_matrix_products(script):
    """One layer of width 16 by hand: 12 w² a token in the block, attention, and what goes in and out of it."""
    network = TransformerDenoiser(
        token_dim=5, goal_slots=(0,), num_prefix_tokens=2, width=16, num_layers=1, num_heads=2
    )
    with torch.no_grad():
        row = script("forward_speed").measure(network, "training window", batch=3, tokens=6, seconds=0.01)
    per_token = 12 * 16**2 + 5 * 16 + (5 + 12) * 16  # block, out, in with 6 sines and cosines of one position
    levels = 6 * (64 * 16 + 16**2 + 6 * 16**2 + 2 * 16**2)  # once for the whole batch
    attention = 3 * 2 * 6 * 6 * 16  # scores and their sum
    assert row["flops"] == 2 * (3 * 6 * per_token + levels + attention)
    assert row["gflops"] == pytest.approx(1e-9 * row["flops"] / row["seconds"])


def test_plans_are_as_long_as_the_horizon_and_ratios_are_to_its_half(script, monkeypatch):
    run = script("horizon_cost")
    seen = []
    monkeypatch.setattr(run, "plan", lambda planner, horizon, seed: seen.append(horizon))
    rows = run.time_horizons(None, repeats=2)
    assert seen == [200, *run.HORIZONS, *run.HORIZONS]
    assert [row["ratio"] is None for row in rows] == [True, False, False, False, False]
    assert rows[1]["ratio"] == pytest.approx(rows[1]["seconds"] / rows[0]["seconds"])


def test_a_plot_is_drawn(script, tmp_path):
    rows = [{"horizon": 200, "seconds": 0.05}, {"horizon": 400, "seconds": 0.1}]
    script("horizon_cost").draw({"horizons": rows}, tmp_path / "plots" / "a.png")
    assert (tmp_path / "plots" / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_an_episode_is_acted_and_its_memory_told(script):
    peak = script("horizon_cost").peak_in_a_process(3, threads=1)
    assert json.loads(str(peak)) > 50 * 2**20
