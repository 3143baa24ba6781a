"""Which tokens each output of a token mixer depends on, and what lies beyond the border."""

import pytest
import torch
from mixer_cases import CASES, GRID, GRIDS, each_case, make, tokens
from torch import Tensor
from torch.nn.functional import pad

from vision.attention import MultiHeadAttention
from vision.patches import Grid

each_grid = pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: f"{grid.rows}x{grid.cols}")


@each_grid
@each_case
def test_each_output_depends_on_what_it_reads_and_nothing_else(case, grid):
    mixer, x = make(case, grid, dtype=torch.float64), tokens(grid, batch=1)
    jacobian = torch.as_tensor(torch.autograd.functional.jacobian(lambda x: mixer(x).sum(-1), x))
    assert torch.equal((jacobian[0, :, 0] != 0).any(-1), case.reads(grid, x))
    if getattr(mixer, "field", None) is not None:
        assert torch.equal(mixer.field.mask(), case.reads(grid, x))


@pytest.mark.parametrize("case", [case for case in CASES if case.border == "left out"], ids=str)
def test_the_average_of_equal_tokens_is_the_same_up_to_the_border(case):
    """A token beyond the border that took part in an average, as a zero, would pull at the outer ones."""
    for grid in GRIDS:
        out = make(case, grid, dtype=torch.float64)(tokens(grid)[:, :1].expand(-1, grid.size, -1))
        torch.testing.assert_close(out, out[:, :1].expand_as(out), rtol=0, atol=1e-12, msg=str(grid))


@pytest.mark.parametrize("case", [case for case in CASES if case.border == "zero"], ids=str)
def test_a_margin_of_zeros_changes_nothing(case):
    for grid in GRIDS:
        x, wide = tokens(grid), Grid(grid.rows + 6, grid.cols + 6)
        mixer, other = make(case, grid, dtype=torch.float64), make(case, wide, dtype=torch.float64)
        out = images(other(pad(images(x, grid), (3, 3, 3, 3)).flatten(2).transpose(1, 2)), wide)
        inner = out[:, :, 3:-3, 3:-3]
        torch.testing.assert_close(inner, images(mixer(x), grid), rtol=0, atol=1e-12, msg=str(grid))


WITH_MAP = [case for case in CASES if case.mixer.endswith("attention") and case.mixer != "conv_attention"]


@pytest.mark.parametrize("case", WITH_MAP, ids=str)
def test_the_attention_map_times_the_values_is_the_mixers_output(case):
    mixer, x = make(case, dtype=torch.float64), tokens()
    weights = mixer.attention_map(x)
    assert weights.shape == (2, 4, GRID.size, GRID.size)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4, GRID.size, dtype=torch.float64))
    for image, heads in zip(x, weights, strict=True):
        assert all(torch.equal(head > 0, case.reads(GRID, image[None])) for head in heads)
    v = mixer.v(x) if hasattr(mixer, "v") else mixer.qkv(x).chunk(3, dim=-1)[2]
    mixed = (weights @ v.unflatten(-1, (4, -1)).transpose(1, 2)).transpose(1, 2).flatten(2)
    torch.testing.assert_close(mixer(x), mixer.proj(mixed), rtol=0, atol=1e-12)
    assert torch.equal(*weights) != isinstance(mixer, MultiHeadAttention)  # by position, or by content


def images(x: Tensor, grid: Grid) -> Tensor:
    return x.transpose(1, 2).unflatten(2, (grid.rows, grid.cols))
