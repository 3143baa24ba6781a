"""What a conversion must never silently get wrong: hooks, subclasses, other readers, and more."""

import copy
import pickle
from dataclasses import dataclass
from typing import Any

import pytest
import timm
import torch
from timm.layers import convert_sync_batchnorm
from timm.layers.norm_act import BatchNormAct2d
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune

import vision
import vision.soften
from vision.convert import attention_layers, set_explicit
from vision.inspection import composed_field, gradient_support

# Converted models and their layers have attributes that nn.Module does not declare.
as_attention: Any = vision.as_attention
soften: Any = vision.soften.soften
create_model: Any = timm.create_model


def randomized(model: nn.Module) -> Any:
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for tensor in (module.running_mean, module.running_var, module.weight, module.bias):
                assert tensor is not None
                tensor.data.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return model.double().eval()


def assert_equal(model: nn.Module, converted: nn.Module, x: torch.Tensor, **arguments):
    for explicit in (False, True):
        set_explicit(converted, explicit)
        torch.testing.assert_close(
            converted(x, **arguments), model(x, **arguments), rtol=0, atol=1e-11, equal_nan=True
        )


class Doubled(nn.BatchNorm2d):
    def forward(self, input):
        return 2 * super().forward(input)


def test_a_batch_norm_with_an_overridden_forward_stays_and_is_listed():
    model = randomized(nn.Sequential(nn.Conv2d(3, 4, 3), Doubled(4)))
    converted = as_attention(model, 8)
    assert_equal(model, converted, torch.randn(2, 3, 8, 8).double())
    assert "an overridden forward" in converted.conversion.left_text()
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
    assert "hooks" in converted.conversion.left_text()


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


class Optional(nn.Module):
    """A forward with arguments that may be left out."""

    def forward(self, x, scale=None, skip=None):
        x = F.max_pool2d(x, 2) * (2.0 if scale is None else scale)
        return x if skip is None else x + skip


def test_arguments_that_were_left_out_may_be_given():
    model, x = nn.ModuleDict({"inner": Optional()})["inner"], torch.randn(2, 3, 8, 8).double()
    converted = as_attention(model, (3, 8, 8), strict=True)
    assert [row.kind for row in converted.conversion.rows] == ["max pool"]
    assert_equal(model, converted, x)
    assert_equal(model, converted, x, scale=3.0)
    assert_equal(model, converted, x, skip=torch.ones(2, 3, 4, 4).double())


class Computed(nn.Module):
    """Pools whose numbers come from the size of the image."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what

    def forward(self, x):
        if self.what == "average":
            return F.avg_pool2d(x, x.size()[2:])
        if self.what == "maximum":
            return F.max_pool2d(x, kernel_size=x.size()[2:])
        return F.adaptive_avg_pool2d(x, (x.shape[2] // 2, 1))


@pytest.mark.parametrize("what", ["average", "maximum", "half"])
def test_numbers_from_the_images_size_serve_other_sizes(what):
    model = Computed(what)
    converted = as_attention(model, (3, 8, 8))
    assert bool(converted.conversion.left) == (what == "half")
    for side in (8, 12):
        assert_equal(model, converted, torch.randn(2, 3, side, side + 1).double())


@pytest.mark.parametrize("pool", [nn.AdaptiveAvgPool2d((None, 1)), nn.AdaptiveMaxPool2d((2, None))])
def test_adaptive_pools_that_leave_an_axis_serve_other_sizes(pool):
    converted = as_attention(pool, (3, 8, 8))
    assert_equal(pool, converted, torch.randn(2, 3, 12, 9).double())


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


def test_frozen_parameters_stay_frozen():
    for heads in ("kernel", "min"):
        model = randomized(create_model("resnetv2_50")).requires_grad_(False)
        converted = as_attention(model, 32, heads=heads)
        assert not any(parameter.requires_grad for parameter in converted.parameters())


class Functions(nn.Module):
    def __init__(self, call) -> None:
        super().__init__()
        self.call = call

    def forward(self, x):
        return self.call(x)


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda x: torch.mean(input=x, dim=(2, 3)), "average pool"),
        (lambda x: x.mean(axis=(2, 3)), "average pool"),
        (lambda x: torch.max_pool2d(x, 3, 2, 0, 1, True), "max pool"),
        (lambda x: x.mean((2, 3), dtype=torch.float64), None),
        (lambda x: x.mean((2, 3), keepdim=True), None),
    ],
)
def test_other_ways_to_spell_a_call(call, kind):
    model = Functions(call)
    converted = as_attention(model, (3, 9, 9))
    assert_equal(model, converted, torch.randn(2, 3, 9, 9).double())
    assert [row.kind for row in converted.conversion.rows] == ([kind] if kind else [])
    assert not converted.conversion.left


@pytest.mark.parametrize(
    "call", [lambda x: F.max_pool2d(x, 2, return_indices=True)[0], lambda x: torch.fft.fft2(x).real]
)
def test_other_modules_that_mix_positions_are_listed(call):
    assert as_attention(Functions(call), (3, 8, 8)).conversion.left


def test_a_convolution_over_channels_before_the_stem_does_not_decide_the_images():
    class Early(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate, self.conv = nn.Conv1d(1, 1, 3, padding=1), nn.Conv2d(3, 4, 3)

        def forward(self, x):
            x = self.conv(x)
            return x * self.gate(x.mean((2, 3)).unsqueeze(1)).transpose(1, 2).unsqueeze(-1)

    model = Early().double().eval()
    converted = as_attention(model, (3, 16, 16), strict=True)
    assert_equal(model, converted, torch.randn(2, 3, 16, 16).double())


def test_windows_of_torchvisions_swin_are_not_attention_over_channels():
    from torchvision.models import swin_t

    rows = as_attention(swin_t().eval(), 224).conversion.rows
    first = next(row for row in rows if row.kind.startswith("attention"))
    assert (first.kind, first.keys, first.density) == ("attention in windows", 56 * 56, 1 / 64)
    rows = as_attention(create_model("edgenext_xx_small").eval(), 64).conversion.rows
    assert "attention over channels" in {row.kind for row in rows}


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


class Unstable(nn.Module):
    """Reads a number that a replaced module no longer has."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return self.conv(x) * self.conv.transposed


def test_what_no_rule_foresaw_is_found_by_running_the_result():
    with pytest.raises(ValueError, match=r"converted model does not run.*transposed"):
        as_attention(Unstable().eval(), 8)


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
