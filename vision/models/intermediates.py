"""Layers one after another, and the outputs of some of them: what timm's forward_intermediates needs.

>>> import torch
>>> run(nn.Sequential(nn.ReLU(), nn.ReLU()), torch.ones(1))
tensor([1.])
"""

from typing import cast

from timm.models import (
    checkpoint,  # pyright: ignore[reportUnknownVariableType]
    checkpoint_seq,  # pyright: ignore[reportUnknownVariableType]
)
from timm.models._features import feature_take_indices
from torch import Tensor, nn

from vision.patches import Grid

Indices = int | list[int] | None  # the last so many layers, the layers with these indices, or all


def run(layers: nn.Sequential, x: Tensor, *, recompute: bool = False, grid: Grid | None = None) -> Tensor:
    """Apply the layers; with `recompute`, their activations are computed again in the backward pass.

    Args:
        layers: all layers.
        x: input of the first.
        recompute: see above.
        grid: given to each layer, if it is not None.
    """
    if grid is None:
        return cast(Tensor, checkpoint_seq(layers, x)) if recompute else layers(x)
    return run_and_keep(layers, x, 1, stop_early=False, recompute=recompute, grid=grid)[0]


def run_and_keep(
    layers: nn.Sequential,
    x: Tensor,
    indices: Indices,
    *,
    stop_early: bool,
    recompute: bool,
    grid: Grid | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """Return the output of the layers, and that of each chosen one.

    Args:
        layers: all layers.
        x: input of the first.
        indices: which outputs to keep.
        stop_early: skip the layers after the last chosen one.
        recompute: as in `run`.
        grid: as in `run`.
    """
    grids = () if grid is None else (grid,)
    chosen, last = feature_take_indices(len(layers), indices)
    kept: list[Tensor] = []
    for i, layer in enumerate(layers[: last + 1] if stop_early else layers):
        x = cast(Tensor, checkpoint(layer, x, *grids)) if recompute else layer(x, *grids)
        if i in chosen:
            kept.append(x)
    return x, kept


def check_format(output_fmt: str, *known: str) -> None:
    """Raise a ValueError for a layout of the outputs that a model does not have."""
    if output_fmt not in known:
        raise ValueError(f"output_fmt must be {' or '.join(known)}, got {output_fmt!r}")
