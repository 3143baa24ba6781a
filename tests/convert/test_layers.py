"""Each converted layer against torch's own module, in float64: outputs, gradients, fields, heads and back."""

from itertools import product

import pytest
import torch
from layer_checks import EXACT, assert_equal_all_ways, converted, low_rank
from torch import nn

from vision.fields import convolution, kernel_positions

# kernel, stride, padding, dilation, groups
NUMBERS = list(product((1, 2, 3, (2, 3)), (1, 2), (0, 1), (1, 2), (1, 2)))


MODES = ("zeros", "replicate", "circular", "reflect")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("heads", ["kernel", "min"])
def test_two_dimensional_convolutions(mode, heads):
    for kernel, stride, padding, dilation, groups in NUMBERS:
        conv = nn.Conv2d(4, 6, kernel, stride, padding, dilation, groups, padding_mode=mode)
        assert_equal_all_ways(low_rank(conv, 2), (4, 7, 6), heads=heads)


CONVOLUTIONS = {
    "5 x 5": (nn.Conv2d(3, 4, 5, padding=2), (3, 8, 6)),
    "stride 4": (nn.Conv2d(3, 4, 4, 4), (3, 9, 8)),
    "depthwise": (nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False), (4, 6, 7)),
    "padding beyond the kernel": (nn.Conv2d(2, 3, 2, padding=3), (2, 4, 5)),
    "same, even": (nn.Conv2d(2, 3, 4, padding="same"), (2, 7, 6)),
    "same, even, circular": (nn.Conv2d(2, 3, (3, 2), padding="same", padding_mode="circular"), (2, 7, 6)),
    "valid": (nn.Conv2d(2, 3, 3, padding="valid"), (2, 7, 6)),
    "1-D": (nn.Conv1d(4, 6, 5, 2, 2, groups=2), (4, 11)),
    "1-D, replicate": (nn.Conv1d(4, 6, 4, padding=3, padding_mode="replicate"), (4, 9)),
    "3-D": (nn.Conv3d(2, 3, 3, 2, 1), (2, 5, 6, 4)),
    "3-D, circular, dilated": (
        nn.Conv3d(2, 4, (1, 3, 2), padding=1, dilation=2, groups=2, padding_mode="circular"),
        (2, 5, 6, 4),
    ),
    "transposed": (nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, groups=2), (4, 5, 4)),
    "transposed, dilated, rectangle": (nn.ConvTranspose2d(4, 6, (2, 3), (3, 1), dilation=2), (4, 3, 5)),
    "transposed, 1-D": (nn.ConvTranspose1d(3, 2, 4, 2, 1), (3, 7)),
    "transposed, 3-D": (nn.ConvTranspose3d(2, 3, 3, 2, 1, 1, bias=False), (2, 3, 4, 2)),
    "weight norm": (
        nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 3, 3, padding=1)),
        (2, 5, 6),
    ),
}


@pytest.mark.parametrize("heads", ["kernel", "min"])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_other_convolutions(name, heads):
    module, shape = CONVOLUTIONS[name]
    assert_equal_all_ways(module, shape, heads=heads)


@pytest.mark.parametrize("numbers", list(product((1, 2, 3), (1, 2, 3), (0, 1), (0, 1), (1, 2), (1, 2))))
def test_transposed_convolutions(numbers):
    kernel, stride, padding, output_padding, dilation, groups = numbers
    if output_padding >= max(stride, dilation) or padding > dilation * (kernel - 1):
        pytest.skip("torch refuses these numbers")
    conv = nn.ConvTranspose2d(4, 6, kernel, stride, padding, output_padding, groups, dilation=dilation)
    assert_equal_all_ways(conv, (4, 4, 5))


@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
@pytest.mark.parametrize("side", [6, 20])  # dense, and by neighbours
def test_gradients_of_the_values_are_the_convolutions_and_those_of_q_and_k_exactly_0(kind, side):
    layer, conv, x = converted(kind(4, 6, 3, 2, 1, groups=2), (4, side, side))
    q, k, v = layer.qkv(x)
    q, k, v = (part.detach().requires_grad_() for part in (torch.randn_like(q), torch.randn_like(k), v))
    out = layer.to_images(layer.merge_heads(layer.attend(q, k, v)), (side, side))
    direction = torch.randn_like(out)
    of_q, of_k, of_v, *of_layer = torch.autograd.grad(out, (q, k, v, layer.weight, layer.bias), direction)
    x = x.requires_grad_()
    of_x, *of_conv = torch.autograd.grad(conv(x), (x, conv.weight, conv.bias), direction)
    assert not of_q.any() and not of_k.any()
    torch.testing.assert_close(of_layer, of_conv, rtol=0, atol=EXACT)
    # v are the tokens, once a head
    of_tokens = of_v.sum(1).transpose(1, 2).unflatten(2, (side, side))
    torch.testing.assert_close(of_tokens, of_x, rtol=0, atol=EXACT)


