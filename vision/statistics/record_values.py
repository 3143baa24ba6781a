"""The values of a table of records: their types, and the refusal of wrong ones.

>>> check_runs(pd.DataFrame({"label": [18], "train_size": ["500"]})).to_dict("records")
[{'label': '18', 'train_size': 500}]
"""

import numpy as np
import pandas as pd

from vision.statistics.columns import ACCURACIES, COSTS

CONTROL_CHARACTERS = "[\x00-\x08\x0b\x0c\x0e-\x1f]"  # not allowed in HTML


def check_runs(records: pd.DataFrame) -> pd.DataFrame:
    """Return records with labels and data as text, sizes as integers, shares and costs as numbers.

    Spaces around labels and data are dropped.

    Missing columns are skipped; `check_columns` asks for them.

    Raises:
        ValueError: A label or data set is missing, has control characters, or is also written with other
            spaces around it. A train_size is not a positive integer, or an accuracy or cost is not a number.
            The message shows the first wrong value.
    """
    readers = {"label": _texts, "data": _texts, "train_size": _sizes}
    readers |= dict.fromkeys(ACCURACIES, _shares) | dict.fromkeys(COSTS, _numbers)
    return records.assign(**{name: read(records[name]) for name, read in readers.items() if name in records})


def _texts(column: pd.Series) -> pd.Series:
    texts = column.map(str)
    _refuse(column, texts.str.contains(CONTROL_CHARACTERS), "a name without control characters")
    if missing := int(column.isna().sum()):
        remedy = "name the data set in each, or omit the column" if column.name == "data" else "name each"
        raise ValueError(f"{column.name} is missing in {missing} of {len(column)} rows; {remedy}")
    plain = texts.str.strip()
    written = texts.groupby(plain).unique()
    if len(several := written[written.map(len) > 1]):
        spellings = " and as ".join(map(repr, sorted(several.iloc[0])))
        raise ValueError(f"{column.name} is written as {spellings}; use one spelling for one {column.name}")
    return plain


def repeated_rows(records: pd.DataFrame) -> pd.Series:
    """Return which rows equal an earlier one in all columns but the folder."""
    flat = records.drop(columns="folder", errors="ignore").copy()
    for name in flat:
        if flat[name].map(type).isin([list, dict]).any():
            flat[name] = flat[name].map(str)
    return flat.duplicated()


def _sizes(column: pd.Series) -> pd.Series:
    numbers = pd.Series(pd.to_numeric(column, errors="coerce"), column.index)
    integers = numbers.map(np.isfinite) & (numbers >= 1) & (numbers % 1 == 0)
    _refuse(column, ~integers, "a positive integer number of training images")
    return numbers.astype("int64")


def _shares(column: pd.Series) -> pd.Series:
    numbers = pd.Series(pd.to_numeric(column, errors="coerce"), column.index)
    _refuse(column, column.notna() & numbers.isna(), "a share in [0, 1], such as 0.391 for 39.1%")
    return numbers


def _numbers(column: pd.Series) -> pd.Series:
    numbers = pd.Series(pd.to_numeric(column, errors="coerce"), column.index)
    _refuse(column, column.notna() & numbers.isna(), "a number, such as 60000")
    return numbers


def _refuse(column: pd.Series, wrong: pd.Series, right: str) -> None:
    values = [value for value, is_wrong in zip(column.tolist(), wrong.tolist(), strict=True) if is_wrong]
    if values:
        raise ValueError(
            f"{column.name} must be {right}; got {values[0]!r} (wrong in {len(values)} of {len(column)} rows)"
        )
