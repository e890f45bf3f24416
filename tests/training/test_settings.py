"""Every number of a training is checked, and the line that refuses it names it."""

import math

import pytest
from tiny_task import TinyTask, train_tiny

from dfplan.errors import UserError
from dfplan.training.settings import check_same_config

NOT_POSITIVE_INTEGERS = [0, -1, 1.5, math.nan, "3", True, None]
WRONG = {
    "num_steps": NOT_POSITIVE_INTEGERS,
    "batch_size": NOT_POSITIVE_INTEGERS,
    "accumulation": NOT_POSITIVE_INTEGERS,
    "checkpoint_every": NOT_POSITIVE_INTEGERS,
    "log_every": NOT_POSITIVE_INTEGERS,
    "keep_checkpoints": NOT_POSITIVE_INTEGERS,
    "seed": [-1, 0.5, None],
    "warmup_steps": [-1, 0.5, math.inf],
    "validate_every": [-1, 0.5],
    "gradient_clip": [0, -1.0, math.nan, math.inf, "1"],
    "ema_decay": [-0.1, 1, 1.5, math.nan, None],
    "decay_start": [-0.1, 1.1, math.nan],
    "decay": ["exponential", None],
    "precision": ["fp8", "bfloat16"],
    "device": ["tpu"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_is_refused_before_anything_is_written(tmp_path, name, value):
    with pytest.raises(UserError, match=rf"{name} must be .*{value}") as caught:
        train_tiny(TinyTask(), tmp_path / "run", **{name: value})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_batch_that_cannot_be_cut_equally_is_refused(tmp_path):
    with pytest.raises(UserError, match="got batch_size 8, accumulation 3, processes 1"):
        train_tiny(TinyTask(), tmp_path / "run", accumulation=3)
    assert not (tmp_path / "run").exists()


def test_fp16_on_a_cpu_is_refused(tmp_path):
    with pytest.raises(UserError, match="precision=fp16 needs a GPU, and this is cpu; use bf16 or no"):
        train_tiny(TinyTask(), tmp_path, precision="fp16")


def test_differences_are_named_by_dotted_key_and_free_ones_pass():
    saved = {"training": {"num_steps": 5, "seed": 1}, "config": {"layers": [1, 2], "gone": 3}}
    given = {"training": {"num_steps": 9, "seed": 1}, "config": {"layers": [1, 4], "new": None}}
    with pytest.raises(UserError) as caught:
        check_same_config(saved, given)
    for part in ("config.layers.1 was 2 and is now 4", "config.gone was 3 and is now '(absent)'", "config.new was"):
        assert part in str(caught.value)
    assert "num_steps" not in str(caught.value)
    check_same_config(saved, {**saved, "training": {"num_steps": 9, "seed": 1}})
