"""Position-only heads with the weights that are nearest to an attention layer's mean weights.

>>> layer = start_position(maps, mean, kernel, grid, prefix=0, kernel_size=(3, 3))  # doctest: +SKIP
"""

import torch
from torch import Tensor

from vision.convert.head_maps import HeadMaps
from vision.convert.layers.head_convolution import HeadConvolution
from vision.convert.normal_equations import keys_at
from vision.device_dtype import DeviceDtype
from vision.patches import Grid

LEAST_MASS = 1e-6  # share of a kernel inside the border below which it is not renormalized


@torch.no_grad()
def unfitted(maps: HeadMaps, grid: Grid, *, prefix: int, kernel_size: tuple[int, int]) -> HeadConvolution:
    """Return position-only heads with the maps of an attention layer and equal weights in each kernel.

    Args:
        maps: of the layer's heads.
        grid: of the N patches.
        prefix: number P of class and register tokens before the patches.
        kernel_size: odd rows and columns.
    """
    heads, head_dim, dim = maps.values.shape
    like: DeviceDtype = {"device": maps.values.device, "dtype": maps.values.dtype}
    width, out_dim = {"num_heads": heads, "head_dim": head_dim}, len(maps.outputs)
    layer = HeadConvolution(
        dim, grid, **width, kernel_size=kernel_size, out_dim=out_dim, prefix=prefix, **like
    )
    layer.v.weight.copy_(maps.values.flatten(0, 1))
    layer.proj.weight.copy_(maps.outputs.flatten(1))
    return layer


@torch.no_grad()
def start_position(
    maps: HeadMaps, mean: Tensor, kernel: Tensor, grid: Grid, *, prefix: int, kernel_size: tuple[int, int]
) -> HeadConvolution:
    """Return position-only heads with the weights that are nearest to an attention layer's mean weights.

    Static attention in a field of this size has these weights, up to rounding.

    Args:
        maps, grid, prefix, kernel_size: as in `unfitted`.
        mean: (H, P + N, P + N), the mean attention weights.
        kernel: (H, 2 rows - 1, 2 cols - 1), nearest to the mean weights between patches.
    """
    layer = unfitted(maps, grid, prefix=prefix, kernel_size=kernel_size)
    kernel = _cut(kernel, grid, kernel_size)
    kept = 1 - mean[:, prefix:, :prefix].sum(-1).mean(1)
    layer.weight.copy_(kernel * kept[:, None, None])
    layer.gain.copy_(_gain(kernel, grid))
    if prefix:
        layer.to_prefix.copy_(mean[:, prefix:, :prefix].mean(1))
        layer.prefix_weight.copy_(mean[:, :prefix].transpose(0, 1))
    return layer


@torch.no_grad()
def start_at_centres(
    maps: HeadMaps, centres: Tensor, grid: Grid, *, kernel_size: tuple[int, int]
) -> HeadConvolution:
    """Return position-only heads that read one token each: the nearest in the kernel to the head's centre.

    Args:
        maps, grid, kernel_size: as in `unfitted`.
        centres: (H, 2), row and column relative to the query.
    """
    layer = unfitted(maps, grid, prefix=0, kernel_size=kernel_size)
    middle = centres.new_tensor(kernel_size) // 2
    rows, cols = (centres.detach().round() + middle).clamp(min=0).minimum(2 * middle).long().unbind(1)
    layer.weight.zero_()
    layer.weight[torch.arange(len(centres)), rows, cols] = 1
    return layer


@torch.no_grad()
def start_at_query(layer: HeadConvolution, maps: HeadMaps) -> HeadConvolution:
    """Let each head of a layer read its query alone, with the original maps, zero padding and no gain."""
    layer.weight.zero_()
    layer.weight[:, layer.kernel_size[0] // 2, layer.kernel_size[1] // 2] = 1
    layer.gain.fill_(1)
    layer.proj.weight.copy_(maps.outputs.flatten(1))
    return layer


def _cut(whole: Tensor, grid: Grid, kernel_size: tuple[int, int]) -> Tensor:
    """Return the middle of each head's kernel (H, 2 rows - 1, 2 cols - 1): (H, rows, cols), sums of 1."""
    top, left = (n - 1 - k // 2 for n, k in zip((grid.rows, grid.cols), kernel_size, strict=True))
    cut = whole[:, top : top + kernel_size[0], left : left + kernel_size[1]]
    total = cut.sum((1, 2), keepdim=True)
    equal = torch.full_like(cut, 1 / cut[0].numel())
    return torch.where(total > LEAST_MASS, cut / total.clamp(min=LEAST_MASS), equal)


def _gain(kernel: Tensor, grid: Grid) -> Tensor:
    """Return (H, N): one over the share of each head's kernel that lies on the grid."""
    inside = keys_at(grid, (kernel.shape[1], kernel.shape[2]))[1]
    mass = kernel.flatten(1) @ inside.double().T
    return torch.where(mass > LEAST_MASS, 1 / mass.clamp(min=LEAST_MASS), 1.0)
