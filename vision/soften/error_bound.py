"""How far a soft convolution is from the convolution: the bound, and beside it what is measured.

>>> error_bound(nn.Conv2d(3, 8, 3, padding=1), alpha=8.0, radius=1.0)  # doctest: +SKIP
>>> soft_errors(nn.Conv2d(3, 8, 3, padding=1), [1.0, 2.0, 4.0], images)  # doctest: +SKIP
"""

import copy
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from vision.fields import convolution
from vision.patches import Grid
from vision.soften.soft_convolution import SoftConvolution, soft_convolution

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("alpha", "place", "ring", "measured", "bound")


def theta(alpha: float) -> float:
    """() -> the sum over all whole n of exp(-alpha n^2): what a softmax over a line divides by."""
    if not (alpha > 0 and math.isfinite(alpha)):
        raise ValueError(f"alpha must be positive and finite, got {alpha=}")
    last = math.ceil(math.sqrt(745 / alpha))  # exp(-745) is the smallest float64
    return 1 + 2 * math.fsum(math.exp(-alpha * n * n) for n in range(1, last + 1))


def weight_on_target(alpha: float) -> float:
    """() -> the weight of a head on its own place, theta^-2, on an endless grid; on any other it is more."""
    return theta(alpha) ** -2


def error_bound(conv: nn.Conv2d, alpha: float, radius: float) -> float:
    """() -> how far, at most, `soft_convolution(conv, alpha)` is from its `to_conv()` at any output place.

    2 R sum_h ||W_h|| (1 - theta(alpha)^-2) in the Euclidean norm over channels: a head misplaces at most
    1 - theta^-2 of its weight, and two tokens are at most 2 R apart. It holds with a ring and without, with a
    window and without, inside and at the border, while the content scores are 0 and up to rounding.

    Args:
        conv: the convolution; ||W_h|| is the spectral norm of weight[:, :, i, j], block-diagonal over groups.
        alpha: as in `soft_convolution`.
        radius: R, the largest Euclidean norm of a token, that is of an input pixel over its channels.
    """
    # (O, C / groups, kh, kw) -> (K, groups, O / groups, C / groups); the largest block has the norm of all
    maps = conv.weight.detach().double().flatten(2).unflatten(0, (conv.groups, -1)).permute(3, 0, 1, 2)
    norms = torch.linalg.matrix_norm(maps, ord=2).amax(1)
    return 2 * radius * float(norms.sum()) * (1 - weight_on_target(alpha))


def soft_errors(conv: nn.Conv2d, alphas: Sequence[float], images: Tensor) -> "pd.DataFrame":
    """images (B, C, H, W) -> a row per alpha, ring and place: the largest error there, in float64.

    An error is the Euclidean norm over channels of soft - conv at one output place. A place is at the border
    where the kernel reaches the padding; one that does not occur has no rows. Without a ring the bound speaks
    of replicate padding, so at the border nothing keeps the measured error below it.

    Args:
        conv: zero-padded.
        alphas: the sharpness of all heads, each positive.
        images: what the error is the largest over; they also set the bound's radius.

    Raises:
        ValueError: conv has no soft form that leads to it.
    """
    import pandas as pd

    conv, images = copy.deepcopy(conv).double(), images.double()
    radius, rows = float(images.norm(dim=1).max()), []
    with torch.no_grad():
        for alpha in alphas:
            bound = error_bound(conv, alpha, radius)
            for ring in (True, False):
                soft = soft_convolution(conv, alpha, ring=ring)
                error = (soft(images) - conv(images)).norm(dim=1)
                inside = _inside(soft, *images.shape[-2:])
                for place, chosen in (("inside", inside), ("border", ~inside)):
                    if chosen.any():
                        rows.append((float(alpha), place, ring, float(error[:, chosen].max()), bound))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _inside(soft: SoftConvolution, height: int, width: int) -> Tensor:
    """() -> bool (H', W'): whether the whole kernel lies on the image."""
    steps: dict = {"stride": soft.stride, "padding": soft.padding, "dilation": soft.dilation}
    field = convolution(Grid(height, width), soft.kernel_size, **steps)
    return field.neighbours()[1].all(1).unflatten(0, (field.queries.rows, field.queries.cols))
