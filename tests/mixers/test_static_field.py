"""Static attention in any field: by offsets, by indices, on a graph."""

import pytest
import torch

from vision.fields import neighbourhood, tiled, truncated
from vision.fields.graph import graph
from vision.mixers import StaticAttention
from vision.patches import Grid

GRID = Grid(4, 5)
FIELDS = {
    "dilated": neighbourhood(GRID, 3, dilation=2),
    "causal": neighbourhood(GRID, 3, causal=True),
    "truncated": truncated(GRID, 5),
    "tiles": tiled(GRID, 2, shift=1),
    "graph": graph(torch.tensor([[0, 7, 3], [3, 3, 0]]), GRID, self_loops=True),
    "mask": neighbourhood(GRID, 3) & tiled(GRID, 3),
}


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("name", FIELDS)
def test_weights_are_a_softmax_of_relative_places_inside_the_field(name, shared):
    field = FIELDS[name]
    mixer = StaticAttention(8, GRID, field=field, shared=shared, num_heads=2, dtype=torch.float64)
    torch.nn.init.normal_(mixer.relative_bias.table)
    weights = mixer.attention_map(torch.zeros(1, 20, 8, dtype=torch.float64))[0]
    assert torch.equal(weights > 0, field.mask().expand(2, -1, -1))
    # two keys of a query against two of another at the same relative places: the same ratio
    ratio: dict = {}
    places = GRID.coordinates()
    for query, row in enumerate(weights[1]):
        keys = row.nonzero().flatten().tolist()
        for one in keys:
            for other in keys:
                steps = tuple((places[[one, other]] - places[query]).flatten().tolist())
                found = (row[one] / row[other]).item()
                assert found == pytest.approx(ratio.setdefault(steps, found), rel=1e-9)
    x = torch.randn(2, 20, 8, dtype=torch.float64)
    v = mixer.v(x).unflatten(-1, (2, 4)).transpose(1, 2)
    torch.testing.assert_close(mixer(x), mixer.proj((weights @ v).transpose(1, 2).flatten(2)))


def test_a_field_of_another_grid_is_refused():
    with pytest.raises(ValueError, match=r"field must be one of Grid\(rows=4, cols=5\)"):
        StaticAttention(8, GRID, field=neighbourhood(Grid(5, 5), 3))
    with pytest.raises(ValueError, match="instead of a kernel_size"):
        StaticAttention(8, GRID, field=neighbourhood(GRID, 3), kernel_size=3)
