"""Parquet files: those of each split, and the images and labels of one split's files as one table.

>>> part = read_files([Path("train-0.parquet"), Path("train-1.parquet")])  # doctest: +SKIP
"""

# pyarrow has no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from vision.data.notes import named
from vision.data.sources.split_names import SPLITS, split_of
from vision.data.sources.table_columns import Columns, find_columns
from vision.data.sources.table_labels import Column, RowNames
from vision.dynamic import Arguments
from vision.text import one_line

Table: TypeAlias = Any  # pyarrow.Table
_WORDS = sorted((word for words in SPLITS.values() for word in words), key=len, reverse=True)
_START = re.compile(rf"({'|'.join(_WORDS)})(?:[ _-]?(?:set|split|data|images|imgs))?(?![a-z])")
_NUMBERED = re.compile(r"(.*?)-?(\d+)-of-(\d+)")


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one split.

    Attributes:
        table: its columns are image and label.
        rows: what messages call the rows.
        folder: where relative paths of images start.
        declared: the names of the classes in the metadata of each file, if it has them.
        remarks: what a user should know.
    """

    table: Table
    rows: RowNames
    folder: Path
    declared: list[tuple[str, tuple[str, ...] | None]]
    remarks: tuple[str, ...] = ()


def files_by_split(root: Path, given: str) -> dict[str | None, list[Path]]:
    """Return the parquet files in a folder, at any depth, by train, val and test; None has the others.

    Args:
        root: the folder.
        given: what messages call it.

    Raises:
        ValueError: the files of one split lie in several folders.
    """
    files: dict[str | None, list[Path]] = {}
    for path in sorted(root.rglob("*")):
        hidden = "/." in f"/{path.relative_to(root).as_posix()}"
        if path.suffix.lower() == ".parquet" and not hidden and not path.is_dir():
            files.setdefault(_split_of(path, root), []).append(path)
    for split, of_split in files.items():
        folders = sorted({str(path.parent.relative_to(root)) for path in of_split})
        if split is not None and len(folders) > 1:
            raise ValueError(
                f"{given} has files of the split {split} in {len(folders)} folders ({named(folders)}); give "
                "the one to read"
            )
    return files


def read_files(files: Sequence[Path], options: Arguments | None = None) -> Part:
    """Return the images and labels of all files.

    Args:
        files: of one split, in one folder.
        options: see `find_columns`.

    Raises:
        ValueError: a file cannot be read or lacks a column, or the files have columns of different types.
    """
    import pyarrow as pa

    found = [_read(file, options or {}) for file in files]
    names = [file.name for file in files]
    try:
        table = pa.concat_tables([table for table, _ in found], promote_options="permissive")
    except pa.ArrowException as error:
        raise ValueError(f"{named(names)} must have columns of the same types: {one_line(error)}") from error
    declared = [(name, columns.classes) for name, (_, columns) in zip(names, found, strict=True)]
    remarks = [remark for _, columns in found for remark in columns.remarks]
    return Part(
        table,
        RowNames(names, [len(table) for table, _ in found]),
        files[0].parent,
        declared,
        tuple(dict.fromkeys([*remarks, *_remarks(files)])),
    )


def two_columns(table: Table, columns: Columns) -> Table:
    """Return the images and labels of a table, under these names, and stored in the plainest way."""
    import pyarrow as pa

    found = [_plain(table.column(table.column_names.index(name))) for name in (columns.image, columns.label)]
    return pa.Table.from_arrays(found, names=["image", "label"])


def _read(file: Path, options: Arguments) -> tuple[Table, Columns]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as opened:
            columns = find_columns(opened.schema_arrow, file.name, options)
            table = opened.read(columns=[columns.image, columns.label])
    except (pa.ArrowException, OSError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise ValueError(f"{file} cannot be read as a parquet file: {reason}") from error
    return two_columns(table, columns), columns


def _plain(column: Column) -> Column:
    """Return dictionaries as their values, views as large text or bytes, and bool as integers."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string_view(column.type):
        return column.cast(pa.large_string())
    if pa.types.is_binary_view(column.type):
        return column.cast(pa.large_binary())
    return column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column


def _split_of(path: Path, root: Path) -> str | None:
    """Return the split that the name of a file begins with, or the name of its folder is."""
    start = _START.match(path.stem.lower())
    if start is not None:
        return split_of(start[1])
    return split_of(path.parent.stem) if path.parent != root else None


def _remarks(files: Sequence[Path]) -> list[str]:
    """Return sentences where numbered files are missing, and where other files are read as one split."""
    numbered = [match for file in files if (match := _NUMBERED.fullmatch(file.stem))]
    remarks: list[str] = []
    for start, count in sorted({(match[1], match[3]) for match in numbered}):
        there = {int(match[2]) for match in numbered if (match[1], match[3]) == (start, count)}
        missing = sorted(set(range(int(count))) - there)
        if missing:
            numbers = named([f"{number:0{len(count)}}" for number in missing])
            remarks.append(
                f"{start or 'files'}: {len(missing)} of {int(count)} files are missing ({numbers})"
            )
    if len({re.sub(r"[\d_ -]|of", "", file.stem.lower()) for file in files}) > 1:
        remarks.append(f"{named([file.name for file in files])} are read as one split")
    return remarks
