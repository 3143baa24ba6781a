"""The backbone, its widths and its cost; timm's registry."""

from itertools import pairwise
from typing import Any

import pytest
import timm
import torch
from torch import nn

import vision
from vision.fields import tiled
from vision.models import complete_arguments, cost, create_model, our_models
from vision.models.small_images import small_image_arguments, token_patch
from vision.models.widths import Widths, fit_widths
from vision.patches import Grid

BACKBONES = [name for name in our_models() if name.startswith("field_")]


def test_ours_are_in_timms_registry():
    assert {
        "field_vit",
        "field_local",
        "field_cnn",
        "field_cnn_attention",
        "field_identity",
        "resnet18_small",
    } <= set(timm.list_models())
    assert set(our_models()) == set(timm.list_models("field_*")) | {"resnet18_small", "softened_cnn"}


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize(("img_size", "patch_size", "in_chans"), [(8, 2, 1), (32, 4, 3), ((12, 20), 4, 5)])
def test_shapes_follow_timms_contract(name, img_size, patch_size, in_chans):
    sizes = {"img_size": img_size, "patch_size": patch_size, "in_chans": in_chans}
    model = timm.create_model(name, num_classes=7, **sizes)
    height, width = (img_size, img_size) if isinstance(img_size, int) else img_size
    images = torch.randn(2, in_chans, height, width)
    tokens = model.forward_features(images)
    assert tokens.shape == (2, height * width // patch_size**2, model.num_features)
    assert model.forward_head(tokens, pre_logits=True).shape == (2, model.num_features)
    assert model(images).shape == (2, 7)
    model.reset_classifier(3)
    assert model(images).shape == (2, 3)
    assert model.get_classifier() is model.head


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("params", [60_000, 210_000, 1_000_000])
@pytest.mark.parametrize(
    "images", [{"img_size": 8, "patch_size": 2, "in_chans": 1}, {"img_size": 32, "num_classes": 100}]
)
def test_compared_models_have_equal_parameters_within_2_percent(name, params, images):
    model = timm.create_model(name, params=params, device="meta", **images)
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(params, rel=0.02)


def test_widths_that_cannot_be_had_are_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"params=100\b.*nearest model has \d+"):
        timm.create_model("field_vit", params=100)
    assert fit_widths(lambda w: 8 * w.embed_dim**2 + 2 * w.embed_dim * w.mlp_dim, 65_536) == Widths(64, 256)


def test_the_backbone_is_permutation_equivariant_only_without_a_field():
    """Self-attention without positions sees a set; a convolution sees a grid."""
    order = torch.randperm(16)

    def moved(name: str) -> float:
        torch.manual_seed(0)
        model = timm.create_model(name, img_size=8, patch_size=2, pos_embed="none").eval().double()
        tokens = torch.randn(2, 16, model.num_features, dtype=torch.float64)
        return (model.blocks(tokens)[:, order] - model.blocks(tokens[:, order])).abs().max().item()

    assert moved("field_vit") < 1e-12
    assert moved("field_identity") < 1e-12
    assert moved("field_cnn") > 1e-3


def test_one_state_dict_serves_the_cnn_and_its_attention():
    torch.manual_seed(0)
    cnn = timm.create_model("field_cnn", img_size=16, mixer_options={"kernel_size": 3}).double().eval()
    attention = (
        timm.create_model("field_cnn_attention", img_size=16, mixer_options={"explicit": True})
        .double()
        .eval()
    )
    attention.load_state_dict(cnn.state_dict())
    images = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    torch.testing.assert_close(attention(images), cnn(images), rtol=1e-10, atol=1e-10)
    cnn.load_state_dict(attention.state_dict())


def test_every_parameter_gets_a_gradient():
    for name in our_models():
        model = timm.create_model(name)
        model(torch.randn(2, 3, 32, 32)).square().sum().backward()
        without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
        assert without == [], name


