"""Check that a table has what a figure needs.

>>> check_table(scores, ("label", "mean"), name="scores")  # doctest: +SKIP
"""

from collections.abc import Sequence

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
