"""Converted models on the device: fast and explicit, converted before and after the move, with gradients."""

import copy

import pytest
import timm
import torch
from torch import nn

from vision import as_attention, soft_convolution
from vision.convert import set_explicit_attention
from vision.models import complete_arguments


def small_cnn() -> nn.Module:
    """Strides, groups, dilation, pools, batch norms and a linear head."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        nn.Conv2d(8, 12, 3, padding=2, dilation=2, groups=2),
        nn.GELU(),
        nn.AvgPool2d(2),
        nn.Conv2d(12, 16, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    ).eval()


def small_resnet() -> nn.Module:
    torch.manual_seed(0)
    arguments = complete_arguments("resnet18_small", img_size=16, in_chans=3, num_classes=10, params=20_000)
    return timm.create_model("resnet18_small", **arguments).eval()


MODELS = {"cnn": small_cnn, "resnet": small_resnet}
IMAGES = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("explicit", [False, True], ids=["fast", "explicit"])
@pytest.mark.parametrize("first", ["convert", "move"])
@pytest.mark.parametrize("name", MODELS)
def test_a_converted_model_equals_the_original(device, name, first, explicit, difference, forward_backward):
    model = MODELS[name]()
    wanted = forward_backward(copy.deepcopy(model).double(), IMAGES.double())
    if first == "move":
        converted = as_attention(model.to(device), (3, 16, 16))
    else:
        converted = as_attention(model, (3, 16, 16)).to(device)
    got = forward_backward(set_explicit_attention(converted, explicit), IMAGES.to(device))
    assert got[0].device.type == device.type
    assert difference(got[0], wanted[0]) < 1e-4
    assert difference(got[1], wanted[1]) < 1e-3, "gradient of the images"


@pytest.mark.parametrize("explicit", [False, True], ids=["fast", "explicit"])
def test_autocast_and_channels_last_stay_near(device, explicit, difference):
    model = small_resnet()
    with torch.no_grad():
        wanted = copy.deepcopy(model).double()(IMAGES.double())
        converted = set_explicit_attention(as_attention(model, (3, 16, 16)), explicit).to(device)
        images = IMAGES.to(device, memory_format=torch.channels_last)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            got = converted(images)
    assert difference(got, wanted) < 3e-2


def test_another_image_size_than_the_one_converted_for(device, difference):
    model = small_resnet()
    images = torch.randn(2, 3, 24, 20, generator=torch.Generator().manual_seed(1))
    converted = set_explicit_attention(as_attention(model, (3, 16, 16)).to(device), True)
    with torch.no_grad():
        assert difference(converted(images.to(device)), model(images)) < 1e-4


def test_soft_convolution_runs_on_the_device(device, difference):
    conv = nn.Conv2d(4, 6, 3, padding=1)
    x = torch.randn(2, 4, 8, 8)
    soft = soft_convolution(conv, alpha=8.0).to(device)
    wanted = soft_convolution(conv, alpha=8.0)
    with torch.no_grad():
        assert difference(soft(x.to(device)), wanted(x)) < 1e-4
