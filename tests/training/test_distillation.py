"""Distillation shows the student the teacher's tokens and noise, and asks for what the teacher makes of them."""

import numpy as np
import pytest
import torch
from tiny_model import LAYOUT, SCORER, tiny_denoiser, tiny_model, tiny_windows

from dfplan.cli.main import main
from dfplan.errors import UserError
from dfplan.models import load_forcing_model
from dfplan.models.denoiser import Denoiser, DenoiserState
from dfplan.settings.diffusion import DiffusionSettings
from dfplan.settings.training import OptimizerSettings
from dfplan.tasks.distill import Settings, find_teacher, sampler
from dfplan.tokens import GOAL_TOKEN, NUM_PREFIX_TOKENS
from dfplan.training.distillation import DistillationTask

TOKENS = 6


class Echo(Denoiser):
    """Predicts what it is shown, and remembers it: for pure noise that is the velocity towards zero."""

    def __init__(self):
        super().__init__()
        self.token_dim = LAYOUT.token_dim

    def forward(self, noisy, levels, state=None):
        self.noisy, self.levels = noisy, levels
        return noisy, DenoiserState((noisy,))


def _task(denoiser, *, teacher, **changes) -> DistillationTask:
    model = tiny_model(prediction="velocity")
    options = {"diffusion": DiffusionSettings(action_weight=0.5, after_goal_weight=1.0), "validation": None}
    options |= {"optimizer": OptimizerSettings(learning_rate=3e-3, matrix_learning_rate=3e-3, weight_decay=0.0)}
    options |= {"layout": LAYOUT, "normalizer": model.normalizer}
    options |= {"scorer": SCORER, "metadata": {}} | changes
    return DistillationTask(teacher=teacher, denoiser=denoiser, **options)


def _step(task, *, size=16, seed=0):
    batch = tiny_windows(num_tokens=TOKENS).sample(size, np.random.default_rng(0))
    return task.training_step(batch, generator=torch.Generator().manual_seed(seed))


def test_a_student_that_says_what_the_teacher_makes_has_no_loss():
    """The teacher makes zeros of any noise; the echo of the noise is the velocity towards them."""
    assert float(_step(_task(Echo(), teacher=lambda prefix, noise: torch.zeros_like(noise)))[0]) == 0


def test_the_loss_is_the_squared_distance_to_the_teachers_tokens_where_they_are_asked_for():
    task = _task(Echo(), teacher=lambda prefix, noise: torch.full_like(noise, 3.0))
    loss, metrics = _step(task)
    asked = task.modules["denoiser"].levels[:, NUM_PREFIX_TOKENS:, 0]
    slots = torch.ones(LAYOUT.token_dim)
    slots[: LAYOUT.num_action_slots] = 0.5
    assert float(loss) == pytest.approx(9 * float(asked.mean() * slots.mean()))
    assert float(metrics["observation_loss"]) == pytest.approx(9)


def test_the_student_sees_the_teachers_tokens_and_after_them_the_teachers_noise():
    seen = {}

    def teacher(prefix, noise):
        seen.update(prefix=prefix, noise=noise)
        return noise + 10

    task = _task(Echo(), teacher=teacher)
    _step(task, size=64)
    noisy, levels = task.modules["denoiser"].noisy, task.modules["denoiser"].levels
    assert torch.equal(noisy[:, :NUM_PREFIX_TOKENS], seen["prefix"])
    assert not levels[:, :NUM_PREFIX_TOKENS].any()
    level = levels[:, NUM_PREFIX_TOKENS:, :1]
    assert (level.diff(dim=1) >= 0).all()
    assert ((level == 0) | (level == 1)).all()
    assert torch.equal(noisy[:, NUM_PREFIX_TOKENS:], torch.where(level == 1, seen["noise"], seen["noise"] + 10))
    whole = (level == 1).all(dim=1).float().mean()
    assert 0.4 < whole < 0.8  # half of them, and one in six of the others
    assert level[:, -1].all()


def test_half_of_the_goals_are_those_of_another_window():
    seen = []
    task = _task(Echo(), teacher=lambda prefix, noise: seen.append(prefix) or noise)
    _step(task, size=8)
    own = task._tokens(tiny_windows(num_tokens=TOKENS).sample(8, np.random.default_rng(0)))[0][:, GOAL_TOKEN]
    assert torch.equal(seen[0][4:, GOAL_TOKEN], own[4:])
    assert torch.equal(seen[0][:4, GOAL_TOKEN], own[[3, 0, 1, 2]])


def test_the_teacher_is_a_function_of_prefix_and_noise_and_of_its_levels():
    settings = Settings(teacher="", num_levels=3, rho=2.0, pyramid_offset=1.0)
    prefix, noise = torch.randn(2, NUM_PREFIX_TOKENS, LAYOUT.token_dim), torch.randn(2, TOKENS, LAYOUT.token_dim)
    model = tiny_model(tiny_denoiser())
    with torch.no_grad():
        found = sampler(model, settings)(prefix, noise)
        assert torch.equal(sampler(model, settings)(prefix, noise), found)
        settings.num_levels = 1
        assert not torch.allclose(sampler(model, settings)(prefix, noise), found)


def test_a_teacher_that_is_not_there_is_one_line():
    with pytest.raises(UserError, match=r"task\.teacher=nowhere: no model\.json in nowhere; train a planner"):
        find_teacher("nowhere", env_name="maze2d-large")
    assert find_teacher("bundled", env_name="maze2d-large").name == "maze2d-large"


@pytest.mark.slow
def test_a_student_is_trained_and_planned_with(tmp_path, capsys):
    data, run, env = tmp_path / "umaze.hdf5", tmp_path / "student", "env=maze2d-umaze"
    assert main(["generate", env, "num_steps=4000", f"output={data}"]) == 0
    short = [
        "training.num_steps=2",
        "training.batch_size=4",
        "resynthesis.num_steps=0",
        "windows.held_steps=0",
        "training.compiled=false",
    ]
    assert main(["train", "task=distill", env, f"data={data}", *short, f"output={run}"]) == 0
    teacher = load_forcing_model(find_teacher("bundled", env_name="maze2d-umaze"))
    student = load_forcing_model(run / "model")
    assert student.layout == teacher.layout
    assert torch.equal(student.normalizer.observation_mean, teacher.normalizer.observation_mean)
    words = [
        f"weights={run}",
        "planner.num_levels=1",
        "planner.pyramid_offset=0",
        "n_episodes=1",
        f"output={tmp_path / 'eval'}",
    ]
    assert main(["eval", env, *words]) == 0
    assert main(["train", "task=distill", env, f"data={data}", *short, "windows.steps_per_token=8"]) == 2
    assert "was trained on windows of" in capsys.readouterr().err
