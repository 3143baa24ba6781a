"""The keyword arguments that multi-head attention and its mixers share, and the width of a head.

A mixer declares `**options: Unpack[AttentionOptions]` and passes them on to the class that it extends.

>>> head_width(64, num_heads=4, head_dim=None)
16
"""

from collections.abc import Callable, Mapping
from inspect import signature
from typing import TypedDict, get_args, get_type_hints

import torch

from vision.dynamic import Arguments


class HeadOptions(TypedDict, total=False):
    """What every multi-head attention has.

    Attributes:
        num_heads: number of heads; must divide dim unless head_dim is given; default 4.
        head_dim: width of a head; None is dim / num_heads.
        backend: backend of `vision.attention.attend`; default "auto".
        device: device of the parameters.
        dtype: dtype of the parameters.
    """

    num_heads: int
    head_dim: int | None
    backend: str
    device: torch.device | str | None
    dtype: torch.dtype | None


class ContentOptions(HeadOptions, total=False):
    """Options of attention by content.

    Attributes:
        qkv_bias: add a bias to q, k and v; default True.
    """

    qkv_bias: bool


class AttentionOptions(ContentOptions, total=False):
    """Options of attention by content and position; all default to False.

    Attributes:
        relative_bias: learn a number per head and relative position, added to the logits.
        quadratic_bias: learn a centre and a width per head, added to the logits (Cordonnier et al., 2020).
        rotary: rotate queries and keys by row and column (Heo et al., 2024).
    """

    relative_bias: bool
    quadratic_bias: bool
    rotary: bool


class PositionOptions(HeadOptions, total=False):
    """Options of attention by position alone.

    Attributes:
        v_bias: add a bias to the values; default True.
    """

    v_bias: bool


def option_names(function: Callable[..., object]) -> tuple[str, ...]:
    """Return the names of the keyword-only arguments, including those of an unpacked TypedDict."""
    names: list[str] = []
    for parameter in signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY:
            names.append(parameter.name)
        elif parameter.kind is parameter.VAR_KEYWORD:
            names += get_type_hints(get_args(parameter.annotation)[0])
    return tuple(names)


def defaults(function: Callable[..., object]) -> Arguments:
    """Return the keyword-only arguments that have a default, with it."""
    parameters = signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is not p.empty}


def check_options(options: Mapping[str, object], kind: type) -> None:
    """Raise a TypeError for an option that the TypedDict `kind` does not have.

    A type checker finds it as well. This check is for mixers that extend a class with more options.
    """
    if unknown := [name for name in options if name not in get_type_hints(kind)]:
        raise TypeError(f"unexpected option {', '.join(unknown)}; expected {', '.join(get_type_hints(kind))}")


def head_width(dim: int, num_heads: int, head_dim: int | None) -> int:
    """Return head_dim, or dim / num_heads where it is None.

    Raises:
        ValueError: a number is below 1, or num_heads does not divide dim.
    """
    if dim < 1:
        raise ValueError(f"dim must be at least 1, got {dim}")
    if num_heads < 1 or (head_dim is not None and head_dim < 1):
        raise ValueError(f"num_heads and head_dim must be at least 1, got {num_heads=}, {head_dim=}")
    if head_dim is None and dim % num_heads:
        divisors = ", ".join(str(n) for n in range(1, dim + 1) if dim % n == 0)
        raise ValueError(f"num_heads must divide dim, got {dim=}, {num_heads=}; {divisors} would fit")
    return head_dim or dim // num_heads
