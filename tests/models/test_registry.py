"""Our models in timm's registry, and the arguments that complete them."""

from itertools import product

import pytest
import timm
import torch
from small_models import build

import vision
from vision.models import complete_arguments, create_model, our_models


def test_ours_are_in_timms_registry():
    assert {
        "field_vit",
        "field_local",
        "field_cnn",
        "field_cnn_attention",
        "field_identity",
        "resnet18_small",
    } <= set(timm.list_models())
    assert set(our_models()) == set(timm.list_models("field_*")) | {
        "plain_cnn",
        "resnet18_small",
        "softened_cnn",
        "nearest_cnn",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "img_size"),
    [
        *product(("vit_tiny_patch16_224", "convnext_atto", "resnet18", "mobilenetv3_small_050"), (8, 32)),
        # Five poolings leave nothing of 8 x 8 pixels, in timm as in the paper.
        pytest.param("vgg11", 32, marks=pytest.mark.slow),
    ],
)
def test_any_timm_model_takes_small_images(name, img_size):
    model = create_model(
        name, **complete_arguments(name, img_size=img_size, in_chans=1, num_classes=5)
    ).eval()
    assert model(torch.zeros(2, 1, img_size, img_size)).shape == (2, 5)


def test_explicit_arguments_take_precedence():
    arguments = complete_arguments("convnext_atto", img_size=32, in_chans=3, num_classes=10, patch_size=2)
    assert arguments["patch_size"] == 2


def test_wrong_models_are_refused_by_name():
    with pytest.raises(ValueError, match=r"'field_vti'.*field_vit"):
        complete_arguments("field_vti", img_size=32, in_chans=3, num_classes=10)
    with pytest.raises(ValueError, match=r"'field_vit' does not take.*widht"):
        create_model("field_vit", widht=3)
    with pytest.raises(ValueError, match=r"mixer must be one of .*convolution"):
        build("field_vit", mixer="fourier")
    with pytest.raises(ValueError, match="patch_size must divide"):
        build("field_vit", img_size=30, patch_size=4)


def test_the_public_names_are_there():
    assert vision.Grid(2, 3).size == 6
    assert vision.create_model is create_model


def test_params_and_embed_dim_exclude_each_other():
    with pytest.raises(ValueError, match=r"params=210000, embed_dim=32"):
        complete_arguments("field_vit", img_size=8, in_chans=1, num_classes=10, params=210_000, embed_dim=32)
