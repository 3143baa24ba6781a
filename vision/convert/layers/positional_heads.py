"""How many position-only heads a kernel needs: its rank r, or r + 1.

>>> positional_heads(torch.ones(8, 4, 3, 3))[0].shape  # a box blur needs one head
torch.Size([1, 9])
"""

from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vision.convert.layers.convolution import ConvolutionAttention
from vision.convert.layers.geometry import ConvNd
from vision.convert.modules import named_modules
from vision.dynamic import JsonObject

Array = NDArray[np.float64]
Mask = NDArray[np.bool]
LEAST_WEIGHT = 0.01  # share of the mean: a positive vector closer to 0 would make the values large


def positional_heads(weight: Tensor, tolerance: float | None = None) -> tuple[Tensor, Tensor]:
    """(O, I, *kernel_size) -> weights (H, K), rows that sum to 1, and values (H, O, I).

    The kernel at position k is the sum over h of weights[h, k] * values[h]. H is the rank r of the kernel,
    unfolded to K x (O * I), or r + 1. Softmax weights are positive, so the basis of the kernel's column space
    is shifted along a positive vector. If the space contains one, r heads suffice. Otherwise the shift is
    along the uniform vector, which adds a head.

    Args:
        weight: a kernel.
        tolerance: drop singular values below this share of the largest; None drops those below rounding.
    """
    flat = weight.detach().double().flatten(2).flatten(0, 1).T.cpu()  # (K, O * I)
    weights = torch.as_tensor(_position_weights(*_column_space(weight, tolerance)))
    solve = cast(Any, torch.linalg).lstsq
    values: Tensor = solve(weights.T, flat, driver="gelsd").solution
    return weights.to(weight), values.reshape(len(weights), *weight.shape[:2]).to(weight).contiguous()


def heads_by_layer(model: nn.Module, tolerance: float | None = None) -> list[JsonObject]:
    """Return how many position-only heads each convolution of a model needs, converted or not.

    Args:
        model: a CNN or its conversion. Random kernels need all K heads, so use a trained one.
        tolerance: drop singular values below this share of a kernel's largest; None drops those below
            rounding.

    Returns:
        One row per convolution: layer, positions (K), heads and error. The error is the largest difference
        between the kernel and that of the heads, relative to the kernel's largest weight.
    """
    rows: list[JsonObject] = []
    for name, module in named_modules(model).items():
        if isinstance(module, ConvolutionAttention):
            kernel = module.kernel()
        else:
            kernel = module.weight if isinstance(module, ConvNd) else None
        if kernel is None:
            continue
        kernel = kernel.detach()
        weights, values = positional_heads(kernel, tolerance)
        made = torch.einsum("hk,hoi->oik", weights, values)
        error = (made - kernel.flatten(2)).abs().max() / kernel.abs().max()
        heads, positions = weights.shape
        rows.append({"layer": name, "positions": positions, "heads": heads, "error": float(error)})
    return rows


def _column_space(weight: Tensor, tolerance: float | None) -> tuple[Array, Mask]:
    """Return an orthonormal basis (K, r) of the unfolded kernel's columns, and which positions are used."""
    flat: Array = weight.detach().double().flatten(2).flatten(0, 1).T.cpu().numpy()
    left, sizes, _ = np.linalg.svd(flat, full_matrices=False)
    if tolerance is None:
        tolerance = max(flat.shape) * torch.finfo(weight.dtype).eps
    rank = max(1, int((sizes > tolerance * sizes[0]).sum())) if sizes[0] > 0 else 1
    used = np.abs(flat).max(1) > 0
    return left[:, :rank], used if used.any() else ~used


def _position_weights(basis: Array, used: Mask) -> Array:
    """(K, r) -> (H, K): rows >= 0 that sum to 1 and span the columns of the basis."""
    positions, r = basis.shape
    if r >= used.sum():
        return np.eye(positions)[used]
    inside = _positive_inside(basis[used])
    if inside is None:
        positive, others = np.ones(used.sum()), basis[used]
    else:
        turned = np.linalg.qr(np.column_stack((inside, np.eye(r))))[0]
        positive, others = basis[used] @ inside, basis[used] @ turned[:, 1:r]
    rows = np.zeros((1 + others.shape[1], positions))
    rows[:, used] = positive
    for row, other in zip(rows[1:], others.T, strict=True):
        # Half the way to the first zero: weights that differ as much as possible and stay away from 0.
        row[used] += 0.5 * (positive / np.maximum(np.abs(other), 1e-300)).min() * other
    return rows / rows.sum(1, keepdims=True)


def _positive_inside(basis: Array) -> Array | None:
    """(K, r) -> c (r,) with basis @ c well above 0 everywhere and 1 on average; None if there is none."""
    from scipy.optimize import linprog  # half a second to load, and few models need it

    positions, r = basis.shape
    # Maximize t with basis @ c >= t and a mean of 1, in the unknowns (c, t).
    solution: Any = linprog(
        np.append(np.zeros(r), -1.0),
        A_ub=np.column_stack((-basis, np.ones(positions))),
        b_ub=np.zeros(positions),
        A_eq=[np.append(basis.mean(0), 0.0)],
        b_eq=[1.0],
        bounds=[(None, None)] * r + [(None, 1.0)],
    )
    return solution.x[:r] if solution.success and solution.x[r] > LEAST_WEIGHT else None
