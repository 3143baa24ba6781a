"""A convolution as attention with soft positions: a receptive field that can learn, near the convolution.

Head (i, j) scores a key at delta from the query with -alpha |delta - centre|^2 and sees every key, where the
exact construction masks all but one. The sharper alpha, the nearer the convolution, as `error_bound` says.

>>> soft = soft_convolution(nn.Conv2d(3, 8, 3, padding=1), alpha=8.0)
>>> soft(torch.randn(2, 3, 16, 16)).shape
torch.Size([2, 8, 16, 16])
"""

import math
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from vision.attention import attend
from vision.attention.convolution import merge_heads
from vision.fields import Field, convolution, full
from vision.patches import Grid

DENSE_LIMIT = 2**31  # bytes of attention weights, one number per image, head, query and key
# Its exponential is 0 in every precision, and float16 can hold it.
_FLOOR = -6e4


def soft_convolution(
    conv: nn.Conv2d, alpha: float, *, ring: bool | None = None, window: int | None = None
) -> "SoftConvolution":
    """Attention with the values of a convolution and quadratic position scores; `conv` stays as it is.

    As alpha grows it becomes `to_conv()`: zero-padded with a ring of zero tokens around the grid, and without
    one padded by REPLICATE, since beyond the border the nearest key wins. So a conv of padding_mode replicate
    is served without a ring, and one of zeros, at its border, only with it.

    Args:
        conv: of any stride, dilation, groups and kernel; padding_mode zeros or replicate.
        alpha: sharpness of every head, distances in places of the grid; 8 leaves 0.9987 on the target.
        ring: surround the grid with zero tokens, as wide as the padding; None is True exactly where conv pads
            with zeros.
        window: places beyond the kernel's reach, on every side, that a query still sees, at a cost linear in
            the tokens; None is every key.

    Raises:
        ValueError: conv is no plain nn.Conv2d or pads in a way that has no soft form; alpha is not positive;
            the window is negative, or some query would find no key in it.
    """
    if not isinstance(conv, nn.Conv2d) or type(conv).forward is not nn.Conv2d.forward:
        raise ValueError(f"conv must be an nn.Conv2d with its own forward, got {type(conv).__name__}")
    if conv.padding_mode not in ("zeros", "replicate"):
        raise ValueError(f"padding_mode must be 'zeros' or 'replicate', got {conv.padding_mode!r}")
    if (padding := symmetric_padding(conv)) is None:
        raise ValueError(
            f"padding={conv.padding!r} pads a kernel of {conv.kernel_size} with dilation {conv.dilation} "
            "unevenly; put nn.ZeroPad2d before a convolution without padding"
        )
    if not (isinstance(alpha, int | float) and alpha > 0 and math.isfinite(alpha)):
        raise ValueError(f"alpha must be positive and finite, got {alpha=}")
    if ring and conv.padding_mode == "replicate":
        raise ValueError("a ring of zeros leads to zero padding, got ring=True with padding_mode='replicate'")
    zeros = max(padding) > 0 and conv.padding_mode == "zeros"
    return SoftConvolution(conv, alpha, ring=zeros if ring is None else ring, window=window)


