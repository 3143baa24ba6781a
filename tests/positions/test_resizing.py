"""Positions on another grid: interpolated, computed again or kept, by kind."""

import numpy as np
import pytest
import torch
from scipy.interpolate import RegularGridInterpolator
from scipy.optimize import brentq
from torch import nn

from vision.fields import full, neighbourhood, tiled
from vision.patches import Grid
from vision.positions import (
    ConditionalPosition,
    LearnedPosition,
    QuadraticBias,
    RelativeBias,
    Rotary,
    create_position,
    resize,
    sinusoidal,
)


def interpolated(table: torch.Tensor, old: Grid, new: Grid) -> torch.Tensor:
    """(1, N, C) -> (1, N_new, C): bicubic, as images, antialiased."""
    images = table.view(old.rows, old.cols, -1).permute(2, 0, 1)[None]
    images = nn.functional.interpolate(images, (new.rows, new.cols), mode="bicubic", antialias=True)
    return images[0].flatten(1).T[None]


@pytest.mark.parametrize(("old", "new"), [(Grid(4, 6), Grid(7, 9)), (Grid(6, 4), Grid(3, 8))])
def test_learned_positions_are_interpolated_as_images(old, new):
    position = LearnedPosition(old, 5)
    before = position.pos_embed.detach().clone()
    resized = resize(position, new)
    torch.testing.assert_close(resized.pos_embed, interpolated(before, old, new))
    assert torch.equal(position.pos_embed, before) and position.grid == old and resized.grid == new
    assert resized(torch.zeros(2, new.size, 5)).shape == (2, new.size, 5)
    frozen = resize(LearnedPosition(old, 5, dtype=torch.bfloat16).requires_grad_(False), new)
    assert frozen.pos_embed.dtype == torch.bfloat16 and not frozen.pos_embed.requires_grad


def test_learned_positions_resized_and_back_are_nearly_the_same():
    grid = Grid(6, 8)
    position = LearnedPosition(grid, 2)
    rows, cols = grid.coordinates().float().unbind(1)
    smooth = torch.stack((torch.sin(rows / 2), torch.cos(cols / 3)), dim=1)[None]
    position.pos_embed.data = smooth
    larger = resize(position, Grid(12, 16))
    by_row, by_col = larger.pos_embed.detach().view(12, 16, 2).unbind(-1)
    assert torch.allclose(by_row, by_row[:, :1]) and torch.allclose(by_col, by_col[:1], atol=1e-6)
    torch.testing.assert_close(resize(larger, grid).pos_embed.detach(), smooth, rtol=0, atol=0.06)
    same = resize(position, grid)
    assert torch.equal(same.pos_embed, position.pos_embed)
    assert same.pos_embed.data_ptr() != position.pos_embed.data_ptr()


def test_formulas_are_computed_again_on_another_grid():
    old, new = Grid(4, 6), Grid(7, 3)
    table = resize(create_position("sinusoidal", old, 8, dtype=torch.float64), new).pos_embed
    assert torch.equal(torch.as_tensor(table)[0], sinusoidal(new, 8))
    rotary, wanted = resize(Rotary(old, 8), new), Rotary(new, 8)
    x = torch.randn(1, 2, 21, 8)
    assert torch.equal(rotary(x), wanted(x)) and rotary.grid == new
    conditional = ConditionalPosition(old, 8)
    moved = resize(conditional, new)
    assert torch.equal(moved.proj.weight, conditional.proj.weight)
    assert moved(torch.zeros(1, 21, 8)).shape == (1, 21, 8)
    assert isinstance(resize(nn.Identity(), new), nn.Identity)


def centres(old: int, new: int) -> np.ndarray:
    """Return where 2 * old - 1 differences lie among the new ones: BEiT's, steps growing by one factor."""
    grown = lambda factor: [factor**step for step in range(old - 1)]  # noqa: E731
    short = lambda factor: sum(grown(factor)) - (new - 1)  # noqa: E731
    factor = 1.5 if short(1.5) < 0 else 1.01 if short(1.01) > 0 else brentq(short, 1.01, 1.5)
    reached = np.cumsum(grown(factor))
    return np.concatenate((-reached[::-1], [0], reached))


@pytest.mark.filterwarnings("ignore:.*non-tuple sequence for multidimensional.*:UserWarning")
@pytest.mark.filterwarnings("ignore:.*searchsorted.*non-contiguous.*:UserWarning")
@pytest.mark.parametrize(
    ("old", "new"), [(Grid(4, 5), Grid(6, 7)), (Grid(3, 4), Grid(6, 5)), (Grid(6, 8), Grid(4, 5))]
)
def test_a_dense_relative_bias_is_interpolated_by_relative_position(old, new):
    bias = RelativeBias(full(old), 2)
    resized = resize(bias, new)
    rows, cols = centres(old.rows, new.rows), centres(old.cols, new.cols)
    away = np.stack(
        np.meshgrid(*(np.arange(1 - n, n) for n in (new.rows, new.cols)), indexing="ij"), axis=-1
    ).astype(float)
    away = np.clip(away, (rows[0], cols[0]), (rows[-1], cols[-1]))
    for head in range(2):
        table = bias.table[head].detach().view(2 * old.rows - 1, -1).double().numpy()
        wanted = RegularGridInterpolator((rows, cols), table)(away)
        np.testing.assert_allclose(resized.table[head].detach().numpy(), wanted.ravel(), atol=1e-6)
    dense = resized()[0].view(2, new.rows, new.cols, new.rows, new.cols)
    assert resized.field == full(new) and torch.equal(dense[:, 0, 1, 1, 0], dense[:, 2, 3, 3, 2])
    # The query's own position keeps its number
    torch.testing.assert_close(dense[:, 1, 1, 1, 1], bias()[0, :, 0, 0])


def test_a_relative_bias_by_offsets_is_the_same_on_any_grid():
    bias = RelativeBias(neighbourhood(Grid(4, 5), 3), 2)
    resized = resize(bias, Grid(7, 7))
    assert torch.equal(resized(), bias()) and resized.field == neighbourhood(Grid(7, 7), 3)
    assert bias.field == neighbourhood(Grid(4, 5), 3)


def test_impossible_resizing_is_refused():
    with pytest.raises(ValueError, match=r"only positions of this package.*Linear"):
        resize(nn.Linear(2, 2), Grid(2, 2))
    with pytest.raises(ValueError, match=r"queries on Grid\(rows=2, cols=2\) and keys on"):
        resize(RelativeBias(full(Grid(2, 2), Grid(4, 3)), 2), Grid(3, 3))
    with pytest.raises(ValueError, match="by offsets or the full one"):
        QuadraticBias(tiled(Grid(4, 4), 2), 2)
