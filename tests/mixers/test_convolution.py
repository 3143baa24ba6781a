"""Convolutions of tokens: no copies, depthwise at any width."""

import pytest
import torch
from mixer_checks import GRID, tokens
from torch import nn

from vision.mixers import (
    create_mixer,
)
from vision.patches import Grid


def test_the_fast_path_copies_no_tokens():
    x = torch.randn(2, 42, 8)
    images = x.transpose(1, 2).unflatten(2, (6, 7))
    assert images.data_ptr() == x.data_ptr() and images.is_contiguous(memory_format=torch.channels_last)
    assert create_mixer("convolution", 8, GRID)(x).is_contiguous()


SMALL = Grid(4, 5)


def test_depthwise_means_a_group_for_each_channel_at_any_width():
    for dim in (6, 10):
        conv = nn.Conv2d(dim, dim, 3, padding=1, groups=dim, dtype=torch.float64)
        x = tokens(SMALL, dim)
        wanted = conv(x.transpose(1, 2).unflatten(2, (4, 5))).flatten(2).transpose(1, 2)
        for name, options in (("convolution", {}), ("conv_attention", {"explicit": True})):
            mixer = create_mixer(name, dim, SMALL, depthwise=True, dtype=torch.float64, **options)
            mixer.load_state_dict(conv.state_dict())
            torch.testing.assert_close(mixer(x), wanted, rtol=0, atol=1e-12)


def test_errors_of_groups():
    with pytest.raises(ValueError, match=r"groups of 8.*groups=2"):
        create_mixer("convolution", 8, GRID, groups=2, depthwise=True)
