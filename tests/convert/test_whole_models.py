"""Whole models as masked attention: equal logits, what is folded, what is left, what is wrong."""

import copy
import warnings
from itertools import pairwise
from typing import Any

import pytest
import timm
import torch
import torchvision
from equivalence import FAMILIES, build, compare
from torch import nn
from torch.nn import functional as F

import vision
import vision.soften
from vision.convert import attention_layers, set_explicit
from vision.convert.layers.geometry import ConvNd

# Converted models and their layers have attributes that nn.Module does not declare.
as_attention: Any = vision.as_attention
soften: Any = vision.soften.soften
create_model: Any = timm.create_model


def trained(model: nn.Module, seed: int = 0) -> Any:
    """A model in evaluation mode whose batch norms have statistics and scales as training leaves them."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            drawn = torch.rand(4, module.num_features, generator=generator)
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.copy_(drawn[0] - 0.5)
            module.running_var.copy_(drawn[1] + 0.5)
            if module.affine:
                module.weight.data.copy_(drawn[2] + 0.5)
                module.bias.data.copy_(drawn[3] - 0.5)
    return model.eval()


def relative(got: torch.Tensor, wanted: torch.Tensor) -> float:
    return float(((got - wanted).abs().max() / wanted.abs().max()).detach())


# One small model of each kind of layer; all others are left to the slow suite.
FAST = (
    *("EfficientNet, TensorFlow's padding", "ConvNeXt", "SqueezeNet", "ResNet with a CIFAR stem"),
    *("this suite's CNN", "ResNet with blur pools", "SE-ResNet", "RegNet"),
)


@pytest.mark.parametrize(
    "family", [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in FAMILIES]
)
def test_logits_are_equal_and_nothing_convolutional_is_left(family):
    name, shape = FAMILIES[family]
    model = build(name)
    before = copy.deepcopy(model.state_dict())
    comparison = compare(model, shape)
    errors, summary = comparison.errors, comparison.summary
    assert max(error for key, error in errors.items() if key.startswith("float32")) <= 1e-4
    assert max(error for key, error in errors.items() if key.startswith("float64")) <= 1e-10
    assert len(errors) == 4 and not summary.left
    after = model.float().state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items()), "the model is unchanged"
    kinds = ConvNd, nn.modules.pooling._MaxPoolNd, nn.modules.pooling._AvgPoolNd
    assert not [m for m in comparison.converted.modules() if isinstance(m, (*kinds, nn.BatchNorm2d))]
    layers = dict(attention_layers(comparison.converted))
    assert set(layers) == {row.name for row in summary.rows if not row.kind.startswith("attention")}


@pytest.mark.slow
def test_fewest_heads_and_soft_pools_in_a_whole_model():
    torch.manual_seed(0)
    model = trained(create_model("resnetblur18")).double()
    x = torch.randn(2, 3, 64, 64).double()
    few = as_attention(model, 64, heads="min", explicit=True)
    assert relative(few(x), model(x)) <= 1e-10
    heads = {row.name: row.heads for row in few.conversion.rows}
    assert heads["layer2.0.aa"] == 1 and heads["layer1.0.conv1"] == 9
    errors = [relative(as_attention(model, 64, pooling="soft", beta=b)(x), model(x)) for b in (10, 1e4)]
    assert errors[1] < 1e-2 * errors[0]


class Functions(nn.Module):
    """The tutorials' network: pools, and one convolution, as functions in its forward."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)
        self.weight = nn.Parameter(torch.randn(8, 8, 3, 3))
        self.fc = nn.Linear(32, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), kernel_size=2)
        x = F.conv2d(x, 2 * self.weight, padding=1)
        x = F.adaptive_avg_pool2d(x, 2)
        x = F.dropout(x, 0.5, self.training)
        return self.fc(x.view(x.size(0), -1))

    def features(self, x):
        return self.conv1(x)


