"""How far attention looks, in pixels: one measure for a ViT and for a CNN converted to attention.

>>> attention_distance(model, images).groupby("layer", sort=False)["distance"].mean()  # doctest: +SKIP
"""

from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from vision.convert import AdaptiveWindow, AttentionLayer, Window
from vision.inspection.attention_maps import Attending, recurrences, watch_attention
from vision.patches import Grid
from vision.soften import SoftConvolution

Size = tuple[int, int]
Placed = tuple[Tensor, Tensor, int]
COLUMNS = ("layer", "depth", "head", "distance", "heads", "queries", "keys", "kind")
MOST_PREFIX_TOKENS = 16


def attention_distance(model: nn.Module, images: Tensor) -> pd.DataFrame:
    """Mean attention distance of each layer and head, as Dosovitskiy et al. (2021), appendix D.7.

    The distance in pixels between a query and each key, weighted by the attention between them, averaged
    over queries and images. A token stands at its centre: token i of n over L pixels at (i + 0.5) L / n. A
    query of a convolution or a pool stands at the centre of its window, wherever the border cuts it; so the
    heads of a 3 x 3 convolution of stride 1 are at 0, p and sqrt(2) p, with p = L / n of its input. Class and
    register tokens, and the places beyond the border, stand nowhere: the weights on the other keys are made
    to sum to 1 again, and a query without any other is left out; a soft convolution's queries count by the
    weight that they leave inside.

    A convolution has weight 1 on one key whatever it has learned. Its distances speak of its geometry alone:
    how much each head counts is in its output map.

    Args:
        model: any whose attention `attention_maps` sees, as a copy that `vision.as_attention` makes.
        images: (B, C, H, W), all averaged over.

    Returns:
        Columns layer, depth (1 for the first to run, counting those in the table), head, distance (missing
        where none of a head's queries has a key), heads, queries, keys (numbers of tokens with a place) and
        kind: attention, convolution as attention, pooling as attention or soft convolution.
        `attrs["skipped"]` says by name which layers are not in the table and why: those with one key (as
        squeeze-and-excite's convolutions), one query that is no pool's (attention pooling), windows folded
        into the batch (Swin), recurrences, and grids that are not two-dimensional or whose patches are not
        square.
    """
    rows: list[dict[str, Any]] = []
    skipped: dict[str, str] = {}
    size, prefix = (images.shape[-2], images.shape[-1]), getattr(model, "num_prefix_tokens", 0)

    def measure(seen: Attending) -> None:
        try:
            if isinstance(seen.module, AttentionLayer):
                weights, away, keys = _of_window(seen, seen.module, size)
            elif isinstance(seen.module, SoftConvolution):
                weights, away, keys = _of_soft(seen, seen.module, size)
            else:
                weights, away, keys = _of_tokens(seen, size, prefix, len(images))
        except _Unplaced as reason:
            skipped[seen.name] = str(reason)
            return
        depth = rows[-1]["depth"] + 1 if rows else 1
        counts = {"heads": weights.shape[1], "queries": weights.shape[2], "keys": keys}
        # At the border nearly all of a soft head may lie on the ring: what is left must not count as a whole.
        each_query = not isinstance(seen.module, SoftConvolution)
        for head, distance in enumerate(_mean_distance(weights, away, each_query=each_query).tolist()):
            named = {"layer": seen.name, "depth": depth, "head": head, "distance": distance}
            rows.append({**named, **counts, "kind": _kind(seen.module)})

    watch_attention(model, images, measure)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table.attrs["skipped"] = skipped | dict.fromkeys(recurrences(model), "a recurrence has no weights")
    return table


def equal_distance(grid: Grid, img_size: Size) -> float:
    """() -> pixels: the mean distance between two places of a grid, what attention equal on all has.

    Args:
        grid: where the tokens are.
        img_size: height and width in pixels.
    """
    away, pairs = [], []
    for count, length in zip((grid.rows, grid.cols), img_size, strict=True):
        steps = torch.arange(count, dtype=torch.float64)
        away.append(steps * length / count)
        # Of count^2 ordered pairs of rows, count - s are s steps apart one way, and as many the other way.
        pairs.append(torch.where(steps == 0, count, 2 * (count - steps)) / count**2)
    distances = (away[0][:, None].square() + away[1].square()).sqrt()
    return float((pairs[0][:, None] * pairs[1] * distances).sum())


