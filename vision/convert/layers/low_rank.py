"""A convolution with as few position-only heads as its kernel has ranks: r, or one more.

>>> positional_heads(torch.ones(8, 4, 3, 3))[0].shape  # a box blur needs one head
torch.Size([1, 9])
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from vision.attention import attend
from vision.attention.convolution import constant_queries_keys, merge_heads
from vision.convert.layers.base import null_tokens, tokens_of
from vision.convert.layers.convolution import ConvolutionAttention
from vision.convert.layers.geometry import PADDED, Size, Window
from vision.convert.layers.pooling import with_null_tokens
from vision.fields import Field

LEAST_WEIGHT = 0.01  # of the mean: a vector nearer to 0 than this would make the values large
NO_WEIGHT = -1e4  # the score of a place without any weight: finite, as optimizers want it, and exp of it is 0


class MinimalConvolutionAttention(ConvolutionAttention):
    """(B, C, *input_size) -> (B, O, *output_size): a convolution by few heads, each on the whole window.

    Head h puts the same weights softmax(positions[h]) on the K places of every query's window, whatever the
    tokens are; its value map is values[h]. A place of the zero padding is a null token of value 0 that takes
    its weight all the same.

    Args:
        conv: the convolution; its bias is taken.
        input_size: places on each axis of the input.
        window: another geometry than the module's own.
    """

    kind = "convolution, fewest heads"

    def __init__(self, conv: _ConvNd, input_size: Size, *, window: Window | None = None) -> None:
        super().__init__(conv, input_size, window=window)
        del self.weight
        positions, values = positional_heads(conv.weight.detach())
        learns = conv.weight.requires_grad
        self.positions = nn.Parameter(positions.log().clamp(min=NO_WEIGHT), requires_grad=learns)
        self.values = nn.Parameter(values, requires_grad=learns)

    @property
    def num_heads(self) -> int:
        """r or r + 1 for a kernel of rank r."""
        return len(self.positions)

    @property
    def heads(self) -> Sequence[Field]:
        """The field of each head: the whole window."""
        return [self.field] * self.num_heads

    def attended(self, size: Size) -> Field:
        """() -> the window of each query, null tokens where it leaves the input."""
        return with_null_tokens(self.window, size, PADDED)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, *, size: Size | None = None) -> Tensor:
        """q, k, v as `qkv` gives them -> (B, H, N_query, C)."""
        # A border of copies leads two columns to one token, which no dense mask can say.
        backend = "auto" if self.window.padding_mode == "zeros" else "gather"
        return attend(q, k, v, self.attended(size or self.input_size), self.scores(), backend=backend)

    def scores(self) -> Tensor:
        """() -> (H, K): the logarithm of each head's weights, but for a constant."""
        return self.positions

    def kernel(self) -> Tensor:
        """() -> the kernel that the heads make, in the layout of torch's module."""
        kernel = torch.einsum("hk,hoi->oik", self.positions.softmax(-1), self.values)
        return kernel.unflatten(2, self.window.kernel_size)

    def qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, *input_size) -> q and k of zeros, v (B, H, N + K, C): the tokens and the null tokens."""
        field = self.attended(tuple(x.shape[2:]))
        tokens = tokens_of(x)
        tokens = null_tokens(tokens, field.keys.size - tokens.shape[1]).unsqueeze(1)
        tokens = tokens.expand(-1, self.num_heads, -1, -1)
        return (
            constant_queries_keys(tokens, field.queries.size),
            constant_queries_keys(tokens, field.keys.size),
            tokens,
        )

    def merge_heads(self, heads: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """(B, H, N_query, C) -> (B, N_query, O): the value maps, block-diagonal over the groups."""
        maps = self.values.movedim(0, -1)
        out = merge_heads(heads, maps, self.groups, transposed=self.window.transposed)
        return out if self.bias is None else out + self.bias


def rank(weight: Tensor, tolerance: float | None = None) -> int:
    """(O, I, *kernel_size) -> the rank r of the kernel, unfolded to K x (O * I).

    Args:
        tolerance: singular values below this share of the largest count as 0; None is rounding's own.
    """
    return _column_space(weight, tolerance)[0].shape[1]


def heads_needed(weight: Tensor, tolerance: float | None = None) -> int:
    """(O, I, *kernel_size) -> number of position-only heads that make the kernel: r or r + 1, at most K."""
    return len(_position_weights(*_column_space(weight, tolerance)))


def positional_heads(weight: Tensor, tolerance: float | None = None) -> tuple[Tensor, Tensor]:
    """(O, I, *kernel_size) -> weights (H, K), rows that sum to 1, and values (H, O, I).

    sum over h of weights[h, k] * values[h] is the kernel at position k. Softmax weights are positive, so the
    basis of the kernel's column space is shifted along a positive vector: one inside that space where there
    is one, which leaves r heads, else the uniform one, which adds a head.

    Args:
        tolerance: singular values below this share of the largest are dropped; None is rounding's own.
    """
    flat = weight.detach().double().flatten(2).flatten(0, 1).T.cpu()  # (K, O * I)
    weights = torch.from_numpy(_position_weights(*_column_space(weight, tolerance)))
    values = torch.linalg.lstsq(weights.T, flat, driver="gelsd").solution
    return weights.to(weight), values.reshape(len(weights), *weight.shape[:2]).to(weight).contiguous()


def heads_by_layer(model: nn.Module, tolerance: float | None = None) -> list[dict[str, Any]]:
    """model -> for each convolution, as it is or converted: how many position-only heads it needs.

    Rows with layer, positions (K), heads, and error: the largest difference of the kernel that the heads
    make, over its largest weight.

    Args:
        model: a CNN or its conversion; a trained one, as random kernels need all K.
        tolerance: singular values below this share of a kernel's largest are dropped; None is rounding's own.
    """
    rows = []
    for name, module in model.named_modules():
        if isinstance(module, ConvolutionAttention) and module.kernel() is not None:
            kernel = module.kernel().detach()
        elif isinstance(module, _ConvNd):
            kernel = module.weight.detach()
        else:
            continue
        weights, values = positional_heads(kernel, tolerance)
        made = torch.einsum("hk,hoi->oik", weights, values)
        error = (made - kernel.flatten(2)).abs().max() / kernel.abs().max()
        heads, positions = weights.shape
        rows.append({"layer": name, "positions": positions, "heads": heads, "error": float(error)})
    return rows


def _column_space(weight: Tensor, tolerance: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal basis (K, r) of the unfolded kernel's columns, and which of its K places are used."""
    flat = weight.detach().double().flatten(2).flatten(0, 1).T.cpu().numpy()
    left, sizes, _ = np.linalg.svd(flat, full_matrices=False)
    if tolerance is None:
        tolerance = max(flat.shape) * torch.finfo(weight.dtype).eps
    kept = max(1, int((sizes > tolerance * sizes[0]).sum())) if sizes[0] > 0 else 1
    used = np.abs(flat).max(1) > 0
    return left[:, :kept], used if used.any() else ~used


