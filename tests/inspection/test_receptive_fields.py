"""Receptive fields: composed from layers' fields, by gradients, by hand, and by moving single pixels."""

from typing import Any

import numpy as np
import pytest
import torch
from small_models import build
from torch import nn

import vision
from vision.fields import Field, convolution, full, neighbourhood
from vision.inspection.receptive_fields import (
    composed_field,
    effective_receptive_field,
    fields_through_depth,
    gradient_support,
)
from vision.patches import Grid


def receptive_field(*layers: Field) -> torch.Tensor:
    """The product of the masks of layers, the first one first."""
    reached = layers[0].mask()
    for layer in layers[1:]:
        reached = (layer.mask().float() @ reached.float()) > 0
    return reached


class Residual(nn.Module):
    """A body beside a shortcut."""

    def __init__(self, body, shortcut=None):
        super().__init__()
        self.body, self.shortcut = body, shortcut or nn.Identity()

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))


class Gated(nn.Module):
    """Squeeze-and-excite: each channel scaled by what its mean over the image says."""

    def __init__(self, channels):
        super().__init__()
        self.gate = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        return x * nn.functional.hardsigmoid(self.gate(x.mean((2, 3), keepdim=True)))


def conv(inputs, outputs, kernel=3, stride=1, **options):
    padding = options.pop("padding", kernel // 2 if isinstance(kernel, int) else 0)
    return nn.Conv2d(inputs, outputs, kernel, stride, padding, **options)


def unit(inputs, outputs, kernel=3, stride=1, **options):
    return conv(inputs, outputs, kernel, stride, **options), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)


def residual_stride_2():
    body = nn.Sequential(*unit(4, 6, 3, 2), conv(6, 6), nn.BatchNorm2d(6))
    return nn.Sequential(*unit(3, 4), Residual(body, nn.Sequential(conv(4, 6, 1, 2), nn.BatchNorm2d(6))))


