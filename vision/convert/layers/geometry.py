"""Which input position each output position reads: convolutions and pools in any dimension.

>>> convolution_window(torch.nn.Conv1d(1, 1, 3, padding=1)).axes((4,))[0].tolist()
[[-1, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, -1]]
"""

from dataclasses import dataclass
from math import ceil, prod
from typing import Any, cast

import torch
from timm.layers.helpers import to_ntuple  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor
from torch.nn.modules.conv import (
    _ConvNd,  # pyright: ignore[reportPrivateUsage]
    _ConvTransposeNd,  # pyright: ignore[reportPrivateUsage]
)

from vision.fields import Field
from vision.patches import Grid
from vision.tracing import cached

# torch has no public names for the base classes of its convolutions.
ConvNd = _ConvNd
ConvTransposeNd = _ConvTransposeNd
Size = tuple[int, ...]
CACHED = 1024  # geometries: the deepest models have a few dozen, for each size of image
PADDED = -1  # a position of the padding: a convolution reads 0 there
BEYOND = -2  # a position beyond the padding, which only ceil_mode and adaptive windows have


@dataclass(frozen=True)
class Window:
    """The positions that a kernel reads on an input of any size. All tuples have one entry per axis.

    Attributes:
        padding: (before, after) on each axis.
        padding_mode: zeros, replicate, circular or reflect. All but zeros read an inner position instead.
        same: TensorFlow's "same" padding, computed from the size of the input; `padding` is ignored.
        ceil_mode: round the size of the output up, as pools may.
        transposed: transposed convolution: output o reads (o + padding - k * dilation) / stride.
        output_padding: positions that a transposed convolution adds at the end of each axis.
    """

    kernel_size: Size
    stride: Size
    padding: tuple[tuple[int, int], ...]
    dilation: Size
    padding_mode: str = "zeros"
    same: bool = False
    ceil_mode: bool = False
    transposed: bool = False
    output_padding: Size = ()

    @property
    def count(self) -> int:
        """K, the number of kernel positions."""
        return prod(self.kernel_size)

    def pads(self, input_size: Size) -> tuple[tuple[int, int], ...]:
        """Return (before, after) on each axis for an input of this size."""
        if not self.same:
            return self.padding
        totals = (
            max((ceil(n / s) - 1) * s + (k - 1) * d + 1 - n, 0)
            for n, k, s, d in zip(input_size, self.kernel_size, self.stride, self.dilation, strict=True)
        )
        return tuple((total // 2, total - total // 2) for total in totals)

    def axes(self, input_size: Size) -> list[Tensor]:
        """Return for each axis long (outputs, kernel): the input position read, PADDED or BEYOND."""
        pads = self.pads(input_size)
        return [self._axis(axis, n, pads[axis]) for axis, n in enumerate(input_size)]

    def _axis(self, axis: int, n: int, pad: tuple[int, int]) -> Tensor:
        k, s, d = self.kernel_size[axis], self.stride[axis], self.dilation[axis]
        if self.transposed:
            outputs = (n - 1) * s - sum(pad) + d * (k - 1) + self.output_padding[axis] + 1
            position = torch.arange(outputs)[:, None] + pad[0] - torch.arange(k) * d
            inside = (position % s == 0) & (position >= 0) & (position < n * s)
            return torch.where(inside, position // s, PADDED)
        room = n + sum(pad) - d * (k - 1) - 1
        outputs = (ceil(room / s) if self.ceil_mode else room // s) + 1
        if self.ceil_mode and (outputs - 1) * s >= n + pad[0]:
            outputs -= 1  # torch drops a window that would start in the padding after the input
        if outputs < 1:
            raise ValueError(
                f"a kernel of {k} with dilation {d} and padding {pad} does not fit {n} positions"
            )
        position = torch.arange(outputs)[:, None] * s + torch.arange(k) * d - pad[0]
        beyond = position >= n + pad[1]
        return torch.where(beyond, BEYOND, _remap(position, n, self.padding_mode))


@dataclass(frozen=True)
class AdaptiveWindow:
    """The windows of adaptive pooling. Their lengths on an axis may differ by one position.

    Attributes:
        output_size: number of windows on each axis. None keeps the size of the input.
    """

    output_size: tuple[int | None, ...]

    def axes(self, input_size: Size) -> list[Tensor]:
        """Return for each axis long (outputs, longest window): the input position read, or BEYOND."""
        sizes = zip(input_size, self.output_size, strict=True)
        return [_adaptive(n, n if m is None else m) for n, m in sizes]


def per_axis(value: Any, dims: int) -> Size:
    """Return one number per axis, from a single number or from one per axis."""
    return cast(Any, to_ntuple(dims))(value)


def convolution_window(conv: ConvNd, *, same: bool = False) -> Window:
    """Return the window of an nn.Conv1d to 3d or nn.ConvTranspose1d to 3d."""
    kernel, dilation = conv.kernel_size, conv.dilation
    if conv.padding == "same":
        totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        pads = tuple((total // 2, total - total // 2) for total in totals)
    elif conv.padding == "valid":
        pads = ((0, 0),) * len(kernel)
    else:
        pads = tuple((int(p), int(p)) for p in conv.padding)
    transposed = isinstance(conv, ConvTransposeNd)
    return Window(
        kernel,
        conv.stride,
        pads,
        dilation,
        padding_mode=conv.padding_mode,
        same=same,
        transposed=transposed,
        output_padding=conv.output_padding if transposed else (),
    )


def output_size(window: Window | AdaptiveWindow, input_size: Size) -> Size:
    """Return the number of output positions on each axis."""
    return tuple(len(axis) for axis in window.axes(input_size))


@cached(maxsize=CACHED, read_while_traced=True)
def indices(window: Window | AdaptiveWindow, input_size: Size) -> Tensor:
    """Return long (N_query, K): the token that each query reads at each kernel position, PADDED or BEYOND.

    Tokens are numbered with the last axis fastest. The tensor is cached, so it must not be modified.
    """
    index, status = torch.zeros(1, 1, dtype=torch.long), torch.zeros(1, 1, dtype=torch.long)
    for axis, n in zip(window.axes(input_size), input_size, strict=True):
        # (Q, K) and (q, k) -> (Q * q, K * k)
        index = (index[:, None, :, None] * n + axis.clamp(min=0)[None, :, None, :]).flatten(2).flatten(0, 1)
        outside = axis.clamp(max=0)[None, :, None, :]
        status = torch.minimum(status[:, None, :, None], outside).flatten(2).flatten(0, 1)
    return torch.where(status < 0, status, index)


def grid_of(size: Size) -> Grid:
    """Return the grid of an n-dimensional set of tokens. The planes of a volume are stacked as rows."""
    return Grid(prod(size[:-1]), size[-1])


@cached(maxsize=CACHED, read_while_traced=True)
def kernel_fields(window: Window, input_size: Size) -> tuple[Field, ...]:
    """Return one field per kernel position. Each leaves a query one key, or none beyond the border."""
    grids = grid_of(output_size(window, input_size)), grid_of(input_size)
    columns = indices(window, input_size).clamp(min=PADDED).T
    return tuple(Field(*grids, indices=column[:, None].contiguous()) for column in columns)


@cached(maxsize=CACHED, read_while_traced=True)
def whole_field(window: Window | AdaptiveWindow, input_size: Size) -> Field:
    """Return the field with all keys of each query."""
    grids = grid_of(output_size(window, input_size)), grid_of(input_size)
    index = indices(window, input_size).clamp(min=PADDED)
    copies = isinstance(window, Window) and window.padding_mode != "zeros"
    return Field(*grids, indices=_distinct(index) if copies else index)


def _remap(position: Tensor, n: int, mode: str) -> Tensor:
    if mode == "circular":
        return position % n
    if mode == "replicate":
        return position.clamp(0, n - 1)
    if mode == "reflect":
        return (n - 1) - ((n - 1) - position.abs()).abs()
    return torch.where((position < 0) | (position >= n), PADDED, position)


def _adaptive(n: int, m: int) -> Tensor:
    ends = [(i * n // m, ((i + 1) * n + m - 1) // m) for i in range(m)]
    longest = max(stop - start for start, stop in ends)
    start, stop = torch.tensor(ends).unsqueeze(2).unbind(1)
    position = start + torch.arange(longest)
    return torch.where(position < stop, position, BEYOND)


def _distinct(index: Tensor) -> Tensor:
    """Drop the repeated keys of a query, which padding modes other than zeros produce."""
    ordered = index.sort(dim=1).values
    repeats = torch.zeros_like(ordered, dtype=torch.bool)
    repeats[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    return torch.where(repeats, PADDED, ordered)
