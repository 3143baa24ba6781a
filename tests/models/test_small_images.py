"""Arguments that fit timm's models to small images."""

import pytest

from vision.models.small_images import small_image_arguments, token_patch


@pytest.mark.parametrize(
    ("name", "img_size", "expected"),
    [
        ("vit_tiny_patch16_224", 32, {"img_size": 32, "patch_size": 4}),
        ("vit_tiny_patch16_224", 64, {"img_size": 64, "patch_size": 8}),
        ("convnext_atto", 32, {"patch_size": 1}),
        ("convnext_atto", 64, {"patch_size": 2}),
        ("resnet18", 32, {"output_stride": 8}),
        ("resnet18", 224, {}),
    ],
)
def test_timms_own_arguments_fit_small_images(name, img_size, expected):
    assert small_image_arguments(name, img_size=img_size) == expected


def test_a_patch_leaves_about_8_tokens_per_side():
    assert [token_patch(size) for size in (8, 28, 32, 64, 96, (32, 64))] == [2, 4, 4, 8, 12, 4]
