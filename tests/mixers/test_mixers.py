"""Token mixers: a convolution is attention inside a field, exactly; and the factory."""

import pytest
import torch
from torch import nn

from vision.mixers import ConvAttention, create_mixer, mixer_names, option_names
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
    """The same convolution as attention and as nn.Conv2d, in float64."""
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


def test_queries_and_keys_of_a_convolution_are_idle():
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


def test_the_fast_path_copies_no_tokens():
    x = torch.randn(2, 42, 8)
    images = x.transpose(1, 2).unflatten(2, (6, 7))
    assert images.data_ptr() == x.data_ptr() and images.is_contiguous(memory_format=torch.channels_last)
    assert create_mixer("convolution", 8, GRID)(x).is_contiguous()


def test_errors_list_what_exists():
    with pytest.raises(ValueError, match=r"self_attention, local_attention, .*; got 'mamba'"):
        create_mixer("mamba", 8, GRID)
    with pytest.raises(ValueError, match=r"no option kernel; it has kernel_size, dilation"):
        create_mixer("local_attention", 8, GRID, kernel=3)
    with pytest.raises(ValueError, match="must be odd"):
        create_mixer("convolution", 8, GRID, kernel_size=2)
    with pytest.raises(ValueError, match=r"num_heads=3; 1, 2, 4, 8 would fit"):
        create_mixer("self_attention", 8, GRID, num_heads=3)


OPTIONS = {
    *("num_heads", "head_dim", "qkv_bias", "v_bias", "backend", "device", "dtype"),
    *("relative_bias", "quadratic_bias", "rotary", "field"),
}


@pytest.mark.parametrize("name", [name for name in mixer_names() if name.endswith("_attention")])
def test_an_option_that_a_mixer_lacks_is_refused_by_its_class_too(name):
    mixer = type(create_mixer(name, 8, GRID))
    for option in OPTIONS - set(option_names(name)):
        with pytest.raises(TypeError, match=option):
            mixer(8, GRID, **{option: True})


def test_options_shared_by_mixers_are_listed_and_reach_the_attention():
    shared = ("num_heads", "head_dim", "backend", "device", "dtype")
    for name in ("self_attention", "static_attention", "graph_attention"):
        assert set(shared) < set(option_names(name))
        mixer = create_mixer(name, 8, GRID, num_heads=3, head_dim=5, backend="dense", dtype=torch.float64)
        assert (mixer.num_heads, mixer.head_dim, mixer.backend) == (3, 5, "dense")
        assert mixer.proj.weight.shape == (8, 15) and mixer.proj.weight.dtype == torch.float64
