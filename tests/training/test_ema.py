"""The averaged weights equal the recursion that defines them, and come and go without a trace."""

import pytest
import torch
from torch import nn

from dfplan.training.ema import WeightAverage


@pytest.fixture
def average():
    modules = {"net": nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))}
    return WeightAverage(modules, ema_decay=0.8)


def test_average_is_its_recursion_with_warm_up(average):
    weight = average.live["net"][0].weight
    expected = weight.detach().clone().double()
    for count in range(60):
        with torch.no_grad():
            weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(count)))
        average.update()
        decay = min(0.8, (1 + count) / (10 + count))
        expected = decay * expected + (1 - decay) * weight.detach().double()
    torch.testing.assert_close(average.tensors()["net.0.weight"], expected.float(), rtol=1e-5, atol=1e-6)


def test_swapping_in_is_undone_also_after_an_error(average):
    network = average.live["net"]
    live = {name: each.detach().clone() for name, each in network.named_parameters()}
    average.update()
    with torch.no_grad():
        network[0].weight.zero_()
    live["0.weight"].zero_()
    averaged = average.tensors()["net.0.weight"].clone()

    def fail_inside():
        with average.swapped_in():
            assert torch.equal(network[0].weight, averaged)
            assert not network.training
            raise KeyError

    with pytest.raises(KeyError):
        fail_inside()
    assert network.training
    assert all(torch.equal(each, live[name]) for name, each in network.named_parameters())
    assert torch.equal(average.tensors()["net.0.weight"], averaged)


def test_an_optimizer_keeps_working_on_the_weights_after_a_swap(average):
    weight = average.live["net"][0].weight
    optimizer = torch.optim.SGD([weight], lr=1.0)
    with average.swapped_in():
        pass
    before = weight.detach().clone()
    weight.sum().backward()
    optimizer.step()
    torch.testing.assert_close(weight.detach(), before - 1)


def test_buffers_are_the_live_ones(average):
    average.live["net"][1].running_mean.fill_(3.0)
    average.update()
    with average.swapped_in():
        assert torch.equal(average.live["net"][1].running_mean, torch.full((2,), 3.0))
