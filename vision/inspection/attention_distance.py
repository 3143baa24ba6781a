"""The mean attention distance in pixels: one measure for ViTs and for CNNs converted to attention.

>>> import timm, torch
>>> model = timm.create_model("field_cnn_attention", img_size=16, patch_size=4, depth=1)
>>> attention_distance(model, torch.randn(2, 3, 16, 16))["distance"].round(1).tolist()
[5.7, 4.0, 5.7, 4.0, 0.0, 4.0, 5.7, 4.0, 5.7]
"""

import itertools
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor, nn

from vision.convert import AdaptiveWindow, AttentionLayer, Window
from vision.inspection.attention_maps import OVER_CHANNELS, AttentionCall, recurrences, watch_attention
from vision.inspection.stated_grids import StatedGrids, stated_grids
from vision.patches import Grid
from vision.soften import SoftConvolution

ImageSize = tuple[int, int]
COLUMNS = ["layer", "depth", "head", "distance", "heads", "queries", "keys", "kind"]


def attention_distance(model: nn.Module, images: Tensor) -> pd.DataFrame:
    """Return the mean attention distance of each layer and head (Dosovitskiy et al., 2021, appendix D.7).

    The distance between a query and each key, weighted by the attention between them, is averaged over
    queries and images.

    - Token i of n over L pixels is at its centre, (i + 0.5) L / n.
    - A query of a convolution or a pool is at the centre of its window, also where the border cuts it. The
      heads of a 3 x 3 convolution of stride 1 are thus at 0, p and sqrt(2) p, with p = L / n of its input.
    - Class and register tokens and the padding have no position. The weights on the other keys are rescaled
      to sum to 1, and a query without any other key is left out. The queries of a soft convolution count
      by the weight that they leave inside the image.

    A convolution has weight 1 on one key whatever it has learned. Its distances show only its geometry: how
    much each head counts is in its output map.

    Args:
        model: any model whose attention `attention_maps` finds, such as a copy made by `vision.as_attention`.
        images: (B, C, H, W), all averaged over.

    Returns:
        One row per layer and head, with columns layer, depth (1 for the first layer of the table to run),
        head, distance (missing if no query of a head has a key), heads, queries, keys (numbers of tokens
        with a position) and kind: attention, convolution as attention, pooling as attention or soft
        convolution. `attrs["skipped"]` maps the names of the layers that are left out to the reason: one key
        (squeeze-and-excite), one query that is not a pool's (class attention, attention pooling), windows
        folded into the batch (Swin), attention over channels or without weights that can be read (XCiT),
        recurrences, and tokens that are not on a grid that the model states (see `stated_grids`).
    """
    rows: list[tuple[object, ...]] = []
    depths = itertools.count(1)
    skipped: dict[str, str] = {}
    size = (images.shape[-2], images.shape[-1])
    grids = stated_grids(model, size)

    def measure(call: AttentionCall) -> None:
        try:
            layout = _layout(call, size, len(images), grids)
        except _NoPositions as reason:
            skipped[call.name] = str(reason)
            return
        depth = next(depths)
        _, heads, queries, _ = layout.weights.shape
        # Near the border a head of a soft convolution may lie almost entirely on the padding: there each
        # query must count by the weight that is left.
        each_query = not isinstance(call.module, SoftConvolution)
        for head, distance in enumerate(_mean_distance(layout, each_query=each_query)):
            rows.append((call.name, depth, head, distance, heads, queries, layout.keys, kind_of(call.module)))

    hidden = watch_attention(model, images, measure)
    table = pd.DataFrame(rows, columns=COLUMNS)
    without = dict.fromkeys(recurrences(model), "a recurrence has no weights")
    table.attrs["skipped"] = skipped | hidden | without
    return table


def equal_distance(grid: Grid, img_size: ImageSize) -> float:
    """Return the mean distance in pixels between two tokens: that of attention equal on all keys.

    Args:
        grid: of the tokens.
        img_size: height and width in pixels.
    """
    distances: list[Tensor] = []
    shares: list[Tensor] = []
    for count, length in zip((grid.rows, grid.cols), img_size, strict=True):
        steps = torch.arange(count, dtype=torch.float64)
        distances.append(steps * length / count)
        # Of count^2 ordered pairs of rows, count - s are s steps apart one way, and as many the other way.
        shares.append(torch.where(steps == 0, count, 2 * (count - steps)) / count**2)
    away = (distances[0][:, None].square() + distances[1].square()).sqrt()
    return float((shares[0][:, None] * shares[1] * away).sum())


class _Layout(NamedTuple):
    """The weights of a layer and the distances that they stand for.

    Attributes:
        weights: (B, H, N_query, K).
        distances: (N_query, K) or (H, N_query, K), in pixels.
        keys: number of tokens with a position.
    """

    weights: Tensor
    distances: Tensor
    keys: int


class _NoPositions(Exception):
    """The reason why the tokens of a layer have no positions on the image."""


def _layout(call: AttentionCall, size: ImageSize, batch: int, grids: StatedGrids) -> _Layout:
    if isinstance(call.module, AttentionLayer):
        return _of_window(call.input, call.module, size, grids)
    if isinstance(call.module, SoftConvolution):
        return _of_soft(call, call.module, size)
    return _of_tokens(call, size, batch, grids)


