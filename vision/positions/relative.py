"""A learned number per relative position, added to the logits of attention.

>>> from vision.fields import neighbourhood
>>> RelativeBias(neighbourhood(Grid(8, 8), kernel_size=3), num_heads=4)().shape
torch.Size([4, 9])
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Unpack, cast

import torch
from timm.layers import pos_embed_rel
from torch import Tensor, nn

from vision.device_dtype import DeviceDtype
from vision.fields import Field
from vision.patches import Grid, given_grid
from vision.positions.resizing import field_on, parameter_like


class RelativeBias(nn.Module):
    """A bias of the logits: one learned number per head and relative position (row, col) of the key.

    For a field by K offsets the table is (num_heads, K) and is returned as it is. For any other field it has
    one number for each of the (2R - 1)(2C - 1) differences on an R x C grid. It is then returned dense,
    (1, num_heads, N_query, N_key). As in Swin (Liu et al., 2021) it starts near 0.

    Args:
        field: who attends to whom.
        num_heads: heads of the attention.
    """

    index: Tensor | None

    def __init__(self, field: Field, num_heads: int, **dd: Unpack[DeviceDtype]) -> None:
        super().__init__()
        self.field = field
        index = (
            None
            if field.offsets is not None
            else _relative_index(field.queries, field.keys).to(dd.get("device"))
        )
        count = len(field.offsets or ()) if index is None else _differences(field.queries, field.keys).size
        self.register_buffer("index", index, persistent=False)
        self.table = nn.Parameter(torch.empty(num_heads, count, **dd))
        nn.init.trunc_normal_(self.table, std=0.02)

    @property
    def grid(self) -> Grid:
        """Grid of the queries."""
        return self.field.queries

    def forward(self, grid: Grid | None = None) -> Tensor:
        """Return (num_heads, K) for a field by offsets, else (1, num_heads, N_query, N_key).

        Args:
            grid: another grid than the constructor's.

        Raises:
            ValueError: another grid is given, and the field is not by offsets.
        """
        if given_grid(grid) and self.index is not None:
            raise ValueError(f"a relative bias between all tokens is built for one grid, {self.grid}")
        return self.table if self.index is None else self.table[:, self.index].unsqueeze(0)

    def resized(self, grid: Grid) -> "RelativeBias":
        """Return the bias on another grid.

        The table of a field by offsets stays as it is. Any other is interpolated as in BEiT (Bao et al.,
        2022) by timm, in float32, and its field becomes the full one. On a larger grid, near positions stay
        where they are. The steps between farther ones grow by at most half. Past the last one its value is
        repeated. A smaller grid keeps the near positions.
        """
        new, old = deepcopy(self), self.field
        new.field = field_on(old, grid)
        if old.offsets is not None:
            return new
        # (H, (2R - 1)(2C - 1)) -> (H, 2R - 1, 2C - 1), the form from which timm reads the sides
        sides = (2 * old.queries.rows - 1, 2 * old.queries.cols - 1)
        size = (len(self.table), 2 * grid.rows - 1, 2 * grid.cols - 1)
        table = _resample(torch.unflatten(self.table.detach(), 1, sides), grid, size).flatten(1)
        computed = RelativeBias(new.field, len(table), device=self.table.device)
        new.index, new.table = computed.index, parameter_like(table, self.table)
        return new


def _resample(table: Tensor, grid: Grid, size: tuple[int, int, int]) -> Tensor:
    """(H, 2R - 1, 2C - 1) -> (H, rows, cols) of `size`."""
    resample = cast(
        Callable[..., Tensor],
        pos_embed_rel.resize_rel_pos_bias_table,  # pyright: ignore[reportUnknownMemberType]
    )
    return resample(table, (grid.rows, grid.cols), size)


def _differences(queries: Grid, keys: Grid) -> Grid:
    """Return the grid of all differences in rows and columns between a query and a key."""
    return Grid(queries.rows + keys.rows - 1, queries.cols + keys.cols - 1)


def _relative_index(queries: Grid, keys: Grid) -> Tensor:
    """Return (N_query, N_key): the index of key - query in the grid of differences, row by row."""
    difference = keys.coordinates()[None] - queries.coordinates()[:, None]
    row, col = (difference + torch.tensor((queries.rows - 1, queries.cols - 1), device="cpu")).unbind(-1)
    return row * _differences(queries, keys).cols + col
