"""Convolutions that the tests of soft convolutions share."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

CASES: dict[str, dict[str, Any]] = {
    "plain": {"kernel_size": 3, "padding": 1},
    "stride": {"kernel_size": 3, "padding": 1, "stride": 2},
    "strides": {"kernel_size": 3, "padding": (1, 0), "stride": (3, 1)},
    "dilation": {"kernel_size": 3, "padding": 2, "dilation": 2},
    "same": {"kernel_size": (3, 5), "padding": "same"},
    "groups": {"kernel_size": 3, "padding": 1, "groups": 2},
    "depthwise": {"kernel_size": 3, "padding": 1, "groups": 4, "bias": False},
    "even": {"kernel_size": 2, "padding": 1},
    "even and stride": {"kernel_size": 4, "padding": 1, "stride": 2},
    "rectangle": {"kernel_size": (1, 5), "padding": (0, 2)},
    "no padding": {"kernel_size": 3},
    "padding beyond the kernel": {"kernel_size": 3, "padding": 4},
}
ALL = pytest.mark.parametrize("case", CASES)
PADDED = pytest.mark.parametrize("case", [name for name, given in CASES.items() if given.get("padding", 0)])


def example_images() -> Tensor:
    return torch.randn(2, 4, 9, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def conv_of(case: str, mode: Any = "zeros") -> nn.Conv2d:
    torch.manual_seed(1)
    return nn.Conv2d(4, 8, padding_mode=mode, dtype=torch.float64, **CASES[case])


def distance(one: Tensor, other: Tensor) -> float:
    """Largest Euclidean distance over channels."""
    assert one.shape == other.shape
    return float((one - other).norm(dim=1).max().detach())


def radius(images: Tensor) -> float:
    return float(images.norm(dim=1).max().detach())
