"""Too little memory is one line that names the options to change."""

import dataclasses

import numpy as np
import pytest
import torch

from dfplan.cli.main import main
from dfplan.cli.out_of_memory import told_in_one_line
from dfplan.cli.schema import EvalConfig, TrainConfig, train_schema
from dfplan.errors import UserError

PLAN = ["plan", "env=maze2d-umaze", "planner.num_levels=2", "planner.horizon=32", "threads=1"]


def test_too_many_candidates_are_named(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([*PLAN, "planner.num_candidates=100000000000"]) == 2
    said = capsys.readouterr().err
    assert "out of memory (" in said
    assert "lower planner.num_candidates (now 100000000000) or free some memory" in said
    assert said.rstrip().count("\n") == 0


class Cuda(torch.OutOfMemoryError):
    """As CUDA says it."""

    def __init__(self):
        super().__init__("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 15.6 GiB")


def too_much():
    return np.zeros(10**13)


def too_much_for_torch():
    return torch.zeros(10**13)


def raise_(error):
    raise error


@pytest.mark.parametrize(
    "ask", [too_much, too_much_for_torch, lambda: raise_(Cuda()), lambda: raise_(OSError(12, "Cannot allocate memory"))]
)
def test_every_way_of_saying_it_is_understood(ask):
    config = train_schema("forcing")()
    config.training = dataclasses.replace(config.training, batch_size=64, accumulation=1)
    config.resynthesis = dataclasses.replace(config.resynthesis, num_steps=0)
    with pytest.raises(UserError, match="out of memory") as caught, told_in_one_line("train", config):
        ask()
    said = "lower training.batch_size (now 64) or raise training.accumulation (now 1) or free some memory"
    assert str(caught.value).endswith(said)
    assert isinstance(config, TrainConfig)


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes differ"), OSError(2, "No such file"), ValueError("out of memory")]
)
def test_other_errors_stay_what_they_are(error):
    with pytest.raises(type(error)) as caught, told_in_one_line("eval", EvalConfig()):
        raise error
    assert caught.value is error
