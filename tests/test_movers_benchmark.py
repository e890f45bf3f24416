"""Others who move: the data are walks of one alone, and who foresees where others go touches fewer of them."""

import sys
from argparse import Namespace

import numpy as np
import pytest
import torch
from from_benchmarks import module
from tiny_model import tiny_model

from dfplan.domains.find import find_domain
from dfplan_envs.movers import MAX_SPEED


@pytest.fixture
def named():
    """A function that imports a module of the benchmark."""
    yield lambda name: module(name, of="movers")
    for name in ("run", "walks", "adversary", "records", "worlds", "frame"):
        sys.modules.pop(name, None)


def test_walks_are_data_of_the_room_without_others(named):
    walks = named("walks")
    domain = find_domain("movers-0-v0")
    data = domain.take(walks.walks(5, seed=0), say=print)
    states = data.observations.reshape(5, -1, 4)
    assert states.shape == (5, walks.STEPS + 1, 4)
    np.testing.assert_allclose(np.diff(states[..., :2], axis=1), states[:, 1:, 2:], atol=1e-5)
    assert np.linalg.norm(states[..., 2:], axis=-1).max() < 1.1 * MAX_SPEED
    assert 5 < data.segment_ends.sum() < 60  # walkers come to goals, and turn


def test_places_where_nobody_walked_are_not_familiar(named):
    domain = find_domain("movers-0-v0")
    scorer = domain.fit_scorer(domain.take(named("walks").walks(300, seed=0), say=print))
    places = np.array([[0.05, 3.0], [3.0, 6.0], [1.0, 3.0], [3.0, 3.0]])  # in the wall; free
    assert scorer.is_familiar(np.concatenate([places, np.zeros((4, 2))], axis=1)).tolist() == [False] * 2 + [True] * 2


def test_the_adversary_plans_for_itself_towards_where_the_robot_will_be(named):
    adversary = named("adversary").Adversary(tiny_model())
    seen = np.array([[2.0, 2.0, 0.0, 0.0, 4.0, 4.0, 0.0, 0.0]])
    plan = adversary.plan(seen, np.array([[2.0, 4.0]]), horizon=20, generators=[torch.Generator().manual_seed(0)])
    assert plan.actions.shape == (1, 20, 2)


@pytest.mark.slow
def test_who_foresees_touches_fewer(named, tmp_path):
    run = named("run")
    model, asked = run.trained(tmp_path / "seed-5", seed=5), Namespace(episodes=60, seed=5000)
    touched = {each: run.play(model, "two", each, asked)["collisions"].mean() for each in ("model", "unseen")}
    assert touched["model"] <= 0.05, touched
    assert touched["unseen"] >= 0.15, touched
