"""Which columns of a table are read, what its metadata say, and files that belong together."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vision.config import DataConfig
from vision.data import Source, load_source
from vision.data.sources import registry

COUNT = 12
LABELS = [index % 2 for index in range(COUNT)]
IMAGES = [
    [[index * 8 + row * 3 + column for column in range(3)] for row in range(3)] for index in range(COUNT)
]
OTHERS = [[[200 - pixel for pixel in row] for row in image] for image in IMAGES]
IMAGE = {"_type": "Image"}
CLASSES = {"_type": "ClassLabel", "names": ["cat", "dog"]}


@pytest.fixture(autouse=True)
def no_memory_of_other_tests(monkeypatch):
    monkeypatch.setattr(registry, "_loaded", type(registry._loaded)())


def write(path: Path, columns: dict[str, Any] | None = None, features: Any = None) -> None:
    table = pa.table(columns or {"image": IMAGES, "label": LABELS})
    text = features if isinstance(features, bytes) else json.dumps({"info": {"features": features}}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        table.replace_schema_metadata({b"huggingface": text} if features is not None else None), path
    )


def both(root: Path, columns: dict[str, Any] | None = None, features: Any = None) -> None:
    for part in ("train", "test"):
        write(root / f"{part}.parquet", columns, features)


def load(root: Path, **options: str) -> Source:
    return load_source(DataConfig(name="x", source="parquet", root=str(root), options=options))


def first_pixel(source: Source) -> int:
    return int(source.train.pixels[0][0, 0, 0])


@pytest.mark.parametrize("order", [("mask", "image"), ("image", "mask")])
def test_of_several_image_columns_the_usual_one_is_read_and_said(tmp_path, order):
    images = {"mask": OTHERS, "image": IMAGES}
    columns = {**{name: images[name] for name in order}, "label": LABELS, "labels": LABELS[::-1]}
    both(tmp_path, columns, {name: IMAGE for name in order})
    source = load(tmp_path)
    assert first_pixel(source) == 0 and source.train.labels.tolist() == LABELS
    assert source.notes.remarks[:2] == (
        "images are read from the column image, not from mask; data.options.image_column chooses another",
        "labels are read from the column label, not from labels; data.options.label_column chooses another",
    )
    chosen = load(tmp_path, image_column="mask", label_column="labels")
    assert first_pixel(chosen) == 200 and chosen.train.labels.tolist() == LABELS[::-1]
    assert not any("column" in remark for remark in chosen.notes.remarks)
    with pytest.raises(
        ValueError, match=r"data\.options\.image_column='scan' must be a column of train\.parq"
    ):
        load(tmp_path, image_column="scan")


def test_columns_that_are_missing_or_there_twice_are_named_with_the_file(tmp_path):
    both(tmp_path)
    write(tmp_path / "test.parquet", {"image": IMAGES, "Label": LABELS})
    with pytest.raises(
        ValueError, match=r"^test\.parquet needs a column of type ClassLabel .* got 'image', 'La"
    ):
        load(tmp_path)
    twice = pa.Table.from_arrays(
        [pa.array(IMAGES), pa.array(LABELS), pa.array(LABELS)], ["image", *["label"] * 2]
    )
    pq.write_table(twice, tmp_path / "test.parquet")
    with pytest.raises(ValueError, match=r"^test\.parquet has 2 columns named label; keep one of them$"):
        load(tmp_path)
    other = twice.rename_columns(["image", "label", "id"])
    pq.write_table(other.append_column("id", pa.array(LABELS)), tmp_path / "test.parquet")
    assert len(load(tmp_path).test) == COUNT


@pytest.mark.parametrize(
    ("features", "classes"),
    [
        (b"{", ("0", "1")),
        (b"\xff", ("0", "1")),
        (b"null", ("0", "1")),
        (b'{"info": null}', ("0", "1")),
        ([1], ("0", "1")),
        ({"image": "Image", "label": [CLASSES]}, ("0", "1")),
        ({"picture": IMAGE, "kind": CLASSES}, ("0", "1")),
        ({"label": {"_type": "ClassLabel", "names": None}}, ("0", "1")),
        ({"label": {"_type": "ClassLabel", "names": []}}, ("0", "1")),
        ({"label": {"_type": "ClassLabel", "names": [3, 4]}}, ("3", "4")),
        ({"label": CLASSES}, ("cat", "dog")),
    ],
)
def test_metadata_of_any_form(tmp_path, features, classes):
    both(tmp_path, None, features)
    assert load(tmp_path).classes == classes


def test_files_must_not_declare_different_classes(tmp_path):
    declared, turned = {"label": CLASSES}, {"label": {**CLASSES, "names": ["dog", "cat"]}}
    write(tmp_path / "train-0.parquet", None, declared)
    write(tmp_path / "train-1.parquet", None, turned)
    write(tmp_path / "test.parquet")
    message = (
        "train-0.parquet and train-1.parquet must declare the same classes in the same order, got cat, dog"
    )
    with pytest.raises(ValueError, match=rf"^{message} and dog, cat$"):
        load(tmp_path)
    write(tmp_path / "train-1.parquet")
    source = load(tmp_path)
    assert source.classes == ("cat", "dog") and source.test.labels.tolist() == LABELS
    write(tmp_path / "test.parquet", {"image": IMAGES, "label": [2, *LABELS[1:]]})
    registry._loaded.clear()
    with pytest.raises(
        ValueError, match=r"^row 0 of test\.parquet has the label 2, .* 2 classes numbered from 0"
    ):
        load(tmp_path)


def test_numbered_files_that_are_missing_and_files_of_different_names_are_said(tmp_path):
    for number in (0, 2):
        write(tmp_path / f"train-0000{number}-of-00004.parquet")
    for name in ("test", "test_old"):
        write(tmp_path / f"{name}.parquet")
    assert load(tmp_path).notes.remarks[:2] == (
        "train: 2 of 4 files are missing (00001, 00003)",
        "test.parquet, test_old.parquet are read as one split",
    )


@pytest.mark.parametrize("part", ["train", "test"])
def test_files_without_rows(tmp_path, part):
    both(tmp_path)
    pq.write_table(pa.table({"image": IMAGES, "label": LABELS})[:0], tmp_path / f"{part}.parquet")
    with pytest.raises(ValueError, match=rf"^{part}\.parquet must have rows, got none$"):
        load(tmp_path)


def test_classes_of_one_name_are_refused_and_of_nearly_one_are_said(tmp_path):
    both(tmp_path, None, {"label": {**CLASSES, "names": ["b\u00e4r", "ba\u0308r"]}})
    with pytest.raises(ValueError, match=r"data\.name='x' must have different classes, got b.r twice"):
        load(tmp_path)
    both(tmp_path, {"image": IMAGES, "label": [("cat", "Cat ", "dog")[index % 3] for index in range(COUNT)]})
    assert (
        "the classes 'Cat ' and 'cat' differ only in case, spaces or leading zeros"
        in load(tmp_path).notes.lines()
    )
