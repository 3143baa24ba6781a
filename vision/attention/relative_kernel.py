"""The kernel of relative offsets that is nearest to given attention weights.

>>> weights = torch.full((1, 16, 16), 1 / 16)  # of one head, equal on all keys
>>> kernel = nearest_kernel(weights, *relative_offsets(Grid(4, 4)))
>>> kernel.shape, bool((expand(kernel, relative_offsets(Grid(4, 4))[0]) - weights).abs().max() < 1e-9)
(torch.Size([1, 49]), True)
"""

from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.functional import pad

from vision.patches import Grid

TINY = 1e-300
LARGEST, NEVER = 680.0, -1e4  # logarithms of weights, the second of those that are 0
CONJUGATE_STEPS, SCALING_STEPS, DESCENT_STEPS = 200, 30, 100


def relative_offsets(grid: Grid) -> tuple[Tensor, int]:
    """Return long (N, N), the number of key - query for each query and key, and how many there are.

    The (2 rows - 1)(2 cols - 1) offsets are numbered row by row from (1 - rows, 1 - cols).
    """
    position = grid.coordinates()
    difference = position[None] - position[:, None] + torch.tensor((grid.rows - 1, grid.cols - 1))
    across = 2 * grid.cols - 1
    return difference[..., 0] * across + difference[..., 1], (2 * grid.rows - 1) * across


def expand(kernel: Tensor, offsets: Tensor) -> Tensor:
    """kernel (H, D) -> (H, N_query, K): clipped to the keys of each query, rows that sum to 1.

    Args:
        kernel: a weight >= 0 per head and offset.
        offsets: long (N_query, K) or (H, N_query, K), the number of each key's offset, and D where there is
            no key. A query without a weight has a row of zeros.
    """
    weights = _at(kernel, offsets, 0.0)
    largest = weights.amax(-1, keepdim=True)
    weights = weights / torch.where(largest > 0, largest, 1.0)
    return weights / weights.sum(-1, keepdim=True).clamp(min=1.0)


def nearest_kernel(weights: Tensor, offsets: Tensor, count: int) -> Tensor:
    """weights (H, N_query, K) -> kernel (H, D), rows that sum to 1, so that `expand` is nearest to them.

    This is the static attention with the least squared difference from the weights, found by L-BFGS on the
    logarithm of the kernel. Each head starts from the nearer of two kernels:

    - Least squares on the logarithm of the weights. It is exact where the weights are a clipped and
      renormalized kernel, which is therefore reproduced up to rounding.
    - Iterative scaling to the mean weight of each offset, as for Bradley and Terry's model (Hunter, 2004).

    Args:
        weights: rows sum to 1, or to 0 for a query that is left out.
        offsets: as in `expand`.
        count: number of offsets D.
    """
    weights = weights.detach().double()
    # Of a query that is left out, no key is a key.
    offsets = torch.where(weights.sum(-1, keepdim=True) > 0, offsets.expand_as(weights), count)
    starts = _log_least_squares(weights, offsets, count), _scaled(weights, offsets, count)
    errors = [_squared_error(start, weights, offsets) for start in starts]
    start = torch.where((errors[0] < errors[1])[:, None], *starts)
    found = _descend(start, weights, offsets)
    better = _squared_error(found, weights, offsets) < _squared_error(start, weights, offsets)
    return torch.where(better[:, None], found, start).softmax(-1)


def sum_by_offset(weights: Tensor, offsets: Tensor, count: int) -> Tensor:
    """weights (..., H, N_query, K) -> (..., H, D): the sum over all queries and keys with each offset."""
    index = offsets.expand(weights.shape[-3:]).flatten(1).expand(*weights.shape[:-2], -1)
    sums = weights.new_zeros(*weights.shape[:-2], count + 1)
    return sums.scatter_add(-1, index, weights.flatten(-2))[..., :count]


