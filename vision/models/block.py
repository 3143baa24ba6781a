"""A pre-norm block: token mixer and MLP, each around a residual."""

from typing import Unpack

import torch
import torch.fx
from timm.layers.drop import DropPath
from timm.layers.mlp import Mlp
from torch import Tensor, nn

from vision.device_dtype import DeviceDtype
from vision.mixers import check_mixed
from vision.patches import Grid

# Symbolic tracing records a call of it, as its checks cannot be traced.
torch.fx.wrap("check_mixed")


class Block(nn.Module):
    """(B, N, C) -> (B, N, C): token mixer, then MLP, each after a norm and around a residual."""

    def __init__(
        self, dim: int, mixer: nn.Module, *, mlp_dim: int, drop_path: float = 0.0, **dd: Unpack[DeviceDtype]
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, **dd)
        self.mixer = mixer
        self.norm2 = nn.LayerNorm(dim, **dd)
        self.mlp = Mlp(dim, mlp_dim, **dd)
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, x: Tensor, grid: Grid | None = None) -> Tensor:
        """(B, N, C) -> (B, N, C), on another grid than the mixer's where one is given."""
        grids = () if grid is None else (grid,)
        mixed = check_mixed(self.mixer(self.norm1(x), *grids), x, type(self.mixer).__name__)
        x = x + self.drop_path(mixed)
        return x + self.drop_path(self.mlp(self.norm2(x)))
