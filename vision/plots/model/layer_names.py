"""Names of layers that fit next to an axis.

>>> short_names([f"encoder.layers.encoder_layer_{i}.self_attention" for i in (0, 1)])
['encoder_layer_0', 'encoder_layer_1']
"""

from collections.abc import Sequence

LONGEST = 24  # characters


def short_names(names: Sequence[str]) -> list[str]:
    """Return the names; if one is too long, without the parts at either end that all share."""
    parts = [name.split(".") for name in names]
    for end in (0, -1):
        while _too_long(parts) and _shared(parts, end):
            parts = [part[1:] if end == 0 else part[:-1] for part in parts]
    return [".".join(part) for part in parts]


def _too_long(parts: Sequence[Sequence[str]]) -> bool:
    return max((len(".".join(part)) for part in parts), default=0) > LONGEST


def _shared(parts: Sequence[Sequence[str]], end: int) -> bool:
    return min(map(len, parts)) > 1 and len({part[end] for part in parts}) == 1
