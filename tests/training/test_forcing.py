"""The Diffusion Forcing task draws levels as promised, counts only what is to be learned, and learns."""

import dataclasses

import numpy as np
import pytest
import torch
from tiny_model import DENOISERS, LAYOUT, SCORER, tiny_trajectories, tiny_windows

from dfplan.data.windows import WindowDataset
from dfplan.models.denoiser import Denoiser, DenoiserState
from dfplan.models.forcing_model import build_denoiser
from dfplan.settings.diffusion import DiffusionSettings
from dfplan.settings.training import OptimizerSettings
from dfplan.tokens import CONTEXT_TOKEN, GOAL_TOKEN, NUM_PREFIX_TOKENS, Normalizer
from dfplan.training.forcing import ForcingTask, as_asked, draw_committed, draw_levels

TOKENS = 6


class ConstantDenoiser(Denoiser):
    """Predicts the same number everywhere, but another one where a test says so."""

    def __init__(self, value=0.0):
        super().__init__()
        self.token_dim = LAYOUT.token_dim
        self.prediction = torch.full((1, NUM_PREFIX_TOKENS + TOKENS, LAYOUT.token_dim), value)

    def forward(self, noisy, levels, state=None):
        return self.prediction.expand_as(noisy), DenoiserState((noisy,))


def _dataset(trajectories, **changes):
    windows = tiny_windows(trajectories, num_tokens=TOKENS, goal_dim=2)
    return WindowDataset(trajectories, dataclasses.replace(windows.settings, **changes), num_tokens=TOKENS, goal_dim=2)


def _task(denoiser, *, validation=None, **changes):
    arguments = {
        "layout": LAYOUT,
        "normalizer": Normalizer.fit(tiny_trajectories()),
        "diffusion": DiffusionSettings(
            prediction="clean", schedule="linear", action_weight=0.1, after_goal_weight=0.25
        ),
        "optimizer": OptimizerSettings(learning_rate=3e-3, matrix_learning_rate=3e-3, weight_decay=0.0),
        "scorer": SCORER,
        "validation": validation,
        "metadata": {},
    }
    arguments["diffusion"] = dataclasses.replace(arguments["diffusion"], **changes)
    return ForcingTask(denoiser=denoiser, **arguments)


def _loss(task, batch, *, seed=0):
    return float(task.training_step(batch, generator=torch.Generator().manual_seed(seed))[0].detach())


@pytest.fixture(scope="module")
def batch():
    """Windows of which some run past the end of their trajectory."""
    drawn = _dataset(tiny_trajectories()).sample(64, np.random.default_rng(0))
    assert not drawn.valid.all()
    assert not drawn.before_goal.all()
    return drawn


def _draw(**changes):
    levels = draw_levels(DiffusionSettings(**changes), (20_000, 5), generator=torch.Generator().manual_seed(0))
    assert levels.shape == (20_000, NUM_PREFIX_TOKENS + 5, 2)
    assert (levels >= 0).all()
    assert (levels <= 1).all()
    return levels


