"""The distances in pixels between the queries and keys of a layer, with the weights between them.

>>> mixer, x = torch.nn.Identity(), torch.randn(1, 4, 8)
>>> call = AttentionCall("mixer", mixer, x, lambda: torch.full((1, 1, 4, 4), 0.25))
>>> grids = StatedGrids((Grid(2, 2),), prefix=0)
>>> pixel_distances(call, (16, 16), 1, grids).distances[0].round(decimals=1).tolist()
[0.0, 8.0, 8.0, 11.3]
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vision.convert import AdaptiveWindow, AttentionLayer, Window
from vision.inspection.attention_watcher import OVER_CHANNELS, AttentionCall
from vision.inspection.stated_grids import StatedGrids
from vision.patches import Grid
from vision.soften import SoftConvolution

ImageSize = tuple[int, int]


class PixelDistances(NamedTuple):
    """The weights of a layer and the distances that they stand for.

    Attributes:
        weights: (B, H, N_query, K).
        distances: (N_query, K) or (H, N_query, K), in pixels.
        keys: number of tokens with a position.
    """

    weights: Tensor
    distances: Tensor
    keys: int


class NoPositions(Exception):
    """The reason why the tokens of a layer have no positions on the image."""


def pixel_distances(call: AttentionCall, size: ImageSize, batch: int, grids: StatedGrids) -> PixelDistances:
    """Return the weights of a layer, and the distances between its queries and keys.

    Args:
        call: of the layer.
        size: height and width of the images.
        batch: number of images.
        grids: that the model states.

    Raises:
        NoPositions: the tokens have no positions on the image.
    """
    if isinstance(call.module, AttentionLayer):
        return _of_window(call.input, call.module, size, grids)
    if isinstance(call.module, SoftConvolution):
        return _of_soft(call, call.module, size)
    return _of_tokens(call, size, batch, grids)


def _of_tokens(call: AttentionCall, size: ImageSize, batch: int, grids: StatedGrids) -> PixelDistances:
    """The weights between patches, without prefix tokens."""
    if call.over_channels:
        raise NoPositions(OVER_CHANNELS)
    weights = call.magnitudes()
    if len(weights) != batch:
        raise NoPositions(f"{len(weights) / batch:g} windows per image are folded into its batch")
    if weights.shape[2] == 1:
        raise NoPositions("it has one query, which has no position on the image")
    if weights.shape[3] == 1:
        raise NoPositions("it has one key")
    queries, keys = (grids.patches(tokens) for tokens in weights.shape[2:])
    if queries is None or keys is None:
        raise NoPositions(grids.why_none(f"{weights.shape[2]} x {weights.shape[3]}"))
    pixels = [_pixels(g.coordinates(weights.device).double(), g, size) for g in (queries[0], keys[0])]
    distances = torch.cdist(pixels[0], pixels[1])
    return PixelDistances(weights[:, :, queries[1] :, keys[1] :], distances, keys[0].size)


def _of_window(x: Tensor, layer: AttentionLayer, size: ImageSize, grids: StatedGrids) -> PixelDistances:
    """The weights of the slots of each query, 0 on padding."""
    grid = _grid_of(layer, tuple(x.shape[2:]), grids)
    if grid.size == 1:
        raise NoPositions("it has one key")
    weights, index = layer.neighbour_weights(x)
    window = layer.window if x.ndim == 4 else AdaptiveWindow((1, 1))
    queries, keys = (pixels.to(x.device) for pixels in _window_pixels(window, grid, size))
    # (N_query, 1, 2) - (H, N_query, K, 2)
    distances = (queries[:, None] - keys[index.clamp(min=0)]).square().sum(-1).sqrt()
    return PixelDistances(weights.masked_fill(index < 0, 0.0), distances, grid.size)


def _of_soft(call: AttentionCall, layer: SoftConvolution, size: ImageSize) -> PixelDistances:
    """The weights on the image, without the ring of zeros around it."""
    x = call.input
    grid, ringed = Grid(x.shape[2], x.shape[3]), layer.field(x.shape[2], x.shape[3]).keys
    top, left = (ringed.rows - grid.rows) // 2, (ringed.cols - grid.cols) // 2
    inside = torch.zeros(ringed.rows, ringed.cols, dtype=torch.bool, device=x.device)
    inside[top : top + grid.rows, left : left + grid.cols] = True
    rows, cols = layer.padding
    window = Window(layer.kernel_size, layer.stride, ((rows, rows), (cols, cols)), layer.dilation)
    queries, keys = (pixels.to(x.device) for pixels in _window_pixels(window, grid, size))
    return PixelDistances(call.magnitudes()[..., inside.flatten()], torch.cdist(queries, keys), grid.size)


def _grid_of(layer: AttentionLayer, inputs: tuple[int, ...], grids: StatedGrids) -> Grid:
    """Return the grid of a layer's input, which a mean over all tokens may read as one row of them."""
    if len(inputs) == 2:
        return Grid(*inputs)
    pooled = len(inputs) == 1 and len(layer.window.axes(inputs)[0]) == 1
    patches = grids.patches(inputs[0]) if pooled else None
    if patches is None or patches[1]:
        raise NoPositions(f"its input of size {inputs} is not a grid on the image")
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
