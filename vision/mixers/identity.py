"""The token mixer that mixes nothing, as a baseline: what the MLPs alone can do."""

from typing import Unpack

from torch import Tensor, nn

from vision.device_dtype import DeviceDtype
from vision.patches import Grid


class Identity(nn.Module):
    """(B, N, C) -> (B, N, C): the tokens themselves; dim, grids, device and dtype have no effect."""

    def __init__(self, dim: int, grid: Grid, **dd: Unpack[DeviceDtype]) -> None:
        super().__init__()

    def forward(self, x: Tensor, grid: Grid | None = None) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        return x