def test_the_goal_is_dropped_as_often_as_promised():
    goal = _draw(goal_dropped=0.15)[:, GOAL_TOKEN]
    assert set(goal.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(goal[:, 0], goal[:, 1])
    assert float(goal[:, 0].mean()) == pytest.approx(0.15, abs=0.01)
    assert (_draw(goal_dropped=0.0)[:, GOAL_TOKEN] == 0).all()
    assert (_draw(goal_dropped=1.0)[:, GOAL_TOKEN] == 1).all()


def test_the_context_is_noised_as_often_and_as_much_as_promised():
    context = _draw(context_noised=0.2)[:, CONTEXT_TOKEN, 0]
    assert float((context > 0).float().mean()) == pytest.approx(0.2, abs=0.01)
    # Half of the noised ones end at 0.2, and a fifth of the other half lies there by chance.
    assert float((context > 0.2).float().mean()) == pytest.approx(0.1 * 0.8, abs=0.01)
    assert (_draw(context_noised=0.0)[:, CONTEXT_TOKEN] == 0).all()


def test_actions_are_known_and_apart_as_often_as_promised():
    actions, rest = _draw(actions_known=0.08, actions_apart=0.3)[:, NUM_PREFIX_TOKENS:].unbind(dim=-1)
    known = (actions == 0).all(dim=1)
    together = (actions == rest).all(dim=1)
    assert float(known.float().mean()) == pytest.approx(0.08, abs=0.01)
    assert float(together.float().mean()) == pytest.approx(0.62, abs=0.015)
    apart = ~known & ~together
    pairs = torch.stack([actions[apart].flatten(), rest[apart].flatten()])
    assert abs(float(torch.corrcoef(pairs)[0, 1])) < 0.03
    assert (rest > 0).float().mean() > 0.999  # observations are never given


def test_the_past_is_known_as_often_as_promised_but_for_what_was_not_seen_and_the_rest_is_as_drawn():
    plain, drawn = _draw(context_noised=0.0), _draw(context_noised=0.0, history_known=0.5)
    tokens, was = drawn[:, NUM_PREFIX_TOKENS:], plain[:, NUM_PREFIX_TOKENS:]
    past = (tokens != was).any(dim=-1)
    lengths = past.sum(dim=1)
    assert torch.equal(past, torch.arange(5) < lengths[:, None])  # a beginning of the window
    assert float((lengths > 0).float().mean()) == pytest.approx(0.5 * 4 / 5, abs=0.01)  # in one of five it has no past
    assert [float((lengths == n).float().mean()) for n in range(1, 5)] == pytest.approx([0.1] * 4, abs=0.01)
    assert (tokens[past][:, 0] == 0).all()
    assert set(tokens[past][:, 1].unique().tolist()) == {0.0, 1.0}
    assert float(tokens[past][:, 1].mean()) == pytest.approx(0.25, abs=0.01)
    assert float(drawn[:, CONTEXT_TOKEN].mean()) == pytest.approx(0.5 * 0.25, abs=0.01)
    assert torch.equal(drawn[:, GOAL_TOKEN], plain[:, GOAL_TOKEN])


def test_windows_that_teach_dynamics_have_clean_actions_and_no_goal():
    dynamics = torch.arange(1000) % 4 == 0
    plain = draw_levels(DiffusionSettings(), (1000, 5), generator=torch.Generator().manual_seed(0))
    drawn = as_asked(plain, dynamics=dynamics, aimless=torch.zeros_like(dynamics))
    assert (drawn[dynamics][:, NUM_PREFIX_TOKENS:, 0] == 0).all()
    assert (drawn[dynamics][:, GOAL_TOKEN] == 1).all()
    assert torch.equal(drawn[~dynamics], plain[~dynamics])
    assert torch.equal(drawn[:, NUM_PREFIX_TOKENS:, 1], plain[:, NUM_PREFIX_TOKENS:, 1])  # observations as ever
    assert torch.equal(drawn[:, CONTEXT_TOKEN], plain[:, CONTEXT_TOKEN])


def test_windows_without_an_aim_show_no_goal_and_are_otherwise_as_drawn():
    aimless = torch.arange(1000) % 4 == 0
    plain = draw_levels(DiffusionSettings(goal_dropped=0.0), (1000, 5), generator=torch.Generator().manual_seed(0))
    drawn = as_asked(plain, dynamics=torch.zeros_like(aimless), aimless=aimless)
    assert torch.equal(drawn[:, GOAL_TOKEN, 0], aimless.float())
    drawn[:, GOAL_TOKEN] = plain[:, GOAL_TOKEN]
    assert torch.equal(drawn, plain)


def test_a_window_that_teaches_dynamics_tells_nothing_of_its_goal(batch):
    taught = dataclasses.replace(batch, dynamics=np.ones_like(batch.dynamics))
    elsewhere = dataclasses.replace(taught, goal=taught.goal + 1, before_goal=~taught.before_goal)
    denoiser = build_denoiser("transformer", layout=LAYOUT, width=16, num_layers=1)
    denoiser.eval()
    task = _task(denoiser, prediction="velocity")
    assert _loss(task, taught) == _loss(task, elsewhere)
    assert _loss(task, taught) != pytest.approx(_loss(task, batch), rel=1e-2)


def test_levels_of_the_tokens_are_independent_or_shared():
    apart = _draw(actions_known=0, actions_apart=0)[:, NUM_PREFIX_TOKENS:, 1]
    assert (torch.corrcoef(apart.T) - torch.eye(5)).abs().max() < 0.03
    shared = _draw(levels="shared", actions_known=0, actions_apart=0)[:, NUM_PREFIX_TOKENS:]
    assert (shared == shared[:, :1, :1]).all()


def test_what_is_predicted_for_the_prefix_does_not_count(batch):
    denoiser = ConstantDenoiser()
    before = _loss(_task(denoiser), batch)
    denoiser.prediction[:, :NUM_PREFIX_TOKENS] = 100
    assert _loss(_task(denoiser), batch) == before
    denoiser.prediction[:, NUM_PREFIX_TOKENS] = 100
    assert _loss(_task(denoiser), batch) > before


def test_what_lies_past_the_end_of_a_trajectory_does_not_count(batch):
    step_valid = np.repeat(batch.valid, LAYOUT.steps_per_token, axis=1)[..., None]
    point_valid = np.repeat(batch.valid, LAYOUT.points_per_token, axis=1)[..., None]
    padded = dataclasses.replace(
        batch,
        actions=np.where(step_valid, batch.actions, 50).astype(np.float32),
        observations=np.where(point_valid, batch.observations, -50).astype(np.float32),
        rewards=np.where(batch.valid, batch.rewards, 50).astype(np.float32),
    )
    denoiser = build_denoiser("transformer", layout=LAYOUT, width=16, num_layers=1)
    assert _loss(_task(denoiser), padded) == pytest.approx(_loss(_task(denoiser), batch), rel=1e-6)


def test_known_actions_are_inputs_and_not_targets(batch):
    denoiser = ConstantDenoiser()
    task = _task(denoiser, actions_known=1.0)
    before = _loss(task, batch)
    denoiser.prediction[..., : LAYOUT.num_action_slots] = 100
    assert _loss(task, batch) == before
    assert _loss(_task(denoiser, actions_known=0.0), batch) > before


def test_committed_actions_are_as_many_as_promised():
    settings = DiffusionSettings(actions_committed=0.4, most_committed=3)
    steps = draw_committed(settings, (20_000, 8), generator=torch.Generator().manual_seed(0))
    shares = torch.bincount(steps, minlength=4) / len(steps)
    np.testing.assert_allclose(shares, [0.6, 0.4 / 3, 0.4 / 3, 0.4 / 3], atol=0.015)
    short = draw_committed(settings, (1000, 2), generator=torch.Generator().manual_seed(0))
    assert int(short.max()) == 1  # something is left to plan


def test_committed_actions_are_shown_as_they_are_and_are_not_targets(batch):
    denoiser, steps = ConstantDenoiser(), LAYOUT.steps_per_token + 1  # a token, and of the next one a step
    task = _task(denoiser, actions_committed=1.0, most_committed=steps, actions_known=0.0, context_noised=0.0)
    before = _loss(task, batch)
    denoiser.prediction[:, NUM_PREFIX_TOKENS, : LAYOUT.action_dim] = 100  # of the first step, which is always known
    assert _loss(task, batch) == before
    denoiser.prediction[:, NUM_PREFIX_TOKENS + 1, LAYOUT.action_dim :] = 100
    assert _loss(task, batch) > before
    seen = []
    task.denoise = lambda noisy, levels: seen.append((noisy, levels)) or (noisy, None)
    task.training_step(batch, generator=torch.Generator().manual_seed(0))
    noisy, levels = seen[0]
    told = (noisy[:, CONTEXT_TOKEN, LAYOUT.reward_slot] * LAYOUT.steps_per_token).round().int()
    assert set(told.tolist()) == set(range(1, steps + 1))
    clean = task.normalizer.actions(torch.from_numpy(batch.actions)).flatten(1)
    shown = noisy[:, NUM_PREFIX_TOKENS:, : LAYOUT.num_action_slots].flatten(1)
    for row, count in enumerate((told * LAYOUT.action_dim).tolist()):
        assert torch.equal(shown[row, :count], clean[row, :count])
        assert not torch.isclose(shown[row, count], clean[row, count])
    assert torch.equal(levels[:, NUM_PREFIX_TOKENS, 0] == 0, told >= LAYOUT.steps_per_token)  # where all of it is known


def test_the_loss_is_the_weighted_mean_over_all_slots(batch):
    # A constant 0 predicts the mean of the data: every slot's error is its own clean value squared.
    whole = dataclasses.replace(batch, valid=np.ones_like(batch.valid), before_goal=np.ones_like(batch.before_goal))
    task = _task(ConstantDenoiser(), actions_known=0.0)
    normalizer = task.normalizer
    tokens = LAYOUT.pack(
        normalizer.actions(torch.from_numpy(batch.actions)),
        normalizer.rewards(torch.from_numpy(batch.rewards)),
        normalizer.observations(torch.from_numpy(batch.observations)),
    )
    weight = torch.ones(LAYOUT.token_dim)
    weight[: LAYOUT.num_action_slots] = 0.1
    assert _loss(task, whole) == pytest.approx(float((weight * tokens.square()).mean()), rel=1e-5)


@pytest.mark.parametrize(("goal_dropped", "share"), [(0.0, 0.25), (1.0, 1.0)])
def test_tokens_after_the_goal_count_less_where_the_goal_is_shown(batch, goal_dropped, share):
    valid = np.ones_like(batch.valid)
    before, after = (dataclasses.replace(batch, valid=valid, before_goal=np.full_like(valid, each)) for each in (1, 0))
    task = _task(ConstantDenoiser(), goal_dropped=goal_dropped)
    assert _loss(task, after) == pytest.approx(share * _loss(task, before), rel=1e-5)


def test_parts_of_a_batch_add_up_to_the_whole(batch):
    # Nothing is divided by what is valid: accumulated halves then have the gradient of the whole.
    task = _task(ConstantDenoiser(), goal_dropped=0.0, actions_known=0.0, actions_apart=0.0)
    halves = [
        dataclasses.replace(batch, **{name: value[part] for name, value in vars(batch).items()})
        for part in (slice(0, 32), slice(32, 64))
    ]
    assert np.mean([_loss(task, half) for half in halves]) == pytest.approx(_loss(task, batch), rel=1e-5)


def test_metrics_are_the_mean_squared_errors_of_the_slots(batch):
    task = _task(ConstantDenoiser())
    _, metrics = task.training_step(batch, generator=torch.Generator().manual_seed(0))
    valid = torch.from_numpy(batch.valid)
    rewards = task.normalizer.rewards(torch.from_numpy(batch.rewards)).square()
    assert set(metrics) == {"action_loss", "reward_loss", "observation_loss"}
    everywhere = _task(ConstantDenoiser(), after_goal_weight=1.0)
    _, metrics = everywhere.training_step(batch, generator=torch.Generator().manual_seed(0))
    assert float(metrics["reward_loss"]) == pytest.approx(float(rewards[valid].mean()), rel=1e-5)


def test_the_step_is_a_function_of_its_generator(batch):
    task = _task(build_denoiser("rnn", layout=LAYOUT, width=16, num_layers=1))
    assert _loss(task, batch, seed=3) == _loss(task, batch, seed=3)
    assert _loss(task, batch, seed=3) != _loss(task, batch, seed=4)


@pytest.mark.parametrize("name", DENOISERS)
def test_every_parameter_has_one_optimizer(name):
    denoiser = build_denoiser(name, layout=LAYOUT, width=16, num_layers=2)
    optimizers = _task(denoiser).configure_optimizers()
    trained = [id(each) for optimizer in optimizers for group in optimizer.param_groups for each in group["params"]]
    assert sorted(trained) == sorted(id(parameter) for parameter in denoiser.parameters())
    assert [type(optimizer).__name__ for optimizer in optimizers] == ["AdamW", "Muon"][: 1 + (name == "transformer")]


def test_validation_is_a_function_of_weights_and_seed():
    task = _task(ConstantDenoiser(), validation=_dataset(tiny_trajectories()))
    first, again, other = (task.validate(task.modules, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert set(first) == {"loss", "action_loss", "reward_loss", "observation_loss"}
    assert task.validate({"denoiser": ConstantDenoiser(3.0)}, seed=1)["loss"] > 2 * first["loss"]
    assert _task(ConstantDenoiser()).validate({}, seed=1) == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", DENOISERS)
@pytest.mark.parametrize("prediction", ["clean", "velocity"])
def test_overfits_eight_short_trajectories(name, prediction):
    dataset = _dataset(tiny_trajectories(), goal_jitter=0.0, restart_share=1.0)
    torch.manual_seed(0)
    task = _task(
        build_denoiser(name, layout=LAYOUT, width=64, num_layers=2),
        prediction=prediction,
        goal_dropped=0.0,
        context_noised=0.0,
        validation=dataset,
    )
    optimizers = task.configure_optimizers()
    with torch.no_grad():
        before = task.validate(task.modules, seed=0)
    for step in range(400):
        loss, _ = task.training_step(
            dataset.sample(32, np.random.default_rng([0, step])), generator=torch.Generator().manual_seed(step)
        )
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    with torch.no_grad():
        after = task.validate(task.modules, seed=0)
    assert after["observation_loss"] < before["observation_loss"] / 5
    assert after["loss"] < before["loss"] / 5
