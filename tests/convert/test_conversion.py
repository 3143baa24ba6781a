"""What a conversion takes and lists: functions, what is left, a summary, wrong arguments."""

import warnings

import pytest
import torch
from converted_models import as_attention
from torch import nn
from torch.nn import functional as F


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
    assert reason in converted.conversion.unconverted_text()


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
