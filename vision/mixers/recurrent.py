"""The token mixer of recurrent networks: tokens are read one after the other, in both directions.

>>> Recurrent(64, Grid(8, 8), kind="gru")(torch.randn(2, 64, 64)).shape
torch.Size([2, 64, 64])
"""

import torch
import torch.fx
from torch import Tensor, nn

from vision.mixers.recurrence import KINDS, Recurrence
from vision.patches import Grid, check_tokens, given_grid

# Symbolic tracing records a call of it, as its checks cannot be traced.
torch.fx.wrap("check_tokens")

_ORDERS = ("rows_and_columns", "sequence")


class Recurrent(nn.Module):
    """(B, N, C) -> (B, N, C): bidirectional LSTMs or GRUs over the tokens, and a linear map back.

    "rows_and_columns" is ReNet's layer (Visin et al., 2015): one network reads every row from both ends, and
    a second one every column of its output. So each output depends on all tokens. The paper starts with the
    columns. With "sequence", one network reads all tokens in index order from both ends. Attention connects
    any two tokens in one step. Here information passes through all tokens between them.

    Args:
        dim: width C of a token.
        grid: grid of the tokens.
        kind: lstm or gru.
        order: rows_and_columns or sequence.
        hidden: width of a network's state in each direction; None is dim / 2, rounded down.

    Raises:
        ValueError: kind or order is unknown, or hidden is below 1.
    """

    def __init__(
        self,
        dim: int,
        grid: Grid,
        *,
        kind: str = "lstm",
        order: str = "rows_and_columns",
        hidden: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")
        if order not in _ORDERS:
            raise ValueError(f"order must be one of {', '.join(_ORDERS)}; got {order!r}")
        hidden = max(1, dim // 2) if hidden is None else hidden
        if hidden < 1:
            raise ValueError(f"hidden must be at least 1, got {hidden=}")

        self.grid, self.order = grid, order
        self.along, self.down = Recurrence(kind, dim, hidden, device=device, dtype=dtype), None
        if order == "rows_and_columns":
            self.down = Recurrence(kind, 2 * hidden, hidden, device=device, dtype=dtype)
        self.proj = nn.Linear(2 * hidden, dim, device=device, dtype=dtype)

    def forward(self, x: Tensor, grid: Grid | None = None) -> Tensor:
        """(B, N, C) -> (B, N, C), on another grid than the constructor's where one is given."""
        grid = given_grid(grid) or self.grid
        x = check_tokens(x, self.along.input_size, grid.size)
        if self.down is None:
            return self.proj(self.along(x))
        x = _each_row(self.along, torch.unflatten(x, 1, (grid.rows, grid.cols)))
        x = _each_row(self.down, x.transpose(1, 2)).transpose(1, 2)
        return self.proj(x.flatten(1, 2))

    def extra_repr(self) -> str:
        """Return what nn.Module prints of this module in addition to its submodules."""
        return f"order={self.order!r}"


def _each_row(network: Recurrence, x: Tensor) -> Tensor:
    """(B, rows, cols, C) -> (B, rows, cols, 2 * hidden): every row is a separate sequence."""
    return torch.unflatten(network(x.flatten(0, 1)), 0, (-1, x.shape[1]))
