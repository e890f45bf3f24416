"""A warm start is the last plan made noisy again, no more; and environments stay apart."""

import numpy as np
import pytest
import torch
from tiny_model import DENOISERS, LAYOUT, line_model, tiny_denoiser, tiny_model

from dfplan.planner import Planner, PlannerSettings
from dfplan.planner.warm_start import rest_of_plan, warm_start
from dfplan.types import Plan

STATES = np.array([[1.0, 1.0, 0.0, 0.0], [1.0, 2.0, 0.5, 0.0], [2.0, 1.0, 0.0, -0.5]])
GOALS = np.array([[4.0, 4.0], [5.0, 1.0], [2.0, 4.5]])


def _numbered_plan(*, num_steps=(16, 12)):
    """Two plans of up to four tokens whose every number says which step it is of."""
    steps, points = np.arange(16.0), np.arange(2.0, 17.0, 2.0)
    return Plan(
        observations=np.tile(points[:, None], (2, 1, 4)),
        actions=np.tile(steps[:, None] / 16, (2, 1, 2)).astype(np.float32),
        rewards=np.tile(np.arange(4.0) / 4, (2, 1)),
        arrival=np.array([15, 12]),
        num_steps=np.array(num_steps),
        value=np.array([-15.0, -12.0]),
        steps_per_point=LAYOUT.steps_per_point,
    )


def _generators(count, *, first=0):
    return [torch.Generator().manual_seed(100 + first + index) for index in range(count)]


def _planner(model=None, **settings):
    return Planner(model or tiny_model(), settings=PlannerSettings(**({"num_candidates": 3} | settings)))


def test_the_rest_of_a_plan_is_its_later_part():
    rest = rest_of_plan(_numbered_plan(), row=0, elapsed=4)
    assert rest.actions[0, :, 0].tolist() == [step / 16 for step in range(4, 16)]
    assert rest.observations[0, :, 0].tolist() == [6, 8, 10, 12, 14, 16]
    assert rest.rewards.tolist() == [[0.25, 0.5, 0.75]]
    assert (rest.num_steps.tolist(), rest.arrival.tolist()) == ([12], [11])


def test_the_rest_of_a_plan_ends_where_the_plan_does():
    rest = rest_of_plan(_numbered_plan(), row=1, elapsed=4)
    assert rest.actions.shape == (1, 8, 2)
    assert rest.observations.shape == (1, 4, 4)
    assert rest.rewards.shape == (1, 2)


@pytest.mark.parametrize(("row", "elapsed"), [(0, 2), (0, 5), (0, 16), (1, 12), (1, 16), (0, 100)])
def test_nothing_is_left_of_a_plan_that_is_over_or_of_a_split_token(row, elapsed):
    assert rest_of_plan(_numbered_plan(), row=row, elapsed=elapsed) is None


def test_tokens_of_the_last_plan_are_noised_and_the_others_are_noise():
    model, noise = tiny_model(), torch.randn(6, 4, LAYOUT.token_dim, generator=torch.Generator().manual_seed(0))
    rest = rest_of_plan(_numbered_plan(), row=1, elapsed=4)
    tokens, levels = warm_start(noise, [None, rest, None], model=model, warm_level=0.4, num_levels=5)
    assert levels.tolist() == 2 * [[5, 5, 5, 5]] + 2 * [[2, 2, 5, 5]] + 2 * [[5, 5, 5, 5]]
    fresh = levels == 5
    assert torch.equal(tokens[fresh], noise[fresh])
    clean = (tokens[2:4, :2] - 0.4 * noise[2:4, :2]) / 0.6
    actions, rewards, states = LAYOUT.unpack(clean)
    normalizer = model.normalizer
    for candidate in range(2):
        np.testing.assert_allclose(normalizer.actions_back(actions)[candidate], rest.actions[0], atol=1e-5)
        np.testing.assert_allclose(normalizer.rewards_back(rewards)[candidate], rest.rewards[0], atol=1e-5)
        np.testing.assert_allclose(normalizer.observations_back(states)[candidate], rest.observations[0], atol=1e-4)


