"""Average pooling over a clipped neighbourhood."""

import pytest
import torch

from vision.fields import neighbourhood
from vision.mixers.pooling import Pooling
from vision.patches import Grid

GRID = Grid(4, 5)


def tokens(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kernel_size", [1, 3, 5, 9])
def test_pooling_is_the_mean_over_a_clipped_neighbourhood(kernel_size):
    x = tokens(2, 20, 6)
    shares = neighbourhood(GRID, kernel_size).mask().double()
    mean = shares / shares.sum(1, keepdim=True) @ x
    pooling = Pooling(6, GRID, kernel_size=kernel_size)
    torch.testing.assert_close(pooling(x), mean - x, rtol=0, atol=1e-12)
    pooling = Pooling(6, GRID, kernel_size=kernel_size, subtract=False)
    torch.testing.assert_close(pooling(x), mean, rtol=0, atol=1e-12)
    assert not list(pooling.parameters())


def test_an_even_kernel_is_refused():
    with pytest.raises(ValueError, match="must be odd"):
        Pooling(8, GRID, kernel_size=2)
