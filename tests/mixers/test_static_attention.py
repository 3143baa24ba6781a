"""Static attention against its formula, and inside any field of the grid."""

import pytest
import torch
from mixer_checks import DIM, GRID, WIDE, as_images, make, tokens
from torch import nn

from vision.fields import neighbourhood, tiled, truncated
from vision.fields.graph import graph
from vision.mixers.static_attention import StaticAttention
from vision.patches import Grid


@pytest.mark.parametrize("shared", [False, True])
def test_static_attention_by_hand(shared):
    for kernel_size, reach in ((None, 6), (3, 1), (5, 2)):
        made, x = make(StaticAttention, kernel_size=kernel_size, shared=shared), tokens()
        rows, cols = (6, 7) if kernel_size is None else (reach + 1, reach + 1)
        table = made.relative_bias.table.view(-1, 2 * rows - 1, 2 * cols - 1).expand(4, -1, -1)
        expected = torch.zeros(4, 42, 42, **WIDE)
        for query, (row, col) in enumerate(GRID.coordinates().tolist()):
            scores = {
                r * 7 + c: table[:, r - row + rows - 1, c - col + cols - 1]
                for r in range(6)
                for c in range(7)
                if max(abs(r - row), abs(c - col)) <= reach
            }
            total = sum(score.exp() for score in scores.values())
            for key, score in scores.items():
                expected[:, query, key] = score.exp() / total
        torch.testing.assert_close(made.attention_map(x)[1], expected, rtol=0, atol=1e-12)


def test_static_attention_is_a_depthwise_convolution_except_at_the_border():
    made, x = make(StaticAttention, kernel_size=3), tokens()
    kernel = made.relative_bias.table.softmax(-1).view(4, 1, 3, 3).repeat_interleave(2, 0)
    images = as_images(made.v(x), GRID)
    mixed = nn.functional.conv2d(images, kernel, padding=1, groups=DIM)
    share = nn.functional.conv2d(torch.ones_like(images), kernel, padding=1, groups=DIM)
    assert (share < 0.99).any()  # at the border the weights of the remaining keys sum to 1
    expected = made.proj((mixed / share).flatten(2).transpose(1, 2))
    torch.testing.assert_close(made(x), expected, rtol=0, atol=1e-12)


SMALL = Grid(4, 5)
FIELDS = {
    "dilated": neighbourhood(SMALL, 3, dilation=2),
    "causal": neighbourhood(SMALL, 3, causal=True),
    "truncated": truncated(SMALL, 5),
    "tiles": tiled(SMALL, 2, shift=1),
    "graph": graph(torch.tensor([[0, 7, 3], [3, 3, 0]]), SMALL, self_loops=True),
    "mask": neighbourhood(SMALL, 3) & tiled(SMALL, 3),
}


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("name", FIELDS)
def test_weights_are_a_softmax_of_relative_positions_inside_the_field(name, shared):
    field = FIELDS[name]
    mixer = StaticAttention(8, SMALL, field=field, shared=shared, num_heads=2, dtype=torch.float64)
    torch.nn.init.normal_(mixer.relative_bias.table)
    weights = mixer.attention_map(torch.zeros(1, 20, 8, dtype=torch.float64))[0]
    assert torch.equal(weights > 0, field.mask().expand(2, -1, -1))
    # Two keys at the same relative positions have the same ratio of weights for every query.
    ratio: dict = {}
    positions = SMALL.coordinates()
    for query, row in enumerate(weights[1]):
        keys = row.nonzero().flatten().tolist()
        for one in keys:
            for other in keys:
                steps = tuple((positions[[one, other]] - positions[query]).flatten().tolist())
                quotient = (row[one] / row[other]).item()
                assert quotient == pytest.approx(ratio.setdefault(steps, quotient), rel=1e-9)
    x = torch.randn(2, 20, 8, dtype=torch.float64)
    v = mixer.v(x).unflatten(-1, (2, 4)).transpose(1, 2)
    torch.testing.assert_close(mixer(x), mixer.proj((weights @ v).transpose(1, 2).flatten(2)))


def test_a_field_of_another_grid_is_refused():
    with pytest.raises(ValueError, match=r"field must be on Grid\(rows=4, cols=5\)"):
        StaticAttention(8, SMALL, field=neighbourhood(Grid(5, 5), 3))
    with pytest.raises(ValueError, match="give field or kernel_size and not both"):
        StaticAttention(8, SMALL, field=neighbourhood(SMALL, 3), kernel_size=3)
