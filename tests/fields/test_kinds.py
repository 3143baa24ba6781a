"""Kinds of fields against gradients of convolutions, Swin's mask, and by hand."""

from typing import Any

import pytest
import timm
import torch
from field_cases import CONVOLUTIONS
from torch import nn

from vision.fields import Field, convolution, full, kernel_positions, neighbourhood, tiled, tiles, truncated
from vision.patches import Grid

GRID = Grid(6, 7)


def gradient_support(grid: Grid, **options) -> torch.Tensor:
    """Return bool (N_query, N_key): where the output of an nn.Conv2d of ones depends on its input."""
    conv = nn.Conv2d(1, 1, bias=False, **options)
    nn.init.ones_(conv.weight)
    jacobian = torch.autograd.functional.jacobian(
        lambda x: conv(x).flatten(), torch.zeros(1, 1, grid.rows, grid.cols)
    )
    return jacobian.flatten(1) != 0


def receptive_field(*layers: Field) -> torch.Tensor:
    """Return bool (N_query, N_key): which inputs of the first layer reach each output of the last."""
    reached = layers[0].mask()
    for layer in layers[1:]:
        reached = (layer.mask().float() @ reached.float()) > 0
    return reached


@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
def test_mask_is_the_gradient_support_of_the_convolution(options):
    grid = Grid(7, 6)
    field = convolution(grid, **options)
    assert torch.equal(field.mask(), gradient_support(grid, **options))


def test_two_3x3_compose_to_one_5x5_and_dilation_to_a_wider_one():
    grid = Grid(9, 8)
    three, five = neighbourhood(grid, 3), neighbourhood(grid, 5)
    assert torch.equal(receptive_field(three, three), five.mask())
    dilated = receptive_field(three, neighbourhood(grid, 3, dilation=3))
    # Only where no layer's field is clipped: at the border some positions on the way are missing.
    assert torch.equal(dilated[4 * 8 + 4], neighbourhood(grid, 9).mask()[4 * 8 + 4])


def test_strided_layers_compose_to_the_receptive_field_of_the_network():
    grid = Grid(8, 8)
    first = neighbourhood(grid, 3, stride=2)
    second = neighbourhood(first.queries, 3, stride=2)
    net = nn.Sequential(nn.Conv2d(1, 1, 3, 2, 1, bias=False), nn.Conv2d(1, 1, 3, 2, 1, bias=False))
    for weight in net.parameters():
        nn.init.ones_(weight)
    jacobian = torch.autograd.functional.jacobian(lambda x: net(x).flatten(), torch.zeros(1, 1, 8, 8))
    assert torch.equal(receptive_field(first, second), jacobian.flatten(1) != 0)


def test_a_window_as_wide_as_the_grid_is_full():
    grid = Grid(4, 3)
    assert torch.equal(neighbourhood(grid, 7).mask(), full(grid).mask())
    assert not torch.equal(neighbourhood(grid, 5).mask(), full(grid).mask())
    assert torch.equal(receptive_field(*[neighbourhood(grid, 3)] * 3), full(grid).mask())


def test_truncated_is_a_band():
    position = torch.arange(10)
    away = (position[None] - position[:, None]).abs()
    assert torch.equal(truncated(10, 5).mask(), away <= 2)
    assert torch.equal(truncated(10, 3, dilation=3).mask(), (away == 0) | (away == 3))


def test_kernel_positions_are_disjoint_and_make_the_field():
    field = convolution(Grid(5, 5), (2, 3), stride=2, padding=1)
    heads = kernel_positions(field)
    assert len(heads) == 6
    total = torch.stack([head.mask() for head in heads]).sum(0)
    assert torch.equal(total, field.mask().long())
    assert all(head.mask().sum(1).max() <= 1 for head in heads)


