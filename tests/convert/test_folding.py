"""Batch norms are folded into convolutions, but not where something else reads what is between."""

import pytest
import torch
from converted_models import as_attention, create_model, trained
from torch import nn

from vision.convert import set_explicit_attention


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


def test_compiled_and_exported():
    model = trained(Two("")).float()
    converted, x = as_attention(model, 8), torch.randn(2, 3, 8, 8)
    for explicit in (False, True):
        set_explicit_attention(converted, explicit)
        exported = torch.export.export(converted, (x,)).module()
        torch.testing.assert_close(exported(x), model(x), rtol=1e-4, atol=1e-4)
