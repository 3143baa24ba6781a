"""Widths of a backbone for a given number of parameters, so that compared models are equal in size.

>>> fit_widths(lambda w: 8 * w.embed_dim**2 + 2 * w.embed_dim * w.mlp_dim, 65_536)
Widths(embed_dim=64, mlp_dim=256)
"""

from collections.abc import Callable
from math import lcm
from typing import NamedTuple

TOLERANCE = 0.02


class Widths(NamedTuple):
    """Width of a token and of the MLP's hidden layer."""

    embed_dim: int
    mlp_dim: int

    @property
    def mlp_ratio(self) -> float:
        """mlp_dim over embed_dim."""
        return self.mlp_dim / self.embed_dim


def fit_widths(
    count: Callable[[Widths], int], params: int, *, mlp_ratio: float = 4.0, multiple: int = 1
) -> Widths:
    """Return the widths at which `count` is `params` within 2 percent.

    embed_dim is the multiple of 8 (and of `multiple`) at which the ratio of the MLP is nearest to
    `mlp_ratio`. The width of the MLP then takes up the rest.

    Args:
        count: the parameters of a model with the given widths; linear in mlp_dim.
        params: number of parameters.
        mlp_ratio: wanted ratio of mlp_dim to embed_dim.
        multiple: embed_dim must be divisible by it, such as the number of heads.

    Raises:
        ValueError: no width gives `params`; the message contains the nearest possible number.
    """
    step = lcm(8, multiple)
    below = step
    while count(Widths(2 * below, round(2 * below * mlp_ratio))) <= params:
        below *= 2
    candidates = [_solve_mlp(count, params, dim) for dim in range(below, 2 * below + 1, step)]
    best = min(candidates, key=lambda w: abs(w.mlp_dim / w.embed_dim - mlp_ratio))
    reached = count(best)
    if abs(reached - params) > TOLERANCE * params:
        raise ValueError(
            f"no width gives {params} parameters within {TOLERANCE:.0%}, got {params=}; "
            f"the nearest model has {reached}: take that number or a smaller depth"
        )
    return best


def _solve_mlp(count: Callable[[Widths], int], params: int, dim: int) -> Widths:
    smallest = count(Widths(dim, 1))
    per_unit = count(Widths(dim, 2)) - smallest
    return Widths(dim, max(1, 1 + round((params - smallest) / per_unit)))
