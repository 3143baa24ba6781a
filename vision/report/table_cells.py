"""Tables of a page, and numbers as cells.

>>> cell(1234.0).text
'1,234'
"""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

import pandas as pd

from vision.text import points, value_text

LEAST_P = 1e-4


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        text: What it shows.
        value: Number that it is sorted by; None: sorted by its text.
        link: Address that it leads to.
        hint: Text shown above it on hover.
    """

    text: str
    value: float | None = None
    link: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        name: Its name in links.
        title: Its heading.
        caption: What it shows.
        heads: Heads of the columns.
        rows: Its rows.
        folded: Whether it is closed at first.
        cards: Whether its rows are cards on a phone, because its cells are long.
    """

    name: str
    title: str
    caption: str
    heads: Sequence[str]
    rows: list[list[Cell]]
    folded: bool = False
    cards: bool = False


def cell(value: object) -> Cell:
    """Return a setting or number as a cell; empty where it is missing."""
    text = value_text(value, missing="")
    if isinstance(value, bool) or not isinstance(value, Real):
        return Cell(text)
    return Cell(text, float(value)) if text else Cell(text)


def count_cell(count: int) -> Cell:
    """Return an integer with thousands separators."""
    return Cell(f"{count:,}", float(count))


def interval_cell(low: float, high: float, *, digits: int = 1) -> Cell:
    """Return an interval of differences of shares, in percentage points."""
    if pd.isna(low):
        return Cell("one pair only")
    return Cell(f"{points(low, digits=digits)} to {points(high, digits=digits)}", 100 * low)


def p_value(value: float) -> Cell:
    """Return a p value with two digits."""
    if pd.isna(value):
        return Cell("-")
    return Cell(f"below {LEAST_P}" if value < LEAST_P else f"{value:.2g}", float(value))


def lead_cell(least: float) -> Cell:
    """Return the smallest detectable lead in points; empty where it is unknown."""
    return Cell("") if pd.isna(least) else Cell(f"{min(100 * least, 100):.1f}", 100 * least)
