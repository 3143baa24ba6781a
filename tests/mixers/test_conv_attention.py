"""A convolution is attention inside a field, exactly."""

import pytest
import torch
from torch import nn

from vision.mixers import (
    ConvAttention,
    create_mixer,
)
from vision.patches import Grid

GRID = Grid(6, 7)
CASES = [
    {"kernel_size": 1, "padding": 0},
    {"kernel_size": 2, "padding": 1},
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": 4, "padding": 3, "stride": 2},
    {"kernel_size": 5, "padding": 2},
    {"kernel_size": 3, "padding": 0, "stride": 3},
    {"kernel_size": 3, "padding": 2, "dilation": 2},
    {"kernel_size": (2, 3), "padding": (2, 1), "stride": (1, 2), "dilation": (2, 1)},
    {"kernel_size": 3, "padding": 1, "groups": 2},
    {"kernel_size": 3, "padding": 1, "groups": 4, "stride": 2},
    {"kernel_size": 2, "padding": 3, "stride": 4, "bias": False},
]


def pair(options: dict, out_chans: int = 8) -> tuple[ConvAttention, nn.Conv2d]:
    """Return the same convolution as attention and as nn.Conv2d, in float64."""
    conv = nn.Conv2d(4, out_chans, dtype=torch.float64, **options)
    attention = ConvAttention(4, GRID, out_chans=out_chans, dtype=torch.float64, **options)
    attention.load_state_dict(conv.state_dict())
    return attention, conv


@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize("options", CASES, ids=str)
def test_conv_attention_is_conv2d_with_all_its_gradients(options, explicit):
    attention, conv = pair(options)
    attention.explicit = explicit
    images = torch.randn(2, 4, 6, 7, dtype=torch.float64, requires_grad=True)
    expected = conv(images)
    direction = torch.randn_like(expected)
    wanted = torch.autograd.grad((expected * direction).sum(), [images, *conv.parameters()])
    got = attention(images.flatten(2).transpose(1, 2)).transpose(1, 2).view_as(expected)
    gradients = torch.autograd.grad((got * direction).sum(), [images, *attention.parameters()])
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)
    for one, other in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_queries_and_keys_of_a_convolution_have_no_effect():
    attention, _ = pair({"kernel_size": 3, "padding": 1})
    x = torch.randn(2, 42, 4, dtype=torch.float64, requires_grad=True)
    weights = attention.attention_map(x)
    masks = torch.stack([head.mask() for head in attention.heads]).double()
    assert torch.equal(weights, masks.expand(2, -1, -1, -1)) and not weights.requires_grad
    assert set(weights.sum(-1).unique().tolist()) == {0.0, 1.0}


def test_one_state_dict_serves_conv2d_convolution_and_conv_attention():
    conv = nn.Conv2d(8, 8, 3, padding=1, groups=8)
    convolution, attention = (
        create_mixer(name, 8, GRID, groups=8) for name in ("convolution", "conv_attention")
    )
    convolution.load_state_dict(conv.state_dict())
    attention.load_state_dict(convolution.state_dict())
    conv.load_state_dict(attention.state_dict())
    x = torch.randn(2, 42, 8)
    assert torch.equal(convolution(x), attention(x))


def test_both_convolutions_start_from_the_same_weights():
    states = []
    for name in ("convolution", "conv_attention"):
        torch.manual_seed(3)
        states.append(create_mixer(name, 8, GRID, kernel_size=5).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in ("weight", "bias"))
