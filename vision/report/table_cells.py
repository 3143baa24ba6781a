"""What a table of a page is made of, and how numbers stand in it.

>>> cell(1234.0).text
'1,234'
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

LEAST_P = 1e-4


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text, the number it sorts by (None: by its text), a link, and a hint shown above it."""

    text: str
    value: float | None = None
    link: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its name in links, title, caption, heads, rows, and whether it is folded at first."""

    name: str
    title: str
    caption: str
    heads: Sequence[str]
    rows: list[list[Cell]]
    folded: bool = False


def cell(value: Any) -> Cell:
    """A setting or number; empty where it is missing."""
    if isinstance(value, str | bool):
        return Cell(str(value))
    return Cell("") if pd.isna(value) else Cell(_number(value), float(value))


def points(low: float, high: float, digits: int = 1) -> Cell:
    """An interval of shares, in points."""
    if pd.isna(low):
        return Cell("one pair only")
    return Cell(f"{100 * low:+.{digits}f} to {100 * high:+.{digits}f}", 100 * low)


def p_value(value: float) -> Cell:
    """A p, as small as it is worth saying."""
    if pd.isna(value):
        return Cell("-")
    return Cell(f"below {LEAST_P}" if value < LEAST_P else f"{value:.2g}", float(value))


def short(name: str) -> str:
    """ "training.lr" -> "lr"."""
    return name.removeprefix("model.kwargs.").removeprefix("training.")


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.6g}"
