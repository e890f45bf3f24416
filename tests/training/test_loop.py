"""The loop: what a step computes, what it depends on, and what it refuses."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_task import Points, TinyTask, assert_same_run, logged, plain_task, train_tiny

from dfplan.errors import UserError
from dfplan.models.bundle import load_bundle
from dfplan.training.batch import beside, part_of_batch


def weights(task: TinyTask) -> torch.Tensor:
    return torch.cat([each.detach().flatten() for each in task.network.parameters()])


def test_a_task_learns_and_leaves_its_averaged_weights(tmp_path):
    task = TinyTask(dropout=0.0, noise=0.0)
    result = train_tiny(
        task, tmp_path, num_steps=120, batch_size=32, ema_decay=0.9, validate_every=120, decay="constant"
    )
    assert np.mean(task.losses[-20:]) < 0.05 * np.mean(task.losses[:5])
    assert result.metrics["loss"] < 0.05
    exported = load_bundle(tmp_path / "model")[0]
    average = load_bundle(tmp_path / "checkpoints" / "step-00000120")[0]
    assert torch.equal(exported["0.weight"], average["average.network.0.weight"])
    assert not torch.equal(exported["0.weight"], task.network[0].weight)
    with torch.no_grad():
        task.network.load_state_dict(exported)
        assert task.network.eval() is task.network
        assert task.validate(task.modules, seed=5)["loss"] == pytest.approx(result.metrics["validation/loss"], rel=1e-6)


@pytest.mark.parametrize("parts", [2, 4])
def test_accumulation_changes_memory_not_results(tmp_path, parts):
    at_once, in_parts = plain_task(), plain_task()
    # Plain SGD-like comparison over few steps: Muon works in bfloat16, where a last bit can grow.
    train_tiny(at_once, tmp_path / "one", num_steps=1, warmup_steps=0, gradient_clip=None)
    train_tiny(in_parts, tmp_path / "parts", num_steps=1, warmup_steps=0, gradient_clip=None, accumulation=parts)
    assert np.mean(in_parts.losses) == pytest.approx(at_once.losses[0], abs=1e-6)
    assert logged(tmp_path / "one")[0]["gradient_norm"] == pytest.approx(
        logged(tmp_path / "parts")[0]["gradient_norm"], abs=1e-6
    )
    adam = [load_bundle(tmp_path / name / "checkpoints" / "step-00000001")[0] for name in ("one", "parts")]
    names = [name for name in adam[0] if name.endswith(("momentum_buffer", "exp_avg"))]
    assert len(names) == 4
    for name in names:
        torch.testing.assert_close(adam[0][name], adam[1][name], rtol=0, atol=1e-6)


def test_data_are_a_function_of_seed_and_step_alone(tmp_path):
    class Recorded(Points):
        def __init__(self):
            self.batches = []

        def sample(self, batch_size, generator):
            self.batches.append(super().sample(batch_size, generator)["points"])
            return {"points": self.batches[-1]}

    dataset = Recorded()
    train_tiny(TinyTask(), tmp_path, dataset=dataset, num_steps=4, seed=9)
    for step, batch in enumerate(dataset.batches):
        expected = Points().sample(8, np.random.default_rng([9, step]))["points"]
        assert np.array_equal(batch, expected)


def test_noise_and_dropout_do_not_depend_on_what_ran_before(tmp_path):
    one, other = TinyTask(), TinyTask()
    train_tiny(one, tmp_path / "one", num_steps=5)
    torch.manual_seed(123)
    torch.rand(1000)
    train_tiny(other, tmp_path / "other", num_steps=5)
    assert one.losses == other.losses
    assert torch.equal(weights(one), weights(other))


def test_another_seed_is_another_run(tmp_path):
    one, other = TinyTask(), TinyTask()
    train_tiny(one, tmp_path / "one", num_steps=3)
    train_tiny(other, tmp_path / "other", num_steps=3, seed=6)
    assert one.losses != other.losses


@pytest.mark.parametrize(("precision", "dtype"), [("no", torch.float32), ("bf16", torch.bfloat16)])
def test_precision_is_what_the_network_computes_in(tmp_path, precision, dtype):
    task, seen = TinyTask(), set()
    task.network[0].register_forward_hook(lambda module, inputs, output: seen.add((module.training, output.dtype)))
    train_tiny(task, tmp_path, num_steps=2, precision=precision, validate_every=1)
    assert seen == {(True, dtype), (False, torch.float32)}
    assert all(each.dtype == torch.float32 for each in task.network.parameters())


def test_learning_rates_keep_their_ratio_under_the_schedule(tmp_path):
    task, rates = TinyTask(), []
    optimizers = task.configure_optimizers()
    task.configure_optimizers = lambda: optimizers

    def record(step, metrics):
        rates.append([group["lr"] for each in optimizers for group in each.param_groups])

    train_tiny(
        task, tmp_path, num_steps=10, warmup_steps=4, decay="linear", decay_start=0.5, log_every=1, logger=record
    )
    factors = [0.2, 0.4, 0.6, 0.8, 1.0, 1.0, 0.8, 0.6, 0.4, 0.2]
    assert np.allclose(rates, np.outer(factors, [0.01, 0.005, 0.001]))


def test_gradients_are_clipped_to_the_norm_that_is_asked_for(tmp_path):
    def momentum(clip):
        train_tiny(plain_task(), tmp_path / str(clip), num_steps=1, gradient_clip=clip)
        tensors = load_bundle(tmp_path / str(clip) / "checkpoints" / "step-00000001")[0]
        norm = logged(tmp_path / str(clip))[0]["gradient_norm"]
        return norm, torch.cat([tensors[f"optimizer.1.{i}.exp_avg"].flatten() for i in range(2)])

    (norm, free), (norm_too, clipped) = momentum(None), momentum(0.01)
    assert norm == norm_too > 0.01
    torch.testing.assert_close(clipped, free * 0.01 / norm, rtol=1e-4, atol=1e-9)


def test_a_loss_that_is_not_finite_stops_and_is_never_saved(tmp_path):
    class Poisoned(Points):
        def sample(self, batch_size, generator):
            batch = super().sample(batch_size, generator)
            self.count = getattr(self, "count", 0) + 1
            return {"points": batch["points"] * (np.nan if self.count > 12 else 1.0)}

    with pytest.raises(UserError, match=r"the loss became nan by step 14; .*lower the learning rate"):
        train_tiny(TinyTask(), tmp_path, dataset=Poisoned())
    newest = load_bundle(tmp_path / "checkpoints" / "step-00000010")[0]
    assert sorted(each.name for each in (tmp_path / "checkpoints").iterdir()) == ["step-00000000", "step-00000010"]
    assert all(tensor.isfinite().all() for tensor in newest.values())
    assert all(tensor.isfinite().all() for tensor in load_bundle(tmp_path / "model")[0].values())


def test_the_run_folder_says_how_it_was_made(tmp_path):
    train_tiny(TinyTask(), tmp_path, num_steps=1, config={"env": "maze2d-large", "sizes": (1, 2)})
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["config"] == {"env": "maze2d-large", "sizes": [1, 2]}
    assert config["training"]["batch_size"] == 8
    assert config["optimizers"][0][0]["momentum"] == 0.95
    assert config["optimizers"][1][0]["peak_learning_rate"] == 0.005


def test_a_folder_that_cannot_be_written_is_found_before_the_work(tmp_path):
    (tmp_path / "file").write_text("in the way")
    task = TinyTask()
    with pytest.raises(UserError, match="cannot be written") as caught:
        train_tiny(task, tmp_path / "file" / "run")
    assert "\n" not in str(caught.value)
    assert task.losses == []


def test_without_a_terminal_progress_is_a_line_per_log_line(tmp_path, capsys):
    train_tiny(TinyTask(), tmp_path, num_steps=14, progress=True)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[:2] for line in lines] == [["step", "7/14"], ["step", "14/14"]]
    assert all("loss" in line and "steps/s" in line and "min left" in line for line in lines)


@dataclass(frozen=True)
class Windows:
    states: np.ndarray
    goals: torch.Tensor
    horizon: int


def test_batches_are_cut_in_order_and_keep_their_kind():
    batch = Windows(states=np.arange(12.0).reshape(6, 2), goals=torch.arange(6), horizon=8)
    parts = [part_of_batch(batch, index=index, num_parts=3, device=torch.device("cpu")) for index in range(3)]
    assert torch.equal(torch.cat([part.states for part in parts]), torch.arange(12.0).reshape(6, 2).double())
    assert torch.equal(torch.cat([part.goals for part in parts]), torch.arange(6))
    assert {part.horizon for part in parts} == {8}
    with pytest.raises(ValueError, match="a batch of 6 cannot be cut into 4 equal parts"):
        part_of_batch(batch, index=0, num_parts=4, device=torch.device("cpu"))
    with pytest.raises(TypeError, match="a dict or a dataclass of arrays; got list"):
        part_of_batch([1], index=0, num_parts=1, device=torch.device("cpu"))


def test_a_whole_batch_goes_where_the_weights_are():
    batch = {"frames": np.zeros((3, 2), np.float32), "steps": np.arange(3)}
    moved = beside(torch.nn.Linear(2, 2, device="meta"), batch)
    assert {name: (each.device.type, list(each.shape)) for name, each in moved.items()} == {
        "frames": ("meta", [3, 2]),
        "steps": ("meta", [3]),
    }
    assert beside(torch.nn.Identity(), batch)["steps"].tolist() == [0, 1, 2]


FILL_THE_DISK = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tiny_task import TinyTask, train_tiny
from dfplan.errors import UserError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = Path(sys.argv[2])
def limit(step, metrics):
    if step >= 14:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))
try:
    train_tiny(TinyTask(), folder, logger=limit)
except UserError as error:
    print(error)
    sys.exit(2)
"""


