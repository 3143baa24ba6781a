"""Positions: distinct for each token, or a function of the difference of two tokens; and on another grid."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from scipy.interpolate import RegularGridInterpolator
from scipy.optimize import brentq
from torch import nn

from vision.attention import MultiHeadAttention
from vision.fields import Field, full, neighbourhood, tiled
from vision.mixers import Convolution
from vision.patches import Grid
from vision.positions import (
    POSITIONS,
    ConditionalPosition,
    LearnedPosition,
    QuadraticBias,
    RelativeBias,
    Rotary,
    create_position,
    resize,
    sinusoidal,
)


@pytest.mark.parametrize("dim", [4, 6, 8, 63])
def test_sinusoidal_is_distinct_per_position_and_of_equal_length(dim):
    table = sinusoidal(Grid(5, 7), dim)
    distance = torch.cdist(table, table) + torch.eye(35)
    assert table.shape == (35, dim) and distance.min() > 0.05
    torch.testing.assert_close(
        table.norm(dim=1), torch.full((35,), (2 * (dim // 4)) ** 0.5, dtype=torch.float64)
    )


def test_sinusoidal_products_depend_on_the_difference_of_positions_only():
    grid = Grid(6, 6)
    table = sinusoidal(grid, 16)
    products = (table @ table.T).view(6, 6, 6, 6)
    torch.testing.assert_close(products[1, 2, 3, 0], products[2, 4, 4, 2])
    torch.testing.assert_close(products[0, 0, 2, 3], products[3, 2, 5, 5])


def test_each_position_adds_the_same_to_every_image():
    for name in ("none", "learned", "sinusoidal"):
        module = create_position(name, Grid(3, 4), 8)
        added = module(torch.zeros(2, 12, 8))
        assert torch.equal(added[0], added[1])
        x = torch.randn(2, 12, 8)
        torch.testing.assert_close(module(x), x + added)
        assert bool(added.any()) == (name != "none")


def test_what_a_checkpoint_carries_and_what_moves():
    assert list(create_position("learned", Grid(2, 2), 8).state_dict()) == ["pos_embed"]
    fixed = create_position("sinusoidal", Grid(2, 2), 8)
    assert not fixed.state_dict() and not list(fixed.parameters())
    assert fixed.to(torch.bfloat16)(torch.zeros(1, 4, 8, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_dense_relative_bias_is_translation_invariant():
    grid = Grid(4, 5)
    bias = RelativeBias(full(grid), num_heads=2)
    assert bias.table.shape == (2, 7 * 9)
    dense = bias()[0].view(2, 4, 5, 4, 5)
    assert torch.equal(dense[:, 0, 1, 2, 3], dense[:, 1, 2, 3, 4])
    assert torch.equal(dense[:, 3, 3, 1, 0], dense[:, 2, 4, 0, 1])
    assert dense[0].unique().numel() == 7 * 9


def test_dense_form_is_the_form_per_offset():
    grid = Grid(5, 4)
    field = neighbourhood(grid, 3)
    by_offset, dense = RelativeBias(field, 3), RelativeBias(full(grid), 3)
    with torch.no_grad():
        for slot, (row, col) in enumerate(field.offsets or ()):
            dense.table[:, (row + 4) * 7 + col + 3] = by_offset.table[:, slot]
    spread = torch.nn.functional.pad(by_offset(), (0, 1))[:, field.slots()]
    mask = field.mask()
    assert by_offset().shape == (3, 9)
    assert torch.equal(spread[:, mask], dense()[0][:, mask])


def test_relative_bias_between_two_grids_and_of_a_mask():
    cross = RelativeBias(full(Grid(2, 2), Grid(4, 3)), 2)
    assert cross.table.shape == (2, 5 * 4) and cross().shape == (1, 2, 4, 12)
    masked = Field(Grid(2, 2), Grid(2, 2), allowed=torch.eye(4, dtype=torch.bool))
    assert RelativeBias(masked, 2)().shape == (1, 2, 4, 4)


def test_conditional_position_adds_a_depthwise_convolution():
    grid = Grid(4, 5)
    position: Any = create_position("conditional", grid, 6, dtype=torch.float64)
    convolution = Convolution(6, grid, depthwise=True, dtype=torch.float64)
    convolution.load_state_dict(position.proj.state_dict())
    x = torch.randn(2, 20, 6, dtype=torch.float64)
    torch.testing.assert_close(position(x), x + convolution(x), rtol=0, atol=1e-12)
    same = position(torch.ones(1, 20, 6, dtype=torch.float64)).view(4, 5, 6)
    assert torch.equal(same[1, 1], same[2, 3]) and not torch.equal(same[0, 0], same[0, 4])


# Rotary positions


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
    by_difference = {}
    for query, key in np.ndindex(30, 30):
        away = tuple(np.subtract(divmod(key, 6), divmod(query, 6)))
        by_difference.setdefault(away, []).append(float(products[query, key]))
    assert len(by_difference) == 9 * 11
    assert max(max(same) - min(same) for same in by_difference.values()) < 1e-5
    means = sorted(np.mean(same) for same in by_difference.values())
    assert min(later - earlier for earlier, later in pairwise(means)) > 1e-6  # and no two are alike


@pytest.mark.parametrize("field", [full(Grid(4, 5)), neighbourhood(Grid(4, 5), 3)], ids=["full", "3x3"])
def test_rotary_attention_by_its_formula(field):
    attention = MultiHeadAttention(16, 2, field=field, rotary=True, dtype=torch.float64)
    plain = MultiHeadAttention(16, 2, field=field, dtype=torch.float64)
    plain.load_state_dict(attention.state_dict())  # no parameter, no buffer in the checkpoint
    x = torch.randn(2, 20, 16, dtype=torch.float64)
    q, k, v = (y.unflatten(-1, (2, 8)).transpose(1, 2) for y in attention.qkv(x).chunk(3, dim=-1))
    turn = turns(Grid(4, 5), 8)
    q, k = (torch.view_as_complex(y.unflatten(-1, (4, 2)).contiguous()) for y in (q, k))
    # the real part of sum q conj(k) e^(i (angle of query - angle of key))
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


# Another grid


def interpolated(table: torch.Tensor, old: Grid, new: Grid) -> torch.Tensor:
    """(1, N, C) -> (1, N_new, C): as images, bicubic, smoothed where they shrink."""
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


def test_learned_positions_there_and_back():
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
    """BEiT's: where a side's 2 * old - 1 differences lie among the new ones, steps growing by one factor."""
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
    # the query's own position keeps its number
    torch.testing.assert_close(dense[:, 1, 1, 1, 1], bias()[0, :, 0, 0])


def test_a_relative_bias_by_offsets_is_the_same_on_any_grid():
    bias = RelativeBias(neighbourhood(Grid(4, 5), 3), 2)
    resized = resize(bias, Grid(7, 7))
    assert torch.equal(resized(), bias()) and resized.field == neighbourhood(Grid(7, 7), 3)
    assert bias.field == neighbourhood(Grid(4, 5), 3)


@pytest.mark.parametrize("field", [full(Grid(4, 5)), neighbourhood(Grid(4, 5), 3)], ids=["full", "3x3"])
def test_quadratic_bias_prefers_keys_near_its_centre(field):
    bias = QuadraticBias(field, 3, alpha=0.5, dtype=torch.float64)
    attention = MultiHeadAttention(6, 3, field=field, quadratic_bias=True, dtype=torch.float64)
    attention.quadratic_bias = bias
    nn.init.zeros_(attention.qkv.weight)  # no content: the weights are a Gaussian of the positions alone
    weights = attention.attention_map(torch.randn(1, 20, 6, dtype=torch.float64))[0]
    away = Grid(4, 5).coordinates()[None] - Grid(4, 5).coordinates()[:, None]
    distance = (away[None] - bias.centres[:, None, None]).square().sum(-1)
    logits = (-0.5 * distance).masked_fill(~field.mask(), float("-inf"))
    torch.testing.assert_close(weights, logits.softmax(-1), rtol=0, atol=1e-6)
    resized = resize(bias, Grid(7, 7))
    assert torch.equal(resized.centres, bias.centres)
    assert resized.field == (full(Grid(7, 7)) if field.is_full else neighbourhood(Grid(7, 7), 3))


def test_what_cannot_be_resized_is_refused():
    with pytest.raises(ValueError, match=r"only positions of this package.*Linear"):
        resize(nn.Linear(2, 2), Grid(2, 2))
    with pytest.raises(ValueError, match=r"queries on Grid\(rows=2, cols=2\) and keys on"):
        resize(RelativeBias(full(Grid(2, 2), Grid(4, 3)), 2), Grid(3, 3))
    with pytest.raises(ValueError, match="by offsets or the full one"):
        QuadraticBias(tiled(Grid(4, 4), 2), 2)


def test_rotary_positions_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="rotary needs a field"):
        MultiHeadAttention(8, 2, rotary=True)
    with pytest.raises(ValueError, match="on one grid, got"):
        MultiHeadAttention(8, 2, field=full(Grid(2, 3), Grid(3, 2)), rotary=True)
    with pytest.raises(ValueError, match="at least 4, got head_dim=3"):
        MultiHeadAttention(6, 2, field=full(Grid(2, 2)), rotary=True)


def test_errors_list_the_names():
    with pytest.raises(ValueError, match=f"{', '.join(POSITIONS)}; got 'rotary'"):
        create_position("rotary", Grid(2, 2), 8)
    with pytest.raises(ValueError, match="at least 4, got dim=3"):
        create_position("sinusoidal", Grid(2, 2), 3)
