"""The nearest CNN of a softened CNN: its own kernels without content, and least squares with it."""

from typing import Any

import pytest
import torch
from small_models import build
from torch import nn

import vision
from vision.convert.nearest_registry import save_nearest_cnn
from vision.models import load_model
from vision.models.sources import ModelSource
from vision.soften import softened_layers

OF_THE_CNN: dict[str, Any] = {"img_size": 24, "patch_size": 4, "depth": 2, "embed_dim": 16, "num_classes": 3}
SOFTENED: dict[str, Any] = {"cnn": "field_cnn", "only": "blocks.*", **OF_THE_CNN}


def softened(**options: Any) -> Any:
    torch.manual_seed(0)
    return build("softened_cnn", **{**SOFTENED, **options}).eval()


def with_content(model: Any) -> Any:
    for layer in softened_layers(model).values():
        nn.init.normal_(layer.q.weight)
    return model


def images(count: int = 64) -> torch.Tensor:
    return torch.randn(count, 3, 24, 24, generator=torch.Generator().manual_seed(0))


def fitted(model: Any, kernel_size: Any, x: torch.Tensor) -> tuple[Any, list[float]]:
    cnn: Any = vision.as_convolution(model, x, kernel_size)
    assert cnn.conversion.left == []
    return cnn, [row.error for row in cnn.conversion.rows if row.kind == "fitted"]


def test_a_sharp_softened_cnn_has_the_kernels_of_the_cnn():
    model = softened(alpha=30.0)
    cnn, errors = fitted(model, 3, images(8))
    assert len(errors) == 2 and max(errors) < 1e-10
    for layer, block in zip(softened_layers(model).values(), cnn.blocks, strict=True):
        assert type(block.mixer.layer) is nn.Conv2d
        torch.testing.assert_close(block.mixer.layer.weight, layer.weight, atol=1e-5, rtol=0)


def test_without_content_a_field_of_5_x_5_is_a_kernel_of_5_x_5_up_to_the_border():
    model, x = softened(alpha=3.0), images()
    (_, three), (cnn, five) = (fitted(model, size, x) for size in (3, 5))
    assert all(0 < error < 1e-4 for error in five), "the border has no gain"
    assert all(error > 100 * other for error, other in zip(three, five, strict=True))
    with torch.no_grad():
        layer = next(iter(softened_layers(model).values()))
        tokens = torch.randn(2, 6, 6, 16)
        tokens = (tokens - tokens.mean(-1, keepdim=True)).permute(0, 3, 1, 2)  # as the norm before the layer
        wanted, found = layer(tokens), cnn.blocks[0].mixer.layer(tokens)
    inside = (wanted - found)[..., 2:-2, 2:-2]
    assert inside.abs().max() < 0.01 * wanted.abs().max()


def test_content_leaves_an_error_that_larger_kernels_reduce():
    errors = [fitted(with_content(softened()), size, images())[1][0] for size in (1, 3, 5)]
    assert errors == sorted(errors, reverse=True) and errors[1] > 0.1


@pytest.mark.parametrize("kernel_size", [3, "full"])
def test_it_is_saved_and_read_with_the_same_logits(tmp_path, kernel_size):
    x = images(8)
    cnn, _ = fitted(with_content(softened()), kernel_size, x)
    save_nearest_cnn(cnn, tmp_path, ModelSource("softened_cnn", SOFTENED))
    with torch.no_grad():
        torch.testing.assert_close(load_model(tmp_path).eval()(x), cnn.eval()(x), rtol=0, atol=0)


def test_a_soft_patch_stem_stays_with_the_reason():
    cnn: Any = vision.as_convolution(softened(only="*"), images(4))
    (stem,) = cnn.conversion.left
    assert (stem.name, stem.type) == ("patch_embed.layer", "SoftConvolution")
    assert stem.reason.startswith("a soft convolution with groups, a stride, or other padding")


@pytest.mark.parametrize("kernel_size", [2, 7])
def test_a_kernel_that_is_even_or_wider_than_the_grid_is_refused(kernel_size):
    with pytest.raises(ValueError, match=r"kernel_size must be odd and at most 6, .* got"):
        vision.as_convolution(softened(), images(4), kernel_size)


def test_the_layers_of_a_softened_resnet_stay_as_it_states_no_grid():
    model = build("softened_cnn", cnn="resnet10t", img_size=32, only="layer4.*")
    cnn: Any = vision.as_convolution(model, torch.randn(2, 3, 32, 32))
    reasons = {one.name: one.reason for one in cnn.conversion.left}
    assert reasons["layer4.0.conv2"] == "the model states no grid of its tokens"
    assert reasons.keys() == softened_layers(model).keys()


def test_a_saved_one_loads_for_images_of_other_channels(tmp_path):
    cnn, _ = fitted(softened(), 3, images(4))
    save_nearest_cnn(cnn, tmp_path, ModelSource("softened_cnn", SOFTENED))
    grey = load_model(tmp_path, in_chans=1).eval()
    x = torch.randn(2, 1, 24, 24)
    with torch.no_grad():  # timm sums the weights of the colours
        torch.testing.assert_close(grey(x), cnn.eval()(x.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-5)


def test_one_that_states_no_grid_is_not_saved(tmp_path):
    model = build("softened_cnn", cnn="resnet10t", img_size=32, only="layer4.*")
    cnn = vision.as_convolution(model, torch.randn(2, 3, 32, 32))
    with pytest.raises(ValueError, match="states the grid of its tokens can be saved, got ResNet"):
        save_nearest_cnn(cnn, tmp_path, ModelSource("softened_cnn", {}))


def test_a_stride_is_refused_with_the_reason():
    strided = vision.soften.soften(vision.as_attention(nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1)), 8))
    with pytest.raises(ValueError, match="that of Sequential: 0, a soft convolution with groups"):
        vision.as_convolution(strided, torch.randn(2, 3, 8, 8))


def test_fewer_equations_than_unknowns_need_no_ridge():
    cnn: Any = vision.as_convolution(softened(), images(1), "full", ridge=0.0)
    assert all(row.error < 1e-3 for row in cnn.conversion.rows)