@pytest.mark.parametrize("logits", [1.0, 300.0])
def test_whatever_q_and_k_are_the_output_is_the_convolutions(logits):
    layer, conv, x = converted(nn.Conv2d(3, 4, 3, padding=1), (3, 6, 7))
    q, k, v = layer.qkv(x)
    out = layer.attend(logits * torch.randn_like(q), torch.randn_like(k), v)
    out = layer.to_images(layer.merge_heads(out), (6, 7))
    torch.testing.assert_close(out, conv(x), rtol=0, atol=EXACT)


def test_heads_are_one_field_for_each_kernel_position():
    layer, _, _ = converted(nn.Conv2d(2, 3, (2, 3), (2, 1), (1, 2), dilation=(1, 2)), (2, 5, 6))
    field = convolution(layer.field.keys, (2, 3), stride=(2, 1), padding=(1, 2), dilation=(1, 2))
    wanted = torch.stack([head.mask() for head in kernel_positions(field)])
    assert torch.equal(torch.stack([head.mask() for head in layer.heads]), wanted)
    assert torch.equal(layer.field.mask(), field.mask())


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_the_field_is_the_support_of_the_convolutions_gradient(name):
    module, shape = CONVOLUTIONS[name]
    layer, _, x = converted(module, shape)
    positive = layer.to_conv()
    for parameter in positive.parameters():
        parameter.data = torch.ones_like(parameter)
    x = torch.ones_like(x[:1]).requires_grad_()
    outputs = positive(x).sum(1).flatten()
    support = torch.stack(
        [torch.autograd.grad(one, x, retain_graph=True)[0].sum(1).flatten() > 0 for one in outputs]
    )
    assert torch.equal(layer.field.mask(), support)


@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize("heads", ["kernel", "min"])
def test_the_attention_map_times_the_values_is_the_output(name, heads):
    module, shape = CONVOLUTIONS[name]
    layer, conv, x = converted(module, shape, heads=heads)
    weights = layer.attention_map(x)
    assert weights.shape == (2, layer.num_heads, layer.field.queries.size, layer.field.keys.size)
    tokens = x.flatten(2).transpose(1, 2).unsqueeze(1)
    out = layer.to_images(layer.merge_heads(weights @ tokens), shape[1:])
    torch.testing.assert_close(out, conv(x), rtol=0, atol=EXACT)
    if heads == "kernel":
        assert set(weights.unique().tolist()) <= {0.0, 1.0} and weights.sum(-1).max() == 1
        assert torch.equal(weights[0] > 0, torch.stack([head.mask() for head in layer.heads]))


def test_a_map_too_large_to_look_at_is_refused_by_name():
    layer, _, x = converted(nn.Conv2d(3, 4, 7, padding=3), (3, 100, 100))
    with pytest.raises(ValueError, match=r"would take 73 GiB, more than 2; use neighbour_weights"):
        layer.attention_map(x)
    weights, index = layer.neighbour_weights(x)
    assert weights.shape == (2, 49, 10_000, 1) and index.shape == (49, 10_000, 1)


def test_a_null_token_is_a_ring_of_zeros():
    conv = low_rank(nn.Conv2d(3, 4, 3, padding=1), 2)
    layer, conv, x = converted(conv, (3, 5, 6), heads="min")
    unpadded = nn.Conv2d(3, 4, 3).double()
    unpadded.load_state_dict(conv.state_dict())
    ring, _, _ = converted(unpadded, (3, 7, 8), heads="min")
    ring.explicit = layer.explicit = True
    padded = nn.functional.pad(x, (1, 1, 1, 1))
    torch.testing.assert_close(layer(x), ring(padded), rtol=0, atol=EXACT)
    # The null tokens take just the weight that the ring's tokens have there.
    inside = torch.zeros(7, 8, dtype=torch.bool)
    inside[1:-1, 1:-1] = True
    torch.testing.assert_close(
        layer.attention_map(x), ring.attention_map(padded)[..., inside.flatten()], rtol=0, atol=EXACT
    )


def test_layers_run_on_other_sizes_of_images():
    for module in (nn.Conv2d(3, 4, 3, 2, 1), nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(2)):
        layer, module, _ = converted(module, (3, 8, 8))
        x = torch.randn(2, 3, 11, 6, dtype=torch.float64)
        for explicit in (False, True):
            layer.explicit = explicit
            torch.testing.assert_close(layer(x), module(x), rtol=0, atol=EXACT)


@pytest.mark.parametrize("size", [(7, 6), (8, 9), (5, 12)])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_tensorflows_same_padding(size, stride):
    from timm.layers.conv2d_same import Conv2dSame
    from timm.layers.pool2d_same import AvgPool2dSame, MaxPool2dSame
    from timm.layers.std_conv import ScaledStdConv2dSame, StdConv2dSame

    for kernel in (2, 3, 5):
        for module in (
            Conv2dSame(4, 6, kernel, stride, dilation=2),
            StdConv2dSame(4, 6, kernel, stride),
            ScaledStdConv2dSame(4, 6, kernel, stride, groups=2),
            AvgPool2dSame(kernel, stride),
            MaxPool2dSame(kernel, stride),
        ):
            assert_equal_all_ways(module, (4, *size))
