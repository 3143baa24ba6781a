"""Rotary positions against products of complex numbers, alone and in attention."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from vision.attention import MultiHeadAttention
from vision.fields import full, neighbourhood
from vision.patches import Grid
from vision.positions import (
    Rotary,
)


def turns(grid: Grid, head_dim: int) -> torch.Tensor:
    """(N, head_dim // 2) complex: the turn of each pair of dimensions at each token."""
    count = head_dim // 4
    angles = []
    for index in range(grid.size):
        position = divmod(index, grid.cols)
        angles.append([step / 100 ** (i / count) for step in position for i in range(count)])
    return torch.polar(torch.ones(grid.size, 2 * count, dtype=torch.float64), torch.tensor(angles).double())


@pytest.mark.parametrize("head_dim", [4, 8, 11, 16])
def test_rotary_is_a_product_with_complex_numbers_of_length_1(head_dim):
    grid, turned = Grid(3, 5), head_dim // 4 * 4
    x = torch.randn(2, 3, 15, head_dim, dtype=torch.float64)
    pairs = torch.view_as_complex(x[..., :turned].unflatten(-1, (-1, 2)).contiguous())
    wanted = torch.view_as_real(pairs * turns(grid, head_dim)).flatten(-2)
    got = Rotary(grid, head_dim, dtype=torch.float64)(x)
    torch.testing.assert_close(got[..., :turned], wanted, rtol=0, atol=1e-5)  # timm's angles are float32
    assert torch.equal(got[..., turned:], x[..., turned:])
    torch.testing.assert_close(got.norm(dim=-1), x.norm(dim=-1), rtol=1e-6, atol=0)


def test_rotary_products_depend_on_the_difference_of_positions_only():
    grid = Grid(5, 6)
    rotary = Rotary(grid, 8, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    q, k = torch.randn(2, 8, dtype=torch.float64, generator=generator)[:, None, None, None].expand(
        -1, 1, 1, 30, 8
    )
    products = (rotary(q) @ rotary(k).mT)[0, 0]
    by_difference: dict[tuple[int, ...], list[float]] = {}
    for query, key in np.ndindex(30, 30):
        away = tuple(np.subtract(divmod(key, 6), divmod(query, 6)))
        by_difference.setdefault(away, []).append(float(products[query, key]))
    assert len(by_difference) == 9 * 11
    assert max(max(same) - min(same) for same in by_difference.values()) < 1e-5
    means = sorted(np.mean(same) for same in by_difference.values())
    assert min(later - earlier for earlier, later in pairwise(means)) > 1e-6  # all are distinct


@pytest.mark.parametrize("field", [full(Grid(4, 5)), neighbourhood(Grid(4, 5), 3)], ids=["full", "3x3"])
def test_rotary_attention_by_its_formula(field):
    attention = MultiHeadAttention(16, 2, field=field, rotary=True, dtype=torch.float64)
    plain = MultiHeadAttention(16, 2, field=field, dtype=torch.float64)
    plain.load_state_dict(attention.state_dict())  # no parameter, no buffer in the checkpoint
    x = torch.randn(2, 20, 16, dtype=torch.float64)
    q, k, v = (y.unflatten(-1, (2, 8)).transpose(1, 2) for y in attention.qkv(x).chunk(3, dim=-1))
    turn = turns(Grid(4, 5), 8)
    q, k = (torch.view_as_complex(y.unflatten(-1, (4, 2)).contiguous()) for y in (q, k))
    # The real part of sum q conj(k) e^(i (angle of query - angle of key))
    logits = torch.einsum("bhqd,bhkd,qkd->bhqk", q, k.conj(), turn[:, None] * turn.conj()).real / 8**0.5
    weights = logits.masked_fill(~field.mask(), float("-inf")).softmax(-1)
    torch.testing.assert_close(attention.attention_map(x), weights, rtol=0, atol=1e-5)
    wanted = attention.proj((weights @ v).transpose(1, 2).flatten(2))
    torch.testing.assert_close(attention(x), wanted, rtol=0, atol=1e-5)
    assert not torch.allclose(attention(x), plain(x), atol=1e-3)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:.*torch.jit.*deprecated:FutureWarning")
def test_rotary_attention_in_low_precision_and_traced():
    attention = MultiHeadAttention(24, 2, field=full(Grid(4, 5)), rotary=True).eval()
    x = torch.randn(2, 20, 24)
    wanted = attention(x)
    with torch.no_grad():
        traced: Any
        for traced in (
            torch.fx.symbolic_trace(attention),
            torch.jit.trace(attention, x),
            torch.export.export(attention, (x,)).module(),
            torch.compile(attention, backend="aot_eager", fullgraph=True),
        ):
            torch.testing.assert_close(traced(x), wanted)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(attention(x).float(), wanted, rtol=0, atol=0.05)
    low = attention.to(torch.bfloat16)(x.bfloat16())
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), wanted, rtol=0, atol=0.05)


def test_rotary_positions_that_are_impossible_are_refused():
    with pytest.raises(ValueError, match="rotary needs a field"):
        MultiHeadAttention(8, 2, rotary=True)
    with pytest.raises(ValueError, match="on one grid, got"):
        MultiHeadAttention(8, 2, field=full(Grid(2, 3), Grid(3, 2)), rotary=True)
    with pytest.raises(ValueError, match="at least 4, got head_dim=3"):
        MultiHeadAttention(6, 2, field=full(Grid(2, 2)), rotary=True)
