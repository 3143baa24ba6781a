"""torchvision's data sets, from small files in each one's own layout, written by the tests from digits.

The classes compare checksums of the files with those of the real ones. Where they do, the comparison is
replaced by whether the file is there, for these files of ours only.
"""

import json
import os
import pickle
import struct

import numpy as np
import pytest
import torch
from PIL import Image
from pixels import pixels_of
from scipy.io import savemat
from torchvision.datasets import cifar, flowers102, svhn

from vision.config import DataConfig
from vision.data import Images, load_source
from vision.data.sources import cifair
from vision.data.sources.torchvision_sets import DATASETS

TRAIN, TEST = slice(0, 40), slice(40, 60)


@pytest.fixture(scope="module")
def digits():
    return load_source(DataConfig(name="digits", source="digits")).train


@pytest.fixture
def any_checksum(monkeypatch):
    for module in (cifar, flowers102, svhn):
        monkeypatch.setattr(module, "check_integrity", lambda path, md5=None: os.path.isfile(path))


def load(dataset, root, **settings):
    config = DataConfig(
        name=dataset, source="torchvision", dataset=dataset, root=str(root), download=False, **settings
    )
    return load_source(config)


def colour(digits):
    """(N, 3, 32, 32) uint8: channels that differ, each pixel of the digit four by four."""
    large = digits.pixels[:60].repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    return torch.cat((large, 255 - large, large // 2), dim=1)


def is_split(split: Images, pixels, labels):
    return torch.equal(pixels_of(split), pixels) and split.labels.tolist() == labels.tolist()


def save_jpegs(pixels, paths):
    for image, path in zip(pixels, paths, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(path, quality=95)


def near(split: Images, pixels):
    return (pixels_of(split).int() - pixels.int()).abs().float().mean() < 12


@pytest.mark.parametrize("kind", [cifar.CIFAR10, cifar.CIFAR100, cifair.ciFAIR10, cifair.ciFAIR100])
def test_cifar(digits, tmp_path, any_checksum, kind):
    dataset, key = kind.__name__, "fine_labels" if kind.__name__.endswith("100") else "labels"
    folder = tmp_path / kind.base_folder
    folder.mkdir()
    pixels, labels = colour(digits), digits.labels[:60]

    def write(name, part):
        entry = {"data": pixels[part].flatten(1).numpy(), key: labels[part].tolist()}
        (folder / name).write_bytes(pickle.dumps(entry))

    share = 40 // len(kind.train_list)
    for index, (name, _) in enumerate(kind.train_list):
        write(name, slice(index * share, (index + 1) * share))
    write(kind.test_list[0][0], TEST)
    names = [f"thing {index}" for index in range(10)]
    (folder / kind.meta["filename"]).write_bytes(pickle.dumps({kind.meta["key"]: names}))
    source = load(dataset, tmp_path)
    assert is_split(source.train, pixels[TRAIN], labels[TRAIN])
    assert is_split(source.test, pixels[TEST], labels[TEST])
    assert source.classes == tuple(names)


@pytest.mark.parametrize("dataset", ["MNIST", "FashionMNIST"])
def test_mnist(digits, tmp_path, dataset):
    folder = tmp_path / dataset / "raw"
    folder.mkdir(parents=True)
    for prefix, part in (("train", TRAIN), ("t10k", TEST)):
        pixels, labels = digits.pixels[part, 0].numpy(), digits.labels[part].numpy().astype("uint8")
        header = struct.pack(">HBB3I", 0, 8, 3, len(pixels), 8, 8)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        header = struct.pack(">HBBI", 0, 8, 1, len(labels))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(header + labels.tobytes())
    source = load(dataset, tmp_path)
    assert is_split(source.train, digits.pixels[TRAIN], digits.labels[TRAIN])
    assert is_split(source.test, digits.pixels[TEST], digits.labels[TEST])
    assert len(source.classes) == 10


def test_svhn(digits, tmp_path, any_checksum):
    pixels, labels = colour(digits), digits.labels[:60]
    for name, part in (("train", TRAIN), ("test", TEST)):
        tens = labels[part].numpy().copy()
        tens[tens == 0] = 10  # as in the real files
        images = pixels[part].permute(2, 3, 1, 0).numpy()
        savemat(tmp_path / f"{name}_32x32.mat", {"X": images, "y": tens[:, None]})
    source = load("SVHN", tmp_path)
    assert is_split(source.train, pixels[TRAIN], labels[TRAIN])
    assert is_split(source.test, pixels[TEST], labels[TEST])
    assert source.classes == tuple("0123456789")


def test_eurosat_is_split_by_no_seed_of_the_run(digits, tmp_path):
    labels = digits.labels[:60]
    names = [f"Land{label}/{index:04d}.jpg" for index, label in enumerate(labels.tolist())]
    save_jpegs(colour(digits), [tmp_path / "eurosat" / "2750" / name for name in names])
    source = load("EuroSAT", tmp_path)
    assert (len(source.train), len(source.test)) == (48, 12)
    assert source.classes == tuple(f"Land{digit}" for digit in range(10))
    total = source.train.labels.bincount(minlength=10) + source.test.labels.bincount(minlength=10)
    assert torch.equal(total, labels.bincount(minlength=10))
    streamed = load("EuroSAT", tmp_path, max_memory_fraction=1e-12)
    assert torch.equal(streamed.test.labels, source.test.labels) and not streamed.test.resident
    assert torch.equal(streamed.test.pixels[5], source.test.pixels[5])


def test_flowers_trains_on_its_training_and_validation_splits(digits, tmp_path, any_checksum):
    folder, pixels, labels = tmp_path / "flowers-102", colour(digits), digits.labels[:60]
    save_jpegs(pixels, [folder / "jpg" / f"image_{index + 1:05d}.jpg" for index in range(60)])
    savemat(folder / "imagelabels.mat", {"labels": labels.numpy()[None] + 1})
    ids = np.arange(1, 61)[None]
    savemat(folder / "setid.mat", {"trnid": ids[:, :20], "valid": ids[:, 20:40], "tstid": ids[:, 40:]})
    source = load("Flowers102", tmp_path, img_size=32)
    assert source.train.labels.tolist() == labels[TRAIN].tolist() and near(source.train, pixels[TRAIN])
    assert source.test.labels.tolist() == labels[TEST].tolist() and near(source.test, pixels[TEST])
    assert len(source.classes) == 102 and source.classes[0] == "pink primrose"


def test_food(digits, tmp_path):
    folder, pixels, labels = tmp_path / "food-101", colour(digits), digits.labels[:60]
    names = [f"dish{label}/{index}" for index, label in enumerate(labels.tolist())]
    save_jpegs(pixels, [folder / "images" / f"{name}.jpg" for name in names])
    (folder / "meta").mkdir()
    for split, part in (("train", TRAIN), ("test", TEST)):
        listed = {
            f"dish{digit}": [n for n in names[part] if n.startswith(f"dish{digit}/")] for digit in range(10)
        }
        (folder / "meta" / f"{split}.json").write_text(json.dumps(listed))
    source = load("Food101", tmp_path, img_size=16)
    assert source.train.labels.tolist() == sorted(labels[TRAIN].tolist())
    assert source.test.labels.tolist() == sorted(labels[TEST].tolist())
    assert source.train.shape == (3, 16, 16) and source.classes == tuple(
        f"dish{digit}" for digit in range(10)
    )


@pytest.mark.parametrize(("img_size", "archive"), [(32, "-160"), (160, "-160"), (224, "-320"), (None, "")])
def test_imagenette_takes_the_smallest_archive_that_will_do(digits, tmp_path, img_size, archive):
    folder = tmp_path / f"imagenette2{archive}"
    for split in ("train", "val"):
        paths = [folder / split / name / "a.JPEG" for name in ("n02979186", "n01440764")]
        save_jpegs(colour(digits)[:2], [path.with_suffix(".jpeg") for path in paths])
    source = load("Imagenette", tmp_path, img_size=img_size)
    assert source.train.labels.tolist() == [0, 1] and source.classes == ("tench", "cassette player")
    assert source.train.shape == (3, img_size or 32, img_size or 32)


def test_two_processes_do_not_fetch_at_once(digits, tmp_path, any_checksum, monkeypatch):
    import fcntl

    def fetch(self):
        with (tmp_path / ".lock").open() as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        raise OSError("no network")

    monkeypatch.setattr(svhn.SVHN, "download", fetch)
    config = DataConfig(name="svhn", source="torchvision", dataset="SVHN", root=str(tmp_path))
    with pytest.raises(FileNotFoundError, match="the download failed: no network"):
        load_source(config)


@pytest.mark.parametrize("dataset", DATASETS)
def test_missing_files_are_named(dataset, tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        load(dataset, tmp_path / "none")
    message = str(error.value)
    assert f"data.root='{tmp_path}/none' has no complete {dataset}" in message
    assert "set data.download=true to fetch it" in message


def test_unknown_data_sets():
    with pytest.raises(ValueError, match=r"data\.dataset must be one of CIFAR10, .*, got 'CIFAR11'"):
        load("CIFAR11", "data")
    with pytest.raises(ValueError, match=r"data\.dataset must be one of CIFAR10, .*, got None"):
        load_source(DataConfig(name="none", source="torchvision"))
