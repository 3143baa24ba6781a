"""The least squares of an attention layer's outputs on the weights of position-only heads.

>>> equations_of_patches(products, layer).solve(weights, ridge=1e-4)  # doctest: +SKIP
"""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from vision.convert.calibration import LayerProducts
from vision.convert.layers.head_convolution import HeadConvolution
from vision.patches import Grid

_linalg = cast(Any, torch.linalg)
_cholesky: Callable[[Tensor], tuple[Tensor, Tensor]] = _linalg.cholesky_ex
_pseudo_inverse: Callable[..., Tensor] = _linalg.pinv
EXACT = 1e-12  # a squared error below this share of the variance is rounding


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
        return start + ridge_step(self.gram, (self.cross - self.gram @ start)[:, None], ridge)[:, 0]

    def intercept(self, weights: Tensor) -> Tensor:
        """Return the bias (C,) that belongs to weights (D,)."""
        return self.output_mean - weights @ self.feature_mean


def ridge_step(gram: Tensor, residual: Tensor, ridge: float) -> Tensor:
    """Solve (gram + ridge * its mean diagonal) @ step = residual: (D, D) and (D, K) -> (D, K)."""
    scale = gram.diagonal().mean().clamp(min=torch.finfo(torch.float64).tiny)
    damped = gram + ridge * scale * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    factor, failed = _cholesky(damped)
    if bool(failed):  # fewer equations than unknowns, and no ridge: the smallest step
        return _pseudo_inverse(damped, hermitian=True) @ residual
    return torch.cholesky_solve(residual, factor)


def equations_of_patches(products: LayerProducts, layer: HeadConvolution) -> NormalEquations:
    """Sum the equations over all patches, whose features are the kernel's positions and the prefix tokens."""
    grid, prefix, gain = layer.grid, layer.prefix, layer.gain.double().cpu()
    keys, inside = keys_at(grid, layer.kernel_size)
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


def equations_of_prefix(products: LayerProducts, token: int) -> NormalEquations:
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


def keys_at(grid: Grid, kernel_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return (N, rows * cols): the key at each kernel position, and whether it is on the grid."""
    steps = Grid(*kernel_size).coordinates() - torch.tensor((kernel_size[0] // 2, kernel_size[1] // 2))
    position = grid.coordinates()[:, None] + steps
    inside = (position >= 0).all(-1) & (position < torch.tensor((grid.rows, grid.cols))).all(-1)
    return (position[..., 0] * grid.cols + position[..., 1]).masked_fill(~inside, 0), inside


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
