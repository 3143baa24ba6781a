"""How many heads with attention by position alone a kernel needs."""

import pytest
import torch
from layer_checks import heads_needed, low_rank, rank
from torch import nn

from vision.convert.layers.positional_heads import positional_heads


@pytest.mark.parametrize("r", range(1, 10))
def test_a_kernel_of_rank_r_needs_r_or_r_plus_1_position_only_heads(r):
    weight = low_rank(nn.Conv2d(4, 6, 3), r).weight.detach()
    weights, values = positional_heads(weight)
    assert rank(weight) == r <= len(weights) <= min(r + 1, 9) and weights.min() >= 0
    torch.testing.assert_close(weights.sum(1), torch.ones(len(weights)).double())
    made = torch.einsum("hk,hoi->oik", weights, values)
    torch.testing.assert_close(made, weight.flatten(2), rtol=0, atol=1e-11)


def test_heads_that_known_kernels_need():
    box, binomial = torch.ones(1, 1, 3, 3), torch.tensor([1.0, 2, 1]).outer(torch.tensor([1.0, 2, 1]))
    sobel = torch.tensor([1.0, 2, 1]).outer(torch.tensor([-1.0, 0, 1]))
    assert heads_needed(box) == 1
    assert heads_needed(binomial[None, None]) == 1
    assert heads_needed(sobel[None, None]) == 2  # it sums to 0, so no positive weights alone make it
    assert heads_needed(torch.randn(8, 8, 3, 3, generator=torch.Generator().manual_seed(0))) == 9
    assert heads_needed(torch.randn(8, 8, 1, 1)) == 1


def test_a_tolerance_leaves_out_what_is_small():
    weight = low_rank(nn.Conv2d(4, 6, 3), 2).weight.detach()
    noisy = weight + 1e-6 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)).double()
    assert rank(noisy) == 9 and rank(noisy, tolerance=1e-3) == 2
    weights, values = positional_heads(noisy, tolerance=1e-3)
    assert len(weights) <= 3
    made = torch.einsum("hk,hoi->oik", weights, values)
    assert (made - noisy.flatten(2)).abs().max() < 1e-4
