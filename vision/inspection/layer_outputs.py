"""The outputs of a model's layers as tokens on their grids.

>>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
>>> images = torch.randn(2, 3, 8, 8)
>>> tokens_on_grid(output_of(model, images, "0"), StatedGrids((), prefix=0), (8, 8))[1]
Grid(rows=6, cols=6)
"""

from collections.abc import Collection, Sequence
from functools import partial
from math import prod

import torch
from torch import Tensor, nn

from vision.convert.modules import named_modules
from vision.inspection.stated_grids import StatedGrids
from vision.patches import Grid


def output_of(model: nn.Module, x: Tensor, layer: str | None) -> Tensor:
    """Return the output of a layer at its first use, or the last output with more than one token.

    Raises:
        ValueError: there is no such layer, or its output is not (B, C, rows, cols) or (B, N, C).
    """
    names = [name for name, _ in named_modules(model).items()]
    if layer is not None and layer not in names:
        raise ValueError(f"layer must be the name of a module, got {layer!r}; the last ones are {names[-5:]}")
    outputs = outputs_of(model, x, names if layer is None else (layer,), least=2 if layer is None else 1)
    if not outputs:
        raise ValueError(
            f"the output of a layer must be (B, C, rows, cols) or (B, N, C), got another one of {layer=}"
        )
    return outputs[list(outputs)[-1]]


def outputs_of(model: nn.Module, x: Tensor, names: Collection[str], *, least: int = 1) -> dict[str, Tensor]:
    """Return the outputs of modules with at least `least` tokens, by name in order of execution."""
    outputs: dict[str, Tensor] = {}

    def keep(name: str, module: nn.Module, inputs: object, output: object) -> None:
        shape = output.shape if isinstance(output, Tensor) else torch.Size()
        sides = {3: shape[1:2], 4: shape[2:]}.get(len(shape), (0,))
        if isinstance(output, Tensor) and prod(sides) >= least:
            outputs.pop(name, None)
            outputs[name] = output.clone()  # the next module may write into it
        if len(outputs) == len(names):
            raise _Enough

    handles = [model.get_submodule(name).register_forward_hook(partial(keep, name)) for name in names]
    try:
        model(x)
    except _Enough:
        pass
    finally:
        for handle in handles:
            handle.remove()
    return outputs


def tokens_on_grid(output: Tensor, grids: StatedGrids, size: Sequence[int]) -> tuple[Tensor, Grid]:
    """(B, C, rows, cols), (B, rows, cols, C) or (B, N, C) -> (B, N, C) and the grid of the tokens."""
    if output.ndim == 4 and _channels_last(output, size):
        return output.flatten(1, 2), Grid(*output.shape[1:3])
    if output.ndim == 4:
        return output.flatten(2).transpose(1, 2), Grid(*output.shape[2:])
    patches = grids.patches(output.shape[1])
    return output, patches[0] if patches and not patches[1] else Grid(1, output.shape[1])


def centre(grid: Grid) -> int:
    """Return the index of the token at (rows // 2, cols // 2)."""
    return grid.rows // 2 * grid.cols + grid.cols // 2


def central_patch(output: Tensor, grid: Grid, grids: StatedGrids) -> int:
    """Return the index of the central patch; class tokens come first in (B, N, C)."""
    if output.ndim == 4:
        return centre(grid)
    patches = grids.patches(output.shape[1])
    if patches is None:
        raise ValueError(grids.why_none(str(output.shape[1])))
    return patches[1] + centre(patches[0])


class _Enough(Exception):
    """All requested outputs are computed: the rest of the model need not run."""


def _channels_last(output: Tensor, size: Sequence[int]) -> bool:
    """Return whether an output is (B, rows, cols, C), as in Swin: only so is it as wide as the image."""
    first, last = (_as_wide(sides, size) for sides in (output.shape[2:], output.shape[1:3]))
    return last and not first


def _as_wide(sides: Sequence[int], size: Sequence[int]) -> bool:
    """Return whether rows and columns divide the image by one number, up to what is cut off or padded."""
    least, most = (
        [length / (count + 0.5) for count, length in zip(sides, size, strict=True)],
        [length / max(count - 0.5, 0.5) for count, length in zip(sides, size, strict=True)],
    )
    return max(least) <= min(most)