def trained(model):
    """With norms and biases that would leave every ReLU off."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            nn.init.constant_(module.running_mean, 3)
        if getattr(module, "bias", None) is not None:
            nn.init.constant_(module.bias, -2)
    return model


MODELS = {
    "chain": lambda: nn.Sequential(*unit(3, 4), *unit(4, 4, 5, 2), *unit(4, 4)),
    "dilated": lambda: nn.Sequential(conv(3, 4, dilation=2, padding=2), conv(4, 4, dilation=3, padding=3)),
    "grouped": lambda: nn.Sequential(conv(3, 6, groups=3), conv(6, 6, groups=6), conv(6, 4, 1)),
    "residual": residual_stride_2,
    "pools": lambda: nn.Sequential(*unit(3, 4), nn.MaxPool2d(3, 2, 1), conv(4, 4), nn.AvgPool2d(2)),
    "pre-activation": lambda: nn.Sequential(
        conv(3, 4), Residual(nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), conv(4, 4)))
    ),
    "bounded": lambda: nn.Sequential(*[Residual(nn.Sequential(conv(3, 3), nn.ReLU6())) for _ in range(4)]),
    "gated": lambda: nn.Sequential(conv(3, 4), Gated(4), conv(4, 4, stride=2)),
    "circular": lambda: nn.Sequential(
        conv(3, 4, padding_mode="circular"), conv(4, 4, padding_mode="reflect")
    ),
    "transposed": lambda: nn.Sequential(conv(3, 4, stride=2), nn.ConvTranspose2d(4, 4, 4, 2, 1)),
}


@pytest.mark.parametrize("name", MODELS)
def test_composed_fields_are_the_gradients_support(name):
    model = trained(MODELS[name]()).eval()
    composed = composed_field(vision.as_attention(model, (3, 8, 12)), (8, 12))
    support = gradient_support(model, (3, 8, 12))
    assert composed.keys == Grid(8, 12) and torch.equal(composed.mask(), support)
    share = support.float().mean().item()
    assert share == 1 if name == "gated" else 0 < share < 1


@pytest.mark.parametrize(
    "layer", [None, "conv1", "layer1", "layer2.0.conv1", "layer3.0.downsample", "layer3"]
)
def test_a_resnets_composed_fields_are_its_gradients_support(layer):
    model = build("resnet10t", num_classes=2).eval()
    composed = composed_field(vision.as_attention(model, 32), 32, layer)
    assert torch.equal(composed.mask(), gradient_support(model, 32, layer))
    side = {"conv1": 16, "layer1": 8, "layer2.0.conv1": 4}.get(layer or "", 2)
    assert composed.queries == Grid(side, side) and composed.keys == Grid(32, 32)


def test_two_3x3_are_one_5x5():
    model = nn.Sequential(conv(3, 4), nn.ReLU(), conv(4, 2))
    expected = neighbourhood(Grid(7, 9), 5).mask()
    assert torch.equal(composed_field(vision.as_attention(model.eval(), (3, 7, 9)), (7, 9)).mask(), expected)
    assert torch.equal(gradient_support(model, (7, 9)), expected)


def test_a_chain_is_the_product_of_its_masks():
    model = MODELS["chain"]().eval()
    fields = (
        convolution(Grid(8, 12), 3, padding=1),
        convolution(Grid(8, 12), 5, stride=2, padding=2),
        convolution(Grid(4, 6), 3, padding=1),
    )
    composed = composed_field(vision.as_attention(model, (3, 8, 12)), (8, 12))
    assert torch.equal(composed.mask(), receptive_field(*fields))
    below = composed_field(vision.as_attention(model, (3, 8, 12)), (8, 12), "3")
    assert torch.equal(below.mask(), receptive_field(*fields[:2])) and below.queries == Grid(4, 6)


def test_a_residual_branch_unites_both_ways():
    # One pixel to the left and one to the right; the shortcut adds the middle.
    body = nn.Conv2d(1, 1, (1, 2), padding=(0, 1), dilation=2)
    model = nn.Sequential(Residual(body)).eval()
    converted = vision.as_attention(model, (1, 1, 5))
    sees = composed_field(converted, (1, 5)).mask().int().tolist()
    assert sees == [[1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 0, 1, 1]]
    alone = composed_field(converted, (1, 5), "0.body").mask().int().tolist()
    assert alone == [[0, 1, 0, 0, 0], [1, 0, 1, 0, 0], [0, 1, 0, 1, 0], [0, 0, 1, 0, 1], [0, 0, 0, 1, 0]]


@pytest.mark.parametrize("name", ["dilated", "grouped", "transposed"])
def test_gradient_support_is_what_moving_one_pixel_changes(name):
    model = MODELS[name]().double().eval()  # linear, so that no ReLU hides a change
    image = torch.randn(1, 3, 6, 8, dtype=torch.double)
    moved = image + torch.eye(48, dtype=torch.double).view(48, 1, 6, 8)
    with torch.no_grad():
        changed = (model(moved) - model(image)).abs().amax(1).flatten(1) > 1e-12
    assert torch.equal(gradient_support(model, (3, 6, 8)), changed.T)


def test_vits_see_their_patch_then_everything_and_local_attention_a_neighbourhood():
    options = {"img_size": 16, "patch_size": 4, "depth": 2, "embed_dim": 16}
    local = vision.as_attention(build("field_local", **options).eval(), 16)
    tokens = receptive_field(*[neighbourhood(Grid(4, 4), 3)] * 2)
    patch = convolution(Grid(16, 16), 4, stride=4).mask()
    assert torch.equal(composed_field(local, 16, "patch_embed").mask(), patch)
    assert torch.equal(composed_field(local, 16).mask(), (tokens.float() @ patch.float()) > 0)
    vit = composed_field(vision.as_attention(build("field_vit", **options).eval(), 16), 16)
    assert vit.queries == Grid(4, 4) and torch.equal(vit.mask(), full(Grid(4, 4), Grid(16, 16)).mask())


def test_the_model_stays_as_it_was():
    model = residual_stride_2().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    gradient_support(model, (3, 8, 8))
    effective_receptive_field(model, torch.randn(2, 3, 8, 8))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(m.training and not m._forward_hooks for m in model.modules())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


def test_what_cannot_be_composed_is_refused():
    model = nn.Sequential(conv(3, 4), nn.ReLU(), nn.Flatten(), nn.Linear(256, 2)).eval()
    with pytest.raises(ValueError, match=r"Sequential without any; convert it first: vision\.as_attention"):
        composed_field(model, (3, 8, 8))
    with pytest.raises(ValueError, match=r"layer must be the name of a module, got 'conv1'; .*'2', '3'"):
        gradient_support(model, (3, 8, 8), "conv1")
    with pytest.raises(ValueError, match="got another one of layer='3'"):
        gradient_support(model, (3, 8, 8), "3")
    chain = vision.as_attention(MODELS["chain"]().eval(), (3, 8, 8))
    with pytest.raises(ValueError, match=r"the field is for Grid\(rows=8, cols=8\), got 256 tokens"):
        composed_field(chain, 16)
    with pytest.raises(ValueError, match="not support max pools with dilation"):
        gradient_support(nn.Sequential(conv(3, 3), nn.MaxPool2d(3, dilation=2)), (3, 8, 8))
    with pytest.raises(ValueError, match="needs a layer that mixes tokens"):
        fields_through_depth(vision.as_attention(nn.Sequential(conv(3, 4, 1)).eval(), (3, 8, 8)), 8)


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


def test_fields_through_depth_by_hand_and_against_the_composed_field():
    model = nn.Sequential(*unit(3, 4), *unit(4, 4, 3, 2), conv(4, 4, 1), *unit(4, 4)).eval()
    converted = vision.as_attention(model, (3, 20, 16))
    panels = fields_through_depth(converted, (20, 16))
    assert [panel.name for panel in panels] == ["0", "3", "7"]  # not the 1 x 1
    # 3x3, 3x3 of stride 2, 3x3 reach 3, 5 and 9 pixels; a token of the last one's input is 2 x 2 pixels.
    assert [_sides(panel.composed) for panel in panels] == [(3, 3), (5, 5), (9, 9)]
    assert [_sides(panel.direct) for panel in panels] == [(3, 3), (3, 3), (6, 6)]
    assert panels[-1].direct[8:14, 6:12].all() and panels[-1].direct.sum() == 36
    for panel in panels:
        field = composed_field(converted, (20, 16), panel.name)
        centre = field.queries.rows // 2 * field.queries.cols + field.queries.cols // 2
        assert np.array_equal(panel.composed.ravel(), field.mask()[centre].numpy())
    assert [panel.name for panel in fields_through_depth(converted, (20, 16), layers=2)] == ["0", "7"]


def _sides(mask):
    """Rows and columns of a filled rectangle."""
    rows, cols = mask.any(1).sum(), mask.any(0).sum()
    assert mask.sum() == rows * cols
    return int(rows), int(cols)


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
