"""Position-only heads that come nearest to an attention layer's output: least squares, in closed form.

>>> layer = start_position(maps, mean, kernel, grid, prefix=0, kernel_size=(3, 3))  # doctest: +SKIP
>>> fit_position(layer, pairs, ridge=1e-4)  # doctest: +SKIP
0.12
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor

from vision.convert.calibration import LayerProducts
from vision.convert.head_maps import HeadMaps
from vision.convert.layers.head_convolution import HeadConvolution
from vision.device_dtype import DeviceDtype
from vision.patches import Grid

Pairs = Sequence[tuple[Tensor, Tensor]]
_cholesky = cast(Callable[[Tensor], Tensor], torch.linalg.cholesky)  # pyright: ignore[reportUnknownMemberType]
ROUNDS, LEAST_GAIN = 6, 1e-3  # of alternating least squares, and the error that another must save
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
        factor = _cholesky(damped)
        change = torch.cholesky_solve((self.cross - self.gram @ start)[:, None], factor)[:, 0]
        return start + change

    def intercept(self, weights: Tensor) -> Tensor:
        """Return the bias (C,) that belongs to weights (D,)."""
        return self.output_mean - weights @ self.feature_mean


@torch.no_grad()
def start_position(
    maps: HeadMaps, mean: Tensor, kernel: Tensor, grid: Grid, *, prefix: int, kernel_size: tuple[int, int]
) -> HeadConvolution:
    """Return position-only heads with the weights that are nearest to an attention layer's mean weights.

    Static attention in a field of this size has these weights, up to rounding.

    Args:
        maps: of the layer's heads.
        mean: (H, P + N, P + N), the mean attention weights.
        kernel: (H, 2 rows - 1, 2 cols - 1), nearest to the mean weights between patches.
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
    kernel = _cut(kernel, grid, kernel_size)
    kept = 1 - mean[:, prefix:, :prefix].sum(-1).mean(1)
    layer.weight.copy_(kernel * kept[:, None, None])
    layer.gain.copy_(_gain(kernel, grid))
    if prefix:
        layer.to_prefix.copy_(mean[:, prefix:, :prefix].mean(1))
        layer.prefix_weight.copy_(mean[:, :prefix].transpose(0, 1))
    return layer


@torch.no_grad()
def start_at_query(layer: HeadConvolution, maps: HeadMaps) -> HeadConvolution:
    """Let each head of a layer read its query alone, with the original maps, zero padding and no gain."""
    layer.weight.zero_()
    layer.weight[:, layer.kernel_size[0] // 2, layer.kernel_size[1] // 2] = 1
    layer.gain.fill_(1)
    layer.proj.weight.copy_(maps.outputs.flatten(1))
    return layer


def fit_position(layer: HeadConvolution, pairs: Pairs, ridge: float) -> float:
    """Fit the output map and the kernels in turn, in place, and return the error of `fit_output`."""
    error = fit_output(layer, pairs, ridge)
    for _ in range(ROUNDS):
        if error < EXACT:
            break
        fit_kernels(layer, pairs, ridge)
        before, error = error, fit_output(layer, pairs, ridge)
        if error > before - LEAST_GAIN:
            break
    return error


@torch.no_grad()
def fit_kernels(layer: HeadConvolution, pairs: Pairs, ridge: float) -> None:
    """Move the weights by position to the least squares of the wanted outputs, in place, with the biases.

    Args:
        layer: the maps of its heads stay.
        pairs: inputs (B, P + N, C) and wanted outputs (B, P + N, C_out), in minibatches.
        ridge: weight of the distance from the present weights, as a share of the mean diagonal of the normal
            equations.
    """
    products = LayerProducts(_maps_of(layer))
    for x, y in pairs:
        products.add(x, y)
    weights = layer.weight.flatten(1).double().cpu()
    if layer.prefix:
        weights = torch.cat((weights, layer.to_prefix.double().cpu()), 1)
    equations = _of_patches(products, layer)
    solved = equations.solve(weights.flatten(), ridge)
    by_head = solved.view_as(weights)
    layer.weight.copy_(by_head[:, : layer.weight[0].numel()].view_as(layer.weight))
    layer.proj.bias.copy_(equations.intercept(solved))
    if not layer.prefix:
        return
    layer.to_prefix.copy_(by_head[:, layer.weight[0].numel() :])
    for token in range(layer.prefix):
        equations = _of_prefix(products, token)
        solved = equations.solve(layer.prefix_weight[token].double().cpu().flatten(), ridge)
        layer.prefix_weight[token] = solved.view_as(layer.prefix_weight[token])
        layer.prefix_bias[token] = equations.intercept(solved)


@torch.no_grad()
def fit_output(layer: HeadConvolution, pairs: Pairs, ridge: float) -> float:
    """Fit the output map and biases of position-only heads by least squares, in place.

    Args:
        layer: with fitted kernels.
        pairs, ridge: as in `fit_kernels`.

    Returns:
        The squared error as a share of the outputs' variance.
    """
    # Patches share one mean and bias, each prefix token has its own.
    parts = [slice(layer.prefix, None), *(slice(token, token + 1) for token in range(layer.prefix))]
    mixed = [layer.mix(x).double() for x, _ in pairs]
    means: list[tuple[Tensor, Tensor]] = []
    gram, cross, total = 0.0, 0.0, 0.0
    for part in parts:
        features = torch.cat([each[:, part].flatten(0, 1) for each in mixed])
        wanted = torch.cat([y[:, part].flatten(0, 1) for _, y in pairs]).double()
        means.append((features.mean(0), wanted.mean(0)))
        features, wanted = features - means[-1][0], wanted - means[-1][1]
        gram = gram + features.T @ features
        cross = cross + features.T @ wanted
        total += float(wanted.square().sum())
    gram, cross = torch.as_tensor(gram), torch.as_tensor(cross)

    def error(output: Tensor) -> float:
        left = total - 2 * (output * cross).sum() + (output * (gram @ output)).sum()
        return max(0.0, float(left) / total) if total > 0 else 0.0

    def finish(output: Tensor) -> float:
        biases = [wanted - features @ output for features, wanted in means]
        layer.proj.weight.copy_(output.T)
        layer.proj.bias.copy_(biases[0])
        if layer.prefix:
            layer.prefix_bias.copy_(torch.stack(biases[1:]))
        return error(output)

    output = layer.proj.weight.double().T
    if error(output) < EXACT:
        return finish(output)
    scale = gram.diagonal().mean().clamp(min=torch.finfo(torch.float64).tiny)
    damped = gram + ridge * scale * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    output = output + torch.cholesky_solve(cross - gram @ output, _cholesky(damped))
    return finish(output)


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
    position = grid.coordinates()[:, None] + steps
    inside = (position >= 0).all(-1) & (position < torch.tensor((grid.rows, grid.cols))).all(-1)
    return (position[..., 0] * grid.cols + position[..., 1]).masked_fill(~inside, 0), inside


def _of_patches(products: LayerProducts, layer: HeadConvolution) -> NormalEquations:
    """Sum the equations over all patches, whose features are the kernel's positions and the prefix tokens."""
    grid, prefix, gain = layer.grid, layer.prefix, layer.gain.double().cpu()
    keys, inside = _keys(grid, layer.kernel_size)
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


def _maps_of(layer: HeadConvolution) -> HeadMaps:
    values = torch.unflatten(layer.v.weight, 0, (layer.num_heads, -1))
    outputs = torch.unflatten(layer.proj.weight, 1, (layer.num_heads, -1))
    return HeadMaps(values, values.new_zeros(values.shape[:2]), outputs, layer.proj.bias)
