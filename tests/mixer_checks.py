"""Mixers, tokens and offsets shared by the tests of mixers."""

from typing import Any, TypeVar

import torch
from torch import nn

from vision.patches import Grid

GRID = Grid(6, 7)
DIM = 8
Mixer = TypeVar("Mixer", bound=nn.Module)
WIDE: dict[str, Any] = {"dtype": torch.float64}


def make(mixer: type[Mixer], grid: Grid = GRID, dim: int = DIM, **options: Any) -> Mixer:
    """Return a mixer in float64 whose relative biases differ from 0, as if trained."""
    torch.manual_seed(0)
    made = mixer(dim, grid, **WIDE, **options)
    for name, parameter in made.named_parameters():
        if name.endswith("table"):  # near 0 a mistake in it would not show
            nn.init.normal_(parameter)
    return made


def tokens(grid: Grid = GRID, dim: int = DIM, batch: int = 2) -> torch.Tensor:
    """Return random tokens (B, N, C) in float64."""
    return torch.randn(batch, grid.size, dim, generator=torch.Generator().manual_seed(1), **WIDE)


def as_images(x: torch.Tensor, grid: Grid) -> torch.Tensor:
    """(B, N, C) -> (B, C, rows, cols)."""
    return x.transpose(1, 2).unflatten(2, (grid.rows, grid.cols))


def offsets(grid: Grid) -> torch.Tensor:
    """Return key minus query, (N, N, 2): rows and columns."""
    positions = grid.coordinates()
    return positions[None] - positions[:, None]
