"""The nearest CNN of a ViT: exact where attention is a convolution, and least squares where it is not."""

from typing import Any

import pytest
import timm
import torch
import torchvision
from small_models import build, timm_vit, torchvision_vit
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

import vision
from vision.convert import Calibration, HeadConvolution
from vision.convert.distillation import logit_error
from vision.convert.head_maps import head_maps, mean_weights
from vision.convert.kernel_size import kernel_sides
from vision.inspection import attention_distance, attention_maps, attention_rollout, kernel_shares
from vision.patches import Grid

SIZE = {"img_size": 24, "patch_size": 4, "depth": 2, "embed_dim": 32}


def as_convolution(*arguments: Any, **options: Any) -> Any:
    return vision.as_convolution(*arguments, **options)


def converted(calibration: Calibration, kernel_size: Any) -> Any:
    return calibration.convert(kernel_size)


def images(count=16, size=24):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def difference(one, other, x):
    with torch.no_grad():
        wanted = one.eval()(x)
        return float((wanted - other.eval()(x)).abs().max() / wanted.abs().max())


@pytest.mark.parametrize(
    ("name", "size"), [("field_cnn", 32), ("plain_cnn", 32), ("resnet10t", 64), ("convnext_atto", 64)]
)
def test_there_and_back_gives_the_kernels_of_the_cnn(name, size):
    torch.manual_seed(0)
    cnn = build(name).eval().double()
    back = as_convolution(vision.as_attention(cnn, size))
    assert difference(cnn, back, torch.randn(2, 3, size, size).double()) < 1e-12
    assert all(row.kind == "exact" and row.error == 0 for row in back.conversion.rows)
    kernels = [m.weight for m in cnn.modules() if isinstance(m, nn.Conv2d) and m.weight.shape[-1] > 1]
    if name in ("field_cnn", "convnext_atto"):  # no batch norm is folded into the others
        found = [m.weight for m in back.modules() if isinstance(m, nn.Conv2d) and m.weight.shape[-1] > 1]
        if name == "field_cnn":
            kernels = [block.mixer.weight for block in cnn.blocks]
            found = [weight for weight in found if weight.shape[-1] == 3]
        assert len(found) == len(kernels) > 3
        assert all((a - b).abs().max() < 1e-12 for a, b in zip(kernels, found, strict=True))


def test_there_and_back_gives_a_resnets_kernels_with_the_norms_folded_in():
    torch.manual_seed(0)
    cnn = torchvision.models.resnet18().double()
    cnn(torch.randn(8, 3, 32, 32).double())  # norms that are not the identity
    back = as_convolution(vision.as_attention(cnn.eval(), 32))
    modules: dict[str, Any] = dict(cnn.named_modules())
    names = [name for name, module in modules.items() if isinstance(module, nn.Conv2d)]
    assert len(names) == 20
    for name in names:
        after = name.replace("downsample.0", "downsample.1").replace("conv", "bn")
        folded, found = fuse_conv_bn_eval(modules[name], modules[after]), back.get_submodule(name)
        assert (found.weight - folded.weight).abs().max() < 1e-12
        assert (found.bias - folded.bias).abs().max() < 1e-12


def test_conv_attention_becomes_the_mixer_convolution():
    model = build("field_cnn_attention", img_size=16, depth=2, mixer_options={"dilation": 2}).double()
    back = as_convolution(model)
    assert [type(block.mixer).__name__ for block in back.blocks] == ["Convolution", "Convolution"]
    assert torch.equal(back.blocks[1].mixer.weight, model.blocks[1].mixer.weight)
    assert difference(model, back, images(2, 16).double()) < 1e-13


