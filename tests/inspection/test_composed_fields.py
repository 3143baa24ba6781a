"""Composed receptive fields: equal to the support of the gradient."""

from functools import cache

import numpy as np
import pytest
import torch
from convolutional_models import MODELS, Residual, conv, receptive_field, residual_stride_2, trained, unit
from small_models import build
from torch import nn

import vision
from vision.fields import convolution, full, neighbourhood
from vision.inspection.receptive_fields import (
    composed_field,
    effective_receptive_field,
    fields_through_depth,
    gradient_support,
)
from vision.patches import Grid


@pytest.mark.parametrize("name", MODELS)
def test_composed_fields_are_the_gradients_support(name):
    model = trained(MODELS[name]()).eval()
    composed = composed_field(vision.as_attention(model, (3, 8, 12)), (8, 12))
    support = gradient_support(model, (3, 8, 12))
    assert composed.keys == Grid(8, 12) and torch.equal(composed.mask(), support)
    share = support.float().mean().item()
    assert share == 1 if name == "gated" else 0 < share < 1


@cache
def resnet():
    model = build("resnet10t", num_classes=2).eval()
    return model, vision.as_attention(model, 32)


@pytest.mark.slow
@pytest.mark.parametrize(
    "layer", [None, "conv1", "layer1", "layer2.0.conv1", "layer3.0.downsample", "layer3"]
)
def test_a_resnets_composed_fields_are_its_gradients_support(layer):
    model, converted = resnet()
    composed = composed_field(converted, 32, layer)
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
