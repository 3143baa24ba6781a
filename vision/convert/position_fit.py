"""Position-only heads that come nearest to an attention layer's output: least squares, in closed form.

>>> fit_position(products, Grid(8, 8), prefix=0, kernel_size=(3, 3), ridge=1e-4)  # doctest: +SKIP
(HeadConvolution(...), 0.12)
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vision.convert.calibration import LayerProducts
from vision.convert.layers.head_convolution import HeadConvolution
from vision.patches import Grid

EXACT = 1e-12  # a squared error below this share of the variance is rounding
LEAST_MASS = 1e-6  # share of a kernel inside the border below which it is not renormalized


class NormalEquations(NamedTuple):
    """Least squares of outputs on D features with an intercept: all sums are centred.

    Attributes:
        gram: (D, D).
        cross: (D,).
        total: the outputs' sum of squares.
        feature_mean: (D, C).
        output_mean: (C,).
    """

    gram: Tensor
    cross: Tensor
    total: float
    feature_mean: Tensor
    output_mean: Tensor

    def error(self, weights: Tensor) -> float:
        """Return the squared error of weights (D,) as a share of the outputs' variance."""
        if self.total <= 0:
            return 0.0
        left = self.total - 2 * self.cross @ weights + weights @ self.gram @ weights
        return max(0.0, float(left) / self.total)

    def solve(self, start: Tensor, ridge: float) -> Tensor:
        """Return the weights (D,) with the least error plus ridge times their distance from `start`."""
        if self.error(start) < EXACT:
            return start
        scale = self.gram.diagonal().mean().clamp(min=torch.finfo(torch.float64).tiny)
        damped = self.gram + ridge * scale * torch.eye(len(start), dtype=start.dtype)
        factor = torch.linalg.cholesky(damped)
        change = torch.cholesky_solve((self.cross - self.gram @ start)[:, None], factor)[:, 0]
        return start + change

    def intercept(self, weights: Tensor) -> Tensor:
        """Return the bias (C,) that belongs to weights (D,)."""
        return self.output_mean - weights @ self.feature_mean


def fit_position(
    products: LayerProducts, grid: Grid, *, prefix: int, kernel_size: tuple[int, int], ridge: float
) -> tuple[HeadConvolution, float]:
    """Return position-only heads in place of an attention layer, and their squared error on its images.

    Each head keeps its value and output maps. Its kernel starts from the one that is nearest to its mean
    attention weights, which also gives the gain at the border, and moves to where the output's squared error
    is least. Static attention in this field is reproduced up to rounding.

    Args:
        products: of the layer, over the calibration images.
        grid: of the patches.
        prefix: number of class and register tokens before the patches.
        kernel_size: odd rows and columns.
        ridge: weight of the distance from the start, as a share of the mean diagonal of the equations.

    Returns:
        The layer, and its mean squared error as a share of the variance of the attention's output, over all
        tokens, each with its layer's own mean removed.
    """
    mean = products.weights / products.images
    kernel = _cut(products.nearest_kernel(grid, prefix), grid, kernel_size)
    gain = _gain(kernel, grid)
    equations = _of_patches(products, grid, prefix, kernel_size, gain)
    kept = 1 - mean[:, prefix:, :prefix].sum(-1).mean(1)
    first = torch.cat((kernel.flatten(1) * kept[:, None], mean[:, prefix:, :prefix].mean(1)), 1)
    weights = equations.solve(first.flatten(), ridge)
    layer = _layer(products, grid, prefix, kernel_size)
    by_head = weights.view(len(kernel), -1)
    values = {
        "weight": by_head[:, : kernel[0].numel()].view_as(kernel),
        "gain": gain,
        "proj.bias": equations.intercept(weights),
    }
    wrong, total = equations.error(weights) * equations.total, equations.total
    if prefix:
        values["to_prefix"] = by_head[:, kernel[0].numel() :]
        each = [_of_prefix(products, token) for token in range(prefix)]
        solved = [one.solve(mean[:, token].flatten(), ridge) for token, one in enumerate(each)]
        values["prefix_weight"] = torch.stack(solved).view(prefix, len(kernel), -1)
        values["prefix_bias"] = torch.stack([one.intercept(w) for one, w in zip(each, solved, strict=True)])
        wrong += sum(one.error(w) * one.total for one, w in zip(each, solved, strict=True))
        total += sum(one.total for one in each)
    state: dict[str, Tensor] = layer.state_dict()
    for name, value in values.items():
        state[name].copy_(value)
    return layer, wrong / total if total > 0 else 0.0


