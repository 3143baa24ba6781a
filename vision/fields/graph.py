"""Fields and graphs are one thing: an edge leads from a key, its source, to a query, its target.

>>> edges_of(graph(torch.tensor([[0, 1], [1, 2]]), 3)).tolist()
[[0, 1], [1, 2]]
"""

import torch
from torch import Tensor

from vision.fields.field import Field
from vision.patches import Grid


def graph(edge_index: Tensor, nodes: int | Grid, *, self_loops: bool = False) -> Field:
    """Field in which a node attends to the nodes that its edges come from; by indices.

    An edge that repeats counts once. The keys of a query are in ascending order; K is the largest number
    that one has.

    Args:
        edge_index: whole numbers (2, E), the source (key) and the target (query) of each edge; for edges
            without direction give both.
        nodes: number of nodes, which then sit on Grid(1, nodes); or their grid.
        self_loops: add an edge from each node to itself.

    Raises:
        ValueError: the edges are not whole numbers (2, E) in 0 to nodes - 1.
    """
    grid = nodes if isinstance(nodes, Grid) else Grid(1, nodes)
    count = grid.size
    edges = _checked(edge_index, count)
    if self_loops:
        edges = torch.cat((edges, torch.arange(count, device="cpu").expand(2, -1)), dim=1)
    # One number a pair: what repeats goes, and the keys of a query lie side by side.
    pair = (edges[1] * count + edges[0]).unique()
    query, key = pair // count, pair % count
    degree = query.bincount(minlength=count)
    column = torch.arange(len(pair), device="cpu") - (degree.cumsum(0) - degree)[query]
    indices = torch.full((count, int(degree.max())), -1, device="cpu")
    indices[query, column] = key
    return Field(grid, grid, indices=indices)


def edges_of(field: Field) -> Tensor:
    """() -> long (2, E): key and query of each pair that a field allows, ordered by query, then by key."""
    index, valid = field.neighbours()
    query = torch.arange(len(index), device="cpu")[:, None].expand_as(index)
    pair = (query * field.keys.size + index)[valid].unique()
    return torch.stack((pair % field.keys.size, pair // field.keys.size))


def _checked(edge_index: Tensor, count: int) -> Tensor:
    whole = not (edge_index.is_floating_point() or edge_index.is_complex() or edge_index.dtype == torch.bool)
    if edge_index.ndim != 2 or len(edge_index) != 2 or not whole:
        raise ValueError(
            "edge_index must be whole numbers of shape (2, E), source and target, "
            f"got {edge_index.dtype} of shape {tuple(edge_index.shape)}"
        )
    edges = edge_index.detach().to("cpu", torch.long)
    if edges.numel() and (int(edges.min()) < 0 or int(edges.max()) >= count):
        raise ValueError(
            f"edge_index must lie in 0 to {count - 1} for {count} nodes, got {edges.min()} to {edges.max()}"
        )
    return edges
