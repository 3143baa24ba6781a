"""What a rule gets and may raise: how to convert, and that there is no equal attention layer."""

from dataclasses import dataclass

Shape = tuple[int, ...]


class CannotConvert(Exception):
    """A module or call that has no equal attention layer. The message gives the reason."""


@dataclass(frozen=True)
class Settings:
    """How to convert.

    Attributes:
        minimal: use as few heads as the rank of a kernel needs, rather than one per kernel position.
        beta: inverse temperature of maximum pools, None for exact ones.
    """

    minimal: bool = False
    beta: float | None = None
