"""The widths of a backbone that has a given number of parameters."""

from collections.abc import Callable, Mapping
from math import lcm

from torch import nn

from vision.dynamic import Arguments
from vision.mixers import default_option
from vision.models.widths import Widths, fit_widths


def solve_widths(
    build: Callable[..., nn.Module], params: int, arguments: Arguments
) -> dict[str, int | float]:
    """Return the embed_dim and mlp_ratio at which a backbone has `params` parameters, within 2 percent.

    Args:
        build: the class of the backbone.
        params: number of parameters.
        arguments: of `build`. The solved mlp_ratio comes as near to theirs as embed_dim, a multiple of 8,
            allows.

    Raises:
        ValueError: no width gives that number.
    """

    def count(widths: Widths) -> int:
        solved = {"embed_dim": widths.embed_dim, "mlp_ratio": widths.mlp_ratio}
        return sum(p.numel() for p in build(**{**arguments, **solved}, device="meta").parameters())

    options: Mapping[str, int] = arguments.get("mixer_options") or {}
    mixer: str = arguments["mixer"]
    divisors = (options.get(name) or default_option(mixer, name) or 1 for name in ("num_heads", "groups"))
    widths = fit_widths(count, params, mlp_ratio=arguments["mlp_ratio"], multiple=lcm(*divisors))
    return {"embed_dim": widths.embed_dim, "mlp_ratio": widths.mlp_ratio}