def _position_weights(basis: np.ndarray, used: np.ndarray) -> np.ndarray:
    """(K, r) -> (H, K): rows >= 0 that sum to 1 and span the columns of the basis."""
    places, r = len(basis), basis.shape[1]
    if r >= used.sum():
        return np.eye(places)[used]
    inside = _positive_inside(basis[used])
    if inside is None:
        positive, others = np.ones(used.sum()), basis[used]
    else:
        turned = np.linalg.qr(np.column_stack((inside, np.eye(r))))[0]
        positive, others = basis[used] @ inside, basis[used] @ turned[:, 1:r]
    rows = np.zeros((1 + others.shape[1], places))
    rows[:, used] = positive
    for row, other in zip(rows[1:], others.T, strict=True):
        # Half the way to the first zero: weights that differ as much as they can and stay clear of 0.
        row[used] += 0.5 * (positive / np.maximum(np.abs(other), 1e-300)).min() * other
    return rows / rows.sum(1, keepdims=True)


def _positive_inside(basis: np.ndarray) -> np.ndarray | None:
    """(K, r) -> c (r,) with basis @ c well above 0 everywhere and 1 on average; None where there is none."""
    from scipy.optimize import linprog  # half a second to load, which few models need

    places, r = basis.shape
    # Maximise t with basis @ c >= t and a mean of 1, in the unknowns (c, t).
    found = linprog(
        np.append(np.zeros(r), -1.0),
        A_ub=np.column_stack((-basis, np.ones(places))),
        b_ub=np.zeros(places),
        A_eq=[np.append(basis.mean(0), 0.0)],
        b_eq=[1.0],
        bounds=[(None, None)] * r + [(None, 1.0)],
    )
    return found.x[:r] if found.success and found.x[r] > LEAST_WEIGHT else None
