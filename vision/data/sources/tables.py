"""Tables of images: your own parquet files, or a data set of the Hugging Face Hub by its id.

A column holds the images and another the labels. The schema's metadata, or their names, tell which.

>>> load_source(DataConfig(name="mine", source="parquet", root="folder"))  # doctest: +SKIP
"""

# pyarrow and datasets have no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias, cast

from vision.config import DataConfig
from vision.data.images import Images, Source
from vision.data.report import named
from vision.data.sources.allowed_folders import AllowedFolders
from vision.data.sources.folder_layout import SPLITS, split_of
from vision.data.sources.registry import register_source
from vision.data.sources.table_images import read_images
from vision.data.sources.table_labels import LabelColumn, RowNames
from vision.data.subsets import stratified_split
from vision.dynamic import JsonObject

TEST_SHARE = 0.2
Table: TypeAlias = Any  # pyarrow.Table; pyarrow has no types


@dataclass(frozen=True, slots=True)
class _Part:
    """The rows of one split."""

    table: Table
    rows: RowNames
    folder: Path


@register_source("parquet")
def load_parquet(config: DataConfig) -> Source:
    """Read train*.parquet and test*.parquet in data.root, or one file alone, of which a fifth is held out.

    The test images are those of test*.parquet or eval*, or else of val*.parquet or dev*. The files may lie in
    a folder below data.root.

    Raises:
        FileNotFoundError: data.root is not a folder, or has no such files.
        ValueError: the files are not of one table, a table has no column of images or no column of labels,
            or a row is not what it should be.
    """
    root = Path(config.root).absolute()
    if not root.is_dir():
        raise FileNotFoundError(f"data.root={config.root!r} is not a folder: {root}")
    paths = sorted(path for path in root.rglob("*.parquet") if "/." not in f"/{path.relative_to(root)}")
    files = _by_split(paths, root, config.root)
    if list(files) == [None] and len(paths) == 1:
        return _source(_read(paths), None, config)
    files["test"] = files.get("test") or files.get("val") or []
    for split, pattern in (("train", "train*.parquet"), ("test", "test*.parquet or val*.parquet")):
        if not files.get(split):
            found = named([str(path.relative_to(root)) for path in paths]) or "none"
            raise FileNotFoundError(f"data.root={config.root!r} has no file {pattern}: {root}; found {found}")
    source = _source(_read(files["train"]), _read(files["test"]), config)
    unused = [path.name for path in paths if path not in (*files["train"], *files["test"])]
    return replace(source, report=source.report.with_skipped("files that are not used", unused))


@register_source("huggingface")
def load_huggingface(config: DataConfig) -> Source:
    """Read the data set that data.dataset names: an id on the Hub, or a folder that `datasets` can read.

    The test images are the split `test`, or else `validation`. Without either they are a stratified fifth of
    the training split, which does not depend on the run's seeds. Files are kept in data.root.

    Raises:
        ValueError: the package `datasets` is missing, data.dataset is None, or the data set has no split
            `train`, no column of images or no column of labels.
        FileNotFoundError: the data set is not found.
    """
    splits = _fetch(config)
    if "train" not in splits:
        raise ValueError(f"data.dataset={config.dataset!r} must have a split train, got {', '.join(splits)}")

    def part(name: str) -> _Part:
        table = splits[name].with_format("arrow")[:]
        return _Part(table, RowNames.of_one(f"the split {name}", len(table)), Path())

    held_out = next((name for name in ("test", "validation") if name in splits), None)
    return _source(part("train"), None if held_out is None else part(held_out), config)


