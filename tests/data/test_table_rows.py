"""Tables as people write them: each row is read right, or named by file and row."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from pixels import pixels_of

from vision.config import DataConfig
from vision.data import Source, load_source
from vision.data.sources import registry

COUNT = 20
PIXELS = np.random.default_rng(0).integers(0, 256, (COUNT, 6, 5)).astype(np.uint8)
LABELS = [index % 2 for index in range(COUNT)]
WORDS = ["dog" if label else "cat" for label in LABELS]
STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@pytest.fixture(autouse=True)
def no_memory_of_other_tests(monkeypatch):
    monkeypatch.setattr(registry, "_loaded", type(registry._loaded)())


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


FILES = [encoded(pixels) for pixels in PIXELS]
BITMAPS = [encoded(pixels, "BMP") for pixels in PIXELS]  # all of one length
ROWS: list[Any] = [{"bytes": file, "path": None} for file in FILES]


def write(path: Path, images: Any = None, labels: Any = None, part: slice = slice(None)) -> None:
    images = pa.array(ROWS, STRUCT) if images is None else images
    columns = {"image": images[part], "label": (LABELS if labels is None else labels)[part]}
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def load(root: Path, **settings) -> Source:
    return load_source(DataConfig(name="x", source="parquet", root=str(root), **settings))


def both(root: Path, **columns) -> Source:
    for part in ("train", "test"):
        write(root / f"{part}.parquet", **columns)
    return load(root)


@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        (WORDS, ("cat", "dog"), LABELS),
        (pa.array(WORDS).dictionary_encode(), ("cat", "dog"), LABELS),
        (pa.array(WORDS, pa.large_string()), ("cat", "dog"), LABELS),
        ([label + 1 for label in LABELS], ("1", "2"), LABELS),
        (["10" if label else "9" for label in LABELS], ("9", "10"), LABELS),
        (pa.array([float(label) for label in LABELS]).dictionary_encode(), ("0", "1"), LABELS),
        (pa.array(WORDS, pa.large_string()).dictionary_encode(), ("cat", "dog"), LABELS),
        (pa.array(WORDS, pa.string_view()), ("cat", "dog"), LABELS),
        (["01" if label else "1" for label in LABELS], ("01", "1"), [1 - label for label in LABELS]),
        ([float(label) for label in LABELS], ("0", "1"), LABELS),
        ([bool(label) for label in LABELS], ("0", "1"), LABELS),
        (pa.array(LABELS, pa.int8()), ("0", "1"), LABELS),
        (pa.array(LABELS, pa.uint64()), ("0", "1"), LABELS),
        (
            [7 * (index % 3) for index in range(COUNT)],
            ("0", "7", "14"),
            [index % 3 for index in range(COUNT)],
        ),
    ],
)
def test_labels(tmp_path, labels, classes, expected):
    source = both(tmp_path, labels=labels)
    assert source.classes == classes
    assert source.train.labels.tolist() == source.test.labels.tolist() == expected


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (None, "row 3 of train.parquet has no label"),
        (-1, "row 3 of train.parquet has the label -1; negative ones usually mark images without a label"),
        (0.5, "row 3 of train.parquet has the label 0.5, which is not an integer"),
        (float("nan"), "row 3 of train.parquet has no label"),
        (float("inf"), "row 3 of train.parquet has the label inf, which is not an integer"),
        (" ", "row 3 of train.parquet has no label"),
        ("-1", "row 3 of train.parquet has the label -1; negative ones usually mark images without a label"),
    ],
)
def test_labels_that_are_named(tmp_path, changed, message):
    labels = [str(label) for label in LABELS] if isinstance(changed, str) else LABELS
    with pytest.raises(ValueError) as caught:
        both(tmp_path, labels=[*labels[:3], changed, *labels[4:]])
    assert str(caught.value) == message


def test_labels_of_other_types_and_of_the_test_alone(tmp_path):
    with pytest.raises(ValueError, match=r"labels must be integers or text, got list<.*> in train\.parquet"):
        both(tmp_path, labels=[[label] for label in LABELS])
    write(tmp_path / "train.parquet", labels=WORDS)
    write(tmp_path / "test.parquet", labels=[*WORDS[:5], "emu", *WORDS[6:]])
    with pytest.raises(ValueError, match=r"^row 5 of test\.parquet has the label 'emu', which is not one"):
        load(tmp_path)


def test_images_as_bytes_and_as_lists(tmp_path):
    expected = torch.from_numpy(PIXELS)[:, None]
    nested = pa.array(PIXELS.astype(np.int64).tolist())
    for name, images in {
        "bytes": pa.array(FILES, pa.binary()),
        "large": pa.array(FILES, pa.large_binary()),
        "view": pa.array(FILES, pa.binary_view()),
        "dictionary": pa.array(FILES).dictionary_encode(),
        "fixed": pa.array(BITMAPS, pa.binary(len(BITMAPS[0]))),
        "lists": nested,
        "small": nested.cast(pa.list_(pa.list_(pa.uint8()))),
        "tensors": pa.FixedShapeTensorArray.from_numpy_ndarray(PIXELS),
    }.items():
        assert torch.equal(pixels_of(both(tmp_path / name, images=images).train), expected), name
    colours = pa.array(np.stack([PIXELS] * 3, axis=-1).tolist())
    assert torch.equal(
        pixels_of(both(tmp_path / "rgb", images=colours).train), expected.expand(-1, 3, -1, -1)
    )
    fractions = pa.array((PIXELS / 255).tolist())
    assert torch.equal(pixels_of(both(tmp_path / "floats", images=fractions).train), expected)


def test_images_as_paths(tmp_path):
    (tmp_path / "files").mkdir()
    paths = [f"files/{index}.png" for index in range(COUNT)]
    for path, file in zip(paths, FILES, strict=True):
        (tmp_path / path).write_bytes(file)
    for name, images in {
        "text": pa.array(paths),
        "struct": pa.array([{"bytes": None, "path": path} for path in paths], STRUCT),
    }.items():
        for part in ("train", "test"):
            write(tmp_path / f"{part}.parquet", images=images)
        registry._loaded.clear()
        assert torch.equal(pixels_of(load(tmp_path).train), torch.from_numpy(PIXELS)[:, None]), name


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"bytes": b"oops", "path": "cat7.jpg"}, "it is not an image in a format that Pillow reads"),
        (None, "it is empty"),
        ({"bytes": None, "path": None}, "it is empty"),
        ({"bytes": FILES[0][:60], "path": None}, "image file is truncated"),
        ({"bytes": None, "path": "gone.png"}, "there is no file 'gone.png'"),
        ({"bytes": None, "path": ""}, "it is empty"),
    ],
)
@pytest.mark.parametrize("memory", [0.5, 1e-12])
def test_images_that_cannot_be_read_are_named_by_file_and_row(tmp_path, changed, message, memory):
    images = pa.array([*ROWS[:13], changed, *ROWS[14:]], STRUCT)
    write(tmp_path / "train-0.parquet", part=slice(0, 8))
    write(tmp_path / "train-1.parquet", images=images, part=slice(8, 20))
    write(tmp_path / "test.parquet")
    with pytest.raises(ValueError, match=rf"^image row 5 of train-1\.parquet cannot be decoded: {message}"):
        source = load(tmp_path, max_memory_fraction=memory)
        [source.train.pixels[index] for index in range(COUNT)]
    source = load(tmp_path, max_memory_fraction=memory, on_error="skip")
    assert source.train.labels.tolist() == LABELS[:13] + LABELS[14:]
    assert source.notes.skipped == {"unreadable images": ("row 5 of train-1.parquet",)}
    assert torch.equal(source.train.pixels[13], torch.from_numpy(PIXELS)[14, None])


def test_lists_that_are_named(tmp_path):
    pixels = PIXELS.tolist()
    for index, (changed, message) in enumerate(
        (
            (pixels[4][:3], "row 4 of train.parquet has no pixels, or other sides than the first image"),
            (None, "row 4 of train.parquet has no pixels"),
            ([*pixels[4][:5], [None] * 5], "row 4 of train.parquet has a pixel without a value"),
        )
    ):
        with pytest.raises(ValueError, match=f"^{message}"):
            both(tmp_path / str(index), images=pa.array([*pixels[:4], changed, *pixels[5:]]))
    for change, message in (
        (16, "has a pixel of 4080; pixels must be scaled to 0 to 255"),
        (-1, "has a pixel of -255; pixels must be scaled to 0 to 255"),
    ):
        scaled = PIXELS.astype(int)
        scaled[4] *= change
        scaled[4][0, 0] = 255 * change
        with pytest.raises(ValueError, match=f"^row 4 of train.parquet {message}$"):
            both(tmp_path / str(change), images=pa.array(scaled.tolist()))
    half = [*pixels[:3], [[value / 2 for value in row] for row in pixels[3]], *pixels[4:]]
    with pytest.raises(
        ValueError,
        match=r"^row 3 of train\.parquet has a pixel of \d+\.5, and others are above 1; pixels must be",
    ):
        both(tmp_path / "half", images=pa.array(half, pa.list_(pa.list_(pa.float64()))))
    with pytest.raises(ValueError, match=r"^row 0 of train\.parquet has 30 numbers in one list; an image is"):
        both(tmp_path / "flat", images=pa.array(PIXELS.reshape(len(PIXELS), -1).tolist()))
    fractions = (PIXELS / 255).tolist()
    fractions[4][2][1] = float("inf")
    with pytest.raises(ValueError, match=r"^row 4 of train\.parquet has a pixel that is not finite: inf$"):
        both(tmp_path / "infinite", images=pa.array(fractions))


@pytest.mark.parametrize(
    ("images", "kind"),
    [
        (pa.array(LABELS), "int64"),
        (pa.nulls(COUNT), "null"),
        (pa.array([[["a"]]] * COUNT), r"list<.*string>>"),
        (pa.array([[file] for file in FILES]), "list<.*binary>"),
        (pa.array([{"bytes": list(file), "path": None} for file in FILES]), "struct<bytes: list<.*"),
        (pa.array([{"path": 3}] * COUNT), "struct<path: int64>"),
        (pa.array([{"data": file} for file in FILES]), "struct<data: binary>"),
    ],
)
def test_images_of_other_types(tmp_path, images, kind):
    wanted = r"^images must be struct\(bytes, path\), bytes, paths or lists of numbers"
    with pytest.raises(ValueError, match=rf"{wanted}, got {kind} in train\.parquet$"):
        both(tmp_path, images=images)


def test_shards_of_different_types(tmp_path):
    write(tmp_path / "train-0.parquet", part=slice(0, 8))
    write(tmp_path / "train-1.parquet", labels=pa.array(LABELS, pa.int32()), part=slice(8, 20))
    write(tmp_path / "test.parquet")
    assert load(tmp_path).train.labels.tolist() == LABELS
    for index, labels in enumerate((pa.array(LABELS, pa.uint64()), [bool(label) for label in LABELS])):
        write(tmp_path / f"train-{index + 2}.parquet", labels=labels)
    registry._loaded.clear()
    assert load(tmp_path).train.labels.tolist() == LABELS * 3
    (tmp_path / "train-3.parquet").unlink()
    write(tmp_path / "train-2.parquet", labels=WORDS)
    registry._loaded.clear()
    with pytest.raises(ValueError, match=r"^train-0\.parquet, train-1.* must have columns of the same types"):
        load(tmp_path)
    (tmp_path / "train-2.parquet").write_bytes(b"no table")
    with pytest.raises(ValueError, match=r"train-2\.parquet cannot be read as a parquet file"):
        load(tmp_path)
    (tmp_path / "train-2.parquet").unlink()
    for index, labels in enumerate((WORDS, pa.array(WORDS).dictionary_encode())):
        write(tmp_path / f"train-{index}.parquet", labels=labels)
    write(tmp_path / "test.parquet", labels=pa.array(WORDS, pa.string_view()))
    registry._loaded.clear()
    assert load(tmp_path).train.labels.tolist() == LABELS * 2


@pytest.mark.parametrize(
    ("files", "sizes"),
    [
        ("train validation", (20, 20)),
        ("data/train data/test", (20, 20)),
        ("default/train/0000 default/test/0000", (20, 20)),
        ("Training-0 Training-1 eval", (40, 20)),
        ("pets", (16, 4)),
        ("train.parquet/part-0 test.parquet/part-0", (20, 20)),
        ("train2017 test2017 testimonies", (20, 20)),
    ],
)
def test_layouts(tmp_path, files, sizes):
    for name in files.split():
        write(tmp_path / f"{name}.parquet")
    source = load(tmp_path)
    assert (len(source.train), len(source.test)) == sizes


def test_layouts_that_are_refused_or_said(tmp_path):
    for name in ("one", "two"):
        write(tmp_path / f"{name}.parquet")
    with pytest.raises(FileNotFoundError, match=r"no file train\*\.parquet: .*; found one\.parquet, two"):
        load(tmp_path)
    for name in ("train", "test", "dev"):
        write(tmp_path / f"{name}.parquet")
    used = load(tmp_path).notes.lines()
    assert used == ["skipped 3 files that are not used (dev.parquet, one.parquet, two.parquet)"]
    write(tmp_path / "old" / "train.parquet")
    registry._loaded.clear()
    with pytest.raises(ValueError, match=r"files of the split train in 2 folders \(., old\); give the one"):
        load(tmp_path)