@pytest.mark.parametrize("explicit", [False, True])
def test_functions_in_a_forward_become_layers(explicit):
    torch.manual_seed(0)
    model, x = Functions().double().eval(), torch.randn(2, 3, 20, 20).double()
    converted = as_attention(model, 20, explicit=explicit, strict=True)
    torch.testing.assert_close(converted(x), model(x), rtol=0, atol=1e-12)
    kinds = [row.kind for row in converted.conversion.rows]
    assert kinds == ["convolution", "max pool", "convolution", "max pool", "convolution", "average pool"]
    # Still the same class with its methods, and its kernel still learns through the layer.
    assert isinstance(converted, Functions) and type(converted) is not Functions
    torch.testing.assert_close(converted.features(x), model.features(x), rtol=0, atol=1e-12)
    for one in (model, converted):
        one.train()
        torch.manual_seed(1)
        one(x).square().sum().backward()
    torch.testing.assert_close(converted.weight.grad, model.weight.grad)
    assert type(model) is Functions


class Two(nn.Module):
    """A convolution whose output a batch norm reads, and something else too."""

    def __init__(self, also: str) -> None:
        super().__init__()
        self.conv, self.norm, self.also = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), also

    def forward(self, x):
        x = self.conv(x)
        if self.also == "a sum":
            return self.norm(x) + x
        if self.also == "the model's output":
            return self.norm(x), x
        return self.norm(x).relu()


@pytest.mark.parametrize("also", ["", "a sum", "the model's output"])
def test_batch_norm_is_folded_only_where_nothing_else_reads(also):
    torch.manual_seed(0)
    model, x = trained(Two(also)).double(), torch.randn(2, 3, 8, 8).double()
    converted = as_attention(model, 8)
    torch.testing.assert_close(converted(x), model(x), rtol=0, atol=1e-12)
    assert (converted.conversion.folded, converted.conversion.kept) == (
        ({}, ["norm"]) if also else ({"conv": "norm"}, [])
    )


def test_batch_norm_after_a_shared_convolution_is_kept():
    conv = nn.Conv2d(3, 3, 3, padding=1)
    model = trained(nn.Sequential(conv, nn.BatchNorm2d(3), nn.ReLU(), conv, nn.BatchNorm2d(3))).double()
    converted, x = as_attention(model, 8), torch.randn(2, 3, 8, 8).double()
    torch.testing.assert_close(converted(x), model(x), rtol=0, atol=1e-12)
    assert converted[0] is converted[3] and converted.conversion.kept == ["1", "4"]


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize(
    "conv", [nn.ConvTranspose2d(4, 6, 3, 2, groups=2), nn.Conv2d(4, 6, 3, groups=2, bias=False)]
)
def test_folding_into_other_convolutions(conv, affine):
    model = trained(nn.Sequential(conv, nn.BatchNorm2d(6, affine=affine))).double()
    converted, x = as_attention(model, (4, 6, 6)), torch.randn(2, 4, 6, 6).double()
    assert converted.conversion.folded == {"0": "1"}
    torch.testing.assert_close(converted(x), model(x), rtol=0, atol=1e-12)


def test_batch_norm_in_training_mode_stays_and_is_listed():
    model = create_model("resnet10t")
    converted = as_attention(model, 64)
    left = converted.conversion.left
    assert len(left) == sum(isinstance(m, nn.BatchNorm2d) for m in model.modules())
    assert all("model.eval()" in one.reason for one in left)
    x = torch.randn(4, 3, 64, 64)
    torch.testing.assert_close(converted(x), model(x), rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match=r"strict=True, but \d+ cannot be converted: .*BatchNorm"):
        as_attention(model, 64, strict=True)


