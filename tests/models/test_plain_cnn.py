"""The plain CNN: its layers, its cost, timm's contract, and the same function as attention."""

from collections import Counter
from typing import Any

import pytest
import timm
import torch
from small_models import build
from torch import nn
from torch.nn import functional as F

import vision
from vision.convert import set_explicit_attention
from vision.models import complete_arguments, cost

# Converted models have attributes that nn.Module does not declare.
as_attention: Any = vision.as_attention


def trained(**arguments: Any) -> Any:
    """A model in evaluation mode whose batch norms have statistics and scales as training leaves them."""
    generator = torch.Generator().manual_seed(0)
    model = build("plain_cnn", **arguments).eval()
    norms: list[Any] = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        for tensor in (norm.weight, norm.running_var):
            tensor.data = 0.5 + torch.rand(norm.num_features, generator=generator)
        for tensor in (norm.bias, norm.running_mean):
            tensor.data = torch.randn(norm.num_features, generator=generator)
    return model


def test_it_is_convolution_norm_relu_with_max_pools_between_the_stages():
    model = trained(channels=(4, 6), layers=(2, 1), in_chans=1, num_classes=3)
    x = images = torch.randn(2, 1, 8, 8)
    for stage, depth in enumerate((2, 1)):
        x = F.max_pool2d(x, 2) if stage else x
        for layer in range(depth):
            one = model.stages[stage][layer + stage]
            norm = one.bn
            x = F.conv2d(x, one.conv.weight, padding=1)
            x = F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias).relu()
    torch.testing.assert_close(model.forward_features(images), x)
    logits = x.mean((2, 3)) @ model.head.fc.weight.T + model.head.fc.bias
    torch.testing.assert_close(model(images), logits)


def test_its_cost_by_hand():
    model = build("plain_cnn", channels=(8, 16), layers=(2, 1), num_classes=10)
    convolutions = 32 * 32 * 9 * (3 * 8 + 8 * 8) + 16 * 16 * 9 * 8 * 16
    assert cost(model, (3, 32, 32)).macs == convolutions + 16 * 10
    weights = 9 * (3 * 8 + 8 * 8 + 8 * 16) + 2 * (8 + 8 + 16) + 16 * 10 + 10
    assert cost(model, (3, 32, 32)).params == weights


@pytest.mark.parametrize("params", [60_000, 700_000])
def test_params_scales_its_stages(params):
    arguments = complete_arguments("plain_cnn", img_size=32, in_chans=3, num_classes=10, params=params)
    one, two, three = arguments["channels"]
    assert two == pytest.approx(2 * one, abs=1) and three == pytest.approx(4 * one, abs=2)
    count = sum(p.numel() for p in build("plain_cnn", **arguments).parameters())
    assert count == pytest.approx(params, rel=0.02)


@pytest.mark.parametrize("size", [16, (12, 20)])
def test_it_is_masked_attention_exactly(size):
    model = trained(channels=(4, 6, 8), in_chans=3, num_classes=5).double()
    height, width = (size, size) if isinstance(size, int) else size
    converted = as_attention(model, (3, height, width))
    images = torch.randn(2, 3, height, width, dtype=torch.float64)
    kinds = Counter(type(layer).__name__ for layer in converted.modules())
    assert (kinds["ConvolutionAttention"], kinds["MaximumAttention"], kinds["Conv2d"]) == (6, 2, 0)
    for explicit in (False, True):
        set_explicit_attention(converted, explicit)
        torch.testing.assert_close(converted(images), model(images), rtol=1e-10, atol=1e-10)


def test_intermediates_are_the_maps_of_the_stages():
    model, images = trained(), torch.randn(2, 3, 32, 32)
    last, maps = model.forward_intermediates(images)
    assert [tuple(m.shape[1:]) for m in maps] == [(32, 32, 32), (64, 16, 16), (128, 8, 8)]
    assert torch.equal(last, model.forward_features(images)) and torch.equal(last, maps[-1])
    (first,) = model.forward_intermediates(images, [0], stop_early=True, intermediates_only=True)
    assert torch.equal(first, model.stages[0](images))
    with pytest.raises(ValueError, match="output_fmt must be NCHW, got 'NLC'"):
        model.forward_intermediates(images, output_fmt="NLC")


def test_a_shortened_model_has_the_head_of_its_last_stage():
    model, images = trained(), torch.randn(2, 3, 32, 32)
    wanted = model.forward_intermediates(images, [1], intermediates_only=True)[0]
    assert model.prune_intermediate_layers([1]) == [1]
    assert torch.equal(model(images), wanted) and model.num_features == 64
    model.reset_classifier(7, "avg")
    assert model(images).shape == (2, 7)


def test_a_feature_extractor_and_groups_of_parameters():
    extractor = build("plain_cnn", features_only=True, out_indices=[0, 2])
    assert extractor.feature_info.channels() == [32, 128] and extractor.feature_info.reduction() == [1, 4]
    assert [m.shape[-1] for m in extractor(torch.zeros(1, 3, 32, 32))] == [32, 8]
    model = build("plain_cnn")
    groups = timm.models.group_parameters(model, model.group_matcher(), reverse=True)
    assert len(set(groups.values())) == 7  # six convolutions, the head


def test_gradient_checkpointing_changes_no_gradient():
    model, images = trained(channels=(4, 6, 8)), torch.randn(2, 3, 32, 32)
    grads = []
    for enable in (False, True):
        model.set_grad_checkpointing(enable)
        model.zero_grad()
        model(images).square().sum().backward()
        grads.append([p.grad.clone() for p in model.parameters()])
    for plain, recomputed in zip(*grads, strict=True):
        torch.testing.assert_close(plain, recomputed)


def test_channels_and_layers_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"one entry per stage, got channels=\(4, 8\), layers=\(2, 2, 2\)"):
        build("plain_cnn", channels=(4, 8))


@pytest.mark.parametrize("name", ["plain_cnn", "resnet18_small"])
def test_it_is_exported_for_images_of_any_size(name):
    model = build(name, channels=(4, 6, 8) if name == "plain_cnn" else (4, 6, 8, 8)).eval()
    sides = {2: 4 * torch.export.Dim("rows", min=2, max=64), 3: 4 * torch.export.Dim("cols", min=2, max=64)}
    example = torch.randn(2, 3, 16, 24)
    exported = torch.export.export(model, (example,), dynamic_shapes=(sides,)).module()
    for size in ((16, 24), (32, 20)):
        images = torch.randn(2, 3, *size)
        torch.testing.assert_close(exported(images), model(images))
