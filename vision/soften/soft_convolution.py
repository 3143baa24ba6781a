"""A convolution as attention with soft positions: near the convolution, with a field that can learn.

Head (i, j) scores a key at offset delta from the query with -alpha |delta - centre|^2. It attends to every
key, whereas the exact construction masks all keys but one. The larger alpha is, the closer the result is to
the convolution; `error_bound` gives the bound.

>>> soft = soft_convolution(nn.Conv2d(3, 8, 3, padding=1), alpha=8.0)
>>> soft(torch.randn(2, 3, 16, 16)).shape
torch.Size([2, 8, 16, 16])
"""

import math
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from vision.attention import attend
from vision.attention.convolution import merge_heads
from vision.fields import Field, convolution, full
from vision.patches import Grid
from vision.tracing import cached

DENSE_LIMIT = 2**31  # bytes of attention weights, one number per image, head, query and key
_FLOOR = -6e4  # fits into float16, and its exponential is 0 in every precision


def soft_convolution(
    conv: nn.Conv2d, alpha: float, *, ring: bool | None = None, window: int | None = None
) -> "SoftConvolution":
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
        raise ValueError("a ring converges to zero padding, got ring=True with padding_mode='replicate'")
    zero_padded = max(padding) > 0 and conv.padding_mode == "zeros"
    return SoftConvolution(conv, alpha, ring=zero_padded if ring is None else ring, window=window)


def check_alpha(alpha: float) -> None:
    """Raise a ValueError unless a sharpness is a positive, finite number."""
    number = isinstance(alpha, int | float)  # pyright: ignore[reportUnnecessaryIsInstance]
    if not (number and alpha > 0 and math.isfinite(alpha)):
        raise ValueError(f"alpha must be positive and finite, got {alpha=}")