def _of_tokens(call: AttentionCall, size: ImageSize, batch: int, grids: StatedGrids) -> _Layout:
    """The weights between patches, without prefix tokens."""
    if call.over_channels:
        raise _NoPositions(OVER_CHANNELS)
    weights = call.weights()
    if len(weights) != batch:
        raise _NoPositions(f"{len(weights) / batch:g} windows per image are folded into its batch")
    if weights.shape[2] == 1:
        raise _NoPositions("it has one query, which has no position on the image")
    if weights.shape[3] == 1:
        raise _NoPositions("it has one key")
    queries, keys = (grids.patches(tokens) for tokens in weights.shape[2:])
    if queries is None or keys is None:
        raise _NoPositions(grids.why_none(f"{weights.shape[2]} x {weights.shape[3]}"))
    pixels = [_pixels(g.coordinates(weights.device).double(), g, size) for g in (queries[0], keys[0])]
    distances = torch.cdist(pixels[0], pixels[1])
    return _Layout(weights[:, :, queries[1] :, keys[1] :], distances, keys[0].size)


def _of_window(x: Tensor, layer: AttentionLayer, size: ImageSize, grids: StatedGrids) -> _Layout:
    """The weights of the slots of each query, 0 on padding."""
    grid = _grid_of(layer, tuple(x.shape[2:]), grids)
    if grid.size == 1:
        raise _NoPositions("it has one key")
    weights, index = layer.neighbour_weights(x)
    window = layer.window if x.ndim == 4 else AdaptiveWindow((1, 1))
    queries, keys = (pixels.to(x.device) for pixels in _window_pixels(window, grid, size))
    # (N_query, 1, 2) - (H, N_query, K, 2)
    distances = (queries[:, None] - keys[index.clamp(min=0)]).square().sum(-1).sqrt()
    return _Layout(weights.masked_fill(index < 0, 0.0), distances, grid.size)


def _of_soft(call: AttentionCall, layer: SoftConvolution, size: ImageSize) -> _Layout:
    """The weights on the image, without the ring of zeros around it."""
    x = call.input
    grid, ringed = Grid(x.shape[2], x.shape[3]), layer.field(x.shape[2], x.shape[3]).keys
    top, left = (ringed.rows - grid.rows) // 2, (ringed.cols - grid.cols) // 2
    inside = torch.zeros(ringed.rows, ringed.cols, dtype=torch.bool, device=x.device)
    inside[top : top + grid.rows, left : left + grid.cols] = True
    rows, cols = layer.padding
    window = Window(layer.kernel_size, layer.stride, ((rows, rows), (cols, cols)), layer.dilation)
    queries, keys = (pixels.to(x.device) for pixels in _window_pixels(window, grid, size))
    return _Layout(call.weights()[..., inside.flatten()], torch.cdist(queries, keys), grid.size)


def _grid_of(layer: AttentionLayer, inputs: tuple[int, ...], grids: StatedGrids) -> Grid:
    """Return the grid of a layer's input, which a mean over all tokens may read as one row of them."""
    if len(inputs) == 2:
        return Grid(*inputs)
    pooled = len(inputs) == 1 and len(layer.window.axes(inputs)[0]) == 1
    patches = grids.patches(inputs[0]) if pooled else None
    if patches is None or patches[1]:
        raise _NoPositions(f"its input of size {inputs} is not a grid on the image")
    return patches[0]


def _window_pixels(window: Window | AdaptiveWindow, grid: Grid, size: ImageSize) -> tuple[Tensor, Tensor]:
    """Return the pixels (N_query, 2) of the centres of the windows, and (N_key, 2) of the tokens."""
    queries = torch.cartesian_prod(*_window_centres(window, (grid.rows, grid.cols)))
    return _pixels(queries, grid, size), _pixels(grid.coordinates().double(), grid, size)


def _window_centres(window: Window | AdaptiveWindow, inputs: tuple[int, int]) -> list[Tensor]:
    """Return for each axis (outputs): the centre of each window in tokens of the input, with padding."""
    axes = window.axes(inputs)
    if isinstance(window, AdaptiveWindow):
        return [tokens.double().masked_fill(tokens < 0, torch.nan).nanmean(1) for tokens in axes]
    centres: list[Tensor] = []
    for axis, tokens in enumerate(axes):
        output = torch.arange(len(tokens), dtype=torch.double)
        half = window.dilation[axis] * (window.kernel_size[axis] - 1) / 2 - window.pads(inputs)[axis][0]
        stride = window.stride[axis]
        centres.append((output - half) / stride if window.transposed else output * stride + half)
    return centres


def _pixels(tokens: Tensor, grid: Grid, size: ImageSize) -> Tensor:
    """(N, 2) rows and columns of a grid -> (N, 2) pixels of the image, at the centre of each token."""
    pitch = torch.tensor((size[0] / grid.rows, size[1] / grid.cols), dtype=tokens.dtype, device=tokens.device)
    return (tokens + 0.5) * pitch


def _mean_distance(layout: _Layout, *, each_query: bool) -> list[float]:
    """Return the mean distance of each head; every query counts the same if `each_query`."""
    weights = layout.weights.to(layout.distances.dtype)
    weighted, total = (weights * layout.distances).sum(-1), weights.sum(-1)
    if not each_query:
        return [float(mean) for mean in weighted.sum((0, 2)) / total.sum((0, 2))]
    # A query without weight on a token with a position is 0 / 0, and left out.
    return [float(mean) for mean in (weighted / total).nanmean((0, 2))]


def kind_of(module: nn.Module) -> str:
    """Return what an attention module is: attention, soft convolution, or another layer as attention."""
    if isinstance(module, SoftConvolution):
        return "soft convolution"
    if not isinstance(module, AttentionLayer):
        # The mixer conv_attention has a field with one offset per head.
        return "convolution as attention" if hasattr(module, "heads") else "attention"
    return ("pooling" if "pool" in module.kind else "convolution") + " as attention"
