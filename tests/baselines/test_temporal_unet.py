"""The U-Net of Diffuser: its size, its shape, and that it looks both ways."""

import pytest
import torch

from dfplan.baselines.diffuser import TemporalUnet
from dfplan.errors import UserError


@pytest.fixture(scope="module")
def unet():
    torch.manual_seed(0)
    return TemporalUnet(token_dim=6, width=8).eval().requires_grad_(False)


def test_it_has_the_published_number_of_parameters():
    assert sum(each.numel() for each in TemporalUnet(token_dim=6).parameters()) == 3_682_118


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_it_answers_in_the_shape_of_its_input(num_layers):
    unet = TemporalUnet(token_dim=6, width=8, num_layers=num_layers)
    steps = 5 * unet.step_multiple
    assert unet(torch.randn(2, steps, 6), torch.tensor([0, 9])).shape == (2, steps, 6)


def test_it_is_not_causal_and_knows_the_level(unet):
    noisy, levels = torch.randn(1, 32, 6), torch.tensor([3])
    plain = unet(noisy, levels)
    later = noisy.clone()
    later[:, 24:] += 1
    assert (unet(later, levels) - plain)[:, :8].abs().max() > 1e-4
    assert (unet(noisy, levels + 20) - plain).abs().max() > 1e-4


def test_rows_of_a_batch_do_not_mix(unet):
    noisy, levels = torch.randn(3, 16, 6), torch.tensor([0, 5, 63])
    together = unet(noisy, levels)
    for row in range(3):
        torch.testing.assert_close(unet(noisy[row : row + 1], levels[row : row + 1])[0], together[row])


def test_sizes_that_cannot_be_are_refused(unet):
    with pytest.raises(UserError, match="width 12"):
        TemporalUnet(token_dim=6, width=12)
    with pytest.raises(UserError, match="4 layers"):
        TemporalUnet(token_dim=6, num_layers=4)
    with pytest.raises(ValueError, match="multiple of 4"):
        unet(torch.randn(1, 30, 6), torch.tensor([0]))
