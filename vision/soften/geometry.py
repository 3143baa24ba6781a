"""Padding, fields and kernel positions of soft convolutions."""

from typing import cast

import torch
from torch import Tensor, nn

from vision.fields import Field, convolution, full
from vision.patches import Grid
from vision.tracing import cached

Sides = tuple[int, int]  # rows, cols


def symmetric_padding(conv: nn.Conv2d) -> Sides | None:
    """Return a convolution's padding (rows, cols) per side; None where 'same' pads the sides unequally."""
    if not isinstance(conv.padding, str):
        return cast(Sides, conv.padding)
    if conv.padding == "valid":
        return 0, 0
    rows, cols = (d * (k - 1) for d, k in zip(conv.dilation, conv.kernel_size, strict=True))
    return None if rows % 2 or cols % 2 else (rows // 2, cols // 2)


def span(kernel_size: Sides, dilation: Sides) -> Sides:
    """Return how many positions a kernel covers along each axis."""
    rows, cols = (d * (k - 1) + 1 for d, k in zip(dilation, kernel_size, strict=True))
    return rows, cols


def smallest_window(padding: Sides, ring: Sides, covered: Sides) -> int:
    """Return the smallest window that leaves each query a key.

    With padding wider than the kernel, whole kernels lie outside. They must still reach a key.
    """
    return max(0, *(p - r - n + 1 for p, r, n in zip(padding, ring, covered, strict=True)))


@cached(maxsize=256)
def soft_field(
    keys: Grid,
    kernel: Sides,
    stride: Sides,
    padding: Sides,
    dilation: Sides,
    window: int | None,
) -> Field:
    """Return the field of a kernel, widened by the window on every side; all keys if there is no window."""
    if window is None:
        plain = convolution(keys, kernel, stride=stride, padding=padding, dilation=dilation)
        return full(plain.queries, keys)
    rows, cols = (n + 2 * window for n in span(kernel, dilation))
    return convolution(keys, (rows, cols), stride=stride, padding=(padding[0] + window, padding[1] + window))


def nearest_positions(centres: Tensor, *, kernel_size: Sides, dilation: Sides, padding: Sides) -> Tensor:
    """Return long (num_heads,), the row-major kernel position nearest to each centre.

    Args:
        centres: (num_heads, 2), rows and columns relative to the query.
        kernel_size, dilation, padding: of the convolution.

    Raises:
        ValueError: a centre has left the kernel's positions, or two heads share one.
    """
    steps, start, size = (
        torch.tensor(sides, device=centres.device) for sides in (dilation, padding, kernel_size)
    )
    offset = centres.detach().round().long() + start
    position = offset.div(steps, rounding_mode="floor")
    outside = ((offset % steps != 0) | (position < 0) | (position >= size)).any(1)
    if outside.any():
        raise ValueError(
            f"a centre must round to a position of the {kernel_size} kernel, "
            f"got {_centres_text(centres, outside)}"
        )
    slots = position[:, 0] * kernel_size[1] + position[:, 1]
    if (shared := slots.bincount()[slots] > 1).any():
        raise ValueError(
            "each centre must round to a different position of the kernel, "
            f"got {_centres_text(centres, shared)}"
        )
    return slots


def _centres_text(centres: Tensor, chosen: Tensor) -> str:
    positions, heads = centres[chosen].numpy(force=True), chosen.nonzero().flatten()
    return f"{positions.tolist()} of heads {heads.numpy(force=True).tolist()}"
