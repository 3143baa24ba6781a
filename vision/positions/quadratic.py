"""A learned centre and width per head, added to the logits of attention: the learnable receptive field.

>>> from vision.fields import full
>>> from vision.patches import Grid
>>> QuadraticBias(full(Grid(8, 8)), num_heads=4)().shape
torch.Size([1, 4, 64, 64])
"""

from copy import deepcopy

import torch
from torch import Tensor, nn

from vision.fields import Field
from vision.patches import Grid
from vision.positions.resizing import field_on

# exp(-60) changes no sum, and its products are not so small that processors slow down. exp(-6e4) is 0. A
# clipped field needs the second: the best of its keys may be far below the largest score.
_FLOOR, _CLIPPED_FLOOR = -60.0, -6e4


def quadratic_scores(field: Field, alpha: Tensor, centres: Tensor) -> Tensor:
    """alpha (H), centres (H, 2) -> -|alpha| |key - query - centre|^2: (H, K), or (1, H, N_query, N_key).

    The first form is for a field by K offsets, the second for a full one of stride 1. The scores are in
    float32 or wider. Their largest value along either axis is subtracted, which a softmax ignores. They are
    cut off at a value that counts as 0 in a softmax. So no large coordinates are squared and subtracted, and
    no precision overflows.
    """
    if field.offsets is not None:
        # (H, 1) - (K) -> (H, K)
        steps = torch.tensor(field.offsets, dtype=torch.float32, device=alpha.device)
        rows, cols = (_axis_scores(steps[:, axis], alpha, centres[:, axis]) for axis in (0, 1))
        return (rows + cols).clamp(min=_CLIPPED_FLOOR)
    sides = ((field.queries.rows, field.keys.rows), (field.queries.cols, field.keys.cols))
    differences = [
        torch.arange(keys, dtype=torch.float32, device=alpha.device)
        - torch.arange(queries, dtype=torch.float32, device=alpha.device)[:, None]
        for queries, keys in sides
    ]
    rows, cols = (_axis_scores(differences[axis], alpha, centres[:, axis]) for axis in (0, 1))
    # (H, rows, 1, key rows, 1) + (H, 1, cols, 1, key cols) -> (1, H, N_query, N_key)
    scores = rows[:, :, None, :, None] + cols[:, None, :, None, :]
    return scores.flatten(3).flatten(1, 2).clamp(min=_FLOOR).unsqueeze(0)


def _axis_scores(difference: Tensor, alpha: Tensor, centres: Tensor) -> Tensor:
    """difference (..., n_key), alpha (H), centres (H) -> (H, ..., n_key): the scores of rows or columns."""
    alpha, centres = (y.view(-1, *[1] * difference.ndim) for y in (alpha.abs(), centres))
    scores = -alpha * (difference - centres).square()
    return scores - scores.detach().amax(-1, keepdim=True)


class QuadraticBias(nn.Module):
    """A bias of the logits: -|alpha| |key - query - centre|^2, with a centre and a sharpness per head.

    The quadratic encoding of Cordonnier et al. (2020), in addition to content. The logits of a head prefer
    the keys around its centre, the more so the larger alpha is.

    Args:
        field: who attends to whom: by offsets, or a full one of stride 1.
        num_heads: heads of the attention.
        alpha: initial value for every head, for distances in tokens; 0 prefers no key.
        spread: standard deviation of the initial centres, in tokens.

    Attributes:
        alpha: (num_heads,), a parameter. Its absolute value counts, so that no step makes it invalid.
        centres: (num_heads, 2), a parameter: row and column of each head's centre relative to its query.

    Raises:
        ValueError: the field is neither by offsets nor full.
    """

    def __init__(
        self,
        field: Field,
        num_heads: int,
        *,
        alpha: float = 0.1,
        spread: float = 2.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if field.offsets is None and not field.is_full:
            raise ValueError(
                "quadratic positions need a field by offsets or the full one, got one by indices or a mask"
            )
        self.field = field
        self.alpha = nn.Parameter(torch.full((num_heads,), float(alpha), device=device, dtype=dtype))
        self.centres = nn.Parameter(torch.empty(num_heads, 2, device=device, dtype=dtype))
        nn.init.normal_(self.centres, std=spread)

    @property
    def grid(self) -> Grid:
        """Grid of the queries."""
        return self.field.queries

    def forward(self, grid: Grid | None = None) -> Tensor:
        """Return (num_heads, K) for a field by offsets, else (1, num_heads, N_query, N_key).

        Args:
            grid: another grid than the constructor's.
        """
        return quadratic_scores(self.field.on(grid), self.alpha, self.centres)

    def resized(self, grid: Grid) -> "QuadraticBias":
        """Return the same centres and widths, in tokens; any field not by offsets becomes the full one."""
        new = deepcopy(self)
        new.field = field_on(self.field, grid)
        return new


# Symbolic tracing records a call of it, because it reads the device of its arguments.
torch.fx.wrap("quadratic_scores")
