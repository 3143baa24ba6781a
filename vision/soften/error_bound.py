"""How far a soft convolution is from the convolution: the bound, and what is measured.

>>> round(error_bound(nn.Conv2d(1, 1, 1, bias=False), alpha=8.0, radius=0.0), 3)
0.0
>>> images = torch.randn(2, 3, 8, 8)
>>> soft_errors(nn.Conv2d(3, 8, 3, padding=1), [1.0, 2.0, 4.0], images).shape
(12, 5)
"""

import copy
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from vision.fields import convolution
from vision.patches import Grid
from vision.soften.soft_convolution import check_alpha, soft_convolution
from vision.soften.soft_layer import SoftConvolution

if TYPE_CHECKING:
    import pandas as pd


def theta(alpha: float) -> float:
    """Return the sum over all integers n of exp(-alpha n^2), the denominator of a softmax over a line."""
    check_alpha(alpha)
    last = math.ceil(math.sqrt(745 / alpha))  # exp(-745) is the smallest float64
    return 1 + 2 * math.fsum(math.exp(-alpha * n * n) for n in range(1, last + 1))


def weight_on_target(alpha: float) -> float:
    """Return theta(alpha)^-2, the weight of a head on its target on an infinite grid.

    On a finite grid the weight is larger.
    """
    return theta(alpha) ** -2


def error_bound(conv: nn.Conv2d, alpha: float, radius: float) -> float:
    """Return an upper bound on the distance of `soft_convolution(conv, alpha)` from its `to_conv()`.

    The bound is 2 R sum_h ||W_h|| (1 - theta(alpha)^-2), in the Euclidean norm over channels at any output
    position. A head misplaces at most 1 - theta^-2 of its weight, and two tokens are at most 2 R apart. It
    holds with and without a ring or a window, inside and at the border, up to rounding, as long as the
    content scores are 0.

    Args:
        conv: the convolution. ||W_h|| is the spectral norm of weight[:, :, i, j], block-diagonal over groups.
        alpha: as in `soft_convolution`.
        radius: R, the largest Euclidean norm of a token, i.e. of an input pixel over its channels.
    """
    # (O, C / groups, kh, kw) -> (K, groups, O / groups, C / groups); the largest block has the norm of all
    weight = conv.weight.detach().double().flatten(2)
    maps = weight.reshape(conv.groups, -1, *weight.shape[1:]).permute(3, 0, 1, 2)
    norms = cast(Tensor, torch.linalg.matrix_norm(maps, ord=2))  # pyright: ignore[reportUnknownMemberType]
    return 2 * radius * float(norms.amax(1).sum()) * (1 - weight_on_target(alpha))


def soft_errors(conv: nn.Conv2d, alphas: Sequence[float], images: Tensor) -> "pd.DataFrame":
    """Return the largest error for each alpha, region and ring, measured in float64.

    An error is the Euclidean norm over channels of soft - conv at one output position. The region is "border"
    where the kernel reaches the padding, and "inside" elsewhere. A region that does not occur has no rows.
    Without a ring the bound holds for replicate padding only, so at the border the error may exceed it.

    Args:
        conv: a zero-padded convolution.
        alphas: sharpness of all heads, each positive.
        images: (B, C, H, W), over which the largest error is taken. They also set the radius of the bound.

    Returns:
        A table with columns alpha, region, ring, measured, bound.

    Raises:
        ValueError: conv has no soft form that converges to it.
    """
    import pandas as pd

    conv, images = copy.deepcopy(conv).double(), images.double()
    radius = float(_norms(images).max())
    rows: list[tuple[float, str, bool, float, float]] = []
    with torch.no_grad():
        for alpha in alphas:
            bound = error_bound(conv, alpha, radius)
            for ring in (True, False):
                soft = soft_convolution(conv, alpha, ring=ring)
                error = _norms(soft(images) - conv(images))
                inside = _inside(soft, images.shape[-2], images.shape[-1])
                for region, chosen in (("inside", inside), ("border", ~inside)):
                    if chosen.any():
                        rows.append((float(alpha), region, ring, float(error[:, chosen].max()), bound))
    return pd.DataFrame(rows, columns=["alpha", "region", "ring", "measured", "bound"])


def _norms(images: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H, W): the Euclidean norm over channels."""
    return images.square().sum(1).sqrt()


def _inside(soft: SoftConvolution, height: int, width: int) -> Tensor:
    """Return bool (H', W'), whether the whole kernel lies on the image."""
    field = convolution(
        Grid(height, width),
        soft.kernel_size,
        stride=soft.stride,
        padding=soft.padding,
        dilation=soft.dilation,
    )
    return field.neighbours()[1].all(1).reshape(field.queries.rows, field.queries.cols)
