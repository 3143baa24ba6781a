"""Parquet files in Hugging Face's image convention, and data sets of the package `datasets`."""

import io
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from pixels import pixels_of

from vision.config import AugmentConfig, DataConfig
from vision.data import channel_statistics, draw_subset, load_source, train_batches
from vision.data.sources import registry

CIFAR10_JPEG = Path(__file__).parents[3] / "shared" / "data" / "cifar10-jpeg"
NAMES = [f"digit {label}" for label in range(10)]


@pytest.fixture(scope="module")
def digits():
    return load_source(DataConfig(name="digits", source="digits"))


@pytest.fixture(autouse=True)
def no_memory_of_other_tests(monkeypatch):
    monkeypatch.setattr(registry, "_loaded", type(registry._loaded)())


def png(image):
    file = io.BytesIO()
    Image.fromarray(image[0].numpy()).save(file, format="png")
    return file.getvalue()


def write(path, images, part=slice(0, 50), *, names=NAMES, image="image", label="label", paths=None):
    rows = (
        [{"bytes": png(pixels), "path": None} for pixels in images.pixels[part]] if paths is None else paths
    )
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    table = pa.table({label: images.labels[part].numpy(), image: pa.array(rows, type=kind)})
    if names:
        features = {image: {"_type": "Image"}, label: {"_type": "ClassLabel", "names": names}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path, row_group_size=16)


def load(root, source="parquet", **settings):
    return load_source(DataConfig(name="table", source=source, root=str(root), **settings))


@pytest.mark.parametrize("columns", [{}, {"image": "scan", "label": "kind"}, {"image": "img", "names": None}])
def test_parquet(digits, tmp_path, columns):
    write(tmp_path / "train-00000-of-00002.parquet", digits.train, slice(0, 30), **columns)
    write(tmp_path / "train-00001-of-00002.parquet", digits.train, slice(30, 50), **columns)
    write(tmp_path / "test.parquet", digits.test, **columns)
    source = load(tmp_path)
    assert torch.equal(pixels_of(source.train), digits.train.pixels[:50])
    assert torch.equal(source.train.labels, digits.train.labels[:50])
    assert torch.equal(pixels_of(source.test), digits.test.pixels[:50])
    assert source.classes == (tuple(NAMES) if columns.get("names", True) else tuple("0123456789"))
    streamed = load(tmp_path, max_memory_fraction=1e-12)
    assert all(torch.equal(streamed.train.pixels[index], digits.train.pixels[index]) for index in range(50))
    options = {"batch_size": 8, "mean": [0.3], "std": [0.4], "seed": 0, "steps": 4}
    streams = [
        train_batches(split, torch.arange(20), workers=1, augment=AugmentConfig(flip=True), **options)
        for split in (source.train, streamed.train)
    ]
    assert all(torch.equal(x, other) for (x, _), (other, _) in zip(*streams, strict=True))


def test_parquet_with_paths_in_place_of_bytes(digits, tmp_path):
    paths = []
    for index in range(50):
        file = tmp_path / f"{index}.png"
        file.write_bytes(png(digits.train.pixels[index]))
        paths.append({"bytes": None, "path": str(file)})
    for part in ("train", "test"):
        write(tmp_path / f"{part}.parquet", digits.train, paths=paths)
    assert torch.equal(pixels_of(load(tmp_path).test), digits.train.pixels[:50])


def test_parquet_that_is_not_there(digits, tmp_path):
    with pytest.raises(FileNotFoundError, match=rf"data\.root='.*none' is not a folder: {tmp_path}/none"):
        load(tmp_path / "none")
    write(tmp_path / "train.parquet", digits.train)
    with pytest.raises(
        FileNotFoundError, match=rf"has no file test\*\.parquet or .*: {tmp_path}; found train\.parquet"
    ):
        load(tmp_path)
    write(tmp_path / "test.parquet", digits.train, names=None, image="scan")
    with pytest.raises(
        ValueError,
        match=r"^test\.parquet needs a column of type Image or one named image or img, or .*'scan'",
    ):
        load(tmp_path)