@pytest.mark.slow
def test_a_disk_that_fills_up_ends_in_one_line_with_the_previous_checkpoint_intact(tmp_path):
    command = [sys.executable, "-c", FILL_THE_DISK, Path(__file__).parent, tmp_path / "run"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2, result.stderr
    assert len(result.stdout.splitlines()) == 1
    assert "cannot be written (File too large); what was there before is untouched" in result.stdout
    assert sorted(each.name for each in (tmp_path / "run" / "checkpoints").iterdir()) == [
        "step-00000000",
        "step-00000010",
    ]
    task = TinyTask()
    assert train_tiny(task, tmp_path / "run", resume=True).finished
    assert len(task.losses) == 20


class Painter(TinyTask):
    """Writes the first weight it is given as its picture."""

    def draw(self, modules, path, *, seed):
        if not path.parent.exists():
            raise FileNotFoundError(path.parent)
        torch.rand(7)  # drawing may use up noise; the training must not notice
        path.write_text(f"{float(modules['network'][0].weight[0, 0])} {seed} {modules['network'].training}")


def test_a_task_that_draws_leaves_a_picture_of_its_averaged_weights_at_every_validation(tmp_path):
    train_tiny(Painter(), tmp_path / "drawn", num_steps=20, validate_every=8)
    train_tiny(TinyTask(), tmp_path / "plain", num_steps=20, validate_every=8)
    pictures = sorted((tmp_path / "drawn" / "pictures").iterdir())
    assert [each.name for each in pictures] == ["step-00000008.png", "step-00000016.png", "step-00000020.png"]
    weight = float(load_bundle(tmp_path / "drawn" / "model")[0]["0.weight"][0, 0])
    assert pictures[-1].read_text() == f"{weight} 5 False"
    assert_same_run(tmp_path / "drawn", tmp_path / "plain", step=20)
    assert not (tmp_path / "plain" / "pictures").exists()


def test_a_picture_that_fails_stops_nothing(tmp_path, capsys):
    class Clumsy(TinyTask):
        def draw(self, modules, path, *, seed):
            raise ZeroDivisionError("no brush")

    assert train_tiny(Clumsy(), tmp_path, num_steps=10, validate_every=5).finished
    said = capsys.readouterr().err
    assert said.count("warning: no picture of step") == 2
    assert "no brush" in said