def test_weight_decay_spares_positions():
    model = timm.create_model("field_vit")
    assert model.no_weight_decay() == {n for n, _ in model.named_parameters() if n.startswith("pos_embed")}
    gated = timm.create_model("field_gated", depth=1)
    assert gated.no_weight_decay() == {"blocks.0.mixer.centres"}


def test_gradient_checkpointing_changes_no_gradient():
    torch.manual_seed(0)
    model, images = timm.create_model("field_vit"), torch.randn(2, 3, 32, 32)
    grads = []
    for enable in (False, True):
        model.set_grad_checkpointing(enable)
        model.zero_grad()
        model(images).square().sum().backward()
        grads.append([p.grad.clone() for p in model.parameters()])
    for plain, recomputed in zip(*grads, strict=True):
        torch.testing.assert_close(plain, recomputed)


def test_cost_of_a_vit_by_hand():
    model = timm.create_model("field_vit", embed_dim=64, depth=2, num_classes=10)
    tokens, dim = 64, 64
    block = tokens * (4 * dim**2 + 8 * dim**2) + 2 * tokens**2 * dim
    assert cost(model, (3, 32, 32)).macs == tokens * 48 * dim + 2 * block + dim * 10


def test_cost_counts_only_the_pairs_of_the_field():
    full, local = (
        cost(timm.create_model(n, depth=1), (3, 32, 32)).macs for n in ("field_vit", "field_local")
    )
    pairs = (3 * 8 - 2) ** 2
    assert full - local == 2 * (64**2 - pairs) * 64


def test_cost_leaves_the_model_as_it_was():
    model = timm.create_model("field_cnn_attention", mixer_options={"explicit": True})
    cost(model, (3, 32, 32))
    assert model.training and all(block.mixer.explicit for block in model.blocks)


def test_small_resnet_keeps_4_by_4_of_32_by_32():
    model = timm.create_model("resnet18_small")
    assert model.forward_features(torch.zeros(1, 3, 32, 32)).shape == (1, 512, 4, 4)
    assert isinstance(model.maxpool, nn.Identity)
    assert sum(p.numel() for p in model.parameters()) == 11_173_962
    # He et al. count 0.56 billion multiply-adds with this stem.
    assert cost(model, (3, 32, 32)).macs == pytest.approx(0.56e9, rel=0.01)


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


@pytest.mark.parametrize(
    "name", ["vit_tiny_patch16_224", "convnext_atto", "resnet18", "mobilenetv3_small_050", "vgg11"]
)
@pytest.mark.parametrize("img_size", [8, 32])
def test_any_timm_model_takes_small_images(name, img_size):
    if name == "vgg11" and img_size == 8:
        pytest.skip("five poolings leave nothing of 8 x 8 pixels, in timm as in the paper")
    model = create_model(
        name, **complete_arguments(name, img_size=img_size, in_chans=1, num_classes=5)
    ).eval()
    assert model(torch.zeros(2, 1, img_size, img_size)).shape == (2, 5)


def test_arguments_given_by_hand_win():
    arguments = complete_arguments("convnext_atto", img_size=32, in_chans=3, num_classes=10, patch_size=2)
    assert arguments["patch_size"] == 2


def test_a_patch_leaves_about_8_tokens_a_side():
    assert [token_patch(size) for size in (8, 28, 32, 64, 96, (32, 64))] == [2, 4, 4, 8, 12, 4]


def test_wrong_models_are_refused_by_name():
    with pytest.raises(ValueError, match=r"'field_vti'.*field_vit"):
        complete_arguments("field_vti", img_size=32, in_chans=3, num_classes=10)
    with pytest.raises(ValueError, match=r"'field_vit' does not take.*widht"):
        create_model("field_vit", widht=3)
    with pytest.raises(ValueError, match=r"mixer must be one of .*convolution"):
        timm.create_model("field_vit", mixer="fourier")
    with pytest.raises(ValueError, match="patch_size must divide"):
        timm.create_model("field_vit", img_size=30, patch_size=4)