def test_tiles_by_hand():
    def ends(*given, **shift):
        return [(span.start, span.stop) for span in tiles(*given, **shift)]

    assert ends(6, 3) == [(0, 3), (3, 6)]
    assert ends(7, 3) == [(0, 3), (3, 6), (6, 7)]
    assert ends(6, 3, shift=1) == [(0, 1), (1, 4), (4, 6)]
    assert ends(5, 4, shift=2) == [(0, 2), (2, 5)]
    assert ends(4, 4, shift=2) == ends(4, 9) == [(0, 4)]


@pytest.mark.parametrize("shift", [0, 1])
def test_tiled_by_hand(shift):
    # Which tile each position of a 4 x 5 grid lies in, window 2.
    by_shift = {
        0: ["aabbc", "aabbc", "ddeef", "ddeef"],
        1: ["abbcc", "deeff", "deeff", "ghhii"],
    }
    tile = [letter for row in by_shift[shift] for letter in row]
    expected = torch.tensor([[one == other for other in tile] for one in tile])
    field = tiled(Grid(4, 5), 2, shift=shift)
    assert torch.equal(field.mask(), expected)
    assert field.columns == 4 and field.is_linear


def test_shifted_tiles_have_the_mask_of_swins_cyclic_shift():
    block = timm.models.swin_transformer.SwinTransformerBlock(
        4, input_resolution=(6, 9), num_heads=1, window_size=3, shift_size=1, always_partition=True
    )
    # (windows, 9, 9), in Swin's order: shifted, then cut into windows
    mask = torch.as_tensor(block.attn_mask) == 0
    position = torch.arange(54).view(6, 9).roll((-1, -1), (0, 1))
    position = position.view(2, 3, 3, 3).transpose(1, 2).reshape(6, 9)
    expected = torch.zeros(54, 54, dtype=torch.bool)
    for window, allowed in zip(position, mask, strict=True):
        expected[window[:, None], window] = allowed
    assert torch.equal(tiled(Grid(6, 9), 3, shift=1).mask(), expected)


@pytest.mark.parametrize(("window", "shift"), [(7, 0), (7, 3), (10, 9)])
def test_a_tile_at_least_as_long_as_the_grid_is_full(window, shift):
    assert torch.equal(tiled(GRID, window, shift=shift).mask(), full(GRID).mask())
    assert not torch.equal(tiled(GRID, 6, shift=0).mask(), full(GRID).mask())


def test_truncated_keeps_the_grid_and_reads_its_tokens_in_order():
    cases: tuple[dict[str, Any], ...] = (
        {"window": 5},
        {"window": 3, "dilation": 6},
        {"window": 9, "causal": True},
    )
    for options in cases:
        line, kept = truncated(GRID.size, **options), truncated(GRID, **options)
        assert kept.queries == kept.keys == GRID and kept.columns == line.columns
        assert torch.equal(kept.mask(), line.mask())
        for one, other in zip(kept.neighbours(), line.neighbours(), strict=True):
            assert torch.equal(one, other)
    assert truncated(Grid(1, 9), 3) == truncated(9, 3)


@pytest.mark.parametrize(
    ("causal", "both"),
    [
        (truncated(GRID, 7, dilation=2, causal=True), truncated(GRID, 7, dilation=2)),
        (truncated(42, 7, causal=True), truncated(42, 7)),
        (neighbourhood(GRID, 5, causal=True), neighbourhood(GRID, 5)),
        (neighbourhood(GRID, 3, dilation=2, causal=True), neighbourhood(GRID, 3, dilation=2)),
    ],
)
def test_causal_is_the_lower_triangle_of_the_field(causal, both):
    assert torch.equal(causal.mask(), both.mask().tril())
    assert causal.columns == (both.columns + 1) // 2


def test_errors_of_windows_and_tiles():
    with pytest.raises(ValueError, match=r"shift in 0 to window - 1, got window=3, shift=3"):
        tiled(GRID, 3, shift=3)
    with pytest.raises(ValueError, match="window must be at least 1"):
        tiled(GRID, 0)
    with pytest.raises(ValueError, match="dilation must be at least 1"):
        truncated(9, 3, dilation=0)
