"""The grid of tokens as a model states it, in words, and the warning about too many."""

from typing import Any

import pytest
import timm
import torch

from vision.models import cost
from vision.models.token_grid import cost_warning, describe_grid, token_grid
from vision.patches import Grid


@pytest.mark.parametrize(
    ("name", "arguments", "shape", "grid"),
    [
        ("field_vit", {"img_size": (32, 64)}, (3, 32, 64), Grid(8, 16)),
        ("vit_tiny_patch16_224", {"img_size": (64, 96), "depth": 1}, (3, 64, 96), Grid(4, 6)),
        (
            "vit_tiny_patch16_224",
            {"img_size": 104, "patch_size": 8, "dynamic_img_size": True, "dynamic_img_pad": True, "depth": 1},
            (3, 101, 101),
            Grid(13, 13),
        ),
        ("resnet18", {}, (3, 64, 64), None),
    ],
)
def test_the_grid_is_the_models_own(name, arguments, shape, grid):
    with torch.device("meta"):
        model = timm.create_model(name, **arguments)
    assert token_grid(model, shape) == grid


def test_words():
    model = timm.create_model("field_cnn", img_size=40, patch_size=1, embed_dim=8, depth=1)
    assert describe_grid(model, (3, 40, 40)) == "40 x 40 tokens from patches of 1 x 1 pixels"
    assert cost_warning(model, (3, 40, 40), 1000).startswith("40 x 40 tokens are 25 times as many as 8 x 8")
    with torch.device("meta"):
        resnet = timm.create_model("resnet18")
    assert describe_grid(resnet, (3, 128, 160)) == "4 x 5 positions in its last features"
    assert cost_warning(resnet, (3, 64, 96), 17_600_000_000) == ""


def test_many_tokens_are_usual_in_the_first_of_several_stages():
    with torch.device("meta"):
        swin = timm.create_model("swin_tiny_patch4_window7_224")
    assert describe_grid(swin, (3, 224, 224)) == "56 x 56 tokens from patches of 4 x 4 pixels"
    assert cost_warning(swin, (3, 224, 224), 4_500_000_000) == ""
    assert cost_warning(swin, (3, 224, 224), 45_000_000_000).startswith("45 billion multiply-adds")


def test_few_tokens_are_said():
    with torch.device("meta"):
        coarse = timm.create_model("vit_base_patch32_224", img_size=(64, 160), depth=1)
        vit = timm.create_model("vit_tiny_patch16_224", img_size=64, depth=1)
    assert describe_grid(coarse, (3, 64, 160)) == (
        "2 x 5 tokens from patches of 32 x 32 pixels, fewer than 4 per side; "
        "a larger data.img_size makes more"
    )
    assert describe_grid(vit, (3, 64, 64)) == "4 x 4 tokens from patches of 16 x 16 pixels"
    with torch.device("meta"):
        resnet = timm.create_model("resnet18")
    assert describe_grid(resnet, (3, 64, 96)) == (
        "2 x 3 positions in its last features, fewer than 4 per side; a larger data.img_size makes more"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments", "side", "grid"),
    [
        ("convnext_atto", {"patch_size": 2}, 101, (3, 3)),  # 101 / 32 is not rounded up
        ("twins_svt_small", {"patch_size": 1}, 33, (4, 4)),  # feature_info is for patches of 4
        ("crossvit_tiny_240", {}, 101, (14, 14)),  # resizes images to its own size
        ("inception_v3", {}, 101, (1, 1)),  # without padding
    ],
)
def test_last_features_are_those_of_a_run(name, arguments, side, grid):
    with torch.device("meta"):
        model: Any = timm.create_model(name, **arguments).eval()
    shape = model.forward_intermediates(torch.zeros(1, 3, side, side, device="meta"), indices=1)[1][-1].shape
    assert tuple(shape[-2:]) == grid
    model.train()
    words = describe_grid(model, (3, side, side))
    assert model.training and words.startswith(f"{grid[0]} x {grid[1]} positions in its last features")
    assert ("fewer than 4 per side" in words) == (min(grid) < 4)


@pytest.mark.parametrize(("side", "billion"), [(32, None), (256, 36)])
def test_a_cnn_on_large_images_is_warned_about(side, billion):
    """A ResNet-18 without a stem that shrinks the image: 0.56 billion multiply-adds at 32 x 32."""
    model = timm.create_model("resnet18_small", num_classes=10)
    found = cost_warning(model, (3, side, side), cost(model, (3, 32, 32)).macs * (side // 32) ** 2)
    expected = f"{billion} billion multiply-adds for one image are more than those of a ViT-B/16"
    assert found.startswith(expected) if billion else found == ""
