"""The token mixer of recurrent networks: tokens are read one after the other, in both directions.

>>> Recurrent(64, Grid(8, 8), kind="gru")(torch.randn(2, 64, 64)).shape
torch.Size([2, 64, 64])
"""

from typing import Any

import torch
from torch import Tensor, nn

from vision.dynamic import Arguments
from vision.patches import Grid

_KINDS: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}
_ORDERS = ("rows_and_columns", "sequence")
# oneDNN runs torch's LSTM on a CPU, and has no bfloat16 version for processors without AVX-512.
_FLOAT32_ONLY = torch.backends.mkldnn.is_available() and not torch.ops.mkldnn._is_mkldnn_bf16_supported()


class Recurrent(nn.Module):
    """(B, N, C) -> (B, N, C): bidirectional LSTMs or GRUs over the tokens, and a linear map back.

    "rows_and_columns" is ReNet's layer (Visin et al., 2015): one network reads every row from both ends, and
    a second one every column of its output. So each output depends on all tokens. The paper starts with the
    columns. With "sequence", one network reads all tokens in index order from both ends. Attention connects
    any two tokens in one step. Here information passes through all tokens between them.

    torch.fx, torch.jit.trace and torch.export support it. torch.compile runs torch's networks uncompiled
    between two graphs; fullgraph=True is an error unless torch._dynamo.config.allow_rnn is set.

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
        if kind not in _KINDS:
            raise ValueError(f"kind must be one of {', '.join(_KINDS)}; got {kind!r}")
        if order not in _ORDERS:
            raise ValueError(f"order must be one of {', '.join(_ORDERS)}; got {order!r}")
        hidden = max(1, dim // 2) if hidden is None else hidden
        if hidden < 1:
            raise ValueError(f"hidden must be at least 1, got {hidden=}")

        def network(width: int) -> nn.LSTM | nn.GRU:
            options: Arguments = {"batch_first": True, "bidirectional": True}
            return _KINDS[kind](width, hidden, **options, device=device, dtype=dtype)

        self.grid, self.order = grid, order
        self.along = network(dim)
        self.down = network(2 * hidden) if order == "rows_and_columns" else None
        self.proj = nn.Linear(2 * hidden, dim, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        if self.down is None:
            return self.proj(_outputs(self.along, x))
        x = _each_row(self.along, torch.unflatten(x, 1, (self.grid.rows, self.grid.cols)))
        x = _each_row(self.down, x.transpose(1, 2)).transpose(1, 2)
        return self.proj(x.flatten(1, 2))

    def extra_repr(self) -> str:
        """Return what nn.Module prints of this module in addition to its submodules."""
        return f"order={self.order!r}"


def _each_row(network: nn.LSTM | nn.GRU, x: Tensor) -> Tensor:
    """(B, rows, cols, C) -> (B, rows, cols, 2 * hidden): every row is a separate sequence."""
    return torch.unflatten(_outputs(network, x.flatten(0, 1)), 0, (-1, x.shape[1]))


def _outputs(network: nn.LSTM | nn.GRU, x: Tensor) -> Tensor:
    """(B, N, C) -> (B, N, 2 * hidden), in float32 under an autocast to a dtype without hardware support."""
    if _FLOAT32_ONLY and torch.is_autocast_enabled("cpu"):
        with torch.autocast("cpu", enabled=False):
            return _recur(network, x.float())
    return _recur(network, x)


def _recur(network: nn.LSTM | nn.GRU, x: Tensor) -> Tensor:
    """(B, N, C) -> (B, N, 2 * hidden): what the network computes, in one operation of torch.

    cuDNN has gradients only of training mode, which without dropout computes the same as evaluation mode.
    """
    weights: list[Tensor] = [weight for direction in network.all_weights for weight in direction]
    start = x.new_zeros(2, x.shape[0], network.hidden_size)
    # biases, layers, dropout, training, in both directions, batch first
    options: Any = (True, 1, 0.0, True, True, True)
    if isinstance(network, nn.LSTM):
        return torch.lstm(x, (start, start), weights, *options)[0]
    return torch.gru(x, start, weights, *options)[0]