def _source(train: _Part, test: _Part | None, config: DataConfig) -> Source:
    """Return the images of two parts, or of one, of which a stratified fifth is held out."""
    roots = [Path(config.root), *([Path(config.dataset)] if config.dataset else [])]
    inside = AllowedFolders(*roots, anywhere=config.allow_outside_root)
    pixels, labels = _columns(train, inside)
    classes = labels.classes()
    images = Images(pixels, labels.indices(classes))
    if test is None:
        kept, held_out = stratified_split(images.labels, TEST_SHARE)
        return Source(images.pick(kept), images.pick(held_out), classes)
    test_pixels, test_labels = _columns(test, inside)
    names = test_labels.names
    if names is not None and tuple(names) != classes:
        raise ValueError(
            f"data.name={config.name!r} must have the same classes in both splits, got {named(classes)} to "
            f"train on and {named(names)} to test on"
        )
    return Source(images, Images(test_pixels, test_labels.indices(classes)), classes)


def _columns(part: _Part, inside: AllowedFolders) -> tuple[Any, LabelColumn]:
    """Return the images and the labels of a table."""
    metadata = cast(dict[bytes, bytes], part.table.schema.metadata or {})
    features = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    images = _find(part.table, features, "Image", ("image", "img"))
    labels = _find(part.table, features, "ClassLabel", ("label", "labels", "fine_label"))
    names = features.get(labels, {}).get("names")
    return (
        read_images(part.table[images], part.rows, part.folder, inside),
        LabelColumn(part.table[labels], part.rows, names),
    )


def _find(table: Table, features: JsonObject, kind: str, usual: tuple[str, ...]) -> str:
    """Return the first column of this kind in the schema's metadata, or else one with a usual name."""
    declared = [name for name, feature in features.items() if feature.get("_type") == kind]
    known = [name for name in usual if name in table.column_names]
    if not (declared or known):
        raise ValueError(
            f"the table needs a column of type {kind} or one named {' or '.join(usual)}, "
            f"got {', '.join(table.column_names)}"
        )
    return (declared or known)[0]


def _by_split(paths: Sequence[Path], root: Path, given: str) -> dict[str | None, list[Path]]:
    """Return files by train, val and test; None has those of no split."""
    files: dict[str | None, list[Path]] = {}
    for path in paths:
        files.setdefault(_split_of(path, root), []).append(path)
    for split, of_split in files.items():
        folders = sorted({str(path.parent.relative_to(root)) for path in of_split})
        if split is not None and len(folders) > 1:
            raise ValueError(
                f"data.root={given!r} has files of the split {split} in {len(folders)} folders "
                f"({named(folders)}); give the one to read"
            )
    return files


def _split_of(path: Path, root: Path) -> str | None:
    """Return the split that the name of a file begins with, or the name of its folder is."""
    stem = path.stem.lower()
    starts = (split for split, names in SPLITS.items() if stem.startswith(names))
    return next(starts, None) or (split_of(path.parent.name) if path.parent != root else None)


def _read(files: Sequence[Path]) -> _Part:
    import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]
    import pyarrow.parquet as pq  # pyright: ignore[reportMissingTypeStubs]

    tables: list[Table] = []
    for file in files:
        try:
            tables.append(pq.read_table(file))
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"{file} cannot be read as a parquet file: {error}") from error
    try:
        table = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        listed = named([file.name for file in files])
        raise ValueError(
            f"{listed} must have columns of the same types: {' '.join(str(error).split())}"
        ) from error
    rows = RowNames([file.name for file in files], [len(table) for table in tables])
    return _Part(table, rows, files[0].parent)


def _fetch(config: DataConfig) -> Any:
    try:
        import datasets  # pyright: ignore[reportMissingImports]  (an extra)
    except ImportError as error:
        raise ValueError(
            "data.source=huggingface needs the package `datasets`: pip install 'vit-vs-cnn[huggingface]'"
        ) from error
    if config.dataset is None:
        raise ValueError("data.dataset must be a data set's id on the Hugging Face Hub or a folder, got None")
    download = cast(Any, datasets.DownloadConfig(local_files_only=not config.download, cache_dir=config.root))
    try:
        return cast(
            Any, datasets.load_dataset(config.dataset, cache_dir=config.root, download_config=download)
        )
    except (OSError, ValueError) as error:
        raise FileNotFoundError(
            f"data.dataset={config.dataset!r} cannot be read, with data.download={config.download} and "
            f"data.root={Path(config.root).absolute()}: {error}"
        ) from error