@pytest.mark.parametrize(("warm_level", "level"), [(0.0, 1), (0.2, 1), (0.6, 3), (0.95, 5)])
def test_warm_levels_are_levels_of_the_matrix_and_never_clean(warm_level, level):
    noise, rest = torch.zeros(1, 2, LAYOUT.token_dim), rest_of_plan(_numbered_plan(), row=0, elapsed=0)
    _, levels = warm_start(noise, [rest], model=tiny_model(), warm_level=warm_level, num_levels=5)
    assert levels.tolist() == [[level, level]]


@pytest.mark.parametrize(("warm_level", "level"), [(0.04, 1), (0.16, 2), (0.36, 3), (1.0, 5)])
def test_warm_levels_follow_the_spacing_of_the_levels(warm_level, level):
    """Level k of 5 lies at (k / 5)²."""
    noise, rest = torch.zeros(1, 2, LAYOUT.token_dim), rest_of_plan(_numbered_plan(), row=0, elapsed=0)
    arguments = {"model": tiny_model(), "warm_level": warm_level, "num_levels": 5, "level_power": 2.0}
    tokens, levels = warm_start(noise, [rest], **arguments)
    assert levels.tolist() == [[level, level]]
    clean, _ = warm_start(noise, [rest], **(arguments | {"warm_level": 0.04}))
    torch.testing.assert_close(tokens, clean * (1 - (level / 5) ** 2) / 0.96)


def test_warm_level_one_begins_from_noise_whatever_was_planned():
    plans = [
        _planner().plan(STATES, GOALS, horizon=16, generators=_generators(3), previous=previous)
        for previous in (None, [rest_of_plan(_numbered_plan(), row=0, elapsed=0)] * 3)
    ]
    np.testing.assert_array_equal(plans[0].observations, plans[1].observations)


@pytest.mark.parametrize("name", DENOISERS)
def test_the_lower_the_warm_level_the_nearer_the_last_plan(name):
    model = tiny_model(tiny_denoiser(name))
    settings = {"num_candidates": 1, "num_levels": 10, "slope": 1.0}
    far = np.array([[50.0, 50.0]])  # no plan arrives, so that all are equally long
    last = _planner(model, **settings).plan(STATES[:1], far, horizon=16, generators=_generators(1))
    distances = []
    for warm_level in (0.1, 0.4, 0.7, 1.0):
        planner = _planner(model, warm_level=warm_level, **settings)
        plan = planner.plan(STATES[:1], far, horizon=16, generators=_generators(1, first=7), previous=[last])
        distances.append(np.abs(plan.observations - last.observations).mean())
    assert (np.diff(distances) > 0).all()
    assert distances[0] < 0.3 * distances[-1]


@pytest.mark.parametrize("settings", [{}, {"slope": 0.5, "num_levels": 8}])
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_environments_with_and_without_a_last_plan_stay_apart(eta, settings):
    model = line_model(spread=0.3)
    last = _planner(model).plan(STATES, GOALS, horizon=40, generators=_generators(3))
    previous = [rest_of_plan(last, row=0, elapsed=8), None, rest_of_plan(last, row=2, elapsed=4)]
    planner = _planner(model, warm_level=0.4, eta=eta, **settings)
    together = planner.plan(STATES, GOALS, horizon=40, generators=_generators(3, first=3), previous=previous)
    for row in range(3):
        part = slice(row, row + 1)
        alone = planner.plan(
            STATES[part],
            GOALS[part],
            horizon=40,
            generators=_generators(1, first=3 + row),
            previous=previous[part],
        )
        steps = int(alone.num_steps[0])
        assert together.num_steps[row] == steps
        np.testing.assert_allclose(together.actions[row, :steps], alone.actions[0], atol=1e-4)


def test_the_first_window_alone_starts_warm():
    model, levels = tiny_model(), []
    model.denoiser.register_forward_pre_hook(lambda _, inputs: levels.append(inputs[1][0, :, 1].tolist()))
    planner = _planner(
        model, num_candidates=1, num_levels=5, level_power=1.0, slope=0.0, window_tokens=2, warm_level=0.4
    )
    last = rest_of_plan(_numbered_plan(), row=0, elapsed=0)
    planner.plan(STATES[:1], np.array([[50.0, 50.0]]), horizon=16, generators=_generators(1), previous=[last])
    warm = [[level, level] for level in (0.4, 0.2)]
    cold = [[level, level] for level in (1.0, 0.8, 0.6, 0.4, 0.2)]
    np.testing.assert_allclose(levels, [[0, 0], *warm, [0, 0], *cold], atol=1e-6)
