"""Token mixers by name: everything between a convolution and self-attention, (B, N, C) -> (B, N, C).

>>> import torch
>>> create_mixer("local_attention", 64, Grid(8, 8), kernel_size=3)(torch.randn(2, 64, 64)).shape
torch.Size([2, 64, 64])
"""

from typing import Any

from torch import nn

from vision.attention import options as attention_options
from vision.mixers.conv_attention import ConvAttention as ConvAttention
from vision.mixers.convolution import Convolution as Convolution
from vision.mixers.gated_attention import GatedAttention as GatedAttention
from vision.mixers.graph_attention import GraphAttention as GraphAttention
from vision.mixers.identity import Identity as Identity
from vision.mixers.local_attention import LocalAttention as LocalAttention
from vision.mixers.pooling import Pooling as Pooling
from vision.mixers.quadratic_attention import QuadraticAttention as QuadraticAttention
from vision.mixers.recurrent import Recurrent as Recurrent
from vision.mixers.self_attention import SelfAttention as SelfAttention
from vision.mixers.static_attention import StaticAttention as StaticAttention
from vision.mixers.truncated_attention import TruncatedAttention as TruncatedAttention
from vision.mixers.window_attention import WindowAttention as WindowAttention
from vision.patches import Grid

_MIXERS: dict[str, type[nn.Module]] = {
    "self_attention": SelfAttention,
    "local_attention": LocalAttention,
    "truncated_attention": TruncatedAttention,
    "window_attention": WindowAttention,
    "gated_attention": GatedAttention,
    "quadratic_attention": QuadraticAttention,
    "static_attention": StaticAttention,
    "conv_attention": ConvAttention,
    "convolution": Convolution,
    "graph_attention": GraphAttention,
    "recurrent": Recurrent,
    "pooling": Pooling,
    "identity": Identity,
}


def mixer_names() -> tuple[str, ...]:
    """Return the names that `create_mixer` accepts."""
    return tuple(_MIXERS)


def option_names(name: str) -> tuple[str, ...]:
    """Return the names of the options of the mixer `name`.

    Raises:
        ValueError: the name is unknown. The message lists those that exist.
    """
    if name not in _MIXERS:
        raise ValueError(f"mixer must be one of {', '.join(_MIXERS)}; got {name!r}")
    return attention_options.option_names(_MIXERS[name])


def create_mixer(name: str, dim: int, grid: Grid, **options: Any) -> nn.Module:
    """Return a token mixer (B, N, C) -> (B, N, C) for tokens of width dim on a grid.

    Args:
        name: one of `mixer_names()`.
        dim: width C of a token.
        grid: grid of the tokens.
        options: keyword arguments of the mixer's class.

    Raises:
        ValueError: the name or an option is unknown. The message lists those that exist.
    """
    known = option_names(name)
    if unknown := [option for option in options if option not in known]:
        raise ValueError(f"mixer {name!r} has no option {', '.join(unknown)}; it has {', '.join(known)}")
    return _MIXERS[name](dim, grid, **options)
