"""A convolution as attention with soft positions: near the convolution, with a field that can learn.

Head (i, j) scores a key at offset delta from the query with -alpha |delta - centre|^2. It attends to every
key, whereas the exact construction masks all keys but one. The larger alpha is, the closer the result is to
the convolution; `error_bound` gives the bound.

>>> soft = soft_convolution(nn.Conv2d(3, 8, 3, padding=1), alpha=8.0)
>>> soft(torch.randn(2, 3, 16, 16)).shape
torch.Size([2, 8, 16, 16])
"""

import math

from torch import nn

from vision.soften.geometry import symmetric_padding
from vision.soften.soft_layer import SoftConvolution


def soft_convolution(
    conv: nn.Conv2d, alpha: float, *, ring: bool | None = None, window: int | None = None
) -> SoftConvolution:
    """Return attention with the values of a convolution and quadratic position scores.

    As alpha grows, the result converges to its `to_conv()`. With a ring of zero tokens around the grid, that
    is the zero-padded convolution. Without a ring it is the REPLICATE-padded one, because beyond the border
    the nearest key wins. So a convolution with padding_mode="replicate" is approximated without a ring, and
    a zero-padded one needs the ring at its border.

    Args:
        conv: any stride, dilation, groups and kernel, with padding_mode "zeros" or "replicate". Not changed.
        alpha: sharpness of every head, with distances in grid positions. At 8, a head has weight 0.9987 on
            its target.
        ring: surround the grid with zero tokens, as wide as the padding. None is True exactly where conv pads
            with zeros.
        window: how many positions beyond the kernel, on every side, a query still attends to. The cost is
            then linear in the number of tokens. None is every key.

    Raises:
        ValueError: conv is not a plain nn.Conv2d or its padding has no soft form; alpha is not positive; the
            window is negative, or leaves a query without a key.
    """
    # Callers without a type checker pass other modules, and subclasses may compute something else.
    plain = isinstance(conv, nn.Conv2d)  # pyright: ignore[reportUnnecessaryIsInstance]
    if not plain or type(conv).forward is not nn.Conv2d.forward:
        raise ValueError(f"conv must be an nn.Conv2d with its own forward, got {type(conv).__name__}")
    if conv.padding_mode not in ("zeros", "replicate"):
        raise ValueError(f"padding_mode must be 'zeros' or 'replicate', got {conv.padding_mode!r}")
    if (padding := symmetric_padding(conv)) is None:
        raise ValueError(
            f"padding={conv.padding!r} pads a kernel of {conv.kernel_size} with dilation {conv.dilation} "
            "unevenly; put nn.ZeroPad2d before a convolution without padding"
        )
    check_alpha(alpha)
    if ring and conv.padding_mode == "replicate":
        raise ValueError(
            "ring=True converges to zero padding, so it needs padding_mode='zeros', got 'replicate'"
        )
    zero_padded = max(padding) > 0 and conv.padding_mode == "zeros"
    return SoftConvolution(conv, alpha, ring=zero_padded if ring is None else ring, window=window)


def check_alpha(alpha: float) -> None:
    """Raise a ValueError unless a sharpness is a positive, finite number."""
    number = isinstance(alpha, int | float)  # pyright: ignore[reportUnnecessaryIsInstance]
    if not (number and alpha > 0 and math.isfinite(alpha)):
        raise ValueError(f"alpha must be positive and finite, got {alpha=}")
