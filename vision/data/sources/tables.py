"""Tables of images in Hugging Face's convention: your own parquet files, or a data set by its id.

A column of struct(bytes, path) holds the images, and a column of int64 the labels. The schema's metadata
names these columns and the classes.

>>> load_source(DataConfig(name="mine", source="parquet", root="folder"))  # doctest: +SKIP
"""

# pyarrow and datasets have no types.
# pyright: reportUnknownMemberType=false

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias, cast

import torch

from vision.config import DataConfig
from vision.data.encoded import EncodedImages
from vision.data.images import Images, Source
from vision.data.sources.registry import register_source
from vision.data.subsets import stratified_split

TEST_SHARE = 0.2
Table: TypeAlias = Any  # pyarrow.Table; pyarrow has no types
Column: TypeAlias = Any  # pyarrow.ChunkedArray


@register_source("parquet")
def load_parquet(config: DataConfig) -> Source:
    """Read train*.parquet and test*.parquet in data.root.

    Raises:
        FileNotFoundError: data.root is not a folder, or has no such files.
        ValueError: a table has no column of images or no column of labels.
    """
    root = Path(config.root).absolute()
    if not root.is_dir():
        raise FileNotFoundError(f"data.root={config.root!r} is not a folder: {root}")
    (train, classes), (test, tested) = (_split(_read(root, part, config.root)) for part in ("train", "test"))
    if tested != classes and len(tested) == len(classes):
        raise ValueError(
            f"the files in data.root={config.root!r} must name the same classes, got {classes} to train on "
            f"and {tested} to test on"
        )
    return Source(train, test, classes)


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
    train, classes = _split(splits["train"].with_format("arrow")[:])
    held = next((splits[name] for name in ("test", "validation") if name in splits), None)
    if held is not None:
        return Source(train, _split(held.with_format("arrow")[:])[0], classes)
    kept, rest = stratified_split(train.labels, TEST_SHARE)
    return Source(train.pick(kept), train.pick(rest), classes)


class _Column(Sequence[str | bytes]):
    """A column of struct(bytes, path), row by row, without copying the table."""

    def __init__(self, column: Column) -> None:
        self.column = column

    def __len__(self) -> int:
        return len(self.column)

    def __getitem__(self, index: Any) -> Any:
        row = self.column[index].as_py()
        return row["path"] if row["bytes"] is None else row["bytes"]


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


def _read(root: Path, part: str, named: str) -> Table:
    import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]
    import pyarrow.parquet as pq  # pyright: ignore[reportMissingTypeStubs]

    files = sorted(root.glob(f"{part}*.parquet"))
    if not files:
        raise FileNotFoundError(f"data.root={named!r} has no file {part}*.parquet: {root}")
    return cast(Table, pa.concat_tables([pq.read_table(file) for file in files]))


def _split(table: Table) -> tuple[Images, tuple[str, ...]]:
    """Return the images of a table, and the names of its classes."""
    features = json.loads(cast(dict[bytes, bytes], table.schema.metadata or {}).get(b"huggingface", b"{}"))
    features = features.get("info", {}).get("features", {})
    images = _find(table, features, "Image", ("image", "img"))
    labels = _find(table, features, "ClassLabel", ("label", "labels", "fine_label"))
    numbers = torch.tensor(table[labels].to_pylist())
    names = features.get(labels, {}).get("names") or range(int(numbers.max()) + 1)
    return Images(EncodedImages(_Column(table[images])), numbers), tuple(str(name) for name in names)


def _find(table: Table, features: dict[str, Any], kind: str, usual: tuple[str, ...]) -> str:
    """Return the first column of this kind in the schema's metadata, or else one with a usual name."""
    declared = [name for name, feature in features.items() if feature.get("_type") == kind]
    named = [name for name in usual if name in table.column_names]
    if not (declared or named):
        raise ValueError(
            f"the table needs a column of type {kind} or one named {' or '.join(usual)}, "
            f"got {', '.join(table.column_names)}"
        )
    return (declared or named)[0]
