"""Attention in tiles equals attention with the mask of its field."""

import pytest
import torch
from mixer_checks import DIM, WIDE, make, offsets, tokens

from vision.attention import MultiHeadAttention
from vision.fields import tiled
from vision.mixers.window_attention import WindowAttention
from vision.patches import Grid


@pytest.mark.parametrize(("window", "shift"), [(3, 0), (3, 2), (4, 1), (5, 0), (7, 3)])
@pytest.mark.parametrize("bias", [False, True])
def test_tiles_in_groups_are_attention_with_the_mask_of_the_field(window, shift, bias):
    grid = Grid(9, 8)
    made = make(WindowAttention, grid, window=window, shift=shift, relative_bias=bias)
    assert not made.masked
    masked = MultiHeadAttention(DIM, 4, field=tiled(grid, window, shift=shift), relative_bias=bias, **WIDE)
    masked.load_state_dict({k: v for k, v in made.state_dict().items() if "table" not in k}, strict=False)
    if bias:  # the same numbers, where the table has one for every difference on the grid
        away = offsets(made.tile)
        table = torch.zeros(4, 2 * grid.rows - 1, 2 * grid.cols - 1, **WIDE)
        row, col = (away + torch.tensor((grid.rows - 1, grid.cols - 1))).unbind(-1)
        assert made.relative_bias is not None
        table[:, row, col] = made.relative_bias()[0].detach()
        assert masked.relative_bias is not None
        masked.relative_bias.table.data = table.flatten(1)
    x = tokens(grid)
    torch.testing.assert_close(made(x), masked(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(made.attention_map(x), masked.attention_map(x), rtol=0, atol=1e-12)
    made.masked = True
    torch.testing.assert_close(made(x), masked(x), rtol=0, atol=1e-12)


def test_one_window_is_self_attention():
    made = make(WindowAttention, window=7, shift=2)
    plain = MultiHeadAttention(DIM, 4, **WIDE)
    plain.load_state_dict(made.state_dict())
    torch.testing.assert_close(made(tokens()), plain(tokens()), rtol=0, atol=1e-12)
