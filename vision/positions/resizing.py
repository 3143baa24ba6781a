"""Positions on another grid: what was learned is interpolated, what is a formula is computed again.

>>> resize(LearnedPosition(Grid(8, 8), 64), Grid(12, 12)).pos_embed.shape
torch.Size([1, 144, 64])
"""

from copy import deepcopy
from dataclasses import replace
from typing import TypeVar

import torch
from timm.layers import resample_abs_pos_embed, resize_rel_pos_bias_table
from torch import Tensor, nn

from vision.fields import Field, full
from vision.patches import Grid
from vision.positions.added import ConditionalPosition, LearnedPosition, SinusoidalPosition
from vision.positions.quadratic import QuadraticBias
from vision.positions.relative import RelativeBias
from vision.positions.rotary import Rotary

PositionT = TypeVar("PositionT", bound=nn.Module)


@torch.no_grad()
def resize(position: PositionT, grid: Grid) -> PositionT:
    """A module of the same kind on another grid; the one given stays as it is.

    - Learned: interpolated as an image is, bicubic, smoothed where it shrinks, by timm.
    - Sinusoidal, rotary: computed again; a place keeps its row and column, not its share of the side.
    - Conditional: the same convolution.
    - Quadratic: the same centres and widths, in places; the field as of a relative bias.
    - Relative bias of a field by offsets: the same table, as offsets are in places of any grid.
    - Relative bias of any other field: BEiT's interpolation (Bao et al., 2022), by timm, in float32. On a
      larger grid near places stay where they are, and steps between farther ones grow, by half at most; past
      the last one its value holds. A smaller grid keeps the near places. The field becomes the full one.

    Args:
        position: what `create_position` returns, a `Rotary`, a `RelativeBias` or a `QuadraticBias`.
        grid: where the tokens are to sit.

    Raises:
        ValueError: it is another module, or a bias whose queries and keys are on different grids.
    """
    new = deepcopy(position)
    if isinstance(new, LearnedPosition):
        new.pos_embed = _parameter(_interpolated(new.pos_embed, new.grid, grid), new.pos_embed)
    elif isinstance(new, SinusoidalPosition):
        like = new.pos_embed
        again = SinusoidalPosition(grid, like.shape[-1], device=like.device, dtype=like.dtype)
        new.pos_embed = again.pos_embed
    elif isinstance(new, Rotary):
        again = Rotary(grid, new.head_dim, device=new.sin.device, dtype=new.sin.dtype)
        new.sin, new.cos = again.sin, again.cos
    elif isinstance(new, RelativeBias):
        _resize_bias(new, grid)
    elif isinstance(new, QuadraticBias):
        new.field = _resized(new.field, grid)
    elif not isinstance(new, ConditionalPosition | nn.Identity):
        raise ValueError(f"only positions of this package can be resized, got {type(position).__name__}")
    if not isinstance(new, RelativeBias | QuadraticBias | nn.Identity):
        new.grid = grid
    return new


def _resize_bias(bias: RelativeBias, grid: Grid) -> None:
    """Bring a relative bias to another grid, in place."""
    old, bias.field = bias.field, _resized(bias.field, grid)
    if old.offsets is not None:
        return
    # (H, (2R - 1)(2C - 1)) -> (H, 2R - 1, 2C - 1), the form whose sides timm can read off
    table = bias.table.detach().unflatten(1, (2 * old.queries.rows - 1, 2 * old.queries.cols - 1))
    size = (len(table), 2 * grid.rows - 1, 2 * grid.cols - 1)
    table = resize_rel_pos_bias_table(table, (grid.rows, grid.cols), size).flatten(1)
    again = RelativeBias(bias.field, len(table), device=bias.table.device)
    bias.index, bias.table = again.index, _parameter(table, bias.table)


def _resized(field: Field, grid: Grid) -> Field:
    """The same offsets on another grid; of any other field the full one."""
    if field.queries != field.keys:
        raise ValueError(
            f"a bias resizes on one grid only, got queries on {field.queries} and keys on {field.keys}"
        )
    return full(grid) if field.offsets is None else replace(field, queries=grid, keys=grid)


def _interpolated(table: Tensor, old: Grid, new: Grid) -> Tensor:
    """(1, N, C) -> (1, N_new, C)."""
    sizes = [new.rows, new.cols], [old.rows, old.cols]
    return resample_abs_pos_embed(table.detach(), *sizes, num_prefix_tokens=0)


def _parameter(values: Tensor, like: nn.Parameter) -> nn.Parameter:
    return nn.Parameter(values.clone(), requires_grad=like.requires_grad)
