"""Effective receptive fields: the gradient of the central token, against kernels worked out by hand."""

from typing import Any

import numpy as np
import pytest
import torch
from convolutional_models import conv
from small_models import build
from torch import nn

import vision
from vision.inspection.receptive_fields import (
    effective_receptive_field,
)
from vision.patches import Grid


def test_the_effective_field_of_one_convolution_is_its_kernel():
    model = conv(2, 3).eval()
    found = effective_receptive_field(model, torch.randn(4, 2, 6, 7))
    expected = torch.zeros(6, 7)
    expected[2:5, 2:5] = model.weight.sum(0).abs().mean(0).detach()  # around the token at (3, 3)
    torch.testing.assert_close(found, expected)


def test_what_is_written_into_a_layers_output_later_is_not_the_layers():
    class Off(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = conv(1, 1, bias=False)
            nn.init.constant_(self.conv.weight, -1)

        def forward(self, x):
            return self.conv(x).relu_().mean((2, 3))

    assert effective_receptive_field(Off(), torch.ones(1, 1, 5, 5)).sum() == 9


def test_the_effective_field_of_box_filters_is_a_pyramid_and_converts_unchanged():
    model = nn.Sequential(*[conv(1, 1, bias=False) for _ in range(2)]).eval()
    for weight in model.parameters():
        nn.init.ones_(weight)
    images, ramp = torch.randn(2, 1, 9, 9), torch.tensor([0.0, 0, 1, 2, 3, 2, 1, 0, 0])
    torch.testing.assert_close(effective_receptive_field(model, images), ramp.outer(ramp))
    converted = vision.as_attention(model, (1, 9, 9))
    torch.testing.assert_close(effective_receptive_field(converted, images), ramp.outer(ramp))
    box = effective_receptive_field(model, images, "0")
    assert box.sum() == 9 and box[3:6, 3:6].eq(1).all()


@pytest.mark.parametrize(("class_token", "registers"), [(False, 0), (True, 0), (True, 4)])
def test_the_central_token_of_a_vit_with_a_class_token_is_its_central_patch(class_token, registers):
    options = {"img_size": (32, 48), "patch_size": 8, "embed_dim": 12, "num_heads": 3, "depth": 1}
    rest = {"class_token": class_token, "reg_tokens": registers, "global_pool": "avg"}
    model = build("vit_tiny_patch16_224", **options, **rest).eval()
    for branch in (model.blocks[0].attn.proj, model.blocks[0].mlp.fc2):  # the residual path alone
        nn.init.zeros_(branch.weight)
    found = effective_receptive_field(model, torch.randn(2, 3, 32, 48), "blocks.0")
    expected = torch.zeros(32, 48)
    kernel = model.patch_embed.proj.weight.detach()  # (C, 3, 8, 8)
    expected[16:24, 24:32] = kernel.sum(0).abs().mean(0)  # patch (2, 3) of 4 x 6
    torch.testing.assert_close(found, expected)


def test_the_effective_field_is_the_gradient_image_by_image():
    torch.manual_seed(0)
    model = nn.Sequential(conv(2, 4), nn.GELU(), conv(4, 3, stride=2)).double().eval()
    images = torch.randn(3, 2, 6, 6).double()
    found, expected = effective_receptive_field(model, images), torch.zeros(6, 6).double()
    for image in images:  # by differences, of the token at (1, 1) of 3 x 3
        for channel, row, col in np.ndindex(2, 6, 6):
            step = torch.zeros_like(image)
            step[channel, row, col] = 1e-4
            with torch.no_grad():
                ends = [model((image + sign * step)[None])[0, :, 1, 1].sum() for sign in (1, -1)]
            expected[row, col] += ((ends[0] - ends[1]) / 2e-4).abs() / 6
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-8)


def test_the_central_token_of_channels_last_is_not_a_channel():
    """Swin's blocks return (B, rows, cols, C); its first block sees only the window of the token."""
    options = {
        "img_size": (64, 128),
        "window_size": 4,
        "depths": (1, 1),
        "embed_dim": 12,
        "num_heads": (2, 2),
    }
    model = build("swin_tiny_patch4_window7_224", **options).eval()
    found = effective_receptive_field(model, torch.randn(1, 3, 64, 128), "layers.0.blocks.0")
    seen = found > 0
    assert seen[32:48, 64:80].all() and seen.sum() == 16 * 16  # the window of token (8, 16) of 16 x 32


def test_a_grid_that_the_model_does_not_state_has_no_centre():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)
            self.out = nn.Identity()

        def forward(self, x):
            return self.out(self.conv(x).flatten(2).mT)

    with pytest.raises(ValueError, match="states no grid of its 54 tokens"):
        effective_receptive_field(Tokens(), torch.randn(1, 3, 6, 9), "out")
    model: Any = Tokens()
    model.grid = Grid(6, 9)
    found = effective_receptive_field(model, torch.randn(1, 3, 6, 9), "out")
    assert found.nonzero().tolist() == [[3, 4]]
    cait = build("cait_xxs24_224", img_size=(32, 64), depth=1).eval()
    with pytest.raises(ValueError, match="1 tokens are not those of the model's grid of 2 x 4"):
        effective_receptive_field(cait, torch.randn(1, 3, 32, 64), "blocks_token_only.1")


def test_a_sum_of_channels_that_is_constant_is_refused():
    model = nn.Sequential(conv(3, 4), nn.GroupNorm(1, 4)).eval()
    with pytest.raises(ValueError, match="sum of the channels of layer=None does not depend"):
        effective_receptive_field(nn.Sequential(conv(3, 4), ChannelNorm(4)), torch.randn(2, 3, 8, 8))
    assert effective_receptive_field(model, torch.randn(2, 3, 8, 8)).max() > 0


class ChannelNorm(nn.LayerNorm):
    """(B, C, rows, cols): a layer norm over the channels of each token."""

    def forward(self, input):
        return super().forward(input.movedim(1, -1)).movedim(-1, 1)
