"""A graph as a field: an edge leads from a key, its source, to a query, its target.

>>> import torch
>>> graph(torch.tensor([[0, 1], [1, 2]]), 3).mask().nonzero().tolist()
[[1, 0], [2, 1]]
"""

from typing import cast

import torch
from torch import Tensor

from vision.argument_types import checked
from vision.fields.field import Field
from vision.patches import Grid


@checked
def graph(edge_index: Tensor, nodes: int | Grid, *, self_loops: bool = False) -> Field:
    """Return the field in which each node attends to the sources of its edges; by indices.

    An edge that repeats counts once. The keys of a query are in ascending order. K is the largest number of
    keys of any query.

    Args:
        edge_index: integers (2, E), the source (key) and the target (query) of each edge. Give an undirected
            edge in both directions.
        nodes: number of nodes, placed on Grid(1, nodes); or their grid.
        self_loops: add an edge from each node to itself.

    Raises:
        ValueError: the edges are not integers (2, E) from 0 to nodes - 1.
    """
    grid = nodes if isinstance(nodes, Grid) else Grid(1, nodes)
    count = grid.size
    edges = _checked_edges(edge_index, count)
    if self_loops:
        edges = torch.cat((edges, torch.arange(count, device="cpu").expand(2, -1)), dim=1)
    # One number per pair: repeats are dropped, and the keys of a query are next to each other.
    pair = cast(Tensor, torch.unique(edges[1] * count + edges[0]))  # pyright: ignore[reportUnknownMemberType]
    query, key = pair // count, pair % count
    degree = query.bincount(minlength=count)
    column = torch.arange(len(pair), device="cpu") - (degree.cumsum(0) - degree)[query]
    indices = torch.full((count, int(degree.max())), -1, device="cpu")
    indices[query, column] = key
    return Field(grid, grid, indices=indices)


def _checked_edges(edge_index: Tensor, count: int) -> Tensor:
    other = edge_index.is_floating_point() or edge_index.is_complex() or edge_index.dtype == torch.bool
    if edge_index.ndim != 2 or len(edge_index) != 2 or other:
        raise ValueError(
            "edge_index must be integers of shape (2, E), source and target, "
            f"got {edge_index.dtype} of shape {tuple(edge_index.shape)}"
        )
    edges = edge_index.detach().to("cpu", torch.long)
    if edges.numel() and (int(edges.min()) < 0 or int(edges.max()) >= count):
        raise ValueError(
            f"edge_index must lie in 0 to {count - 1} for {count} nodes, got {edges.min()} to {edges.max()}"
        )
    return edges