def symmetric_padding(conv: nn.Conv2d) -> tuple[int, int] | None:
    """Return a convolution's padding (rows, cols) per side; None where 'same' pads the sides unequally."""
    if not isinstance(conv.padding, str):
        return cast(tuple[int, int], conv.padding)
    if conv.padding == "valid":
        return 0, 0
    rows, cols = (d * (k - 1) for d, k in zip(conv.dilation, conv.kernel_size, strict=True))
    return None if rows % 2 or cols % 2 else (rows // 2, cols // 2)


class SoftConvolution(nn.Module):
    """(B, C, H, W) -> (B, O, H', W'): the weights of a convolution, read through soft positions and content.

    Attributes:
        alpha: (num_heads,), a parameter. Its absolute value is used, so that no optimizer step is invalid.
        centres: (num_heads, 2), a parameter: row and column of each head's centre relative to its query.
        weight, bias: the convolution's. Head h uses weight.flatten(2)[..., h].
        q, k: linear maps for the content scores q k^T / sqrt(head_dim), which are added to the position
            scores. q starts at zero, and so do the content scores.

    Args:
        conv: the convolution to start from. `soft_convolution` checks it and is the way to create this layer.
        alpha, ring, window: as in `soft_convolution`.
        content_dim: width of q and k per head.
    """

    def __init__(
        self, conv: nn.Conv2d, alpha: float, *, ring: bool, window: int | None = None, content_dim: int = 16
    ) -> None:
        super().__init__()
        device: torch.device = conv.weight.device
        like: dict[str, Any] = {"device": device, "dtype": conv.weight.dtype}
        self.kernel_size = cast(tuple[int, int], conv.kernel_size)
        self.stride = cast(tuple[int, int], conv.stride)
        self.dilation = cast(tuple[int, int], conv.dilation)
        self.padding = symmetric_padding(conv) or (0, 0)
        self.groups, self.num_heads = conv.groups, math.prod(conv.kernel_size)
        self.ring, self.window = self.padding if ring else (0, 0), window
        self._check_window()
        self.weight = nn.Parameter(conv.weight.detach().clone())
        self.bias = None if conv.bias is None else nn.Parameter(conv.bias.detach().clone())
        self.alpha = nn.Parameter(torch.full((self.num_heads,), float(alpha), **like))
        dilation, padding = (torch.tensor(sides, device=device) for sides in (self.dilation, self.padding))
        positions = Grid(*self.kernel_size).coordinates(device)
        self.centres = nn.Parameter((positions * dilation - padding).to(**like))
        self.q = nn.Linear(conv.in_channels, self.num_heads * content_dim, bias=False, **like)
        self.k = nn.Linear(conv.in_channels, self.num_heads * content_dim, bias=False, **like)
        nn.init.zeros_(self.q.weight)
        nn.init.xavier_uniform_(self.k.weight)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, O, H', W').

        Raises:
            ValueError: the images have another shape, or, without a window, the attention weights would take
                more than 2 GiB.
        """
        field = self._field_of(images)
        small = self._dense_bytes(images, field) <= DENSE_LIMIT
        if self.window is None and not small:
            raise ValueError(self._too_large(images, field, "window=1, whose cost is linear"))
        # On other devices "auto" may choose the dense form although a linear one exists.
        backend = "auto" if small or images.is_cpu else "shift"
        x = self._merge_heads(attend(*self._qkv(images, field), field, self.scores(field), backend=backend))
        x = x.transpose(1, 2).contiguous()
        return x.view(*x.shape[:2], field.queries.rows, field.queries.cols)

    def attention_map(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, num_heads, N_query, N_key): the weights of each head. The ring has keys too.

        Raises:
            ValueError: the map would take more than 2 GiB.
        """
        field = self._field_of(images)
        if self._dense_bytes(images, field) > DENSE_LIMIT:
            raise ValueError(self._too_large(images, field, "fewer or smaller images, every map is dense"))
        return attend(*self._qkv(images, field), field, self.scores(field), need_weights=True)[1]

    def field(self, height: int, width: int) -> Field:
        """Return who attends to whom on images of this size. The grid of the keys includes the ring."""
        keys = Grid(height + 2 * self.ring[0], width + 2 * self.ring[1])
        padding = self.padding[0] - self.ring[0], self.padding[1] - self.ring[1]
        return _field(keys, self.kernel_size, self.stride, padding, self.dilation, self.window)

    def scores(self, field: Field) -> Tensor:
        """Return -alpha |delta - centre|^2: (1, num_heads, N_query, N_key), or (num_heads, K) with a window.

        The largest value along each axis is subtracted, which a softmax does not notice, and the scores are
        clamped at -60000. So no precision overflows, and no large coordinates are squared and subtracted.
        """
        rows = self._axis_scores(0, field.queries.rows, field.keys.rows)
        cols = self._axis_scores(1, field.queries.cols, field.keys.cols)
        scores = rows[:, :, None, :, None] + cols[:, None, :, None, :]
        scores = scores.flatten(3).flatten(1, 2).clamp(min=_FLOOR)
        return scores.unsqueeze(0) if self.window is None else scores.squeeze(1)

    def to_conv(self) -> nn.Conv2d:
        """Return the convolution that this layer becomes as alpha goes to infinity, with rounded centres.

        Its padding_mode is "replicate" where there is padding and no ring. Content scores are ignored.

        Raises:
            ValueError: a centre has left the kernel's positions, or two heads share one.
        """
        slots, chans = self._slots(), self.weight.shape[1] * self.groups
        conv = nn.Conv2d(
            chans,
            len(self.weight),
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            self.bias is not None,
            padding_mode="zeros" if self.ring == self.padding else "replicate",
            device=self.weight.device,
            dtype=self.weight.dtype,
        )
        with torch.no_grad():
            conv.weight.flatten(2)[..., slots] = self.weight.flatten(2)
            if self.bias is not None and conv.bias is not None:
                conv.bias.copy_(self.bias)
        return conv

    def extra_repr(self) -> str:
        """Return the text that nn.Module prints for this module."""
        shape = f"weight={tuple(self.weight.shape)}, stride={self.stride}, padding={self.padding}"
        return f"{shape}, ring={self.ring}, window={self.window}"

    def _qkv(self, images: Tensor, field: Field) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, H, W) -> q (B, heads, N_query, D), k (B, heads, N_key, D), v (B, heads, N_key, C)."""
        (top, left), grid = self.ring, field.keys
        # (B, C, H, W) -> (B, N_key, C), where the ring is zeros
        x = pad(images, (left, left, top, top)).flatten(2).transpose(1, 2)
        rows, cols = field.queries.coordinates(x.device).unbind(1)
        row = (rows * self.stride[0] + top).clamp(max=grid.rows - 1)
        col = (cols * self.stride[1] + left).clamp(max=grid.cols - 1)
        q, k = self.q(x[:, row * grid.cols + col]), self.k(x)
        q, k = (y.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for y in (q, k))
        return q, k, x.to(q.dtype).unsqueeze(1).expand(-1, self.num_heads, -1, -1)

    def _axis_scores(self, axis: int, queries: int, keys: int) -> Tensor:
        """Return the scores along one axis, (num_heads, n_query, n_key). With a window, n_query is 1."""
        device, wide = self.alpha.device, torch.promote_types(self.alpha.dtype, torch.float32)
        if self.window is None:
            positions = torch.arange(keys, device=device) - self.ring[axis]
            delta = positions - self.stride[axis] * torch.arange(queries, device=device)[:, None]
        else:
            first = -self.padding[axis] - self.window
            reach = self._span(axis) + 2 * self.window
            delta = torch.arange(first, first + reach, device=device)[None]
        alpha, centres = (x.to(wide)[:, None, None] for x in (self.alpha.abs(), self.centres[:, axis]))
        scores = -alpha * (delta - centres).square()
        return scores - scores.detach().amax(-1, keepdim=True)

    def _merge_heads(self, heads: Tensor) -> Tensor:
        """(B, heads, N_query, C) -> (B, N_query, O): the output maps, block-diagonal over the groups."""
        x = merge_heads(heads, self.weight, self.groups)
        return x if self.bias is None else x + self.bias.to(x.dtype)

    def _slots(self) -> Tensor:
        """Return long (num_heads,), the row-major kernel position nearest to each centre."""
        device = self.centres.device
        dilation, padding, size = (
            torch.tensor(sides, device=device) for sides in (self.dilation, self.padding, self.kernel_size)
        )
        offset = self.centres.detach().round().long() + padding
        position = offset.div(dilation, rounding_mode="floor")
        outside = ((offset % dilation != 0) | (position < 0) | (position >= size)).any(1)
        if outside.any():
            raise ValueError(
                f"a centre must round to a position of the {self.kernel_size} kernel, "
                f"got {self._centres_text(outside)}"
            )
        slots = position[:, 0] * self.kernel_size[1] + position[:, 1]
        if (shared := slots.bincount()[slots] > 1).any():
            raise ValueError(
                "each centre must round to a different position of the kernel, "
                f"got {self._centres_text(shared)}"
            )
        return slots

    def _centres_text(self, chosen: Tensor) -> str:
        numbers: Any = self.centres[chosen], chosen.nonzero().flatten()
        centres, heads = (tensor.tolist() for tensor in numbers)
        return f"{centres} of heads {heads}"

    def _span(self, axis: int) -> int:
        return self.dilation[axis] * (self.kernel_size[axis] - 1) + 1

    def _check_window(self) -> None:
        # With padding wider than the kernel, whole kernels lie outside. They must still reach a key.
        sides = zip(self.padding, self.ring, (self._span(0), self._span(1)), strict=True)
        least = max(0, *(padding - ring - span + 1 for padding, ring, span in sides))
        if self.window is not None and self.window < least:
            raise ValueError(
                f"window must be at least {least} for padding {self.padding}, got window={self.window}"
            )

    def _field_of(self, images: Tensor) -> Field:
        if images.ndim != 4 or images.shape[1] != self.k.in_features:
            raise ValueError(f"images must be (B, {self.k.in_features}, H, W), got {tuple(images.shape)}")
        return self.field(*images.shape[-2:])

    def _dense_bytes(self, images: Tensor, field: Field) -> int:
        pairs = field.queries.size * field.keys.size
        return len(images) * self.num_heads * pairs * max(4, images.element_size())

    def _too_large(self, images: Tensor, field: Field, remedy: str) -> str:
        size = self._dense_bytes(images, field) / 2**30
        return (
            f"{self.num_heads} heads on images {tuple(images.shape)} need {size:.1f} GiB for their weights, "
            f"more than {DENSE_LIMIT / 2**30:.0f} GiB; use {remedy}"
        )


@cached(maxsize=256)
def _field(
    keys: Grid,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    window: int | None,
) -> Field:
    """Return the field of a kernel, widened by the window on every side; all keys if there is no window."""
    if window is None:
        plain = convolution(keys, kernel, stride=stride, padding=padding, dilation=dilation)
        return full(plain.queries, keys)
    rows, cols = (d * (k - 1) + 1 + 2 * window for d, k in zip(dilation, kernel, strict=True))
    return convolution(keys, (rows, cols), stride=stride, padding=(padding[0] + window, padding[1] + window))
