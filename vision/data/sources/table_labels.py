"""A column of labels as classes: integers, text, or what stands for them.

>>> import pyarrow as pa
>>> column = LabelColumn(pa.chunked_array([["dog", "cat", "dog"]]), RowNames.of_one("train", 3))
>>> column.classes(), column.indices(column.classes()).tolist()
(('cat', 'dog'), [1, 0, 1])
"""

# pyarrow has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, TypeAlias

import torch
from torch import Tensor

Column: TypeAlias = Any  # pyarrow.ChunkedArray


class RowNames(Sequence[str]):
    """What messages call the rows of a table that was read from several files.

    Args:
        files: what to call each file.
        counts: the number of rows of each.
    """

    def __init__(self, files: Sequence[str], counts: Sequence[int]) -> None:
        self.files, self.starts = files, [0, *accumulate(counts)]

    @classmethod
    def of_one(cls, name: str, count: int) -> "RowNames":
        """Return the names of the rows of one table."""
        return cls([name], [count])

    def __len__(self) -> int:
        return self.starts[-1]

    def __getitem__(self, index: Any) -> Any:
        """Return "row 7 of train.parquet"; rows count from 0."""
        file = bisect_right(self.starts, index) - 1
        return f"row {index - self.starts[file]} of {self.files[file]}"


class LabelColumn:
    """The labels of a table, checked row by row.

    Args:
        column: integers, text, bool, or floats without a fraction.
        rows: what messages call the rows.
        names: the names of the classes, if the metadata of some table have them.

    Raises:
        ValueError: a label is missing, negative, or of another kind. The message names the row.
    """

    def __init__(self, column: Column, rows: RowNames, names: Sequence[str] | None = None) -> None:
        import pyarrow as pa

        kind = column.type
        text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
        number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
        if not (text or number or pa.types.is_null(kind)):
            raise ValueError(f"labels must be integers or text, got {kind} in {rows.files[0]}")
        self.rows, self.names = rows, names
        self.values: list[int | str] = [
            self._value(index, value) for index, value in enumerate(column.to_pylist())
        ]

    def classes(self) -> tuple[str, ...]:
        """Return the names in the metadata, or else the labels that occur: numbers by value, text by name."""
        if self.names is not None:
            return tuple(self.names)
        numeric = all(isinstance(value, int) or value.isdecimal() for value in self.values)
        found = {str(value) for value in self.values}
        return tuple(sorted(found, key=lambda text: (int(text), text)) if numeric else sorted(found))

    def indices(self, classes: Sequence[str]) -> Tensor:
        """Return the positions of the labels in `classes`, int64 (N,).

        Raises:
            ValueError: a label is not among them. The message names the row.
        """
        position = {name: index for index, name in enumerate(classes)}
        # With names in the metadata, integers are positions.
        positions = [
            value if isinstance(value, int) and self.names is not None else position.get(str(value), -1)
            for value in self.values
        ]
        known = "to train on" if self.names is None else f"numbered from 0 to {len(classes) - 1}"
        for index, found in enumerate(positions):
            if not 0 <= found < len(classes):
                raise ValueError(
                    f"{self.rows[index]} has the label {self.values[index]!r}, which is not one of the "
                    f"{len(classes)} classes {known}"
                )
        return torch.tensor(positions, dtype=torch.int64)

    def _value(self, index: int, value: float | str | None) -> int | str:
        """Return an integer, or text in one Unicode form."""
        if value is None or value != value or (isinstance(value, str) and not value.strip()):
            raise ValueError(f"{self.rows[index]} has no label")
        if _is_negative(value, text=self.names is None):
            raise ValueError(
                f"{self.rows[index]} has the label {value}; negative ones usually mark images without a label"
            )
        if isinstance(value, str):
            return unicodedata.normalize("NFC", value)
        if isinstance(value, float) and not value.is_integer():
            raise ValueError(f"{self.rows[index]} has the label {value}, which is not an integer")
        return int(value)


def _is_negative(value: str | float, *, text: bool) -> bool:
    """Return whether a number is negative; of text, if asked for, an integer."""
    if isinstance(value, str):
        return text and value.startswith("-") and value[1:].isdecimal()
    return value < 0
