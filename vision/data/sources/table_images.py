"""A column of images: encoded files, paths, or nested lists of pixels.

>>> import pyarrow as pa
>>> column = pa.chunked_array([[[[0, 1], [2, 3]], [[4, 5], [6, 7]]]])
>>> read_images(column, RowNames.of_one("train", 2), Path()).shape
torch.Size([2, 2, 2])
"""

# pyarrow has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vision.data.encoded import EncodedImages
from vision.data.sources.allowed_folders import AllowedFolders
from vision.data.sources.table_labels import Column, RowNames


def read_images(
    column: Column, rows: RowNames, folder: Path, inside: AllowedFolders | None = None
) -> EncodedImages | Tensor:
    """Return the images of a column: encoded ones, or pixels (N, H, W) or (N, H, W, C) for nested lists.

    Args:
        column: of struct(bytes, path), of bytes, of paths, or of lists of lists of numbers.
        rows: what messages call the rows.
        folder: where relative paths start.
        inside: where the files of paths must be; None is the folder.

    Raises:
        ValueError: the column is of another type, or its lists are empty or of different lengths.
    """
    import pyarrow as pa

    kind = column.type
    inside = inside or AllowedFolders(folder)
    if isinstance(kind, pa.BaseExtensionType):  # such as Array2D of the package `datasets`
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], kind.storage_type)
        kind = column.type
    if pa.types.is_struct(kind) and {kind.field(i).name for i in range(kind.num_fields)} & {"bytes", "path"}:
        return EncodedImages(_Files(column, folder, inside), names=rows)
    is_bytes = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)
    if is_bytes or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return EncodedImages(_Files(column, folder, inside), names=rows)
    if _is_list(kind):
        return _stacked(column, rows)
    raise ValueError(
        f"images must be struct(bytes, path), bytes, paths or lists of numbers, got {kind} in {rows.files[0]}"
    )


class _Files(Sequence[str | bytes]):
    """A column of encoded images, row by row, without copying the table; an empty row is b""."""

    def __init__(self, column: Column, folder: Path, inside: AllowedFolders) -> None:
        self.column, self.folder, self.inside = column, folder, inside

    def __len__(self) -> int:
        return len(self.column)

    def __getitem__(self, index: Any) -> Any:
        row = self.column[index].as_py()
        if isinstance(row, dict):
            row = row.get("path") if row.get("bytes") is None else row["bytes"]
        if isinstance(row, str):
            beside = self.folder / row
            row = row if Path(row).exists() and not beside.exists() else str(beside)
            self.inside.check(row)
        return b"" if row is None else row


def _stacked(column: Column, rows: RowNames) -> Tensor:
    """Return nested lists of one shape as a tensor."""
    values, sides = column.combine_chunks(), list[int]()
    per_image = 1
    while _is_list(values.type):
        lengths = np.array(values.value_lengths().to_pylist(), dtype=float)
        least = lengths[0] if len(lengths) else 0
        if not len(lengths) or not least > 0 or (lengths != least).any():
            wrong = int(np.argmax(~(lengths == least) | ~(lengths > 0))) if len(lengths) else 0
            name = rows[wrong // per_image] if len(rows) else rows.files[0]
            raise ValueError(
                f"{name} has no pixels, or other sides than the first image; lists of pixels need one shape"
            )
        sides.append(int(least))
        per_image *= int(least)
        values = values.flatten()
    if values.null_count:
        first = int(np.argmax(np.asarray(values.is_null())))
        raise ValueError(f"{rows[first // per_image]} has a pixel without a value")
    return torch.from_numpy(np.array(values).reshape(len(rows), *sides))


def _is_list(kind: object) -> bool:
    import pyarrow as pa

    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