def test_the_public_names_are_there():
    assert vision.Grid(2, 3).size == 6
    assert vision.create_model is create_model


def test_images_of_another_shape_are_refused():
    """Also where the patches would be as many: the grid would be another one."""
    model = timm.create_model("field_cnn", img_size=(16, 32), patch_size=4)
    for shape in ((1, 3, 32, 16), (1, 1, 16, 32), (1, 3, 16, 16)):
        with pytest.raises(ValueError, match=r"images must be \(B, 3, 16, 32\), got shape"):
            model(torch.zeros(shape))


def test_params_and_embed_dim_exclude_each_other():
    with pytest.raises(ValueError, match=r"params=210000, embed_dim=32"):
        complete_arguments("field_vit", img_size=8, in_chans=1, num_classes=10, params=210_000, embed_dim=32)


@pytest.mark.parametrize("params", [60_000, 210_000])
def test_params_narrows_the_stem_of_a_small_resnet_with_its_first_stage(params):
    arguments = complete_arguments("resnet18_small", img_size=32, in_chans=3, num_classes=10, params=params)
    model: Any = create_model("resnet18_small", **arguments)
    assert model.conv1.out_channels - arguments["channels"][0] in (0, 1)


@pytest.mark.parametrize("name", ["resnet18_small", "resnet50", "convnext_atto"])
@pytest.mark.parametrize("params", [60_000, 210_000])
def test_params_solves_for_the_stages_of_timms_cnns_in_their_proportion(name, params):
    arguments = complete_arguments(name, img_size=32, in_chans=3, num_classes=10, params=params)
    widths = arguments.get("channels") or arguments["dims"]
    assert all(1.7 < wide / narrow < 2.4 for narrow, wide in pairwise(widths))
    assert abs(cost(create_model(name, **arguments), (3, 32, 32)).params - params) <= 0.02 * params
    assert "params" not in arguments


def test_params_that_a_model_of_timms_cannot_have_are_refused():
    images = {"img_size": 32, "in_chans": 3, "num_classes": 10}
    with pytest.raises(ValueError, match=r"params=60000 .* takes channels or dims; 'vit_tiny_p.*' takes nei"):
        complete_arguments("vit_tiny_patch16_224", params=60_000, **images)
    with pytest.raises(ValueError, match=r"params determines dims; pass one, not both, .*\(8, 1"):
        complete_arguments("convnext_atto", params=60_000, dims=(8, 16, 32, 64), **images)
    with pytest.raises(ValueError, match=r"no width gives 'resnet18_small' 50 parameters within 2%"):
        complete_arguments("resnet18_small", params=50, **images)


def test_every_other_block_may_have_a_window_shifted():
    model = timm.create_model("field_window", mixer_options={"window": 4}, alternate_options={"shift": 2})
    wanted = [tiled(Grid(8, 8), 4, shift=shift).mask() for shift in (0, 2, 0, 2)]
    for block, mask in zip(model.blocks, wanted, strict=True):
        assert torch.equal(block.mixer.field.mask(), mask)


@pytest.mark.parametrize("pos_embed", ["relative", "quadratic", "rotary"])
def test_positions_inside_attention_are_options_of_the_mixer(pos_embed):
    model = timm.create_model("field_vit", pos_embed=pos_embed)
    option = {"relative": "relative_bias", "quadratic": "quadratic_bias", "rotary": "rotary"}[pos_embed]
    assert isinstance(model.pos_embed, nn.Identity)
    assert all(getattr(block.mixer, option) is not None for block in model.blocks)
    with pytest.raises(ValueError, match=f"mixer 'convolution' has no option {option}"):
        timm.create_model("field_cnn", pos_embed=pos_embed)
    with pytest.raises(ValueError, match="conditional, relative, quadratic, rotary; got 'relativ'"):
        timm.create_model("field_vit", pos_embed="relativ")
