"""What an output of a model can see of the image: by its layers' fields, by the gradient, and how strongly.

Both `composed_field` and `gradient_support` ask a copy of the model for the gradient of one output token with
respect to the pixels, and differ in who answers: the fields of the attention layers, or the model's own
operations. So residual branches are united, and a global operation reaches everywhere, as the model really
runs. For the gradient to be non-zero exactly where something is connected, the copy is `positive`, and the
input positive and small, so that no ReLU is off and no gate saturated.

>>> composed_field(vision.as_attention(model, 32), 32).mask().shape  # doctest: +SKIP
torch.Size([64, 1024])
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from vision.convert import input_shape
from vision.fields import Field
from vision.inspection.attention_distance import square_patches
from vision.inspection.positive_copy import factors, fields_of, positive_by_fields, positive_copy
from vision.models.modes import evaluating
from vision.patches import Grid

Size = int | tuple[int, ...] | None
_AT_ONCE = 2**18  # numbers of input in one backward pass
_SMALL = 1e-6


@dataclass(frozen=True)
class LayerFields:
    """Whom the central token of a layer sees, as bool (H, W) over the pixels of the image.

    Attributes:
        name: the layer's name in the model.
        direct: pixels under the tokens that the layer itself attends to.
        composed: pixels that reach the token through all layers up to this one.
    """

    name: str
    direct: np.ndarray
    composed: np.ndarray


def composed_field(model: nn.Module, input_size: Size, layer: str | None = None) -> Field:
    """Field of a layer's output tokens over the pixels, composed from the fields of the layers below.

    Every module with a field takes the mean over it, positive weights on each key; the rest runs as it is.

    Args:
        model: with layers that have a field, as a copy that `vision.as_attention` makes.
        input_size: the images, as `vision.as_attention` takes it: (C, H, W), (H, W) or one number.
        layer: name of a module whose output, at its first use, is (B, C, rows, cols) or (B, N, C); None is
            the last module to end whose output has more than one place. Tokens that are no square patches of
            the image, as with a class token, are numbered on Grid(1, N).

    Raises:
        ValueError: no layer has a field, or the layer's output is on no grid.
    """
    return _support(positive_by_fields(model), input_size, layer)


def gradient_support(model: nn.Module, input_size: Size, layer: str | None = None) -> Tensor:
    """() -> bool (N_query, H * W): which pixels have a gradient at each output token of a layer.

    The arguments are those of `composed_field`; the model may be any, and its own operations answer. A weight
    that is standardised on the way is not positive, and a ReLU behind it may hide a connection; a maximum
    written as a function call instead of nn.MaxPool2d shows one of its places only.

    Raises:
        ValueError: the layer's output is on no grid.
    """
    return _support(positive_copy(model), input_size, layer).mask()


def effective_receptive_field(model: nn.Module, images: Tensor, layer: str | None = None) -> Tensor:
    """images (B, C, H, W) -> (H, W): how strongly each pixel moves the central token of a layer.

    The mean over images and channels of the absolute gradient of the token's sum over its channels, with the
    model's own weights in eval mode (Luo et al., 2016). The token is at (rows // 2, cols // 2) of the
    patches: class and register tokens, which come first, are passed over.

    Args:
        model: any.
        images: what the gradient is taken at.
        layer: as in `composed_field`.
    """
    with evaluating(model), torch.enable_grad():
        x = images.detach().clone().requires_grad_()
        tokens, grid = _tokens(_output(model, x, layer), images.shape[-2:])
        centre = _central_patch(grid, images.shape[-2:], getattr(model, "num_prefix_tokens", 0))
        (gradient,) = torch.autograd.grad(tokens[:, centre].sum(), x)
    return gradient.abs().mean((0, 1))


def fields_through_depth(model: nn.Module, input_size: Size, layers: int = 6) -> list[LayerFields]:
    """What the central token sees at so many layers, evenly spread from the first to the last.

    One gradient a layer, for one token, so that ResNet-18 at 224 x 224 takes seconds. Layers that mix no
    tokens, as 1 x 1 convolutions, and those that leave one token are passed over.

    Args:
        model: as in `composed_field`.
        input_size: as in `composed_field`.
        layers: how many, at most.

    Raises:
        ValueError: no layer has a field that mixes tokens.
    """
    copy = positive_by_fields(model)
    fields = {
        name: field for name, field in fields_of(copy).items() if field.queries.size > 1 and _mixes(field)
    }
    if not fields:
        raise ValueError(
            "fields_through_depth needs a layer that mixes tokens, got none; convert the model first"
        )
    x = _small_input(copy, input_size)
    outputs = _outputs(copy, x, fields)
    chosen = np.unique(np.linspace(0, len(outputs) - 1, layers).round().astype(int))
    return [
        _at_layer(name, fields[name], outputs[name], x) for name in np.array(list(outputs))[chosen].tolist()
    ]


class _Enough(Exception):
    """All outputs that were asked for are there: the rest of the model need not run."""


def _at_layer(name: str, field: Field, output: Tensor, x: Tensor) -> LayerFields:
    tokens, grid = _tokens(output, x.shape[-2:])
    (gradient,) = torch.autograd.grad(_readout(tokens[:, _centre(grid)]), x, retain_graph=True)
    direct = torch.full((field.keys.size,), field.is_full)
    if not field.is_full:
        index, valid = (columns[_centre(field.queries)] for columns in field.neighbours())
        direct[index[valid]] = True
    # A token's pixels: rows i * H / n to (i + 1) * H / n, likewise columns.
    cells = direct.view(1, 1, field.keys.rows, field.keys.cols).double()
    pixels = interpolate(cells, size=x.shape[-2:], mode="nearest")[0, 0] > 0
    return LayerFields(name, pixels.numpy(), (gradient[0] != 0).any(0).numpy())


def _support(model: nn.Module, input_size: Size, layer: str | None) -> Field:
    """Of a positive copy: which pixels have a gradient at each token, one token an image of the batch."""
    image = _small_input(model, input_size)
    grid = _tokens(_output(model, image, layer), image.shape[-2:])[1]
    rows = []
    for chosen in torch.arange(grid.size).split(max(1, _AT_ONCE // image.numel())):
        x = _small_input(model, input_size, len(chosen))
        tokens = _tokens(_output(model, x, layer), x.shape[-2:])[0]
        (gradient,) = torch.autograd.grad(_readout(tokens[torch.arange(len(chosen)), chosen]), x)
        rows.append((gradient != 0).any(1).flatten(1))
    return Field(grid, Grid(*image.shape[-2:]), allowed=torch.cat(rows))


def _mixes(field: Field) -> bool:
    return field.keys.size > 1 if field.is_full else bool((field.neighbours()[1].sum(1) > 1).any())


def _readout(tokens: Tensor) -> Tensor:
    """(B, C) -> (): a positive sum, different for each channel."""
    return (tokens * factors(tokens.shape[1])).sum()


def _small_input(model: nn.Module, input_size: Size, batch: int = 1) -> Tensor:
    report = getattr(model, "conversion", None)
    if report is not None:  # a converted model has no convolution left that would tell its channels
        size = (
            (input_size, input_size) if isinstance(input_size, int) else input_size or report.input_shape[1:]
        )
        input_size = (*report.input_shape[: 3 - len(size)], *size)
    shape = input_shape(model, input_size)
    if len(shape) != 3:
        raise ValueError(f"receptive fields are those of images (C, H, W), got {input_size=}")
    return (_SMALL * factors(prod(shape))).view(1, *shape).repeat(batch, 1, 1, 1).requires_grad_()


def _output(model: nn.Module, x: Tensor, layer: str | None) -> Tensor:
    names = [name for name, _ in model.named_modules()]
    if layer is not None and layer not in names:
        raise ValueError(f"layer must be the name of a module, got {layer!r}; the last ones are {names[-5:]}")
    outputs = _outputs(model, x, names if layer is None else (layer,), least=2 if layer is None else 1)
    if not outputs:
        raise ValueError(
            f"an output with places is (B, C, rows, cols) or (B, N, C), got none such of {layer=}"
        )
    return outputs[list(outputs)[-1]]


def _outputs(model: nn.Module, x: Tensor, names: Collection[str], *, least: int = 1) -> dict[str, Tensor]:
    """-> what modules give that has at least so many places, by name in order of execution."""
    outputs: dict[str, Tensor] = {}

    def keep(name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        shape = output.shape if isinstance(output, Tensor) else ()
        places = {3: shape[1:2], 4: shape[2:]}.get(len(shape), (0,))
        if prod(places) >= least:
            outputs.pop(name, None)
            outputs[name] = output.clone()  # what runs next may write into it
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


def _tokens(output: Tensor, img_size: Sequence[int]) -> tuple[Tensor, Grid]:
    """(B, C, rows, cols) or (B, N, C) -> (B, N, C) and the grid of the tokens."""
    if output.ndim == 4:
        return output.flatten(2).transpose(1, 2), Grid(*output.shape[2:])
    patches = square_patches(output.shape[1], (img_size[0], img_size[1]))
    return output, patches[0] if patches and not patches[1] else Grid(1, output.shape[1])


def _centre(grid: Grid) -> int:
    return grid.rows // 2 * grid.cols + grid.cols // 2


def _central_patch(grid: Grid, img_size: Sequence[int], prefix: int) -> int:
    """Number of the central token; where class tokens come before the patches, of the central patch."""
    patches = square_patches(grid.size, (img_size[0], img_size[1]), prefix) if grid.rows == 1 else None
    return _centre(grid) if patches is None else patches[1] + _centre(patches[0])
