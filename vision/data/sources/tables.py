"""Tables of images: your own parquet files, or a data set of the Hugging Face Hub by its id.

A column holds the images and another the labels. The schema's metadata, or their names, show which.

>>> load_source(DataConfig(name="mine", source="parquet", root="folder"))  # doctest: +SKIP
"""

# pyarrow and datasets have no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from vision.config import DataConfig
from vision.data.images import Images, Source
from vision.data.notes import Notes, named
from vision.data.sources.allowed_folders import AllowedFolders
from vision.data.sources.registry import register_source
from vision.data.sources.split_names import split_of
from vision.data.sources.table_columns import OPTIONS, check_classes, find_columns
from vision.data.sources.table_files import Part, files_by_split, read_files, two_columns
from vision.data.sources.table_images import read_images
from vision.data.sources.table_labels import LabelColumn, RowNames
from vision.data.subsets import stratified_split
from vision.text import one_line

TEST_SHARE = 0.2


@register_source("parquet", options=OPTIONS)
def load_parquet(config: DataConfig) -> Source:
    """Read train*.parquet and test*.parquet in data.root, or one file alone, of which a fifth is held out.

    The test images are those of test*.parquet or eval*, or else of val*.parquet or dev*. The files may lie in
    a folder below data.root. data.options.image_column and label_column name the columns to read.

    Raises:
        FileNotFoundError: data.root is not a folder, or has no such files.
        ValueError: the files are not of one table; a table has no column of images or no column of labels; or
            a row is not what it should be.
    """
    root, given = Path(config.root).absolute(), f"data.root={config.root!r}"
    if not root.is_dir():
        raise FileNotFoundError(f"{given} is not a folder: {root}")
    files = files_by_split(root, given)
    paths = [path for of_split in files.values() for path in of_split]
    if list(files) == [None] and len(paths) == 1:
        return _source(read_files(paths, config.options), None, config)
    files["test"] = files.get("test") or files.get("val") or []
    for split, pattern in (("train", "train*.parquet"), ("test", "test*.parquet or val*.parquet")):
        if not files.get(split):
            found = named(sorted(str(path.relative_to(root)) for path in paths)) or "none"
            raise FileNotFoundError(f"{given} has no file {pattern}: {root}; found {found}")
    train, test = (read_files(files[split], config.options) for split in ("train", "test"))
    unused = sorted(path.name for path in paths if path not in (*files["train"], *files["test"]))
    return _source(train, test, config, Notes().with_skipped("files that are not used", unused))


@register_source("huggingface", options=OPTIONS)
def load_huggingface(config: DataConfig) -> Source:
    """Read the data set that data.dataset names: an id on the Hub, or a folder that `datasets` can read.

    The test images are the split `test`, or else `validation`. Without either they are a stratified fifth of
    the training split, which does not depend on the run's seeds. Files are kept in data.root.

    Raises:
        ValueError: the package `datasets` is missing; data.dataset is None; or the data set has no split
            `train`, no column of images or no column of labels.
        FileNotFoundError: the data set is not found.
    """
    splits = _fetch(config)
    known: dict[str | None, str] = {}
    for name in splits:
        known.setdefault(split_of(name), name)
    if "train" not in known:
        raise ValueError(f"data.dataset={config.dataset!r} must have a split train, got {', '.join(splits)}")
    held_out = known.get("test") or known.get("val")
    unused = [name for name in splits if name not in (known["train"], held_out)]
    notes = Notes().with_skipped("splits that are not used", unused)
    train = _part(splits, known["train"], config)
    return _source(train, None if held_out is None else _part(splits, held_out, config), config, notes)


def _part(splits: Any, name: str, config: DataConfig) -> Part:
    """Return a split of the package `datasets`."""
    table, called = splits[name].with_format("arrow")[:], f"the split {name}"
    columns = find_columns(table.schema, called, config.options)
    rows, declared = RowNames.of_one(called, len(table)), [(called, columns.classes)]
    return Part(two_columns(table, columns), rows, Path(), declared, columns.remarks)


def _source(train: Part, test: Part | None, config: DataConfig, notes: Notes | None = None) -> Source:
    """Return the images of two parts, or of one, of which a stratified fifth is held out."""
    roots = [Path(config.root), *([Path(config.dataset)] if config.dataset else [])]
    inside = AllowedFolders(*roots, anywhere=config.allow_outside_root)
    parts = [train] if test is None else [train, test]
    names = check_classes([one for part in parts for one in part.declared])
    pixels, labels = _columns(train, inside, names)
    classes = labels.classes()
    images = Images(pixels, labels.indices(classes))
    remarks = dict.fromkeys(remark for part in parts for remark in part.remarks)
    notes = (notes or Notes()).with_remarks(*remarks)
    if test is None:
        kept, held_out = stratified_split(images.labels, TEST_SHARE)
        return Source(images.pick(kept), images.pick(held_out), classes, notes)
    pixels, labels = _columns(test, inside, names)
    return Source(images, Images(pixels, labels.indices(classes)), classes, notes)


def _columns(part: Part, inside: AllowedFolders, names: Sequence[str] | None) -> tuple[Any, LabelColumn]:
    """Return the images and the labels of a table.

    Raises:
        ValueError: it has no rows, or one of them is not what it should be.
    """
    if not len(part.rows):
        raise ValueError(f"{named(part.rows.files)} must have rows, got none")
    images = read_images(part.table["image"], part.rows, part.folder, inside)
    return images, LabelColumn(part.table["label"], part.rows, names)


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
    except (OSError, ValueError, datasets.exceptions.DatasetGenerationError) as error:
        reason = one_line(error.__cause__ or error)
        raise FileNotFoundError(
            f"data.dataset={config.dataset!r} cannot be read, with data.download={config.download} and "
            f"data.root={Path(config.root).absolute()}: {reason}"
        ) from error
