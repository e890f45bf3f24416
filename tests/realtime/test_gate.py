"""The gate: every kind of bad observation is named, and noise is measured from what is let through."""

import numpy as np
import pytest
from fake_planner import maze_gate
from tiny_model import POINT_MASS

from dfplan.errors import UserError
from dfplan.realtime.gate import FAULTS, ObservationGate
from dfplan.realtime.motion import NoiseEstimate, integrator_motion

GOOD = np.array([1.0, 2.0, 0.5, -0.5])


@pytest.mark.parametrize(
    ("observation", "fault"),
    [
        (GOOD, None),
        (GOOD.tolist(), None),
        (GOOD.astype(np.float32), None),
        (np.array([1, 2, 3, 4]), None),
        (None, "missing"),
        ("good", "type"),
        (["1", "2", "3", "4"], "type"),
        (GOOD.astype(object), "type"),
        (GOOD.astype(complex), "type"),
        (GOOD > 0, "type"),
        ({"observation": GOOD}, "type"),
        ([[1.0], [2.0, 3.0]], "type"),
        ([10**400, 0, 0, 0], "type"),
        (GOOD[:3], "shape"),
        (GOOD[None], "shape"),
        (1.0, "shape"),
        ([], "shape"),
        (GOOD * np.nan, "not_finite"),
        (np.array([1.0, 2.0, -np.inf, 0.0]), "not_finite"),
        (GOOD * 1e300, "range"),
        (np.array([1.0, 2.0, 6.1, 0.0]), "range"),
    ],
)
def test_values_are_judged(observation, fault):
    verdict = maze_gate().check(observation, stamp=0.0, now=0.0)
    assert verdict.fault == fault
    assert (verdict.observation is None) == (fault is not None)
    assert fault is None or fault in FAULTS


def test_what_passes_is_a_copy_in_double_precision():
    given = GOOD.astype(np.float32)
    passed = maze_gate().check(given, stamp=0.0, now=0.0).observation
    given[0] = 9
    np.testing.assert_array_equal(passed, GOOD)
    assert passed.dtype == np.float64


@pytest.mark.parametrize(
    ("stamp", "fault"),
    [(1.0, None), (0.81, None), (0.79, "stale"), (1.19, None), (1.21, "future"), (np.nan, "stamp"), (np.inf, "stamp")],
)
def test_age_is_judged(stamp, fault):
    assert maze_gate().check(GOOD, stamp=stamp, now=1.0).fault == fault


def test_an_observation_older_than_the_last_good_one_is_out_of_order():
    gate = maze_gate()
    assert gate.check(GOOD, stamp=1.0, now=1.0).fault is None
    assert gate.check(GOOD, stamp=0.95, now=1.05).fault == "out_of_order"
    assert gate.check(GOOD, stamp=1.0, now=1.05).fault is None  # seen before, and not yet stale
    assert gate.check(GOOD, stamp=1.0, now=1.25).fault == "stale"
    gate.reset()
    assert gate.check(GOOD, stamp=0.5, now=0.5).fault is None


def test_a_jump_is_refused_until_enough_time_has_passed_for_it():
    gate = maze_gate(max_rate=np.array([5.0, 5.0, np.inf, np.inf]))
    assert gate.check(GOOD, stamp=0.0, now=0.0).fault is None
    assert gate.check(GOOD * [1, 1, -9, 9], stamp=0.1, now=0.1).fault is None  # a velocity may turn round at a wall
    far = GOOD + np.array([2.0, 0.0, 0.0, 0.0])
    assert gate.check(far, stamp=0.3, now=0.3).fault == "rate"
    assert gate.check(far, stamp=0.51, now=0.51).fault is None
    assert gate.check(far + 1e-3, stamp=0.51, now=0.51).fault == "rate"  # no time at all has passed


def test_noise_grows_with_age():
    verdict = maze_gate(drift=np.array([5.0, 5.0, 0.0, 0.0])).check(GOOD, stamp=0.9, now=1.0)
    np.testing.assert_allclose(verdict.noise, [0.5, 0.5, 0, 0])


@pytest.mark.parametrize("std", [0.0, 0.05, 0.3])
def test_the_noise_of_the_sensor_is_measured(std):
    motion = integrator_motion(POINT_MASS)
    gate = maze_gate(motion=motion)
    generator, state, action, found = np.random.default_rng(0), GOOD, np.array([0.1, 0.2]), []
    for step in range(200):
        verdict = gate.check(state + std * generator.standard_normal(4), stamp=step * 0.01, now=step * 0.01)
        gate.expect(verdict, action)
        found.append(verdict.noise)
        state = motion(state, action)
        action = -action if step % 20 == 0 else action
    assert (found[0] == 0).all()
    assert np.mean(found[20:]) == pytest.approx(std, rel=0.15, abs=1e-12)


def test_a_hit_against_a_wall_is_no_noise_and_a_gap_is_bridged():
    motion = integrator_motion(POINT_MASS)
    estimate = NoiseEstimate(motion, observation_dim=4, memory=8)
    state = GOOD
    for step in range(20):
        if step == 10:
            state = state * [1, 1, -1, 1]
        noise = estimate.update(state)
        estimate.expect(None if step == 15 else state, np.zeros(2))
        state = motion(state, np.zeros(2)) if step != 15 else state + 1
        np.testing.assert_allclose(noise, 0, atol=1e-12)


def test_a_point_mass_moves_as_it_is_measured():
    moved = integrator_motion(POINT_MASS)(np.array([1.0, 1.0, 4.95, 0.0]), np.array([1.0, -0.5]))
    fast, slow = 5.0, -0.5 * POINT_MASS.gain
    np.testing.assert_allclose(moved, [1 + 0.01 * fast, 1 + 0.01 * slow, fast, slow])


@pytest.mark.parametrize(
    "options",
    [
        {"low": np.zeros(4), "high": np.zeros(4)},
        {"high": np.full(4, np.inf)},
        {"high": np.ones(3)},
        {"low": np.zeros((4, 1)), "high": np.ones((4, 1))},
        {"max_age": 0.0},
        {"max_age": np.nan},
        {"max_rate": np.ones(3)},
        {"drift": np.ones(3)},
    ],
)
def test_limits_that_are_none_are_refused(options):
    settings = {"low": -np.ones(4), "high": np.ones(4), "max_age": 0.2} | options
    with pytest.raises(UserError):
        ObservationGate(**settings)