@pytest.mark.parametrize("kernel_size", [3, 5, "full"])
def test_static_attention_converts_exactly_also_at_the_border(kernel_size):
    options = {"kernel_size": None if kernel_size == "full" else kernel_size}
    model = build("field_static", **SIZE, mixer_options=options).double()
    for block in model.blocks:
        nn.init.normal_(block.mixer.relative_bias.table)
        nn.init.normal_(block.mixer.v.bias)
    cnn = as_convolution(model, images(4).double(), kernel_size)
    assert difference(model, cnn, torch.randn(3, 3, 24, 24).double()) < 1e-12
    assert max(row.error for row in cnn.conversion.rows) < 1e-12
    maps = attention_maps(cnn, images(2).double())
    for name, expected in attention_maps(model, images(2).double()).items():
        torch.testing.assert_close(maps[name], expected, atol=1e-10, rtol=0)


def test_too_small_a_kernel_for_static_attention_leaves_an_error():
    model = build("field_static", **SIZE, mixer_options={"kernel_size": 5}).double()
    for block in model.blocks:
        nn.init.normal_(block.mixer.relative_bias.table)
    three, five = (as_convolution(model, images().double(), k) for k in (3, 5))
    assert all(row.error > 0.05 for row in three.conversion.rows)
    assert all(row.error < 1e-12 for row in five.conversion.rows)


def content_vit(**options):
    torch.manual_seed(0)
    model = build("field_vit", **{**SIZE, **options})
    with torch.no_grad():
        for block in model.blocks:
            block.mixer.qkv.weight *= 8
    return model


def content_vit_with_nan():
    model = content_vit()
    with torch.no_grad():
        model.blocks[1].mixer.qkv.weight[0, 0] = torch.nan
    return model


@pytest.mark.slow
def test_content_attention_leaves_an_error_that_larger_kernels_reduce():
    model, x = content_vit(), images(48)
    calibration = Calibration(model, x)
    errors = {k: [row.error for row in converted(calibration, k).conversion.rows] for k in (1, 3, 5, "full")}
    assert all(0.05 < error <= 1 for rows in errors.values() for error in rows)
    first = [rows[0] for rows in errors.values()]
    assert first == sorted(first, reverse=True)


def test_the_error_is_that_of_the_layer_on_its_input_and_no_change_of_its_weights_reduces_it():
    model, x = content_vit(depth=1), images(32)
    cnn = as_convolution(model, x, 3, ridge=1e-9)
    layer, (row,) = cnn.blocks[0].mixer, cnn.conversion.rows
    assert isinstance(layer, HeadConvolution)
    with torch.no_grad():
        tokens = model.blocks[0].norm1(model.pos_embed(model.patch_embed(x)))
        wanted = model.blocks[0].mixer(tokens)
        centred = (wanted - wanted.mean((0, 1))).square().sum()

        def error():
            return float((layer(tokens) - wanted).square().sum() / centred)

        least = error()
        assert row.error == pytest.approx(least, rel=1e-4)
        generator = torch.Generator().manual_seed(0)
        for parameter in (layer.weight, layer.proj.weight, layer.proj.bias) * 3:
            change = 1e-2 * parameter.std() * torch.randn(parameter.shape, generator=generator)
            parameter += change
            assert error() > least - 2e-4
            parameter -= change


def test_the_folded_convolution_is_the_layer_away_from_the_border():
    layer = HeadConvolution(8, Grid(6, 6), num_heads=2, head_dim=4, kernel_size=(3, 3)).double()
    nn.init.normal_(layer.weight)
    x = torch.randn(2, 36, 8).double()
    folded = layer.folded()(x.transpose(1, 2).unflatten(2, (6, 6)))
    torch.testing.assert_close(layer(x), folded.flatten(2).transpose(1, 2))  # the gain is 1 everywhere
    cnn = as_convolution(content_vit(), images(), 3)
    mixer = cnn.blocks[0].mixer
    tokens = torch.randn(2, 36, 32)
    ours = mixer(tokens).transpose(1, 2).unflatten(2, (6, 6))[..., 1:-1, 1:-1]
    plain = mixer.folded()(tokens.transpose(1, 2).unflatten(2, (6, 6)))[..., 1:-1, 1:-1]
    torch.testing.assert_close(ours, plain, atol=1e-5, rtol=1e-4)