class SoftConvolution(nn.Module):
    """(B, C, H, W) -> (B, O, H', W'): a convolution's weights, read through soft positions and content.

    Attributes:
        alpha: (num_heads,), a parameter of which the absolute value counts, so that no step makes it invalid.
        centres: (num_heads, 2), row and column of each head's centre relative to its query, a parameter.
        weight, bias: as the convolution's; head h reads weight.flatten(2)[..., h].
        q, k: content scores, q k^T / sqrt(head_dim), beside the positions'. q starts at zero, so do they.

    Args:
        conv: the convolution to start from; `soft_convolution` checks it and is the way to make one of these.
        alpha, ring, window: as in `soft_convolution`.
        content_dim: width per head of q and k.
    """

    def __init__(
        self, conv: nn.Conv2d, alpha: float, *, ring: bool, window: int | None = None, content_dim: int = 16
    ) -> None:
        super().__init__()
        like: dict = {"device": conv.weight.device, "dtype": conv.weight.dtype}
        self.kernel_size, self.stride = _two(conv.kernel_size), _two(conv.stride)
        self.padding, self.dilation = symmetric_padding(conv) or (0, 0), _two(conv.dilation)
        self.groups, self.num_heads = conv.groups, math.prod(conv.kernel_size)
        self.ring, self.window = self.padding if ring else (0, 0), window
        self._check_window()
        self.weight = nn.Parameter(conv.weight.detach().clone())
        self.bias = None if conv.bias is None else nn.Parameter(conv.bias.detach().clone())
        self.alpha = nn.Parameter(torch.full((self.num_heads,), float(alpha), **like))
        steps, lead = (
            torch.tensor(sides, device=conv.weight.device) for sides in (self.dilation, self.padding)
        )
        places = Grid(*self.kernel_size).coordinates(conv.weight.device)
        self.centres = nn.Parameter((places * steps - lead).to(**like))
        self.q = nn.Linear(conv.in_channels, self.num_heads * content_dim, bias=False, **like)
        self.k = nn.Linear(conv.in_channels, self.num_heads * content_dim, bias=False, **like)
        nn.init.zeros_(self.q.weight)
        nn.init.xavier_uniform_(self.k.weight)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, O, H', W').

        Raises:
            ValueError: the images do not fit; without a window, the weights would take more than 2 GiB.
        """
        field = self._field_of(images)
        small = self._dense_bytes(images, field) <= DENSE_LIMIT
        if self.window is None and not small:
            raise ValueError(self._too_large(images, field, "window=1, whose cost is linear"))
        # On other devices "auto" may take the dense form of a field that has a linear one.
        backend = "auto" if small or images.is_cpu else "shift"
        x = self._merge_heads(attend(*self._qkv(images, field), field, self.scores(field), backend=backend))
        return x.transpose(1, 2).contiguous().unflatten(2, (field.queries.rows, field.queries.cols))

    def attention_map(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, num_heads, N_query, N_key): whom each head looks at; the ring has keys too."""
        field = self._field_of(images)
        if self._dense_bytes(images, field) > DENSE_LIMIT:
            raise ValueError(self._too_large(images, field, "fewer or smaller images, as any map is dense"))
        return attend(*self._qkv(images, field), field, self.scores(field), need_weights=True)[1]

    def field(self, height: int, width: int) -> Field:
        """() -> who sees whom on images of a size; the keys' grid includes the ring."""
        keys = Grid(height + 2 * self.ring[0], width + 2 * self.ring[1])
        rest = self.padding[0] - self.ring[0], self.padding[1] - self.ring[1]
        return _field(keys, self.kernel_size, self.stride, rest, self.dilation, self.window)

    def scores(self, field: Field) -> Tensor:
        """() -> -alpha |delta - centre|^2, (1, num_heads, N_query, N_key), or (num_heads, K) with a window.

        Less its largest value along either axis, which a softmax does not see, and not below -60000: so no
        precision overflows, and no large coordinates are squared and subtracted.
        """
        rows = self._axis_scores(0, field.queries.rows, field.keys.rows)
        cols = self._axis_scores(1, field.queries.cols, field.keys.cols)
        scores = rows[:, :, None, :, None] + cols[:, None, :, None, :]
        scores = scores.flatten(3).flatten(1, 2).clamp(min=_FLOOR)
        return scores.unsqueeze(0) if self.window is None else scores.squeeze(1)

    def to_conv(self) -> nn.Conv2d:
        """() -> the convolution that this becomes for alpha -> infinity, its centres rounded.

        Its padding_mode is replicate where there is padding and no ring. Content scores play no part.

        Raises:
            ValueError: a centre has left the places of the kernel, or two heads share one.
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
        """() -> what nn.Module prints of this module besides its submodules."""
        shape = f"weight={tuple(self.weight.shape)}, stride={self.stride}, padding={self.padding}"
        return f"{shape}, ring={self.ring}, window={self.window}"

    def _qkv(self, images: Tensor, field: Field) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, H, W) -> q (B, heads, N_query, D), k (B, heads, N_key, D), v (B, heads, N_key, C)."""
        (top, left), grid = self.ring, field.keys
        # (B, C, H, W) -> (B, N_key, C), the ring being zeros
        x = pad(images, (left, left, top, top)).flatten(2).transpose(1, 2)
        rows, cols = field.queries.coordinates(x.device).unbind(1)
        row = (rows * self.stride[0] + top).clamp(max=grid.rows - 1)
        col = (cols * self.stride[1] + left).clamp(max=grid.cols - 1)
        q, k = self.q(x[:, row * grid.cols + col]), self.k(x)
        q, k = (y.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for y in (q, k))
        return q, k, x.to(q.dtype).unsqueeze(1).expand(-1, self.num_heads, -1, -1)

    def _axis_scores(self, axis: int, queries: int, keys: int) -> Tensor:
        """() -> (num_heads, n_query, n_key) of the rows or columns, n_query being 1 with a window."""
        device, wide = self.alpha.device, torch.promote_types(self.alpha.dtype, torch.float32)
        if self.window is None:
            places = torch.arange(keys, device=device) - self.ring[axis]
            delta = places - self.stride[axis] * torch.arange(queries, device=device)[:, None]
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
        """() -> long (num_heads,): the kernel position, in row-major order, nearest to each centre."""
        device = self.centres.device
        steps, lead, size = (
            torch.tensor(sides, device=device) for sides in (self.dilation, self.padding, self.kernel_size)
        )
        away = self.centres.detach().round().long() + lead
        place = away.div(steps, rounding_mode="floor")
        if (lost := ((away % steps != 0) | (place < 0) | (place >= size)).any(1)).any():
            raise ValueError(
                f"a centre must round to a place of the {self.kernel_size} kernel, got "
                f"{self.centres[lost].tolist()} of heads {lost.nonzero().flatten().tolist()}"
            )
        slots = place[:, 0] * self.kernel_size[1] + place[:, 1]
        if (shared := slots.bincount()[slots] > 1).any():
            raise ValueError(
                "a centre must round to a place of its own, got "
                f"{self.centres[shared].tolist()} of heads {shared.nonzero().flatten().tolist()}"
            )
        return slots

    def _span(self, axis: int) -> int:
        return self.dilation[axis] * (self.kernel_size[axis] - 1) + 1

    def _check_window(self) -> None:
        # Padding beyond the kernel's reach puts whole kernels outside; they must still reach a key.
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
            f"more than {DENSE_LIMIT / 2**30:.0f} GiB; take {remedy}"
        )


@lru_cache(maxsize=256)
def _field(
    keys: Grid,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    window: int | None,
) -> Field:
    """The field of a kernel, widened by a window on every side; without one, every key for its queries."""
    if window is None:
        plain = convolution(keys, kernel, stride=stride, padding=padding, dilation=dilation)
        return full(plain.queries, keys)
    rows, cols = (d * (k - 1) + 1 + 2 * window for d, k in zip(dilation, kernel, strict=True))
    return convolution(keys, (rows, cols), stride=stride, padding=(padding[0] + window, padding[1] + window))


def symmetric_padding(conv: nn.Conv2d) -> tuple[int, int] | None:
    """Padding of a convolution, (rows, cols) on either side; None where 'same' pads the sides unequally."""
    if not isinstance(conv.padding, str):
        return _two(conv.padding)
    if conv.padding == "valid":
        return 0, 0
    rows, cols = (d * (k - 1) for d, k in zip(conv.dilation, conv.kernel_size, strict=True))
    return None if rows % 2 or cols % 2 else (rows // 2, cols // 2)


def _two(sides: tuple[int, ...]) -> tuple[int, int]:
    return sides[0], sides[1]
