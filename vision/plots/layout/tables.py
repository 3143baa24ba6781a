"""What a figure needs of its table.

>>> check_table(scores, ("label", "mean"), name="scores")  # doctest: +SKIP
"""

from collections.abc import Sequence

import pandas as pd


def check_table(table: pd.DataFrame, columns: Sequence[str], *, name: str = "table") -> None:
    """Refuse a table that lacks a column or has no rows.

    Raises:
        ValueError: it does.
    """
    if missing := [column for column in columns if column not in table]:
        raise ValueError(
            f"{name} must have columns {', '.join(columns)}, got none named {', '.join(missing)}"
        )
    if table.empty:
        raise ValueError(f"{name} must have rows, got none")