def test_its_weights_produce_its_output_and_are_a_kernel():
    for model in (content_vit(), timm_vit(reg_tokens=1)):
        x = images(8, 24 if hasattr(model, "grid") else 32)
        cnn = as_convolution(model, x, 3)
        layer = next(module for module in cnn.modules() if isinstance(module, HeadConvolution))
        tokens = torch.randn(2, layer.prefix + layer.grid.size, layer.v.in_features)
        values = layer.v(tokens).unflatten(2, (layer.num_heads, -1)).transpose(1, 2)
        mixed = (layer.attention_map(tokens) @ values).transpose(1, 2).flatten(2)
        torch.testing.assert_close(mixed, layer.mix(tokens), atol=1e-5, rtol=1e-4)


def test_a_vit_with_class_and_register_tokens_is_fitted_with_them():
    torch.manual_seed(0)
    model = timm_vit(reg_tokens=2)
    with torch.no_grad():
        for block in model.blocks:
            block.attn.qkv.weight *= 10
    x = images(48, 32)
    cnn = as_convolution(model, x, "full")
    assert [row.name for row in cnn.conversion.rows] == ["blocks.0.attn", "blocks.1.attn"]
    assert all(row.error < 0.95 for row in cnn.conversion.rows)
    assert cnn.blocks[0].attn.prefix == 3 and cnn(x[:2]).shape == (2, 2)


def test_weights_of_timms_attention_are_those_that_it_uses():
    model = timm_vit(qk_norm=True).eval()
    x = torch.randn(3, 17, 24)
    attention = model.blocks[0].attn
    maps = head_maps(attention)
    assert maps is not None
    with torch.no_grad():
        weights = mean_weights(attention, x[:1]).float()
        values = torch.einsum("hdc,nc->hnd", maps.values, x[0]) + maps.value_bias[:, None]
        made = torch.einsum("hqn,hnd,ohd->qo", weights, values, maps.outputs) + maps.bias
        torch.testing.assert_close(made, attention(x)[0], atol=1e-5, rtol=1e-4)


def test_distillation_comes_closer_to_the_logits():
    model, x = content_vit(depth=1), images(64)
    plain = as_convolution(model, x, 3)
    taught = as_convolution(model, x, 3, distill_steps=40)
    assert logit_error(taught, model, x) < 0.7 * logit_error(plain, model, x)
    assert taught.conversion.distill_steps == 40


def test_distillation_keeps_a_fit_that_it_would_make_worse():
    model = build("field_static", **SIZE)
    plain, taught = (as_convolution(model, images(4), "full", distill_steps=steps) for steps in (0, 3))
    before, after = taught.conversion.logit_errors
    assert before == after == pytest.approx(logit_error(plain, model, images(4)), abs=1e-9)
    assert torch.equal(plain.blocks[0].mixer.weight, taught.blocks[0].mixer.weight)
    assert plain.conversion.logit_errors is None


def test_a_convolution_in_two_positions_comes_back_in_both():
    conv = nn.Conv2d(3, 3, 3, padding=1)
    cnn = nn.Sequential(conv, nn.ReLU(), conv)
    back = as_convolution(vision.as_attention(cnn, 8))
    assert type(back[0]) is nn.Conv2d and back[0] is back[2]
    assert difference(cnn, back, images(2, 8)) < 1e-6


def test_attention_in_two_positions_stays_with_the_reason():
    model = content_vit(depth=3)
    model.blocks[1].mixer = model.blocks[0].mixer
    cnn = as_convolution(model, images(4))
    assert [row.name for row in cnn.conversion.rows] == ["blocks.2.mixer"]
    assert [(one.name, one.reason) for one in cnn.conversion.left] == [
        ("blocks.0.mixer", "it runs 2 times for an image")
    ]


def test_the_original_is_not_changed_and_minibatches_do_not_matter():
    model, x = content_vit(), images(12)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    one, other = (as_convolution(model, x, 3, batch_size=size) for size in (5, 12))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training and not hasattr(model, "conversion")
    torch.testing.assert_close(one.blocks[1].mixer.weight, other.blocks[1].mixer.weight, atol=1e-3, rtol=1e-3)


