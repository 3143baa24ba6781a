"""What a conversion must never silently get wrong: hooks, subclasses, other readers, and more."""

import copy
import pickle
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from converted_models import as_attention, assert_equal, create_model, randomized
from timm.layers import convert_sync_batchnorm
from timm.layers.norm_act import BatchNormAct2d
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune

import vision
import vision.soften
from vision.convert import attention_layers
from vision.inspection import composed_field, gradient_support

soften: Any = vision.soften.soften


class Doubled(nn.BatchNorm2d):
    def forward(self, input):
        return 2 * super().forward(input)


def test_a_batch_norm_with_an_overridden_forward_stays_and_is_listed():
    model = randomized(nn.Sequential(nn.Conv2d(3, 4, 3), Doubled(4)))
    converted = as_attention(model, 8)
    assert_equal(model, converted, torch.randn(2, 3, 8, 8).double())
    assert "an overridden forward" in converted.conversion.unconverted_text()
    with pytest.raises(ValueError, match="strict"):
        as_attention(model, 8, strict=True)


def test_a_synchronised_norm_keeps_its_activation():
    model = randomized(convert_sync_batchnorm(nn.Sequential(nn.Conv2d(3, 4, 3), BatchNormAct2d(4))))
    converted = as_attention(model, 8, strict=True)
    assert converted.conversion.folded == {"0": "1"}
    assert_equal(model, converted, torch.randn(2, 3, 8, 8).double())


@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize("kind", ["register_forward_hook", "register_forward_pre_hook"])
def test_a_module_with_hooks_stays_and_is_listed(part, kind):
    model = randomized(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.MaxPool2d(2)))
    scale = (lambda _, x, y: 3 * y) if kind == "register_forward_hook" else (lambda _, x: (3 * x[0],))
    getattr(model[part], kind)(scale)
    converted = as_attention(model, 8)
    assert_equal(model, converted, torch.randn(2, 3, 8, 8).double())
    assert "hooks" in converted.conversion.unconverted_text()


