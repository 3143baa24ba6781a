"""The summary of a data set, near-duplicates of training images, and sizes that fit the data."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from vision.config import DataConfig
from vision.data import Images, load_inputs, load_source
from vision.data.duplicates import near_duplicates
from vision.data.encoded import EncodedImages
from vision.data.sources import registry
from vision.data.summary import summary


@pytest.fixture(autouse=True)
def no_memory_of_other_tests(monkeypatch):
    monkeypatch.setattr(registry, "_loaded", type(registry._loaded)())


def smooth(count: int, seed: int) -> np.ndarray:
    """(N, 32, 32, 3) uint8: 6 x 6 random colours, enlarged, so that compression changes little."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 6, 6, 3)).astype(np.uint8)
    sharp = Image.Resampling.BICUBIC
    return np.stack([np.asarray(Image.fromarray(one).resize((32, 32), sharp)) for one in coarse])


def jpeg(pixels: np.ndarray, quality: int, side: int = 32) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(pixels).resize((side, side)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).resize((32, 32)))


def images_of(pixels: np.ndarray) -> Images:
    labels = torch.zeros(len(pixels), dtype=torch.int64)
    return Images(torch.from_numpy(pixels.copy()).permute(0, 3, 1, 2), labels)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_copies_of_other_quality_size_and_brightness_are_found():
    train, test = smooth(200, 0), smooth(50, 1)
    test[3], test[7], test[20] = train[150], jpeg(train[11], 75), jpeg(train[40], 90, side=24)
    test[30] = (train[99] * 0.8).astype(np.uint8)
    test[31] = 255 - train[100]
    pairs = [(150, 3), (11, 7), (40, 20), (99, 30)]
    assert near_duplicates(images_of(train), images_of(test)) == pairs
    encoded = EncodedImages([png(pixels) for pixels in test], (3, 32, 32))
    assert near_duplicates(images_of(train), Images(encoded, torch.zeros(50, dtype=torch.int64))) == pairs


def test_images_of_one_level_are_no_duplicates():
    grey = images_of(np.full((3, 8, 8, 3), 7, np.uint8))
    assert near_duplicates(grey, grey) == []


def test_images_below_8_pixels_are_duplicates_if_they_are_equal():
    random = np.random.default_rng(0)
    train, test = (random.integers(0, 256, (count, 7, 9, 3)).astype(np.uint8) for count in (20, 5))
    test[1], test[4], test[2] = train[13], train[6], train[3]
    test[2, 0, 0, 0] ^= 1
    assert near_duplicates(images_of(train), images_of(test)) == [(13, 1), (6, 4)]
    encoded = EncodedImages([png(pixels) for pixels in test], (3, 7, 9))
    assert near_duplicates(images_of(train), Images(encoded, torch.zeros(5, dtype=torch.int64))) == [
        (13, 1),
        (6, 4),
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    train, test = smooth(20, 0), smooth(8, 1)
    test[5] = train[4]
    for part, images in (("train", train), ("test", test)):
        for index, pixels in enumerate(images):
            path = tmp_path / part / ("cat" if index % 4 else "dog") / f"{index:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(pixels))
    (tmp_path / "train" / "cat" / "broken.png").write_bytes(b"")
    Image.fromarray(train[0]).convert("L").resize((40, 30)).save(tmp_path / "train" / "dog" / "grey.png")
    (tmp_path / "notes.txt").write_text("cats")
    return tmp_path


def config(folder: Path, **settings: Any) -> DataConfig:
    given: dict[str, Any] = {"root": str(folder), "img_size": 16, **settings}
    return DataConfig(name="x", source="image_folder", **given)


def test_summary(folder):
    source = load_source(config(folder, on_error="skip"))
    found = summary(source, mean=[0.5] * 3, std=[0.2] * 3)
    assert found["images"] == {"train": {"cat": 15, "dog": 6}, "test": {"cat": 6, "dog": 2}}
    assert (found["shape"], found["mean"], found["std"]) == ([3, 16, 16], [0.5] * 3, [0.2] * 3)
    assert found["sizes"] == {"32x32": 28, "30x40": 1} and found["modes"] == {"RGB": 28, "L": 1}
    broken = repr(str(folder / "train" / "cat" / "broken.png"))
    assert found["skipped"] == {
        "files that are not images": {"count": 1, "names": ["notes.txt"]},
        "unreadable images": {"count": 1, "names": [broken]},
    }
    pair = [repr(str(folder / name)) for name in ("train/dog/04.png", "test/cat/05.png")]
    assert found["near_duplicates"] == {"count": 1, "pairs": [pair]}
    assert found["remarks"] == [
        "1 images are grey and 28 in colour, so all are read in colour; data.channels=1 makes all grey"
    ]
    streamed = load_source(config(folder, on_error="skip", max_memory_fraction=1e-12))
    assert summary(streamed) == {**summary(source), "near_duplicates": None}


def test_images_that_a_run_uses_are_decoded_before_it(folder):
    """A streamed image that is broken ends a run before its training, also in the test split."""
    (folder / "train" / "cat" / "broken.png").unlink()
    streamed = config(folder, max_memory_fraction=1e-12)
    resident, inputs = load_inputs(config(folder), 10), load_inputs(streamed, 10)
    assert inputs.mean == resident.mean and inputs.std == resident.std
    path = folder / "test" / "cat" / "03.png"
    path.write_bytes(path.read_bytes()[:-60])
    registry._loaded.clear()  # as in another process
    with pytest.raises(ValueError, match=r"test/cat/03\.png' cannot be decoded: "):
        load_inputs(streamed, 10)


@pytest.mark.parametrize(
    ("train_size", "test_size", "sizes"), [(20, 100, (20, 8)), (1, 1, (2, 2)), ("all", None, (21, 8))]
)
def test_sizes_that_fit_the_data(folder, train_size, test_size, sizes):
    settings = config(folder, on_error="skip", fit_sizes=[1, 20, 100], test_size=test_size)
    inputs = load_inputs(settings, train_size)
    assert (inputs.subset.size, len(inputs.test)) == sizes


def test_the_size_of_the_test_is_called_by_its_name(folder):
    with pytest.raises(
        ValueError, match=r"^data\.test_size must be an integer from 2 .* to 8 .*, or null, got 9$"
    ):
        load_inputs(config(folder, on_error="skip", test_size=9), 10)
