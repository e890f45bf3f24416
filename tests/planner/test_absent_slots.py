"""Actions alone, observations alone, no reward: levels of the same network, at planning and in training."""

import dataclasses

import numpy as np
import pytest
import torch
from tiny_model import LAYOUT, SCORER, tiny_denoiser, tiny_model, tiny_trajectories, tiny_windows

from dfplan.errors import UserError
from dfplan.models.denoiser import Denoiser
from dfplan.models.forcing_model import load_forcing_model
from dfplan.planner import Planner, PlannerSettings
from dfplan.settings.diffusion import DiffusionSettings
from dfplan.settings.training import OptimizerSettings
from dfplan.tokens import NUM_PREFIX_TOKENS, Normalizer
from dfplan.training.forcing import ForcingTask

STATES = np.array([[1.0, 1.0, 0.0, 0.0], [3.0, 2.0, 1.0, 0.0]])
GOALS = np.array([[4.0, 4.0], [2.0, 3.0]])
REWARDS = slice(LAYOUT.reward_slot, LAYOUT.reward_slot + 1)
SLOTS = {"actions": slice(0, LAYOUT.num_action_slots), "rewards": REWARDS, "observations": LAYOUT.observation_slots}
TOLD = {"actions": 0, "observations": 1}  # column of the levels that a network is told


class Watched(Denoiser):
    """A network that notes what it is shown of the tokens that are planned."""

    def __init__(self):
        super().__init__()
        self.inner, self.token_dim, self.shown = tiny_denoiser(), LAYOUT.token_dim, []

    def forward(self, noisy, levels, state=None):
        if state is not None:
            self.shown.append((noisy.clone(), levels.expand(len(noisy), -1, -1)))
        return self.inner(noisy, levels, state)


def plan_without(absent, *, denoiser=None, states=STATES, **settings):
    model = tiny_model(denoiser or tiny_denoiser())
    planner = Planner(model, settings=PlannerSettings(**{"num_candidates": 2, "absent": absent} | settings))
    generators = [torch.Generator().manual_seed(seed) for seed in range(2)]
    return model, planner.plan(states, GOALS, horizon=12, generators=generators)


@pytest.mark.parametrize("absent", ["actions", "rewards", "observations"])
def test_what_is_absent_stays_noise_and_the_rest_is_planned(absent):
    watched = Watched()
    model, plan = plan_without(absent, denoiser=watched, pyramid_offset=0.0)
    first, last = watched.shown[0], watched.shown[-1]
    for name, slots in SLOTS.items():
        stays = name == absent or (name, absent) == ("rewards", "observations")
        assert torch.equal(first[0][..., slots], last[0][..., slots]) == stays, name
    for name, column in TOLD.items():
        levels = torch.stack([shown[1][..., column] for shown in watched.shown])
        assert bool((levels == 1).all()) == (name == absent), name
    means = {
        "actions": (plan.actions, model.normalizer.action_mean),
        "rewards": (plan.rewards, torch.tensor(model.normalizer.reward_mean)),
        "observations": (plan.observations, model.normalizer.observation_mean),
    }
    for name, (planned, mean) in means.items():
        stays = name == absent or (name, absent) == ("rewards", "observations")
        assert np.allclose(planned, mean.numpy(), atol=1e-5) == stays, name


def test_actions_alone_follow_from_the_observation_and_a_roll_out_says_where_they_lead():
    alone = plan_without("observations")[1]
    assert not np.allclose(alone.actions, plan_without("observations", states=STATES + 0.5)[1].actions)
    model, led = plan_without("observations", roll_out=True)
    assert not np.allclose(led.observations, model.normalizer.observation_mean.numpy())
    assert (alone.arrival == alone.num_steps + 1).all()


def test_other_slots_cannot_be_absent():
    with pytest.raises(UserError, match="absent must be one of actions, rewards, observations; got 'goals'"):
        PlannerSettings(absent="goals")


def task_without(*absent):
    data = tiny_trajectories()
    windows = tiny_windows(data, num_tokens=4)
    task = ForcingTask(
        denoiser=tiny_denoiser().requires_grad_(True),
        layout=LAYOUT,
        normalizer=Normalizer.fit(data),
        diffusion=DiffusionSettings(prediction="clean", actions_known=0.0, action_weight=1.0, after_goal_weight=1.0),
        optimizer=OptimizerSettings(learning_rate=1e-3, matrix_learning_rate=1e-3, weight_decay=0.0),
        absent=frozenset(absent),
        scorer=SCORER,
        validation=None,
        metadata={"env": "none", "model": {"name": "transformer", "width": 16, "num_layers": 2}, "num_tokens": 4},
    )
    return task, windows.sample(16, np.random.default_rng(0))


@pytest.mark.parametrize("absent", ["actions", "rewards", "observations"])
def test_training_learns_nothing_of_what_is_absent(absent):
    """Whatever stands there in the data changes no loss; what is not absent does."""
    task, batch = task_without(absent)

    def loss(**changes):
        changed = dataclasses.replace(batch, **changes)
        return float(task.training_step(changed, generator=torch.Generator().manual_seed(0))[0].detach())

    for name in SLOTS:
        same = name == absent or (name, absent) == ("rewards", "observations")
        assert (loss() == loss(**{name: getattr(batch, name) + 1})) == same, name
    assert loss() != loss(context=batch.context + 1)


def test_weights_know_what_their_data_lacked(tmp_path):
    task, _ = task_without("rewards")
    task.export(tmp_path)
    model = load_forcing_model(tmp_path)
    assert model.absent == {"rewards"}
    assert Planner(model, settings=PlannerSettings(absent="actions")).absent == {"actions", "rewards"}
    task, _ = task_without()
    task.export(tmp_path / "all")
    assert load_forcing_model(tmp_path / "all").absent == frozenset()
    assert NUM_PREFIX_TOKENS == 2
