"""Self-attention whose field is a graph: given by its edges, computed from the tokens, or the grid's.

>>> GraphAttention(64, Grid(8, 8), edges="knn", neighbours=9)(torch.randn(2, 64, 64)).shape
torch.Size([2, 64, 64])
"""

from typing import Unpack

import torch
from torch import Tensor
from torch.nn.functional import normalize

from vision.attention import ContentOptions, MultiHeadAttention, attend, check_options
from vision.attention.gather import attention as attend_gathered
from vision.fields import Field, neighbourhood
from vision.fields.graph import graph
from vision.patches import Grid, given_grid
from vision.tracing import is_any_size

_GRAPHS = ("grid8", "knn")
_GATHER_FROM = 64  # keys per neighbour from which gathering is faster, as in `attend`

# Symbolic tracing records a call of it, because it makes tensors of the size of its arguments.
torch.fx.wrap("attend_gathered")


class GraphAttention(MultiHeadAttention):
    """(B, N, C) -> (B, N, C): multi-head attention of each node to the sources of its edges.

    An edge leads from a key, its source, to a query, its target. The logits are the scaled products of
    self-attention; graph attention networks (Velickovic et al., 2018) have a small network instead. So the
    full graph is exactly self-attention, and the graph of a grid's 8 neighbours exactly local attention.

    Args:
        dim: width C of a token.
        grid: grid of the tokens; Grid(1, N) for N nodes of any graph.
        edges: "grid8", the 8 tokens around each; "knn", the tokens with the largest cosine similarity
            (ViG: Han et al., 2022); or integers (2, E), the source and the target of each edge. "knn"
            searches all pairs in each image, and no gradient flows through the choice.
        neighbours: for "knn", the number of keys of a token, including itself if self_loops.
        self_loops: let each token attend to itself.
        options: see `ContentOptions`; for "knn", backend is auto, dense, gather or reference.

    Attributes:
        field: who attends to whom; None for "knn", where each image has a different one: see `attention_map`.

    Raises:
        ValueError: edges are neither a name nor integers (2, E) below N, or neighbours exceed N.
    """

    def __init__(
        self,
        dim: int,
        grid: Grid,
        *,
        edges: str | Tensor = "grid8",
        neighbours: int = 9,
        self_loops: bool = True,
        **options: Unpack[ContentOptions],
    ) -> None:
        check_options(options, ContentOptions)
        super().__init__(dim, field=_field(edges, grid, self_loops), **options)
        most = grid.size if self_loops else grid.size - 1
        if self.field is None and not 1 <= neighbours <= most:
            raise ValueError(f"neighbours must be from 1 to {most} on {grid}, got {neighbours=}")
        self.size, self.neighbours, self.self_loops = grid.size, neighbours, self_loops

    def forward(self, x: Tensor, grid: Grid | None = None) -> Tensor:
        """(B, N, C) -> (B, N, C), on another grid than the constructor's where one is given."""
        if self.field is not None:
            return super().forward(x, grid)
        q, k, v = self._qkv(x, grid)
        index = nearest(x, self.neighbours, self_loops=self.self_loops)
        size = other.size if (other := given_grid(grid)) else self.size
        gathers = not is_any_size(size) and _GATHER_FROM * self.neighbours <= size
        if self.backend == "gather" or (self.backend == "auto" and gathers):
            index = index.unsqueeze(1)
            x = attend_gathered(q, k, v, index, index >= 0)
        else:
            x = attend(q, k, v, None, self._neighbour_bias(q, index), backend=self.backend)
        return self.proj(x.transpose(1, 2).flatten(2))

    def attention_map(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, num_heads, N, N): the weight of each key (column) for each query (row)."""
        if self.field is not None:
            return super().attention_map(x)
        q, k, _ = self._qkv(x)
        bias = self._neighbour_bias(q, nearest(x, self.neighbours, self_loops=self.self_loops))
        return attend(q, k, k, None, bias, need_weights=True)[1]

    def _neighbour_bias(self, q: Tensor, index: Tensor) -> Tensor:
        """index (B, N, K) -> (B, 1, N, N): a bias of 0 for the keys of each query, -inf for all others."""
        none = q.new_full((q.shape[0], 1, q.shape[2], q.shape[2]), float("-inf"))
        return none.scatter(-1, index.unsqueeze(1), 0.0)


def nearest(x: Tensor, count: int, *, self_loops: bool = True) -> Tensor:
    """(B, N, C) -> long (B, N, count): the tokens of largest cosine with each token, in each image.

    Cosines rank tokens like the distances between normalized tokens, which ViG compares.

    Args:
        x: the tokens.
        count: tokens to find, at most N, or N - 1 without self-loops.
        self_loops: each token is its own first neighbour; otherwise it is left out.
    """
    direction = normalize(x.detach(), dim=-1)
    cosine = direction @ direction.transpose(1, 2)
    itself = torch.full_like(cosine[..., 0], float("inf") if self_loops else float("-inf"))
    return torch.diagonal_scatter(cosine, itself, dim1=1, dim2=2).topk(count, dim=-1).indices


def _field(edges: str | Tensor, grid: Grid, self_loops: bool) -> Field | None:
    if isinstance(edges, Tensor):
        return graph(edges, grid, self_loops=self_loops)
    if edges not in _GRAPHS:
        raise ValueError(f"edges must be {', '.join(_GRAPHS)} or a tensor (2, E); got {edges!r}")
    if edges == "knn":
        return None
    field = neighbourhood(grid, 3)
    return field if self_loops else field.with_offsets(tuple(o for o in field.offsets or () if o != (0, 0)))
