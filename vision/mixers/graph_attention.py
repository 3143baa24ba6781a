"""Self-attention whose field is a graph: given by its edges, read off the tokens, or the grid's own."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from vision.attention import MultiHeadAttention, attend
from vision.attention.gather import attention as gathered
from vision.fields import Field, neighbourhood
from vision.fields.graph import graph
from vision.patches import Grid

_NAMED = ("grid8", "knn")
_SPARSE = 64  # keys over neighbours from which gathering is faster, as for the fields of `attend`

# Symbolic tracing records a call of it, as it makes tensors of the size of its arguments.
torch.fx.wrap("gathered")


class GraphAttention(MultiHeadAttention):
    """(B, N, C) -> (B, N, C): multi-head attention of each node to the nodes that its edges come from.

    An edge leads from a key, its source, to a query, its target. The weights are the scaled products of
    self-attention, where graph attention networks (Velickovic et al., 2018) have a small network's; so the
    full graph is self-attention, and the graph of a grid's 8 neighbours local attention, both exactly.

    Args:
        dim: width C of a token.
        grid: where the tokens sit; Grid(1, N) for N nodes of any graph.
        edges: "grid8", the 8 tokens around each; "knn", for each image anew the tokens whose directions are
            nearest to a token's own (ViG: Han et al., 2022), found among all pairs, through which no
            gradient flows; or whole numbers (2, E), the source and the target of each edge.
        neighbours: for "knn", keys of a token, itself included where it has a self-loop.
        self_loops: let each token attend to itself.
        num_heads: heads; must divide dim unless head_dim is given.
        head_dim: width of a head; None is dim / num_heads.
        qkv_bias: give q, k and v a bias.
        backend: that of `vision.attention.attend`; for "knn" auto, dense, gather or reference.

    Attributes:
        field: who attends to whom; None for "knn", where each image has its own: see `attention_map`.

    Raises:
        ValueError: edges are neither a name nor whole numbers (2, E) below N, or neighbours are more than N.
    """

    def __init__(
        self,
        dim: int,
        grid: Grid,
        *,
        edges: str | Tensor = "grid8",
        neighbours: int = 9,
        self_loops: bool = True,
        num_heads: int = 4,
        head_dim: int | None = None,
        qkv_bias: bool = True,
        backend: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            dim,
            num_heads,
            head_dim=head_dim,
            field=_field(edges, grid, self_loops),
            qkv_bias=qkv_bias,
            backend=backend,
            device=device,
            dtype=dtype,
        )
        most = grid.size if self_loops else grid.size - 1
        if self.field is None and not 1 <= neighbours <= most:
            raise ValueError(f"neighbours must be from 1 to {most} on {grid}, got {neighbours=}")
        self.size, self.neighbours, self.self_loops = grid.size, neighbours, self_loops

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        if self.field is not None:
            return super().forward(x)
        q, k, v = self._qkv(x)
        index = nearest(x, self.neighbours, self_loops=self.self_loops)
        if self.backend == "gather" or (self.backend == "auto" and _SPARSE * self.neighbours <= self.size):
            index = index.unsqueeze(1)
            x = gathered(q, k, v, index, index >= 0)
        else:
            x = attend(q, k, v, None, self._chosen(q, index), backend=self.backend)
        return self.proj(x.transpose(1, 2).flatten(2))

    def attention_map(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, num_heads, N, N): how much each query (row) takes from each key (column)."""
        if self.field is not None:
            return super().attention_map(x)
        q, k, _ = self._qkv(x)
        bias = self._chosen(q, nearest(x, self.neighbours, self_loops=self.self_loops))
        return attend(q, k, k, None, bias, need_weights=True)[1]

    def _chosen(self, q: Tensor, index: Tensor) -> Tensor:
        """index (B, N, K) -> (B, 1, N, N): a bias of 0 for the keys of each query, -inf for all others."""
        none = q.new_full((q.shape[0], 1, self.size, self.size), float("-inf"))
        return none.scatter(-1, index.unsqueeze(1), 0.0)


def nearest(x: Tensor, count: int, *, self_loops: bool = True) -> Tensor:
    """(B, N, C) -> long (B, N, count): for each token those of largest cosine with it, in each image.

    A cosine orders as the distance between tokens of length 1 does, which is what ViG compares.

    Args:
        x: tokens.
        count: tokens to find, at most N, or N - 1 without self-loops.
        self_loops: every token is the first of its own; else it is none of them.
    """
    direction = normalize(x.detach(), dim=-1)
    cosine = direction @ direction.transpose(1, 2)
    itself = torch.full_like(cosine[..., 0], float("inf") if self_loops else float("-inf"))
    return torch.diagonal_scatter(cosine, itself, dim1=1, dim2=2).topk(count, dim=-1).indices


def _field(edges: str | Tensor, grid: Grid, self_loops: bool) -> Field | None:
    if isinstance(edges, Tensor):
        return graph(edges, grid, self_loops=self_loops)
    if edges not in _NAMED:
        raise ValueError(f"edges must be {', '.join(_NAMED)} or a tensor (2, E); got {edges!r}")
    if edges == "knn":
        return None
    field = neighbourhood(grid, 3)
    return field if self_loops else field.with_offsets(tuple(o for o in field.offsets or () if o != (0, 0)))
