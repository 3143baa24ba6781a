"""A learned number per relative place, added to the logits of attention.

>>> RelativeBias(neighbourhood(Grid(8, 8), kernel_size=3), num_heads=4)().shape
torch.Size([4, 9])
"""

import torch
from torch import Tensor, nn

from vision.fields import Field
from vision.patches import Grid


class RelativeBias(nn.Module):
    """() -> bias of the logits: one learned number per head and relative (row, col) place of the key.

    For a field by K offsets the table is (num_heads, K) and is returned as it is. For any other field it has
    one number for each of the (2R - 1)(2C - 1) differences on an R x C grid and is returned dense,
    (1, num_heads, N_query, N_key). As in Swin (Liu et al., 2021) it starts near 0.

    Args:
        field: who attends to whom.
        num_heads: heads of the attention.
    """

    index: Tensor | None

    def __init__(
        self,
        field: Field,
        num_heads: int,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.field = field
        index = None if field.offsets is not None else _relative_index(field.queries, field.keys).to(device)
        count = len(field.offsets or ()) if index is None else _differences(field.queries, field.keys).size
        self.register_buffer("index", index, persistent=False)
        self.table = nn.Parameter(torch.empty(num_heads, count, device=device, dtype=dtype))
        nn.init.trunc_normal_(self.table, std=0.02)

    def forward(self) -> Tensor:
        """() -> (num_heads, K) for a field by offsets, else (1, num_heads, N_query, N_key)."""
        return self.table if self.index is None else self.table[:, self.index].unsqueeze(0)


def _differences(queries: Grid, keys: Grid) -> Grid:
    """How many rows and columns a key can lie away from a query: a grid of all differences."""
    return Grid(queries.rows + keys.rows - 1, queries.cols + keys.cols - 1)


def _relative_index(queries: Grid, keys: Grid) -> Tensor:
    """() -> (N_query, N_key): the place of key - query in the grid of differences, row by row."""
    away = keys.coordinates()[None] - queries.coordinates()[:, None]
    row, col = (away + torch.tensor((queries.rows - 1, queries.cols - 1), device="cpu")).unbind(-1)
    return row * _differences(queries, keys).cols + col