class Reads(nn.Module):
    """A convolution and its norm, of which something else reads, on the side."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.conv, self.norm, self.what = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), what

    def forward(self, x):
        f = self.conv(x)
        y = self.norm(f)
        if self.what == "the kernel":
            return y + self.conv.weight.sum()
        if self.what == "the kernel, tied":
            return F.conv_transpose2d(F.relu(y), self.conv.weight)
        if self.what == "the norm's weight":
            return y + self.norm.weight.sum()
        if self.what == "mT":
            return y + f.mT.mT
        if self.what == "data":
            return y + f.data
        return Pair(y, f).y if self.what == "nothing" else y


@dataclass
class Pair:
    y: torch.Tensor
    f: torch.Tensor


@pytest.mark.parametrize("what", ["the kernel", "the kernel, tied", "the norm's weight", "mT", "data"])
def test_nothing_is_folded_that_something_else_reads(what):
    model = randomized(Reads(what))
    converted = as_attention(model, 8)
    assert not converted.conversion.folded
    assert_equal(model, converted, torch.randn(2, 3, 8, 8).double())
    assert as_attention(randomized(Reads("nothing")), 8).conversion.folded == {"conv": "norm"}


class Structured(Reads):
    def forward(self, x):
        f = self.conv(x)
        return Pair(self.norm(f), f)


def test_nothing_is_folded_that_an_object_gives_out():
    model, x = randomized(Structured("")), torch.randn(2, 3, 8, 8).double()
    converted = as_attention(model, 8)
    got, wanted = converted(x), model(x)
    torch.testing.assert_close((got.y, got.f), (wanted.y, wanted.f), rtol=0, atol=1e-12)


def test_half_precision_does_not_overflow_in_constant_scores():
    conv = nn.Conv2d(64, 8, 3, padding=1).half()
    layer, x = as_attention(conv, (64, 32, 32), explicit=True), 30 * torch.randn(1, 64, 32, 32).half()
    assert conv(x).isfinite().all() and layer(x).isfinite().all()


def test_the_maximum_of_infinite_values_is_exact():
    pool, x = nn.MaxPool2d(2, 2, 1), torch.randn(1, 2, 6, 6).double()
    x[0, 0, :3], x[0, 1, 4, 4] = -torch.inf, torch.inf
    converted = as_attention(pool, (2, 6, 6))
    assert_equal(pool, converted, x)


@pytest.mark.parametrize(
    "wrap",
    [
        nn.utils.parametrizations.weight_norm,
        nn.utils.parametrizations.spectral_norm,
        nn.utils.weight_norm,
        nn.utils.spectral_norm,
        lambda conv: prune.l1_unstructured(conv, "weight", 0.5),
    ],
    ids=["weight_norm", "spectral_norm", "weight_norm hook", "spectral_norm hook", "pruned"],
)
@pytest.mark.filterwarnings("ignore:.*weight_norm.*")
def test_computed_kernels_become_plain_parameters(wrap, tmp_path):
    model = randomized(nn.Sequential(wrap(nn.Conv2d(3, 4, 3)), nn.BatchNorm2d(4)))
    x = torch.randn(2, 3, 8, 8).double()
    with torch.no_grad():
        model(x)
    converted = as_attention(model, 8)
    layer = dict(attention_layers(converted))["0"]
    assert isinstance(layer.weight, nn.Parameter) and "0.weight" in converted.state_dict()
    assert_equal(model, converted, x)
    assert_equal(model, copy.deepcopy(converted), x)
    converted(x).sum().backward()
    converted(x).sum().backward()
    vision.save_converted(converted, tmp_path / "saved")
    other = randomized(nn.Sequential(wrap(nn.Conv2d(3, 4, 3)), nn.BatchNorm2d(4)))
    with torch.no_grad():
        other(x)
    assert torch.equal(vision.load_converted(tmp_path / "saved", other)(x), converted(x))


@pytest.mark.slow
def test_frozen_parameters_stay_frozen():
    for heads in ("kernel", "min"):
        model = randomized(create_model("resnetv2_50")).requires_grad_(False)
        converted = as_attention(model, 32, heads=heads)
        assert not any(parameter.requires_grad for parameter in converted.parameters())


def test_a_softened_or_converted_model_is_refused_by_name(tmp_path):
    converted = as_attention(nn.Conv2d(3, 4, 3, padding=1), 8)
    with pytest.raises(ValueError, match="is converted already"):
        as_attention(converted, 8)
    softened = soften(as_attention(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1)), 8))
    with pytest.raises(ValueError, match="softened model is another"):
        vision.save_converted(softened, tmp_path / "softened")


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (None, {}, "must be an nn.Module"),
        (nn.Conv2d(3, 4, 3), {"input_size": 8.0}, r"input_size must be .*got 8.0"),
        (nn.Conv2d(3, 4, 3), {"beta": "much"}, "beta must be a finite number"),
        (nn.Conv2d(3, 4, 3), {"beta": float("inf")}, "beta must be a finite number"),
    ],
)
def test_wrong_arguments_are_named(model, options, message):
    with pytest.raises(ValueError, match=message):
        as_attention(model, **({"input_size": 8} | options))


def test_explicit_runs_come_back_from_a_file(tmp_path):
    converted = as_attention(nn.Sequential(nn.Conv2d(3, 4, 3)).eval(), 8, explicit=True)
    vision.save_converted(converted, tmp_path / "saved")
    loaded = vision.load_converted(tmp_path / "saved", nn.Sequential(nn.Conv2d(3, 4, 3)))
    assert all(layer.explicit for _, layer in attention_layers(loaded))
    assert pickle.loads(pickle.dumps(loaded.state_dict())).keys() == loaded.state_dict().keys()


def test_every_layer_of_a_model_equals_its_own_convolution():
    model = create_model("field_cnn", depth=1).eval()
    converted = as_attention(model)
    for name, layer in attention_layers(converted):
        size = (layer.input_size[0], 8) if name == "mean_attention" else (8, *layer.input_size)
        channels = getattr(layer, "in_channels", 8)
        x = torch.randn(2, *size) if name == "mean_attention" else torch.randn(2, channels, *layer.input_size)
        torch.testing.assert_close(layer.to_conv()(x), layer(x), rtol=1e-5, atol=1e-5)


def test_norms_over_positions_read_every_position():
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1)
    ).eval()
    assert composed_field(as_attention(model, 8), 8).mask().all()
    assert gradient_support(model, 8).all()