class Odd(nn.Module):
    """Modules that no masked attention equals, and one that never runs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.up, self.unused = nn.Conv2d(3, 3, 3), nn.Upsample(scale_factor=2), nn.Conv2d(1, 1, 1)
        self.power, self.pool = nn.LPPool2d(2, 2), nn.MaxPool2d(2, return_indices=True)

    def forward(self, x):
        values, positions = self.pool(self.power(self.up(self.conv(x))))
        return F.max_unpool2d(values, positions, (2, 2))


def test_what_cannot_be_converted_is_left_and_listed_with_its_reason():
    model, x = Odd().double().eval(), torch.randn(2, 3, 10, 10).double()
    converted = as_attention(model, 10)
    torch.testing.assert_close(converted(x), model(x), rtol=0, atol=1e-12)
    left = {one.name: one.reason for one in converted.conversion.left}
    assert set(left) == {"up", "power", "pool", ""} and converted.conversion.idle == ["unused"]
    assert "resamples" in left["up"] and "return_indices" in left["pool"]
    with pytest.raises(ValueError, match=r"power \(LPPool2d\)"):
        as_attention(model, 10, strict=True)


class Untraceable(nn.Module):
    """A pool in a forward that looks at its numbers."""

    def forward(self, x):
        return F.avg_pool2d(x, 2) if x.sum() > -1e9 else x


class AcrossTheBatch(nn.Module):
    """A convolution of which every image brings its own kernel, folded into groups."""

    def forward(self, x):
        kernels = x.mean((2, 3)).view(-1, 1, 1, 1).expand(-1, 1, 3, 3)
        return F.conv2d(x.flatten(0, 1).unsqueeze(0), kernels, groups=x.shape[0] * x.shape[1])


@pytest.mark.parametrize(
    ("model", "reason"), [(Untraceable(), "cannot be traced"), (AcrossTheBatch(), "mixes the images")]
)
def test_calls_that_cannot_be_converted_are_left(model, reason):
    model, x = model.double(), torch.randn(2, 3, 8, 8).double()
    converted = as_attention(model, (3, 8, 8))
    torch.testing.assert_close(converted(x), model(x), rtol=0, atol=0)
    assert reason in converted.conversion.left_text()


@pytest.mark.parametrize(
    ("name", "blocks"), [("vit_tiny_patch16_224", 12), ("field_vit", 4), ("swin_tiny_patch4_window7_224", 12)]
)
def test_a_vision_transformer_keeps_its_attention_and_its_stem_converts(name, blocks):
    model = create_model(name).eval()
    shape = model.pretrained_cfg["input_size"]
    converted, x = as_attention(model), torch.randn(1, *shape)
    with torch.no_grad():
        assert relative(set_explicit(converted, True)(x), model(x)) <= 1e-4
    stem, *rest = converted.conversion.rows
    assert stem.kind == "convolution" and stem.null_share == 0
    attention = [row for row in rest if row.kind.startswith("attention")]
    assert len(attention) == blocks and not converted.conversion.left
    if name == "vit_tiny_patch16_224":
        assert {(row.heads, row.keys, row.density) for row in attention} == {(3, 197, 1.0)}
    if name.startswith("swin"):
        assert attention[0].density == 1 / 64 and attention[0].keys == 56 * 56


def test_torchvisions_vision_transformer_is_recognised():
    model: Any = torchvision.models.VisionTransformer(32, 8, 2, 4, 16, 32, num_classes=5).eval()
    nn.init.normal_(model.heads.head.weight)
    converted, x = as_attention(model, 32), torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(converted(x), model(x), rtol=1e-4, atol=1e-4)
    assert [(row.kind, row.heads, row.keys) for row in converted.conversion.rows] == [
        ("convolution", 64, 32 * 32),
        ("attention", 4, 17),
        ("attention", 4, 17),
    ]


def test_the_summary_counts():
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1)).eval()
    summary = as_attention(model, (8, 10)).conversion
    conv, pool, mean = summary.rows
    assert (conv.kernel, conv.heads, conv.tokens) == ("3x3", 9, "80")
    empty = 1 - (3 * 8 - 2) * (3 * 10 - 2) / (9 * 80)
    assert conv.null_share == pytest.approx(empty) and conv.density == pytest.approx((1 - empty) * 9 / 80)
    assert (pool.kernel, pool.heads, pool.tokens, pool.density) == ("2x2", 2, "80 -> 20", 4 / 80)
    assert (mean.kernel, mean.heads, mean.tokens, mean.density) == ("4x5", 1, "20 -> 1", 1.0)
    assert "80 -> 20" in str(summary) and summary.input_shape == (1, 8, 10)


def test_the_share_of_null_rows_at_a_border():
    summary = as_attention(nn.Conv2d(1, 1, 3, padding=1), (1, 8, 10)).conversion
    assert summary.rows[0].null_share == pytest.approx(0.14, abs=0.005)
    summary = as_attention(nn.Conv2d(1, 1, 5, padding=2), (1, 8, 10)).conversion
    assert summary.rows[0].null_share == pytest.approx(0.25, abs=0.01)


def test_a_converted_model_runs_on_other_sizes():
    model = trained(create_model("tf_efficientnet_lite0")).double()
    converted = as_attention(model, 64)
    x = torch.randn(2, 3, 77, 90).double()
    for explicit in (False, True):
        torch.testing.assert_close(set_explicit(converted, explicit)(x), model(x), rtol=0, atol=1e-11)


def test_a_converted_model_trains_saves_and_copies():
    torch.manual_seed(0)
    model = as_attention(create_model("field_cnn", embed_dim=16, depth=2).eval())
    x, y = torch.randn(8, 3, 32, 32), torch.arange(8)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    losses = []
    for _ in range(10):
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    again = copy.deepcopy(model)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(x), model(x))
    converted_again = as_attention(create_model("field_cnn", embed_dim=16, depth=2).eval())
    converted_again.load_state_dict(model.state_dict())
    assert torch.equal(converted_again(x), model(x))


def test_a_softened_model_starts_as_the_cnn():
    torch.manual_seed(0)
    model = trained(create_model("resnet18_small", num_classes=4)).double()
    x = torch.randn(2, 3, 16, 16).double()
    converted = as_attention(model, 16)
    errors = [relative(soften(converted, alpha=alpha)(x), model(x)) for alpha in (8.0, 12.0, 16.0)]
    assert errors[0] < 0.1
    slopes = [float(torch.tensor(b / a).log()) / 4 for a, b in pairwise(errors)]
    assert all(-1.2 < slope < -0.8 for slope in slopes), slopes


def test_a_softened_model_learns_its_field():
    torch.manual_seed(0)
    model = create_model("field_cnn", num_classes=4, embed_dim=16, depth=2).eval()
    x, y = torch.randn(8, 3, 32, 32), torch.arange(8) % 4
    softened = soften(as_attention(model), alpha=3.0)
    before = {name: p.detach().clone() for name, p in softened.named_parameters()}
    learns = [name for name in before if name.endswith(("centres", "alpha", "q.weight"))]
    assert len(learns) == 9 and not any(before[name].any() for name in learns if name.endswith("q.weight"))
    optimizer = torch.optim.Adam(softened.parameters(), 1e-2)
    losses = []
    for _ in range(8):
        loss = F.cross_entropy(softened(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    after = dict(softened.named_parameters())
    assert not any(torch.equal(after[name], before[name]) for name in learns)


def test_compiled_and_exported():
    model = trained(Two("")).float()
    converted, x = as_attention(model, 8), torch.randn(2, 3, 8, 8)
    for explicit in (False, True):
        set_explicit(converted, explicit)
        exported = torch.export.export(converted, (x,)).module()
        torch.testing.assert_close(exported(x), model(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": "few"}, r"heads must be 'kernel' or 'min', got 'few'"),
        ({"pooling": "average"}, r"pooling must be 'exact' or 'soft', got 'average'"),
        ({"beta": 0.0}, r"beta must be a finite number above 0, got 0.0"),
        ({"input_size": 0}, r"input_size must be one number, 2 numbers, or \(channels, \*size\).*got 0"),
        ({"input_size": (3, 8, 8, 8)}, r"does not run on images of shape \(3, 8, 8, 8\)"),
        ({"input_size": (5, 64, 64)}, r"does not run on images of shape \(5, 64, 64\)"),
        ({"input_size": 1}, r"does not run on images of shape \(3, 1, 1\)"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
    with pytest.raises(ValueError, match=message):
        as_attention(model, **({"input_size": 16} | options))


def test_models_without_a_configuration():
    one = nn.Sequential(nn.Conv1d(2, 3, 3), nn.AvgPool1d(2))
    with pytest.raises(ValueError, match=r"input_size must be one number, or"):
        as_attention(one)
    assert as_attention(one, 12)[0].input_size == (12,)
    assert as_attention(nn.Conv2d(4, 4, 3)).input_size == (224, 224)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        as_attention(nn.Sequential(nn.Conv3d(1, 2, 3), nn.MaxPool3d(2)), (6, 7, 8))
