"""The receptive field of a model's outputs: from fields, from gradients, and its strength.

Both `composed_field` and `gradient_support` compute the gradient of one output token with respect to the
pixels, of a `positive_copy` of the model. The first uses the fields of the attention layers, the second the
model's own operations. Residual branches and global operations are thus included as the model runs them.

>>> import timm
>>> composed_field(timm.create_model("field_local", img_size=16, patch_size=4, depth=1), 16).mask().shape
torch.Size([16, 256])
"""

from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate

from vision.convert import ConversionSummary, input_shape
from vision.fields import Field
from vision.inspection.layer_outputs import central_patch, centre, output_of, outputs_of, tokens_on_grid
from vision.inspection.positive_copy import channel_weights, fields_of, positive_copy, positive_copy_by_fields
from vision.inspection.spread import spread_indices
from vision.inspection.stated_grids import StatedGrids, stated_grids
from vision.models.modes import evaluating
from vision.patches import Grid

Size = int | tuple[int, ...] | None
_BATCH_NUMBERS = 2**18  # numbers of input in one backward pass
_SMALL = 1e-6  # inputs at which no gate saturates
_NOISE = 1e-4  # of a sum that does not depend on the image, as a share of another weighting's gradient


@dataclass(frozen=True)
class LayerFields:
    """The receptive fields of the central token of a layer, as bool (H, W) over the pixels of the image.

    Attributes:
        name: the layer's name in the model.
        direct: pixels under the tokens that the layer itself attends to.
        composed: pixels that reach the token through all layers up to this one.
    """

    name: str
    direct: NDArray[np.bool_]
    composed: NDArray[np.bool_]


def composed_field(model: nn.Module, input_size: Size, layer: str | None = None) -> Field:
    """Return the field of a layer's output tokens over the pixels, composed from the layers' fields.

    Every module with a field becomes the mean over that field; the other modules run as they are.

    Args:
        model: with layers that have a field, such as a copy made by `vision.as_attention`.
        input_size: of the images, as for `vision.as_attention`: (C, H, W), (H, W) or one number.
        layer: name of a module whose output, at its first use, is (B, C, rows, cols) or (B, N, C). None
            means the last module to run whose output has more than one token. Tokens that are not on a grid
            that the model states, such as those with a class token, get Grid(1, N).

    Raises:
        ValueError: no layer has a field, or the layer's output has no grid.
    """
    return _support(positive_copy_by_fields(model), input_size, layer)


def gradient_support(model: nn.Module, input_size: Size, layer: str | None = None) -> Tensor:
    """Return bool (N_query, H * W): which pixels have a gradient at each output token of a layer.

    Accepts any model; the other arguments are those of `composed_field`. Two things may hide a connection.
    One is a ReLU after a weight that is standardized in the forward pass, and thus not positive. The other is
    a maximum that is a function call instead of nn.MaxPool2d: it has a gradient at one token only.

    Raises:
        ValueError: the layer's output has no grid.
    """
    return _support(positive_copy(model), input_size, layer).mask()


def effective_receptive_field(model: nn.Module, images: Tensor, layer: str | None = None) -> Tensor:
    """images (B, C, H, W) -> (H, W): how strongly each pixel changes the central token of a layer.

    It is the absolute gradient of the sum of the token's channels, averaged over images and channels (Luo et
    al., 2016). The model has its own weights and is in eval mode. The token is at (rows // 2, cols // 2) of
    the patches; class and register tokens are not counted.

    Args:
        model: any model.
        images: where to compute the gradient.
        layer: as in `composed_field`.

    Raises:
        ValueError: the layer's output has no grid, or none that the model states, or the sum of its channels
            is constant.
    """
    grids = stated_grids(model, (images.shape[-2], images.shape[-1]))
    with evaluating(model), torch.enable_grad():
        x = images.detach().clone().requires_grad_()
        output = output_of(model, x, layer)
        tokens, grid = tokens_on_grid(output, grids, images.shape[-2:])
        token = tokens[:, central_patch(output, grid, grids)]
        (weighted,) = torch.autograd.grad(
            (token * channel_weights(token.shape[1]).to(token)).sum(), x, retain_graph=True
        )
        (gradient,) = torch.autograd.grad(token.sum(), x)
    if gradient.abs().max() <= _NOISE * weighted.abs().max():
        raise ValueError(
            f"the sum of the channels of {layer=} does not depend on the image, as after a layer norm with "
            "equal weights; choose another layer"
        )
    return gradient.abs().mean((0, 1))


