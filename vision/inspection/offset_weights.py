"""The attention weights of one call as weights of relative offsets, whatever module made them.

>>> import timm, torch
>>> from vision.inspection.attention_maps import watch_attention
>>> model, images = timm.create_model("field_vit", img_size=16, depth=1), torch.randn(2, 3, 16, 16)
>>> _ = watch_attention(
...     model, images, lambda call: print(offset_weights(call, model, images).weights.shape)
... )
torch.Size([2, 4, 16, 16])
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vision.attention.relative_kernel import relative_offsets
from vision.convert import AttentionLayer, ConvolutionAttention, Window
from vision.fields import Field
from vision.inspection.attention_watcher import OVER_CHANNELS, AttentionCall
from vision.inspection.stated_grids import stated_grids
from vision.patches import Grid
from vision.soften import SoftConvolution

MASKED = 50.0  # an additive mask this far below the largest of its row leaves a weight of e^-50


class NoOffsets(Exception):
    """The reason why the keys of a layer have no offset from its queries."""


@dataclass(frozen=True)
class OffsetWeights:
    """The weights of a layer, and the offset of each key from its query.

    Attributes:
        weights: (B, H, N_query, K); rows sum to 1 over the keys with an offset, or to 0.
        offsets: long (N_query, K) or (H, N_query, K): the number of the offset, rows.numel() * cols.numel()
            for no key.
        rows: the offsets' rows relative to the query, in tokens.
        cols: the offsets' columns.
        keys: number of tokens of the image that a query could have as keys.
    """

    weights: Tensor
    offsets: Tensor
    rows: Tensor
    cols: Tensor
    keys: int

    @property
    def count(self) -> int:
        """Number of offsets."""
        return len(self.rows) * len(self.cols)


def offset_weights(call: AttentionCall, model: nn.Module, images: Tensor) -> OffsetWeights:
    """Return the weights of a call by offset.

    - Class and register tokens are left out, and the weights on the other keys are rescaled to sum to 1.
    - A convolution or a pool has the offsets of its kernel positions, also where the padding copies a token.
    - A soft convolution has the keys of the ring of zeros as well.
    - Windows that are folded into the batch, as Swin's, are further queries, which attend to their window.
      The module states their sides as window_size.

    Raises:
        NoOffsets: its tokens are not those of one grid.
    """
    if isinstance(call.module, AttentionLayer):
        return _of_window(call.input, call.module)
    if isinstance(call.module, SoftConvolution):
        return _of_soft(call, call.module)
    return _of_tokens(call, model, images)


def _of_window(x: Tensor, layer: AttentionLayer) -> OffsetWeights:
    window = layer.window
    if x.ndim != 4 or not isinstance(window, Window):
        raise NoOffsets("its windows differ from query to query, or are not on a grid")
    weights, index = layer.neighbour_weights(x)
    valid = index >= 0
    kernel = torch.arange(window.count, device=x.device)
    # With one key per query, the head is the kernel position; otherwise the column is.
    one_each = isinstance(layer, ConvolutionAttention) and index.shape[-1] == 1
    offsets = torch.where(valid, kernel[:, None, None] if one_each else kernel, window.count)
    rows, cols = (
        torch.arange(size) * step - pad[0]
        for size, step, pad in zip(
            window.kernel_size, window.dilation, window.pads(tuple(x.shape[2:])), strict=True
        )
    )
    return OffsetWeights(_rows_to_one(weights * valid), offsets, rows, cols, x[0, 0].numel())


def _of_soft(call: AttentionCall, layer: SoftConvolution) -> OffsetWeights:
    field, (top, left) = layer.field(call.input.shape[2], call.input.shape[3]), layer.ring
    queries = field.queries.coordinates() * torch.tensor(layer.stride) + torch.tensor((top, left))
    offsets, rows, cols = _between(queries, field.keys)
    offsets = _inside(offsets, field, len(rows) * len(cols))
    return OffsetWeights(_rows_to_one(call.magnitudes()), offsets, rows, cols, field.keys.size)


def _of_tokens(call: AttentionCall, model: nn.Module, images: Tensor) -> OffsetWeights:
    if call.over_channels:
        raise NoOffsets(OVER_CHANNELS)
    weights = call.magnitudes()
    if weights.shape[2] == 1:
        raise NoOffsets("it has one query, which has no position on the image")
    if len(weights) != len(images):
        return _of_folded_windows(weights, call, len(images))
    grids = stated_grids(model, (images.shape[-2], images.shape[-1]))
    queries, keys = (grids.patches(tokens) for tokens in weights.shape[2:])
    field: object = getattr(call.module, "field", None)
    if isinstance(field, Field) and (field.queries.size, field.keys.size) == weights.shape[2:]:
        queries, keys = (field.queries, 0), (field.keys, 0)
    if queries is None or keys is None:
        raise NoOffsets(grids.why_none(f"{weights.shape[2]} x {weights.shape[3]}"))
    stride = field.stride if isinstance(field, Field) else (1, 1)
    if keys[0].size == 1 or (queries[0] != keys[0] and stride == (1, 1)):
        raise NoOffsets("its queries and keys are not on one grid")
    offsets, rows, cols = _between(queries[0].coordinates() * torch.tensor(stride), keys[0])
    if isinstance(field, Field):
        offsets = _inside(offsets, field, len(rows) * len(cols))
    patches = weights[:, :, queries[1] :, keys[1] :]
    return OffsetWeights(_rows_to_one(patches), offsets, rows, cols, keys[0].size)


def _of_folded_windows(weights: Tensor, call: AttentionCall, batch: int) -> OffsetWeights:
    """Return the weights (B, H, windows * n, n) of windows (B * windows, H, n, n)."""
    count, tokens = len(weights) // batch, weights.shape[2]
    sides: int | tuple[int, int] | None = getattr(call.module, "window_size", None)
    if isinstance(sides, int):
        sides = (sides, sides)
    grid = Grid(*sides) if sides and sides[0] * sides[1] == tokens == weights.shape[3] else None
    heads = int(getattr(call.module, "num_heads", weights.shape[1]))
    if len(weights) % batch or grid is None or heads != weights.shape[1]:
        raise NoOffsets(
            f"{len(weights) / batch:g} parts per image are folded into its batch, which are not the windows "
            "of a stated window_size"
        )
    offsets, total = relative_offsets(grid)
    offsets = offsets.expand(count, -1, -1)
    if call.attn_mask is not None and call.attn_mask.dtype != torch.bool:
        mask = call.attn_mask.reshape(-1, *call.attn_mask.shape[-3:])[: count or None]
        seen = (mask > mask.amax(-1, keepdim=True) - MASKED).any(1).cpu()  # (windows, n, n)
        offsets = torch.where(seen, offsets, total)
    elif call.attn_mask is not None:
        raise NoOffsets("its windows have a mask of truth values")
    rows, cols = torch.arange(1 - grid.rows, grid.rows), torch.arange(1 - grid.cols, grid.cols)
    # (B * windows, H, n, n) -> (B, H, windows * n, n)
    folded = torch.unflatten(weights, 0, (batch, count)).transpose(1, 2).flatten(2, 3)
    return OffsetWeights(_rows_to_one(folded), offsets.flatten(0, 1), rows, cols, count * tokens)


def _between(queries: Tensor, keys: Grid) -> tuple[Tensor, Tensor, Tensor]:
    """queries (N_query, 2) -> offsets (N_query, N_key), and the rows and columns that they number."""
    difference = keys.coordinates()[None] - queries[:, None]
    first, last = difference.amin((0, 1)), difference.amax((0, 1)) + 1
    rows, cols = (torch.arange(int(first[axis]), int(last[axis])) for axis in (0, 1))
    index = difference - first
    return index[..., 0] * len(cols) + index[..., 1], rows, cols


def _inside(offsets: Tensor, field: Field, count: int) -> Tensor:
    return offsets if field.is_full else torch.where(field.mask(), offsets, count)


def _rows_to_one(weights: Tensor) -> Tensor:
    weights = weights.double()
    total = weights.sum(-1, keepdim=True)
    return weights / torch.where(total > 0, total, 1.0)
