"""Arguments that fit models to images of any size, and sizes on which a model does not run."""

from typing import Any

import pytest
import timm
import torch

from vision.convert import as_attention
from vision.models import complete_arguments, create_model
from vision.models.small_images import small_image_arguments, token_patch
from vision.patches import PatchEmbed, pair, patch_grid

PADDED = {"dynamic_img_size": True, "dynamic_img_pad": True}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "img_size", "expected"),
    [
        ("vit_tiny_patch16_224", 32, {"img_size": 32, "patch_size": 4}),
        ("vit_tiny_patch16_224", 64, {"img_size": 64, "patch_size": 8}),
        ("vit_tiny_patch16_224", 101, {"img_size": (104, 104), "patch_size": 8, **PADDED}),
        ("vit_tiny_patch16_224", 33, {"img_size": (36, 36), "patch_size": 4, **PADDED}),
        ("vit_tiny_patch16_224", 100, {"img_size": (104, 104), "patch_size": 8, **PADDED}),
        ("swin_tiny_patch4_window7_224", 101, {"img_size": 101, "patch_size": 2}),
        ("convnext_atto", 32, {"patch_size": 1}),
        ("convnext_atto", 64, {"patch_size": 2}),
        ("convnext_atto", 101, {"patch_size": 2}),
        # At its own size and above, a model keeps its own patch.
        ("vit_tiny_patch16_224", 224, {"img_size": 224, "patch_size": 16}),
        ("vit_tiny_patch16_224", 448, {"img_size": 448, "patch_size": 16}),
        ("vit_small_patch14_dinov2", 518, {"img_size": 518, "patch_size": 14}),
        ("vit_small_patch14_dinov2", 224, {"img_size": 224, "patch_size": 14}),
        ("swin_tiny_patch4_window7_224", 224, {"img_size": 224, "patch_size": 4}),
        ("convnext_atto", 224, {}),
        ("visformer_tiny", 224, {"img_size": 224}),  # its patch_size is 16, and its first reduction 8
        # A ViT for large images has no patches of 1 pixel on small ones.
        ("vit_small_patch14_dinov2", 32, {"img_size": 32, "patch_size": 4}),
        # Long images: 45 x 97 patches of 1 pixel would be more than the 56 x 56 at the model's own size.
        ("swin_tiny_patch4_window7_224", (45, 97), {"img_size": (45, 97), "patch_size": 2}),
        ("swin_tiny_patch4_window7_224", (32, 64), {"img_size": (32, 64), "patch_size": 1}),
        ("vit_tiny_patch16_224", (45, 97), {"img_size": (48, 100), "patch_size": 4, **PADDED}),
        ("resnet18", 32, {"output_stride": 8}),
        ("resnet18", 224, {}),
    ],
)
def test_timms_own_arguments_fit_small_images(name, img_size, expected):
    assert small_image_arguments(name, img_size=img_size) == expected


def test_a_division_by_zero_in_a_model_is_a_reason():
    """Visformer divides patch_size by 8 in its later stages."""
    with pytest.raises(
        ValueError, match=r"101 x 101 pixels .*; data\.img_size=96 or data\.img_size=128 would fit"
    ):
        small_image_arguments("visformer_tiny", img_size=101)


@pytest.mark.parametrize(
    ("name", "img_size", "message"),
    [
        ("maxvit_rmlp_pico_rw_256", 101, r"data\.img_size=(96|128).* would fit"),
        (
            "inception_v3",
            32,
            r"Kernel size can't be greater .*; data\.img_size=96 or data\.img_size=128 would",
        ),
    ],
)
@pytest.mark.slow
def test_a_model_that_cannot_run_at_a_size_names_sizes_that_fit(name, img_size, message):
    with pytest.raises(ValueError, match=message):
        complete_arguments(name, img_size=img_size, in_chans=3, num_classes=10)


def test_a_patch_leaves_about_8_tokens_per_side():
    assert [token_patch(size) for size in (8, 28, 32, 64, 96, (32, 64))] == [2, 4, 4, 8, 12, 4]
    # No patch divides these: they are padded, or so small that a token per pixel is right.
    sizes = {101: 13, 17: 2, 34: 4, 51: 6, 94: 12, (101, 50): 6, 4: 1, 5: 1, 7: 1, 9: 1, 13: 1, (7, 512): 2}
    assert {size: token_patch(size) for size in sizes} == sizes
    powers = [token_patch(size, power_of_two=True) for size in (8, 28, 32, 96, 101)]
    assert powers == [2, 4, 4, 16, 16]


def test_no_side_has_a_silent_patch_of_1_or_a_grid_of_2_by_2():
    for side in range(3, 400):
        for sides in (side, (side, side + 1), (2 * side, side)):
            patch = token_patch(sides)
            grid = patch_grid(sides, patch, pad=True)
            assert min(4, side) <= min(grid.rows, grid.cols) <= 16, sides
            assert patch > 1 or grid.rows * grid.cols <= 256, sides


@pytest.mark.parametrize("name", ["field_vit", "field_cnn", "field_vit_conv_stem", "vit_tiny_patch16_224"])
def test_a_side_of_101_pixels(name):
    small = {"embed_dim": 24, "depth": 1} | ({} if name.startswith("field") else {"num_heads": 3})
    arguments = complete_arguments(name, img_size=101, in_chans=3, num_classes=5, **small)
    model: Any = create_model(name, **arguments).eval()
    images = torch.randn(2, 3, 101, 101)
    assert model(images).shape == (2, 5)
    assert arguments["dynamic_img_pad"] is True
    tokens = model.patch_embed(images)
    assert tokens.flatten(1).shape[1] // 24 in (49, 64, 169)


@pytest.mark.parametrize(("side", "patch", "tokens"), [(54, 4, 14), (60, 4, 15), (108, 8, 14), (112, 16, 7)])
def test_a_patch_of_timms_vit_leaves_no_more_tokens_than_its_neighbours(side, patch, tokens):
    arguments = small_image_arguments("vit_tiny_patch16_224", img_size=side)
    assert arguments["patch_size"] == patch
    assert max(pair(arguments["img_size"])) == patch * tokens


def test_padding_is_zeros_at_the_bottom_and_on_the_right():
    embed = PatchEmbed((5, 7), 4, in_chans=2, embed_dim=3, dynamic_img_pad=True)
    images = torch.randn(2, 2, 5, 7)
    padded = torch.zeros(2, 2, 8, 8)
    padded[:, :, :5, :7] = images
    whole = PatchEmbed((8, 8), 4, in_chans=2, embed_dim=3)
    whole.load_state_dict(embed.state_dict())
    assert torch.equal(embed(images), whole(padded))
    with pytest.raises(ValueError, match=r"patch_size must divide .* and any with dynamic_img_pad=true"):
        PatchEmbed((5, 7), 4)


def test_a_padded_cnn_is_still_masked_attention():
    model = timm.create_model(
        "field_cnn", img_size=10, patch_size=4, dynamic_img_pad=True, embed_dim=16, depth=2
    )
    images = torch.randn(3, 3, 10, 10)
    assert torch.allclose(as_attention(model, 10)(images), model.eval()(images), atol=1e-5)
