"""The mean attention distance in pixels: one measure for ViTs and for CNNs converted to attention.

>>> import timm, torch
>>> model = timm.create_model("field_cnn_attention", img_size=16, patch_size=4, depth=1)
>>> attention_distance(model, torch.randn(2, 3, 16, 16))["distance"].round(1).tolist()
[5.7, 4.0, 5.7, 4.0, 0.0, 4.0, 5.7, 4.0, 5.7]
"""

import itertools

import pandas as pd
import torch
from torch import Tensor, nn

from vision.convert import AttentionLayer, HeadConvolution
from vision.inspection.attention_maps import recurrences, watch_attention
from vision.inspection.attention_watcher import AttentionCall
from vision.inspection.pixel_distances import ImageSize, NoPositions, PixelDistances, pixel_distances
from vision.inspection.stated_grids import stated_grids
from vision.mixers import ConvAttention
from vision.patches import Grid
from vision.soften import SoftConvolution

_AS_ATTENTION = " as attention"
COLUMNS = ["layer", "depth", "head", "distance", "heads", "queries", "keys", "kind"]
CONVOLUTIONS = (ConvAttention, HeadConvolution)  # besides the layers of `vision.as_attention`


def attention_distance(model: nn.Module, images: Tensor) -> pd.DataFrame:
    """Return the mean attention distance of each layer and head (Dosovitskiy et al., 2021, appendix D.7).

    The distance between a query and each key, weighted by the attention between them, is averaged over
    queries and images.

    - Token i of n over L pixels is at its centre, (i + 0.5) L / n.
    - A query of a convolution or a pool is at the centre of its window, also where the border cuts it. The
      heads of a 3 x 3 convolution of stride 1 are thus at 0, p and sqrt(2) p, with p = L / n of its input.
    - The weights of a nearest CNN, which may be negative, count by their magnitude.
    - Class and register tokens and the padding have no position. The weights on the other keys are rescaled
      to sum to 1, and a query without any other key is left out. The queries of a soft convolution count
      by the weight that they leave inside the image.

    A convolution has weight 1 on one key whatever it has learned. Its distances show only its geometry: how
    much each head counts is in its output map.

    Args:
        model: any model whose attention `attention_maps` finds, such as a copy made by `vision.as_attention`.
        images: (B, C, H, W), all averaged over.

    Returns:
        One row per layer and head, with these columns:

        - layer, and depth, which is 1 for the first layer of the table to run;
        - head, and distance, which is missing if no query of a head has a key;
        - heads, and queries and keys, the numbers of tokens with a position;
        - kind: attention, convolution as attention, pooling as attention or soft convolution.

        `attrs["skipped"]` maps the names of the layers that are left out to the reason:

        - they have one key (squeeze-and-excite);
        - they have one query that is not a pool's (class attention, attention pooling);
        - windows are folded into the batch (Swin);
        - attention is over channels, or its weights cannot be read (XCiT), or the layer is a recurrence;
        - tokens are not on a grid that the model states (see `stated_grids`).
    """
    rows: list[tuple[object, ...]] = []
    depths = itertools.count(1)
    skipped: dict[str, str] = {}
    size = (images.shape[-2], images.shape[-1])
    grids = stated_grids(model, size)

    def measure(call: AttentionCall) -> None:
        try:
            layout = pixel_distances(call, size, len(images), grids)
        except NoPositions as reason:
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


def _mean_distance(layout: PixelDistances, *, each_query: bool) -> list[float]:
    """Return the mean distance of each head; every query counts the same if `each_query`."""
    weights = layout.weights.to(layout.distances.dtype)
    weighted, total = (weights * layout.distances).sum(-1), weights.sum(-1)
    if not each_query:
        return [float(mean) for mean in weighted.sum((0, 2)) / total.sum((0, 2))]
    # A query without weight on a token with a position is 0 / 0, and left out.
    return [float(mean) for mean in (weighted / total).nanmean((0, 2))]


def is_fixed(kinds: pd.Series) -> pd.Series:
    """Return which kinds are convolutions and pools as attention, whose fields do not change."""
    return kinds.str.endswith(_AS_ATTENTION).eq(True)


def kind_of(module: nn.Module) -> str:
    """Return what an attention module is: attention, soft convolution, or another layer as attention."""
    if isinstance(module, SoftConvolution):
        return "soft convolution"
    if not isinstance(module, AttentionLayer):
        return f"convolution{_AS_ATTENTION}" if isinstance(module, CONVOLUTIONS) else "attention"
    return ("pooling" if "pool" in module.kind else "convolution") + _AS_ATTENTION
