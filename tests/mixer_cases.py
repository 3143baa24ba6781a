"""The table of token mixers: a case for each way to build one, and what is true of it.

A new mixer gets its lines in CASES. The files of tests/mixers check every case; what is true of one mixer
alone is in the file of that mixer, such as mixers/test_pooling.py.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from vision.fields import Field, tiled
from vision.mixers import create_mixer
from vision.patches import Grid

DIM = 8
GRID = Grid(6, 7)
GRIDS = [Grid(1, 11), Grid(11, 1), Grid(4, 9), Grid(3, 3), GRID]


# Which tokens each output reads, computed without the package's fields


Reads = Callable[[Grid, Tensor], Tensor]  # x (1, N, C) -> bool (N_query, N_key)


def everything(grid: Grid, x: Tensor) -> Tensor:
    return torch.ones(grid.size, grid.size, dtype=torch.bool)


def itself(grid: Grid, x: Tensor) -> Tensor:
    return torch.eye(grid.size, dtype=torch.bool)


def square(kernel_size: int | tuple[int, int], dilation: int = 1, causal: bool = False) -> Reads:
    def reads(grid: Grid, x: Tensor) -> Tensor:
        sizes = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        near = everything(grid, x)
        for away, size in zip(steps(grid), sizes, strict=True):
            near &= (away.abs() <= dilation * (size // 2)) & (away % dilation == 0)
        return near.tril() if causal else near

    return reads


def line(window: int, dilation: int = 1, causal: bool = False) -> Reads:
    def reads(grid: Grid, x: Tensor) -> Tensor:
        return square((1, window), dilation, causal)(Grid(1, grid.size), x)

    return reads


def tile(window: int, shift: int = 0) -> Reads:
    def reads(grid: Grid, x: Tensor) -> Tensor:
        same = everything(grid, x)
        for position, side in zip(grid.coordinates().unbind(1), (grid.rows, grid.cols), strict=True):
            if window < side:
                number = (position - shift) // window
                same &= number[:, None] == number
        return same

    return reads


def nearest(count: int) -> Reads:
    def reads(grid: Grid, x: Tensor) -> Tensor:
        cosine = cosine_similarity(x[0, :, None], x[0], dim=-1)
        return itself(grid, x).scatter(1, cosine.topk(count).indices, True)

    return reads


def the_one_before(grid: Grid, x: Tensor) -> Tensor:
    return itself(grid, x) | itself(grid, x).roll(-1, dims=1)


def ring(grid: Grid) -> Tensor:
    """Return edges (2, N): from each token to the next, and from the last to the first."""
    return torch.stack((torch.arange(grid.size), (torch.arange(grid.size) + 1) % grid.size))


def shifted_tiles(grid: Grid) -> Field:
    return tiled(grid, 3, shift=1)


def steps(grid: Grid) -> tuple[Tensor, ...]:
    """Return the rows and columns from query to key, (N, N) each."""
    positions = grid.coordinates()
    return (positions[None] - positions[:, None]).unbind(-1)


# The table


class Case(NamedTuple):
    """A mixer with options (a function among them is called with the grid), and what is true of it.

    Attributes:
        reads: the tokens that each output depends on.
        border: what a token beyond it is: left out of an average, or zero; None where the mixer has no such
            thing (identity) or one that a test of its own follows, token by token (recurrent).
    """

    mixer: str
    options: dict[str, Any]
    reads: Reads
    border: str | None = "left out"

    def __str__(self) -> str:
        return ", ".join((self.mixer, *(f"{k}={getattr(v, '__name__', v)}" for k, v in self.options.items())))


CASES = [
    Case("self_attention", {}, everything),
    Case("self_attention", {"relative_bias": True}, everything),
    Case("self_attention", {"quadratic_bias": True}, everything),
    Case("self_attention", {"rotary": True, "head_dim": 4}, everything),
    Case("self_attention", {"field": shifted_tiles}, tile(3, 1)),
    Case("local_attention", {}, square(3)),
    Case("local_attention", {"kernel_size": 3, "rotary": True, "head_dim": 4}, square(3)),
    Case("local_attention", {"relative_bias": True, "quadratic_bias": True}, square(3)),
    Case("local_attention", {"kernel_size": 3, "dilation": 2, "relative_bias": True}, square(3, 2)),
    Case("local_attention", {"kernel_size": 3, "causal": True}, square(3, causal=True)),
    Case(
        "local_attention",
        {"kernel_size": 5, "dilation": 2, "causal": True, "relative_bias": True},
        square(5, 2, causal=True),
    ),
    Case("truncated_attention", {}, line(9)),
    Case("truncated_attention", {"window": 9, "relative_bias": True}, line(9)),
    Case("truncated_attention", {"window": 3, "causal": True, "relative_bias": True}, line(3, causal=True)),
    Case("truncated_attention", {"window": 5, "dilation": 4, "causal": True}, line(5, 4, causal=True)),
    Case("window_attention", {}, tile(4)),
    Case("window_attention", {"window": 3, "shift": 1, "relative_bias": True}, tile(3, 1)),
    Case("gated_attention", {}, everything),
    Case("gated_attention", {"kernel_size": 3}, square(3)),
    Case("quadratic_attention", {}, everything),
    Case("quadratic_attention", {"kernel_size": 5}, square(5)),
    Case("static_attention", {}, everything),
    Case("static_attention", {"shared": True}, everything),
    Case("static_attention", {"kernel_size": 3}, square(3)),
    Case("static_attention", {"kernel_size": 3, "shared": True}, square(3)),
    Case("static_attention", {"field": shifted_tiles}, tile(3, 1)),
    Case("conv_attention", {}, square(3), "zero"),
    Case("conv_attention", {"explicit": True}, square(3), "zero"),
    Case("conv_attention", {"explicit": True, "depthwise": True}, square(3), "zero"),
    Case("conv_attention", {"explicit": True, "dilation": 2}, square(3, 2), "zero"),
    Case("convolution", {}, square(3), "zero"),
    Case("convolution", {"kernel_size": (3, 5), "bias": False}, square((3, 5)), "zero"),
    Case("convolution", {"depthwise": True}, square(3), "zero"),
    Case("convolution", {"dilation": 2}, square(3, 2), "zero"),
    Case("graph_attention", {}, square(3)),
    Case("graph_attention", {"edges": ring}, the_one_before),
    # A small step leaves the graph of nearest tokens as it is: finite differences are taken inside one graph.
    Case("graph_attention", {"edges": "knn"}, nearest(9)),
    Case("graph_attention", {"edges": "knn", "neighbours": 4, "backend": "gather"}, nearest(4)),
    Case("recurrent", {}, everything, None),
    Case("recurrent", {"kind": "gru"}, everything, None),
    Case("recurrent", {"order": "sequence"}, everything, None),
    Case("recurrent", {"kind": "gru", "order": "sequence", "hidden": 3}, everything, None),
    Case("pooling", {}, square(3)),
    Case("pooling", {"kernel_size": 5, "subtract": False}, square(5)),
    Case("identity", {}, itself, None),
]
each_case = pytest.mark.parametrize("case", CASES, ids=str)


def make(case: Case, grid: Grid = GRID, dim: int = DIM, **dd: Any) -> Any:
    """Return the mixer of a case, without a type, so that tests may read its parts."""
    torch.manual_seed(0)
    options = {name: value(grid) if callable(value) else value for name, value in case.options.items()}
    mixer = create_mixer(case.mixer, dim, grid, **options, **dd)
    for name, parameter in mixer.named_parameters():
        if name.endswith("table"):  # as if trained: near 0 a mistake in it would not show
            nn.init.normal_(parameter)
    return mixer


def tokens(grid: Grid = GRID, dim: int = DIM, batch: int = 2, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, grid.size, dim, generator=generator, dtype=torch.float64).to(dtype)


def gradients(mixer: nn.Module, x: Tensor, out: Tensor) -> tuple[Tensor, ...]:
    """Return the gradients of x and of every parameter, for one direction of the output."""
    direction = tokens(Grid(1, x.shape[1]), batch=len(x), dtype=out.dtype)
    return torch.autograd.grad((out * direction).sum(), [x, *mixer.parameters()])
