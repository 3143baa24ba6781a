"""Pools as attention: maxima, averages, soft maxima, blur."""

from itertools import product

import pytest
import torch
from layer_checks import assert_equal_all_ways, converted
from torch import nn

POOLS = [
    *(
        nn.AvgPool2d(*numbers, divisor_override=divisor)
        for numbers in product((2, 3), (1, 2, 3), (0, 1), (False, True), (False, True))
        for divisor in (None, 5)
    ),
    *(
        nn.MaxPool2d(kernel, stride, padding, dilation, ceil_mode=ceil)
        for kernel, stride, padding, dilation, ceil in product(
            (2, 3), (1, 2, 3), (0, 1), (1, 2), (False, True)
        )
    ),
    *(nn.AdaptiveAvgPool2d(size) for size in (1, (3, 2), (5, None), (9, 8))),
    *(nn.AdaptiveMaxPool2d(size) for size in (1, (3, 2), (None, 6))),
]


@pytest.mark.parametrize("pool", POOLS, ids=str)
def test_pools(pool):
    layer = assert_equal_all_ways(pool, (3, 7, 6))
    assert layer.num_heads == (1 if layer.kind == "average pool" else 3)


@pytest.mark.parametrize(
    ("pool", "shape"),
    [
        (nn.AvgPool1d(3, 2, 1, True, False), (2, 9)),
        (nn.MaxPool1d(3, 2, 1), (2, 9)),
        (nn.AvgPool3d(2, 2, 1, True), (2, 4, 5, 3)),
        (nn.MaxPool3d(3, 2, 1), (2, 4, 5, 3)),
        (nn.AdaptiveAvgPool1d(4), (2, 9)),
        (nn.AdaptiveAvgPool3d((2, 1, 3)), (2, 4, 5, 3)),
        (nn.AdaptiveMaxPool3d(2), (2, 4, 5, 3)),
    ],
    ids=str,
)
def test_pools_in_other_dimensions(pool, shape):
    assert_equal_all_ways(pool, shape)


def test_gradients_through_the_maximum_are_the_pools():
    layer, pool, x = converted(nn.MaxPool2d(3, 2, 1), (3, 7, 6))
    layer.explicit = True
    direction = torch.randn_like(pool(x))
    got, wanted = (torch.autograd.grad(f(x.requires_grad_()), x, direction)[0] for f in (layer, pool))
    torch.testing.assert_close(got, wanted, rtol=0, atol=0)


def test_ties_go_to_the_same_position_as_torchs():
    layer, pool, x = converted(nn.MaxPool2d(3, 1, 1), (2, 6, 6))
    layer.explicit = True
    x = x.round().requires_grad_()
    got, wanted = (torch.autograd.grad(f(x).square().sum(), x)[0] for f in (layer, pool))
    assert torch.equal(got, wanted)


@pytest.mark.parametrize("beta", [1.0, 10.0, 100.0])
def test_soft_pools_lie_below_the_maximum_by_at_most_the_bound(beta):
    layer, pool, x = converted(nn.MaxPool2d(3, 2, 1), (3, 9, 9), pooling="soft", beta=beta)
    below = pool(x) - layer(x)
    bound = torch.log(torch.tensor(9.0)) / beta
    assert below.min() >= 0 and 1e-3 * bound < below.max() <= bound
    weights = layer.neighbour_weights(x)[0]
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 25).double())


def test_the_attention_map_of_pools():
    layer, pool, x = converted(nn.AvgPool2d(3, 2, 1, count_include_pad=True), (3, 6, 6))
    weights = layer.attention_map(x)
    assert weights[0, 0, 0].tolist().count(1 / 9) == 4  # a corner: five of nine positions are null tokens
    layer, pool, x = converted(nn.MaxPool2d(2), (3, 6, 6))
    weights = layer.attention_map(x)
    out = (weights @ x.flatten(2).unsqueeze(-1)).squeeze(-1).unflatten(2, (3, 3))
    assert torch.equal(out, pool(x))


def test_a_blur_pool_is_one_head_where_heads_are_few():
    from timm.layers import BlurPool2d

    blur = BlurPool2d(4, filt_size=3, stride=2)
    assert assert_equal_all_ways(blur, (4, 8, 8)).num_heads == 9
    assert assert_equal_all_ways(blur, (4, 8, 8), heads="min").num_heads == 1
