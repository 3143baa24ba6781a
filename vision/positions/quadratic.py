"""A learned centre and width for each head, added to the logits of attention: the learnable receptive field.

>>> QuadraticBias(full(Grid(8, 8)), num_heads=4)().shape
torch.Size([1, 4, 64, 64])
"""

import torch
from torch import Tensor, nn

from vision.fields import Field

# The exponential of the first changes no sum, and no product with it is so small that processors slow down;
# that of the second is 0. A clipped field needs the second: its best keys may be far below the largest score.
_FLOOR, _CLIPPED_FLOOR = -60.0, -6e4


def quadratic_scores(field: Field, alpha: Tensor, centres: Tensor) -> Tensor:
    """alpha (H), centres (H, 2) -> -|alpha| |key - query - centre|^2: (H, K), or (1, H, N_query, N_key).

    The former for a field by K offsets, the latter for a full one of stride 1. They come in float32 at least,
    less their largest value along either axis, which a softmax does not see, and not below what is nothing
    in a softmax: so no large coordinates are squared and subtracted, and no precision overflows.
    """
    if field.offsets is not None:
        # (H, 1) - (K) -> (H, K)
        steps = torch.tensor(field.offsets, dtype=torch.float32, device=alpha.device)
        rows, cols = (_along(steps[:, axis], alpha, centres[:, axis]) for axis in (0, 1))
        return (rows + cols).clamp(min=_CLIPPED_FLOOR)
    sides = ((field.queries.rows, field.keys.rows), (field.queries.cols, field.keys.cols))
    away = [
        torch.arange(keys, dtype=torch.float32, device=alpha.device)
        - torch.arange(queries, dtype=torch.float32, device=alpha.device)[:, None]
        for queries, keys in sides
    ]
    rows, cols = (_along(away[axis], alpha, centres[:, axis]) for axis in (0, 1))
    # (H, rows, 1, key rows, 1) + (H, 1, cols, 1, key cols) -> (1, H, N_query, N_key)
    scores = rows[:, :, None, :, None] + cols[:, None, :, None, :]
    return scores.flatten(3).flatten(1, 2).clamp(min=_FLOOR).unsqueeze(0)


def _along(away: Tensor, alpha: Tensor, centres: Tensor) -> Tensor:
    """away (..., n_key), alpha (H), centres (H) -> (H, ..., n_key): the scores of rows or of columns."""
    alpha, centres = (y.view(-1, *[1] * away.ndim) for y in (alpha.abs(), centres))
    scores = -alpha * (away - centres).square()
    return scores - scores.detach().amax(-1, keepdim=True)


class QuadraticBias(nn.Module):
    """() -> bias of the logits: -|alpha| |key - query - centre|^2, a centre and a sharpness for each head.

    The quadratic encoding of Cordonnier et al. (2020) beside content: a head's logits prefer the keys around
    its centre, the more so the larger alpha.

    Args:
        field: who attends to whom: by offsets, or a full one of stride 1.
        num_heads: heads of the attention.
        alpha: what every head starts with, distances in places of the grid; 0 prefers no place.
        spread: standard deviation of the centres at the start.

    Attributes:
        alpha: (num_heads,), a parameter of which the absolute value counts, so that no step makes it invalid.
        centres: (num_heads, 2), row and column of each head's centre relative to its query, a parameter.

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
            raise ValueError("quadratic positions need a field by offsets or the full one, got another")
        self.field = field
        self.alpha = nn.Parameter(torch.full((num_heads,), float(alpha), device=device, dtype=dtype))
        self.centres = nn.Parameter(torch.empty(num_heads, 2, device=device, dtype=dtype))
        nn.init.normal_(self.centres, std=spread)

    def forward(self) -> Tensor:
        """() -> (num_heads, K) for a field by offsets, else (1, num_heads, N_query, N_key)."""
        return quadratic_scores(self.field, self.alpha, self.centres)


# Symbolic tracing records a call of it, as it reads the device of its arguments.
torch.fx.wrap("quadratic_scores")
