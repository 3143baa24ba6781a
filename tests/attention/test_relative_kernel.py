"""The kernel that is nearest to given weights."""

import pytest
import torch

from vision.attention.relative_kernel import expand, nearest_kernel, relative_offsets, sum_by_offset
from vision.patches import Grid

GRID = Grid(4, 5)


@pytest.fixture
def static():
    """Weights of two heads that depend on the offset alone, through a softmax over the whole grid."""
    offsets, count = relative_offsets(GRID)
    table = torch.randn(2, count, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return table.softmax(-1), table[:, offsets].softmax(-1)


def test_offsets_are_numbered_row_by_row():
    offsets, count = relative_offsets(GRID)
    assert count == 7 * 9 and offsets[0, 0] == offsets[19, 19] == 3 * 9 + 4
    assert offsets[0, 19] == count - 1 and offsets[19, 0] == 0 and offsets[0, 1] == 3 * 9 + 5


def test_static_attention_is_its_own_nearest_kernel(static):
    table, weights = static
    offsets, count = relative_offsets(GRID)
    kernel = nearest_kernel(weights, offsets, count)
    assert (kernel - table).abs().max() < 1e-10
    assert (expand(kernel, offsets) - weights).abs().max() < 1e-12


@pytest.mark.parametrize("alpha", [0.1, 1.0, 4.0])
def test_a_sharp_kernel_away_from_its_query_is_reproduced(alpha):
    offsets, count = relative_offsets(GRID)
    place = GRID.coordinates().double()
    centre = torch.tensor([0.3, -1.6], dtype=torch.float64)
    weights = (-alpha * (place[None] - place[:, None] - centre).square().sum(-1)).softmax(-1)[None]
    kernel = nearest_kernel(weights, offsets, count)
    assert (expand(kernel, offsets) - weights).abs().max() < 1e-6


def test_queries_without_a_key_are_left_out():
    offsets, count = relative_offsets(GRID)
    shift = (offsets == count // 2 + 1).double()[None]  # one to the right: none in the last column
    kernel = nearest_kernel(shift, offsets, count)
    assert kernel[0, count // 2 + 1] == 1 and kernel.sum() == 1
    assert torch.equal(expand(kernel, offsets), shift)


def test_no_small_change_of_the_kernel_is_nearer():
    offsets, count = relative_offsets(GRID)
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn(1, 20, 20, dtype=torch.float64, generator=generator).mul(2).softmax(-1)

    def error(kernel):
        return float((expand(kernel, offsets) - weights).square().sum())

    kernel = nearest_kernel(weights, offsets, count)
    least = error(kernel)
    assert least < error(torch.ones(1, count, dtype=torch.float64))
    for _ in range(20):
        change = torch.randn(1, count, dtype=torch.float64, generator=generator)
        assert error(kernel * (1e-3 * change).exp()) > least * (1 - 1e-6)


def test_sums_by_offset_are_those_of_a_loop():
    offsets, count = relative_offsets(Grid(2, 2))
    weights = torch.arange(2 * 3 * 16.0).view(2, 3, 4, 4)
    sums = sum_by_offset(weights, offsets, count)
    for number in range(count):
        assert torch.equal(sums[..., number], (weights * (offsets == number)).sum((2, 3)))