def _cut(whole: Tensor, grid: Grid, kernel_size: tuple[int, int]) -> Tensor:
    """Return the middle of each head's kernel (H, 2 rows - 1, 2 cols - 1): (H, rows, cols), sums of 1."""
    top, left = (n - 1 - k // 2 for n, k in zip((grid.rows, grid.cols), kernel_size, strict=True))
    cut = whole[:, top : top + kernel_size[0], left : left + kernel_size[1]]
    total = cut.sum((1, 2), keepdim=True)
    equal = torch.full_like(cut, 1 / cut[0].numel())
    return torch.where(total > LEAST_MASS, cut / total.clamp(min=LEAST_MASS), equal)


def _gain(kernel: Tensor, grid: Grid) -> Tensor:
    """Return (H, N): one over the share of each head's kernel that lies on the grid."""
    inside = _keys(grid, (kernel.shape[1], kernel.shape[2]))[1]
    mass = kernel.flatten(1) @ inside.double().T
    return torch.where(mass > LEAST_MASS, 1 / mass.clamp(min=LEAST_MASS), 1.0)


def _keys(grid: Grid, kernel_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return (N, rows * cols): the key at each kernel position, and whether it is on the grid."""
    steps = Grid(*kernel_size).coordinates() - torch.tensor((kernel_size[0] // 2, kernel_size[1] // 2))
    place = grid.coordinates()[:, None] + steps
    inside = (place >= 0).all(-1) & (place < torch.tensor((grid.rows, grid.cols))).all(-1)
    return (place[..., 0] * grid.cols + place[..., 1]).masked_fill(~inside, 0), inside


def _of_patches(
    products: LayerProducts, grid: Grid, prefix: int, kernel_size: tuple[int, int], gain: Tensor
) -> NormalEquations:
    """Sum the equations over all patches, whose features are the kernel's positions and the prefix tokens."""
    keys, inside = _keys(grid, kernel_size)
    heads, tokens = products.cross.shape[:2]
    width = keys.shape[1] + prefix
    gram, cross = torch.zeros(heads * width, heads * width).double(), torch.zeros(heads * width).double()
    features = torch.zeros(heads * width, products.outputs.shape[1]).double()
    of_head, flat = torch.arange(heads)[:, None], products.gram.reshape(heads * tokens, heads * tokens)
    for query in range(grid.size):
        seen = inside[query].nonzero()[:, 0]
        columns = torch.cat((seen, keys.shape[1] + torch.arange(prefix)))
        token = torch.cat((prefix + keys[query, seen], torch.arange(prefix)))
        scale = torch.ones(heads, len(columns)).double()
        scale[:, : len(seen)] = gain[:, query, None]
        to, source = (of_head * width + columns).flatten(), (of_head * tokens + token).flatten()
        scale = scale.flatten()
        gram[to[:, None], to] += scale[:, None] * scale * flat[source[:, None], source]
        cross[to] += scale * products.cross.reshape(heads * tokens, -1)[source, prefix + query]
        features[to] += scale[:, None] * products.inputs.reshape(heads * tokens, -1)[source]
    count = products.images * grid.size
    return _centred(
        gram, cross, features, products.squares[prefix:].sum(), products.outputs[prefix:].sum(0), count
    )


def _of_prefix(products: LayerProducts, token: int) -> NormalEquations:
    """Return the equations of one prefix token, whose features are all tokens."""
    size = products.cross.shape[0] * products.cross.shape[1]
    return _centred(
        products.gram.reshape(size, size),
        products.cross[..., token].flatten(),
        products.inputs.reshape(size, -1),
        products.squares[token],
        products.outputs[token],
        products.images,
    )


def _centred(
    gram: Tensor, cross: Tensor, features: Tensor, squares: Tensor, outputs: Tensor, count: int
) -> NormalEquations:
    feature_mean, output_mean = features / count, outputs / count
    return NormalEquations(
        gram - count * feature_mean @ feature_mean.T,
        cross - count * feature_mean @ output_mean,
        float(squares - count * output_mean.square().sum()),
        feature_mean,
        output_mean,
    )


def _layer(products: LayerProducts, grid: Grid, prefix: int, kernel_size: tuple[int, int]) -> HeadConvolution:
    maps = products.maps
    heads, head_dim, dim = maps.values.shape
    layer = HeadConvolution(
        dim,
        grid,
        num_heads=heads,
        head_dim=head_dim,
        kernel_size=kernel_size,
        out_dim=len(maps.outputs),
        prefix=prefix,
        device=maps.values.device,
        dtype=maps.values.dtype,
    )
    with torch.no_grad():
        layer.v.weight.copy_(maps.values.flatten(0, 1))
        layer.proj.weight.copy_(maps.outputs.flatten(1))
    return layer
