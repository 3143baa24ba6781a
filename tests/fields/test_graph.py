"""Fields from the edges of a graph."""

import pytest
import torch
from field_cases import edges_of

from vision.fields import Field, full, neighbourhood, tiled
from vision.fields.graph import graph
from vision.patches import Grid

GRID = Grid(4, 5)
FIELDS = {
    "full": full(GRID),
    "3x3": neighbourhood(GRID, 3),
    "causal": neighbourhood(GRID, 3, causal=True),
    "tiles": tiled(GRID, 3, shift=1),
    "mask": Field(GRID, GRID, allowed=torch.rand(20, 20, generator=torch.Generator().manual_seed(0)) < 0.2),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_its_edges(name):
    field = FIELDS[name]
    edges = edges_of(field)
    shuffled = torch.cat((edges, edges[:, :3]), dim=1)[:, torch.randperm(edges.shape[1] + 3)]
    again = graph(shuffled, GRID)
    assert torch.equal(again.mask(), field.mask()) and again.queries == GRID
    looped = graph(shuffled.int(), 20, self_loops=True)
    assert torch.equal(looped.mask(), field.mask() | torch.eye(20, dtype=torch.bool))
    assert looped.keys == Grid(1, 20)


def test_a_graph_without_edges_allows_nothing():
    assert not graph(torch.zeros(2, 0, dtype=torch.long), 3).mask().any()


def test_errors_of_edges():
    with pytest.raises(ValueError, match=r"shape \(2, E\).*got torch.int64 of shape \(3, 2\)"):
        graph(torch.zeros(3, 2, dtype=torch.long), 4)
    with pytest.raises(ValueError, match=r"must be integers.*got torch.float32"):
        graph(torch.zeros(2, 3), 4)