def test_kernels_of_all_sizes_fit_a_grid_that_is_not_square():
    assert kernel_sides("full", Grid(4, 6)) == (7, 11)
    model = build("field_vit", img_size=(16, 24), patch_size=4, depth=1, embed_dim=16)
    x = torch.randn(6, 3, 16, 24)
    assert as_convolution(model, x, "full").blocks[0].mixer.weight.shape == (4, 7, 11)


@pytest.mark.parametrize("kernel_size", [0, 2, 7, -3, "all", 3.0, True])
def test_a_kernel_that_is_even_or_wider_than_the_grid_is_refused(kernel_size):
    with pytest.raises(ValueError, match=r"odd and at most 6, as the tokens' grid is 6 x 6") as raised:
        as_convolution(content_vit(), images(), kernel_size)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("model", "x", "message"),
    [
        (lambda: timm.create_model("resnet10t"), images(), "needs attention that it can convert, ResNet has"),
        (content_vit, None, "needs calibration images \\(B, C, H, W\\), got none"),
        (content_vit, torch.zeros(0, 3, 24, 24), "got a tensor of shape \\(0, 3, 24, 24\\)"),
        (content_vit, torch.zeros(2, 3, 32, 32), "Backbone does not run on images \\(3, 32, 32\\)"),
        (torchvision_vit, torch.zeros(2, 3, 32, 32), "and cannot convert that of VisionTransformer: encoder"),
        (
            content_vit,
            torch.full((2, 3, 24, 24), torch.nan),
            "blocks.0.mixer has numbers that are not finite",
        ),
        (
            content_vit_with_nan,
            images(2),
            "blocks.1.mixer has numbers that are not finite; check the model's",
        ),
        (
            lambda: build("pit_ti_224", depth=(1, 1, 1)),
            torch.zeros(2, 3, 224, 224),
            "no attention can be converted, transformers.0.blocks.0.attn and 2 more: its tokens are not the",
        ),
    ],
)
def test_bad_input_is_one_sentence(model, x, message):
    with pytest.raises(ValueError, match=message) as raised:
        as_convolution(model(), x)
    assert "\n" not in str(raised.value)


def test_how_convolutional_the_result_is():
    cnn = as_convolution(content_vit(), images(), 3)
    maps = attention_maps(cnn, images(2))
    assert {name: tuple(weights.shape) for name, weights in maps.items()} == {
        f"blocks.{i}.mixer": (2, 4, 36, 36) for i in range(2)
    }
    shares = kernel_shares(cnn, images(3)).table
    assert shares["content"].abs().max() < 1e-9


def test_kernels_of_either_sign_are_kernels_and_have_distances():
    layer = HeadConvolution(8, Grid(5, 5), num_heads=2, head_dim=4, kernel_size=(3, 3)).double()
    with torch.no_grad():  # weights by hand: 3/4 of the magnitude one token to the right, 1/4 on the query
        layer.weight.zero_()
        layer.weight[0, 1, 2], layer.weight[0, 1, 1] = -0.3, 0.1
        layer.weight[1, 1, 1] = -2.0
        layer.gain.uniform_(0.5, 2.0)

    class Patches(nn.Module):
        grid = Grid(5, 5)

        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return self.layer(x.flatten(2).mT)

    x = torch.randn(3, 8, 5, 5).double()
    table = kernel_shares(Patches(), x).table
    assert (table[["kernel_low", "kernel"]] - 1).abs().max().max() < 1e-9
    assert table["col"].tolist() == pytest.approx([0.75, 0.0], abs=1e-9)
    distances = attention_distance(Patches(), x)
    assert set(distances["kind"]) == {"convolution as attention"}
    # In the last of 5 columns the query alone is left.
    assert distances["distance"].tolist() == pytest.approx([0.8 * 0.75, 0.0], abs=1e-9)
    assert attention_rollout(Patches(), x).min() > 0
