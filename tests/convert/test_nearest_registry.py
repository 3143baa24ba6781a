"""The nearest CNN as a model of timm's registry: built, saved and loaded."""

from typing import Any

import pytest
import timm
import torch
from small_models import build, timm_vit
from timm.models._manipulate import adapt_input_conv

import vision
from vision.convert import HeadConvolution
from vision.convert.nearest_registry import save_nearest_cnn
from vision.models import complete_arguments, load_model
from vision.models.sources import ModelSource

OURS: dict[str, Any] = {"img_size": 16, "patch_size": 4, "embed_dim": 16, "depth": 2, "num_classes": 3}
TIMMS: dict[str, Any] = {**OURS, "embed_dim": 24, "num_heads": 3, "img_size": 32, "patch_size": 8}


@pytest.mark.slow
@pytest.mark.parametrize("kernel_size", [3, "full"])
@pytest.mark.parametrize(("vit", "arguments"), [("field_vit", OURS), ("vit_tiny_patch16_224", TIMMS)])
def test_a_saved_model_is_read_by_timm_with_the_same_logits(tmp_path, vit, arguments, kernel_size):
    model = build(vit, **arguments).eval()
    size = arguments["img_size"]
    x = torch.randn(6, 3, size, size)
    cnn = vision.as_convolution(model, x, kernel_size)
    save_nearest_cnn(cnn, tmp_path, ModelSource(vit, arguments))
    for loaded in (timm.create_model(f"local-dir:{tmp_path}", pretrained=True), load_model(tmp_path)):
        assert sum(isinstance(module, HeadConvolution) for module in loaded.modules()) == 2
        with torch.no_grad():
            torch.testing.assert_close(loaded.eval()(x), cnn.eval()(x), rtol=0, atol=0)


def test_it_is_built_by_name_and_its_arguments_are_completed():
    arguments = complete_arguments("nearest_cnn", img_size=32, in_chans=1, num_classes=5, vit="field_local")
    model = build("nearest_cnn", **arguments)
    assert model(torch.zeros(2, 1, 32, 32)).shape == (2, 5)
    with pytest.raises(TypeError, match="not_an_argument"):
        build("nearest_cnn", not_an_argument=1)
    with pytest.raises(ValueError, match="vit of nearest_cnn must be in timm's registry, got 'field_vitt'"):
        complete_arguments("nearest_cnn", img_size=32, in_chans=1, num_classes=5, vit="field_vitt")
    with pytest.raises(ValueError, match="fitted for one grid"):
        model.set_input_size(img_size=64)
    with pytest.raises(ValueError, match="states the grid of its tokens, got 'resnet10t'"):
        timm.create_model("nearest_cnn", vit="resnet10t")


def test_its_features_and_heads_are_those_of_the_vit():
    features = timm.create_model("nearest_cnn", features_only=True, img_size=16, patch_size=4, depth=3)
    assert [tuple(f.shape) for f in features(torch.zeros(1, 3, 16, 16))] == [(1, 64, 4, 4)] * 3
    model = build("nearest_cnn", img_size=16, depth=1)
    model.reset_classifier(7)
    assert model(torch.zeros(1, 3, 16, 16)).shape == (1, 7)


def test_only_a_vit_of_timms_registry_can_be_saved(tmp_path):
    cnn = vision.as_convolution(timm_vit(), torch.randn(4, 3, 32, 32))
    with pytest.raises(ValueError, match="only a ViT of timm's registry can be saved as nearest_cnn"):
        save_nearest_cnn(cnn, tmp_path, ModelSource("torchvision/vit_b_16", {}))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("field_cnn_attention", {"img_size": 16, "depth": 2}),  # the convolutions are exact, none is fitted
        ("test_vit", {"img_size": 64, "num_classes": 3}),  # images so small get other patches by default
        ("field_vit", {"img_size": (16, 24), "patch_size": (4, 8), "depth": 1}),
    ],
)
def test_what_the_source_leaves_to_its_defaults_is_saved(tmp_path, name, arguments):
    model = build(name, **arguments).eval()
    sides = arguments["img_size"]
    x = torch.randn(3, 3, *(sides if isinstance(sides, tuple) else (sides, sides)))
    cnn = vision.as_convolution(model, x, 1)
    save_nearest_cnn(cnn, tmp_path, ModelSource(name, {**arguments}))
    with torch.no_grad():
        torch.testing.assert_close(load_model(tmp_path).eval()(x), cnn.eval()(x), rtol=0, atol=0)
        loaded = timm.create_model(f"local-dir:{tmp_path}", pretrained=True)
        torch.testing.assert_close(loaded.eval()(x), cnn(x), rtol=0, atol=0)


@pytest.mark.parametrize("channels", [1, 5])
def test_a_saved_model_loads_for_other_channels_and_refuses_another_size(tmp_path, channels):
    sizes: dict[str, Any] = {"img_size": 16, "patch_size": 4, "depth": 1, "embed_dim": 16}
    vit = build("field_vit", **sizes)
    cnn: Any = vision.as_convolution(vit, torch.randn(4, 3, 16, 16)).eval()
    save_nearest_cnn(cnn, tmp_path, ModelSource("field_vit", {**sizes}))
    other = vision.load(tmp_path, in_chans=channels).model
    kernel = cnn.patch_embed.proj.weight.detach().view(16, 3, 4, 4)
    own = other.get_parameter("patch_embed.proj.weight").detach().view(16, channels, 4, 4)
    torch.testing.assert_close(own, adapt_input_conv(channels, kernel))
    kept = {key: value for key, value in cnn.state_dict().items() if "patch_embed.proj.weight" not in key}
    assert all(torch.equal(value, other.state_dict()[key]) for key, value in kept.items())
    with pytest.raises(ValueError, match=r"are fitted for one grid, got img_size=\(32, 32\)"):
        vision.load(tmp_path, img_size=32)