@pytest.mark.skipif(not CIFAR10_JPEG.is_dir(), reason="cifar10-jpeg lies not beside the repository")
@pytest.mark.slow
def test_cifar10_jpeg():
    source = load(CIFAR10_JPEG)
    assert (len(source.train), len(source.test), source.train.shape) == (50_000, 10_000, (3, 32, 32))
    assert source.classes[:3] == ("airplane", "automobile", "bird")
    assert source.train.labels.bincount().tolist() == [5000] * 10
    everything = draw_subset(source.train.labels, "all", seed=0, val_fraction=0.0)
    mean, std = channel_statistics(source.train, everything.train)
    assert mean == pytest.approx([0.4914, 0.4822, 0.4465], abs=0.002)  # CIFAR-10's own
    assert std == pytest.approx([0.2470, 0.2435, 0.2616], abs=0.004)


class TestHuggingFace:
    datasets = pytest.importorskip("datasets", reason="the extra huggingface is not installed")

    def build(self, images, count):
        features = self.datasets.Features(
            {"image": self.datasets.Image(), "label": self.datasets.ClassLabel(names=NAMES)}
        )
        pictures = [Image.fromarray(pixels[0].numpy()) for pixels in images.pixels[:count]]
        rows = {"image": pictures, "label": images.labels[:count].tolist()}
        return self.datasets.Dataset.from_dict(rows, features=features)

    def test_a_data_set_saved_as_parquet(self, digits, tmp_path):
        folder = tmp_path / "set" / "data"
        folder.mkdir(parents=True)
        self.build(digits.train, 50).to_parquet(folder / "train-00000-of-00001.parquet")
        self.build(digits.test, 20).to_parquet(folder / "validation-00000-of-00001.parquet")
        source = load(tmp_path / "cache", "huggingface", dataset=str(tmp_path / "set"))
        assert torch.equal(pixels_of(source.train), digits.train.pixels[:50])
        assert torch.equal(source.train.labels, digits.train.labels[:50])
        assert torch.equal(pixels_of(source.test), digits.test.pixels[:20])
        assert source.classes == tuple(NAMES)

    def test_a_folder_of_images_with_one_split(self, digits, tmp_path):
        for index in range(40):
            file = tmp_path / "set" / f"kind{int(digits.train.labels[index])}" / f"{index:04d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(png(digits.train.pixels[index]))
        source = load(tmp_path / "cache", "huggingface", dataset=str(tmp_path / "set"))
        assert (len(source.train), len(source.test)) == (32, 8)
        assert source.classes == tuple(f"kind{digit}" for digit in range(10))
        written = digits.train.pixels[:40].flatten(1).tolist()
        read = torch.cat((pixels_of(source.train), pixels_of(source.test))).flatten(1).tolist()
        assert sorted(read) == sorted(written)

    def test_a_broken_file(self, digits, tmp_path):
        folder = tmp_path / "set" / "data"
        folder.mkdir(parents=True)
        self.build(digits.train, 20).to_parquet(folder / "train-00000-of-00001.parquet")
        (folder / "test-00000-of-00001.parquet").write_bytes(b"no table")
        with pytest.raises(
            FileNotFoundError, match=r"data\.dataset='.*set' cannot be read, .*: \S"
        ) as caught:
            load(tmp_path / "cache", "huggingface", dataset=str(tmp_path / "set"))
        assert "\n" not in str(caught.value)

    def test_what_is_not_there(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"data\.dataset='.*none' cannot be read"):
            load(tmp_path / "cache", "huggingface", dataset=str(tmp_path / "none"), download=False)
        with pytest.raises(ValueError, match=r"data\.dataset must be"):
            load(tmp_path / "cache", "huggingface")


def test_hugging_face_without_its_package(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ValueError, match=r"pip install 'vit-vs-cnn\[huggingface\]'"):
        load(tmp_path, "huggingface", dataset="any/thing")
