"""The layer of a soft convolution: position scores, content scores, and the way back to a convolution."""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from vision.attention import attend
from vision.attention.convolution import merge_heads
from vision.device_dtype import DeviceDtype
from vision.fields import Field
from vision.patches import Grid
from vision.soften.geometry import nearest_positions, smallest_window, soft_field, span, symmetric_padding
from vision.tracing import fx_call

DENSE_LIMIT = 2**31  # bytes of attention weights, one number per image, head, query and key
_FLOOR = -6e4  # fits into float16, and its exponential is 0 in every precision


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
        like: DeviceDtype = {"device": device, "dtype": conv.weight.dtype}
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
        if (recorded := fx_call(self, images)) is not None:
            return recorded
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
        return soft_field(keys, self.kernel_size, self.stride, padding, self.dilation, self.window)

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
        slots = nearest_positions(
            self.centres, kernel_size=self.kernel_size, dilation=self.dilation, padding=self.padding
        )
        chans = self.weight.shape[1] * self.groups
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
            reach = span(self.kernel_size, self.dilation)[axis] + 2 * self.window
            delta = torch.arange(first, first + reach, device=device)[None]
        alpha, centres = (x.to(wide)[:, None, None] for x in (self.alpha.abs(), self.centres[:, axis]))
        scores = -alpha * (delta - centres).square()
        return scores - scores.detach().amax(-1, keepdim=True)

    def _merge_heads(self, heads: Tensor) -> Tensor:
        """(B, heads, N_query, C) -> (B, N_query, O): the output maps, block-diagonal over the groups."""
        x = merge_heads(heads, self.weight, self.groups)
        return x if self.bias is None else x + self.bias.to(x.dtype)

    def _check_window(self) -> None:
        least = smallest_window(self.padding, self.ring, span(self.kernel_size, self.dilation))
        if self.window is not None and self.window < least:
            raise ValueError(
                f"window must be at least {least} for padding {self.padding}, got window={self.window}"
            )

    def _field_of(self, images: Tensor) -> Field:
        if images.ndim != 4 or images.shape[1] != self.k.in_features:
            raise ValueError(f"images must be (B, {self.k.in_features}, H, W), got {tuple(images.shape)}")
        if not images.is_floating_point():
            raise ValueError(f"images must be floating-point numbers, divided by 255, got {images.dtype}")
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