def fields_through_depth(model: nn.Module, input_size: Size, layers: int = 6) -> list[LayerFields]:
    """Return the receptive fields of the central token at layers evenly spread from the first to the last.

    It needs one gradient per layer, for one token: seconds for ResNet-18 at 224 x 224. Layers that do not mix
    tokens, such as 1 x 1 convolutions, and those with one token of output are left out.

    Args:
        model: as in `composed_field`.
        input_size: as in `composed_field`.
        layers: how many to return at most.

    Raises:
        ValueError: no layer has a field that mixes tokens.
    """
    copy = positive_copy_by_fields(model)
    fields = {
        name: field for name, field in fields_of(copy).items() if field.queries.size > 1 and _mixes(field)
    }
    if not fields:
        raise ValueError(
            "fields_through_depth needs a layer that mixes tokens, got none; convert the model first"
        )
    x = _small_input(copy, input_size)
    outputs = outputs_of(copy, x, fields)
    names = list(outputs)
    chosen = [names[index] for index in spread_indices(len(names), layers)]
    grids = stated_grids(model, (x.shape[-2], x.shape[-1]))
    return [_at_layer(name, fields[name], outputs[name], x, grids) for name in chosen]


def _at_layer(name: str, field: Field, output: Tensor, x: Tensor, grids: StatedGrids) -> LayerFields:
    tokens, _ = tokens_on_grid(output, grids, x.shape[-2:])
    (gradient,) = torch.autograd.grad(_readout(tokens[:, centre(field.queries)]), x, retain_graph=True)
    direct = torch.full((field.keys.size,), field.is_full)
    if not field.is_full:
        index, valid = (columns[centre(field.queries)] for columns in field.neighbours())
        direct[index[valid]] = True
    # The pixels of a token: rows i * H / n to (i + 1) * H / n, and the same for columns.
    cells = direct.view(1, 1, field.keys.rows, field.keys.cols).double()
    pixels = interpolate(cells, size=x.shape[-2:], mode="nearest")[0, 0] > 0
    return LayerFields(name, pixels.numpy(), (gradient[0] != 0).any(0).numpy())


def _support(model: nn.Module, input_size: Size, layer: str | None) -> Field:
    """Return which pixels have a gradient at each token of a positive copy."""
    image = _small_input(model, input_size)
    size = (image.shape[-2], image.shape[-1])
    grids = stated_grids(model, size)
    grid = tokens_on_grid(output_of(model, image, layer), grids, size)[1]
    rows: list[Tensor] = []
    batch = max(1, _BATCH_NUMBERS // image.numel())  # images, one per token
    for first in range(0, grid.size, batch):
        chosen = torch.arange(first, min(first + batch, grid.size))
        x = _small_input(model, input_size, len(chosen))
        tokens = tokens_on_grid(output_of(model, x, layer), grids, size)[0]
        (gradient,) = torch.autograd.grad(_readout(tokens[torch.arange(len(chosen)), chosen]), x)
        rows.append((gradient != 0).any(1).flatten(1))
    return Field(grid, Grid(*image.shape[-2:]), allowed=torch.cat(rows))


def _mixes(field: Field) -> bool:
    return field.keys.size > 1 if field.is_full else bool((field.neighbours()[1].sum(1) > 1).any())


def _readout(tokens: Tensor) -> Tensor:
    """(B, C) -> (): a sum with a different positive weight for each channel."""
    return (tokens * channel_weights(tokens.shape[1])).sum()


def _small_input(model: nn.Module, input_size: Size, batch: int = 1) -> Tensor:
    summary = getattr(model, "conversion", None)
    if isinstance(summary, ConversionSummary):  # no convolution is left that would show its channels
        known = summary.input_shape
        size = (input_size, input_size) if isinstance(input_size, int) else input_size or known[1:]
        input_size = (*known[: 3 - len(size)], *size)
    shape = input_shape(model, input_size)
    if len(shape) != 3:
        raise ValueError(f"receptive fields need images (C, H, W), got {input_size=}")
    return (_SMALL * channel_weights(prod(shape))).view(1, *shape).repeat(batch, 1, 1, 1).requires_grad_()
