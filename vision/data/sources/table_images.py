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

    given = column.type
    inside = inside or AllowedFolders(folder)
    if isinstance(given, pa.BaseExtensionType):  # such as Array2D of the package `datasets`
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], given.storage_type)
    kind = column.type
    if _is_file(kind) or _is_bytes(kind) or _is_text(kind):
        return EncodedImages(_Files(column, folder, inside), names=rows)
    if _is_list(kind) and _is_number(_element(kind)):
        pixels = _stacked(column, rows)
        if isinstance(given, pa.FixedShapeTensorType):  # stored flat
            return pixels.reshape(len(rows), *given.shape)
        if pixels.ndim < 3:
            raise ValueError(
                f"{rows[0]} has {pixels.shape[1]} numbers in one list; an image is a list of rows of pixels"
            )
        return pixels
    raise ValueError(
        f"images must be struct(bytes, path), bytes, paths or lists of numbers, got {given} in "
        f"{rows.files[0]}"
    )


class _Files(Sequence[str | bytes]):
    """A column of encoded images, row by row, without copying the table; a row without an image is b""."""

    def __init__(self, column: Column, folder: Path, inside: AllowedFolders) -> None:
        self.column, self.folder, self.inside = column, folder, inside

    def __len__(self) -> int:
        return len(self.column)

    def __getitem__(self, index: Any) -> Any:
        row = self.column[index].as_py()
        if isinstance(row, dict):
            row = row.get("path") if row.get("bytes") is None else row["bytes"]
        return self._file(row) if isinstance(row, str) and row else row or b""

    def _file(self, given: str) -> str:
        """Return the path of a file that lies in the folder of the table, or in the current one."""
        path = next((path for path in (self.folder / given, Path(given)) if path.exists()), None)
        if path is None:
            raise FileNotFoundError(f"there is no file {given!r}")
        self.inside.check(path)
        return str(path)


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
    pixels = np.array(values)
    if len(wrong := np.flatnonzero(~((pixels >= 0) & (pixels <= 255)))):
        first = int(wrong[0])
        found = f"{rows[first // per_image]} has a pixel"
        if not np.isfinite(pixels[first]):
            raise ValueError(f"{found} that is not finite: {pixels[first]}")
        raise ValueError(f"{found} of {pixels[first]:g}; pixels must be scaled to 0 to 255")
    if len(pixels) and pixels.max() > 1 and len(fractions := np.flatnonzero(pixels % 1)):
        first = int(fractions[0])
        raise ValueError(
            f"{rows[first // per_image]} has a pixel of {pixels[first]:g}, and others are above 1; pixels "
            "must be integers from 0 to 255, or all from 0 to 1"
        )
    return torch.from_numpy(pixels.reshape(len(rows), *sides))


def _is_file(kind: Any) -> bool:
    """Return whether a type is a struct of bytes, of a path, or of both; other fields are not read."""
    import pyarrow as pa

    if not pa.types.is_struct(kind):
        return False
    fields = {kind.field(index).name: kind.field(index).type for index in range(kind.num_fields)}
    wanted = [(name, fits) for name, fits in (("bytes", _is_bytes), ("path", _is_text)) if name in fields]
    return bool(wanted) and all(fits(fields[name]) or pa.types.is_null(fields[name]) for name, fits in wanted)


def _is_bytes(kind: object) -> bool:
    from pyarrow import types

    of_any_size = types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind)
    return of_any_size or types.is_fixed_size_binary(kind)


def _is_text(kind: object) -> bool:
    from pyarrow import types

    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _is_number(kind: object) -> bool:
    from pyarrow import types

    return types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)


def _is_list(kind: object) -> bool:
    from pyarrow import types

    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)


def _element(kind: Any) -> Any:
    """Return the type of the innermost elements of nested lists."""
    return _element(kind.value_type) if _is_list(kind) else kind