def square_patches(tokens: int, img_size: Size, prefix: int = 0) -> tuple[Grid, int] | None:
    """Grid of square patches that leaves so many tokens, and the number of tokens before them that are none.

    Args:
        tokens: N, with class and register tokens.
        img_size: height and width in pixels.
        prefix: number of class and register tokens that is tried first; then 0, 1, 2 and so on.

    Returns:
        None where no patch fits.
    """
    height, width = img_size
    for before in (prefix, *range(MOST_PREFIX_TOKENS + 1)):
        for patch in range(1, min(height, width) + 1):
            fits = height % patch == 0 and width % patch == 0
            if fits and (height // patch) * (width // patch) == tokens - before:
                return Grid(height // patch, width // patch), before
    return None


class _Unplaced(Exception):
    """Why the tokens of a layer have no places on the image."""


def _of_tokens(seen: Attending, size: Size, prefix: int, batch: int) -> Placed:
    """-> weights (B, H, N_query, N_key) of the patches, their distances (N_query, N_key), N_key."""
    weights = seen.weights()
    if len(weights) != batch:
        raise _Unplaced(f"{len(weights) / batch:g} windows an image are folded into its batch")
    if weights.shape[2] == 1:
        raise _Unplaced("it has one query, which stands nowhere on the image")
    sides = [square_patches(tokens, size, prefix) for tokens in weights.shape[2:]]
    if sides[0] is None or sides[1] is None:
        raise _Unplaced(f"{weights.shape[2]} x {weights.shape[3]} tokens are no square patches of the image")
    (queries, before), (keys, before_keys) = sides[0], sides[1]
    if keys.size == 1:
        raise _Unplaced("it has one key")
    places = [_pixels(grid.coordinates(weights.device).double(), grid, size) for grid in (queries, keys)]
    return weights[:, :, before:, before_keys:], torch.cdist(places[0], places[1]), keys.size


def _of_window(seen: Attending, layer: AttentionLayer, size: Size) -> Placed:
    """-> weights (B, H, N_query, K) of the slots, 0 on null tokens; distances (H, N_query, K); N_key."""
    x: Any = seen.x
    grid = _grid_of(layer, tuple(x.shape[2:]), size)
    if grid.size == 1:
        raise _Unplaced("it has one key")
    weights, index = layer.neighbour_weights(x)
    window = layer.window if x.ndim == 4 else AdaptiveWindow((1, 1))
    queries, keys = (places.to(x.device) for places in _places(window, grid, size))
    # (N_query, 1, 2) - (H, N_query, K, 2)
    away = (queries[:, None] - keys[index.clamp(min=0)]).norm(dim=-1)
    return weights.masked_fill(index < 0, 0.0), away, grid.size


def _of_soft(seen: Attending, layer: SoftConvolution, size: Size) -> Placed:
    """-> weights (B, H, N_query, N_key) without the ring of zeros, distances (N_query, N_key), N_key."""
    x: Any = seen.x
    grid, ringed = Grid(*x.shape[2:]), layer.field(*x.shape[2:]).keys
    top, left = (ringed.rows - grid.rows) // 2, (ringed.cols - grid.cols) // 2
    inside = torch.zeros(ringed.rows, ringed.cols, dtype=torch.bool, device=x.device)
    inside[top : top + grid.rows, left : left + grid.cols] = True
    rows, cols = layer.padding
    window = Window(layer.kernel_size, layer.stride, ((rows, rows), (cols, cols)), layer.dilation)
    queries, keys = (places.to(x.device) for places in _places(window, grid, size))
    return seen.weights()[..., inside.flatten()], torch.cdist(queries, keys), grid.size


def _grid_of(layer: AttentionLayer, inputs: tuple[int, ...], size: Size) -> Grid:
    """() -> the grid of a layer's input, which a mean over all tokens may read as one row of them."""
    if len(inputs) == 2:
        return Grid(*inputs)
    pooled = len(inputs) == 1 and len(layer.window.axes(inputs)[0]) == 1
    patches = square_patches(inputs[0], size) if pooled else None
    if patches is None or patches[1]:
        raise _Unplaced(f"its input has places {inputs}, which are no grid on the image")
    return patches[0]


def _places(window: Window | AdaptiveWindow, grid: Grid, size: Size) -> tuple[Tensor, Tensor]:
    """-> pixels of the queries (N_query, 2), each at the centre of its window, and of the keys (N_key, 2)."""
    queries = torch.cartesian_prod(*_window_centres(window, (grid.rows, grid.cols)))
    return _pixels(queries, grid, size), _pixels(grid.coordinates().double(), grid, size)


def _window_centres(window: Window | AdaptiveWindow, inputs: Size) -> list[Tensor]:
    """() -> for each axis (outputs), the middle of each window in places of the input, padding included."""
    axes = window.axes(inputs)
    if isinstance(window, AdaptiveWindow):
        return [places.double().masked_fill(places < 0, torch.nan).nanmean(1) for places in axes]
    centres = []
    for axis, places in enumerate(axes):
        output = torch.arange(len(places), dtype=torch.double)
        reach = window.dilation[axis] * (window.kernel_size[axis] - 1) / 2 - window.pads(inputs)[axis][0]
        stride = window.stride[axis]
        centres.append((output - reach) / stride if window.transposed else output * stride + reach)
    return centres


def _pixels(places: Tensor, grid: Grid, size: Size) -> Tensor:
    """(N, 2) rows and columns of a grid -> (N, 2) pixels of the image, each place at its middle."""
    pitch = torch.tensor((size[0] / grid.rows, size[1] / grid.cols), dtype=places.dtype, device=places.device)
    return (places + 0.5) * pitch


def _mean_distance(weights: Tensor, distances: Tensor, *, each_query: bool) -> Tensor:
    """weights (B, H, N_query, K), distances (N_query, K) or (H, N_query, K) -> (H)."""
    weights = weights.to(distances.dtype)
    travelled, total = (weights * distances).sum(-1), weights.sum(-1)
    if not each_query:
        return travelled.sum((0, 2)) / total.sum((0, 2))
    # A query without any weight on a token with a place is 0 / 0 here, and left out.
    return (travelled / total).nanmean((0, 2))


def _kind(module: Any) -> str:
    if isinstance(module, SoftConvolution):
        return "soft convolution"
    if not isinstance(module, AttentionLayer):
        # The mixer conv_attention: one field by one offset per head.
        return "convolution as attention" if hasattr(module, "heads") else "attention"
    return ("pooling" if "pool" in module.kind else "convolution") + " as attention"
