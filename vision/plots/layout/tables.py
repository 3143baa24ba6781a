"""Check that a table has what a figure needs, and select rows of it.

>>> scores = pd.DataFrame({"label": ["CNN"], "mean": [0.5]})
>>> check_table(scores, ("label", "mean"), name="scores")
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd


def check_table(table: pd.DataFrame, columns: Sequence[str], *, name: str = "table") -> None:
    """Check that a table has these columns and at least one row.

    Raises:
        ValueError: a column is missing, or the table is empty.
    """
    if missing := [column for column in columns if column not in table]:
        raise ValueError(
            f"{name} must have columns {', '.join(columns)}, got none named {', '.join(missing)}"
        )
    if table.empty:
        raise ValueError(f"{name} must have rows, got none")


def rows_with(table: pd.DataFrame, column: str, value: Any) -> pd.DataFrame:
    """Return the rows that have this value in a column; a missing value selects the rows without one.

    >>> rows_with(pd.DataFrame({"label": ["CNN", None], "n": [3, 5]}), "label", None)["n"].tolist()
    [5]
    """
    values: pd.Series[Any] = table[column]
    return table[values.isna() if pd.isna(value) else values == value]


def is_ordered(column: "pd.Series[Any]") -> bool:
    """Return whether a column holds numbers, none of them missing.

    >>> is_ordered(pd.Series([3, 5])), is_ordered(pd.Series(["CNN", "ViT"]))
    (True, False)
    """
    return pd.api.types.is_numeric_dtype(column) and not column.isna().any()
