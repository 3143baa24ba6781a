"""Calls in a forward: other spellings, numbers from the size of the images, what is not seen."""

import pytest
import torch
from converted_models import as_attention, assert_equal, create_model
from torch import nn
from torch.nn import functional as F


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


@pytest.mark.slow
def test_windows_of_torchvisions_swin_are_not_attention_over_channels():
    from torchvision.models import swin_t

    rows = as_attention(swin_t().eval(), 224).conversion.rows
    first = next(row for row in rows if row.kind.startswith("attention"))
    assert (first.kind, first.keys, first.density) == ("attention in windows", 56 * 56, 1 / 64)
    rows = as_attention(create_model("edgenext_xx_small").eval(), 64).conversion.rows
    assert "attention over channels" in {row.kind for row in rows}


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
