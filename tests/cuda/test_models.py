"""Every mixer and every model of ours on the device against the CPU in float64: outputs and gradients."""

import copy

import pytest
import timm
import torch

from vision import Grid
from vision.mixers import create_mixer, mixer_names
from vision.models import complete_arguments, cost, our_models

GRID, DIM = Grid(8, 9), 32
OPTIONS = {
    "self_attention": [{}, {"relative_bias": True}, {"rotary": True}],
    "local_attention": [{}, {"relative_bias": True, "dilation": 2, "kernel_size": 3}],
    "truncated_attention": [{}, {"relative_bias": True}],
    "window_attention": [{}, {"window": 3, "shift": 1, "relative_bias": True}],
    "conv_attention": [{}, {"explicit": True}],
    "convolution": [{}, {"depthwise": True}],
    "graph_attention": [{}, {"edges": "knn"}],
    "recurrent": [{}, {"kind": "gru", "order": "sequence"}],
}
CASES = [(name, options) for name in mixer_names() for options in OPTIONS.get(name, [{}])]
each_case = pytest.mark.parametrize(("name", "options"), CASES, ids=lambda case: str(case))
# Gradients sum many terms that nearly cancel; batch norms divide by small deviations.
GRADIENTS = {torch.float32: 1e-4, torch.bfloat16: 6e-2}
MODELS = [name for name in our_models() if "soften" not in name and "release" not in name]
DTYPES = [torch.float32, torch.bfloat16]


def joined(tensors):
    """All gradients as one vector: single ones may be zeros but for rounding."""
    return torch.cat([x.detach().cpu().double().flatten() for x in tensors])


@pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "bfloat16"])
@each_case
def test_mixers_equal_the_cpu_in_float64(
    device, name, options, dtype, tolerance, difference, forward_backward
):
    if options.get("edges") == "knn" and dtype == torch.bfloat16:
        pytest.skip("the nearest neighbours themselves change with rounding")
    torch.manual_seed(0)
    mixer = create_mixer(name, DIM, GRID, **options)
    x = torch.randn(4, GRID.size, DIM, generator=torch.Generator().manual_seed(1))
    wanted = forward_backward(copy.deepcopy(mixer).double(), x.double())
    got = forward_backward(mixer.to(device), x.to(device), dtype)
    assert all(tensor.device.type == device.type for tensor in got)
    assert difference(got[0], wanted[0]) < tolerance[dtype]
    assert difference(joined(got[1:]), joined(wanted[1:])) < GRADIENTS[dtype]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "bfloat16"])
@pytest.mark.parametrize("name", MODELS)
def test_models_equal_the_cpu_in_float64(
    device, name, dtype, layout, tolerance, difference, forward_backward
):
    torch.manual_seed(0)
    arguments = complete_arguments(name, img_size=16, in_chans=3, num_classes=10, params=20_000)
    model = timm.create_model(name, **arguments).eval()  # batch norms of 4 images would amplify rounding
    x = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    wanted = forward_backward(copy.deepcopy(model).double(), x.double())
    model = model.to(device).to(memory_format=layout)
    got = forward_backward(model, x.to(device).to(memory_format=layout), dtype)
    assert difference(got[0], wanted[0]) < 5 * tolerance[dtype]
    assert difference(joined(got[1:]), joined(wanted[1:])) < 2 * GRADIENTS[dtype]


def test_no_model_keeps_a_tensor_on_the_cpu(device):
    for name in MODELS:
        arguments = complete_arguments(name, img_size=16, in_chans=3, num_classes=10, params=20_000)
        model = timm.create_model(name, **arguments)
        model(torch.randn(2, 3, 16, 16))  # caches what it keeps, on the CPU
        model.to(device)
        assert model(torch.randn(2, 3, 16, 16, device=device)).device.type == device.type
        tensors = [*model.parameters(), *model.buffers()]
        assert {tensor.device.type for tensor in tensors} == {device.type}, name


def test_the_cost_of_a_model_does_not_depend_on_the_device(device):
    for name in MODELS:
        arguments = complete_arguments(name, img_size=16, in_chans=3, num_classes=10, params=20_000)
        model = timm.create_model(name, **arguments)
        assert cost(model, (3, 16, 16)) == cost(model.to(device), (3, 16, 16)), name


@pytest.mark.parametrize("name", ["field_vit", "field_local", "resnet18_small"])
def test_a_model_is_built_on_the_device_itself(device, name, difference):
    arguments = complete_arguments(name, img_size=16, in_chans=3, num_classes=10, params=20_000)
    with torch.device(device):
        model = timm.create_model(name, **arguments).eval()
    x = torch.randn(2, 3, 16, 16)
    wanted = copy.deepcopy(model).cpu()(x)
    assert difference(model(x.to(device)), wanted) < 1e-4