def _log_least_squares(weights: Tensor, offsets: Tensor, count: int) -> Tensor:
    """Return logits (H, D) with the least squared difference of the logarithms, weighted by the weights.

    Conjugate gradients, in which the logarithm of each row's sum is eliminated.
    """
    share = weights / weights.sum(-1, keepdim=True).clamp(min=TINY)
    diagonal = sum_by_offset(weights, offsets, count)

    def normal(each: Tensor) -> Tensor:
        return sum_by_offset(weights * (each - (share * each).sum(-1, keepdim=True)), offsets, count)

    logits = _initial(weights, offsets, count)
    target = normal(torch.where(weights > 0, weights.clamp(min=TINY).log(), 0.0))
    residual = target - normal(_at(logits, offsets, 0.0))
    scaled = residual / diagonal.clamp(min=TINY)
    step, size = scaled, (residual * scaled).sum(-1, keepdim=True)
    done = size * 1e-28
    for _ in range(CONJUGATE_STEPS):
        image = normal(_at(step, offsets, 0.0))
        curvature = (step * image).sum(-1, keepdim=True)
        going = (size > done) & (curvature > size * 1e-16)
        if not going.any():
            break
        length = torch.where(going, size / torch.where(going, curvature, 1.0), 0.0)
        logits, residual = logits + length * step, residual - length * image
        scaled = residual / diagonal.clamp(min=TINY)
        previous, size = size, torch.where(going, (residual * scaled).sum(-1, keepdim=True), 0.0)
        step = scaled + size / previous.clamp(min=TINY) * step
    return torch.where(diagonal > 0, logits.clamp(-LARGEST, LARGEST), NEVER)


def _scaled(weights: Tensor, offsets: Tensor, count: int) -> Tensor:
    """Return logits (H, D) whose expansion has the mean weight of each offset, approximately."""
    wanted = sum_by_offset(weights, offsets, count)
    logits = _initial(weights, offsets, count)
    for _ in range(SCALING_STEPS):
        made = sum_by_offset(_softmax(logits, offsets) * _in_use(offsets, count), offsets, count)
        logits = logits + torch.where(wanted > 0, (wanted / made.clamp(min=TINY)).clamp(min=TINY).log(), 0.0)
    return torch.where(wanted > 0, logits.clamp(-LARGEST, LARGEST), NEVER)


def _initial(weights: Tensor, offsets: Tensor, count: int) -> Tensor:
    """Return the logarithm of the mean weight of each offset."""
    pairs = sum_by_offset(torch.ones_like(weights), offsets, count)
    mean = sum_by_offset(weights, offsets, count) / pairs.clamp(min=1)
    return torch.where(mean > 0, mean.clamp(min=TINY).log(), NEVER)


def _descend(start: Tensor, weights: Tensor, offsets: Tensor) -> Tensor:
    """Return the logits after L-BFGS on the squared difference, relative to the weights' squares."""
    scale = weights.square().sum((1, 2)).clamp(min=TINY)
    with torch.enable_grad():
        logits = start.clone().requires_grad_()
        optimizer = torch.optim.LBFGS(
            [logits],
            max_iter=DESCENT_STEPS,
            tolerance_grad=1e-12,
            tolerance_change=1e-15,
            line_search_fn="strong_wolfe",
        )

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = (_squared_error(logits, weights, offsets) / scale).sum()
            cast(Any, loss).backward()
            return loss

        cast(Any, optimizer).step(closure)
    return logits.detach().nan_to_num(NEVER)


def _squared_error(logits: Tensor, weights: Tensor, offsets: Tensor) -> Tensor:
    made = _softmax(logits, offsets) * _in_use(offsets, logits.shape[1])
    return (made - weights).square().sum((1, 2))


def _at(kernel: Tensor, offsets: Tensor, other: float) -> Tensor:
    """(H, D) -> (H, N_query, K): the number of each key's offset, `other` where there is no key."""
    index = offsets.expand(len(kernel), *offsets.shape[-2:])
    return pad(kernel, (0, 1), value=other).gather(1, index.flatten(1)).view(index.shape)


def _in_use(offsets: Tensor, count: int) -> Tensor:
    """Return (..., N_query, 1): whether a query has a key."""
    return (offsets < count).any(-1, keepdim=True)


def _softmax(logits: Tensor, offsets: Tensor) -> Tensor:
    """(H, D) -> (H, N_query, K): rows that sum to 1, also those of queries without a key."""
    return _at(logits, offsets, 2 * NEVER).softmax(-1)
