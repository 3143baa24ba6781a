"""Folders of images: splits under their usual names, what is not data, and layouts that are refused."""

import os
import unicodedata
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pixels import pixels_of
from torchvision.datasets import ImageFolder

from vision.config import DataConfig
from vision.data import Source, load_source
from vision.data.sources import registry
from vision.data.sources.split_names import split_of

COUNT = 10


@pytest.fixture(autouse=True)
def no_memory_of_other_tests(monkeypatch):
    monkeypatch.setattr(registry, "_loaded", type(registry._loaded)())


def fill(*folders: Path, count: int = COUNT, start: int = 0) -> None:
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(start, start + count):
            values = np.random.default_rng(zlib.crc32(f"{folder.name}{index}".encode())).integers(
                0, 256, (6, 6)
            )
            Image.fromarray(values.astype(np.uint8)).save(folder / f"{index}.png")


def load(root: Path) -> Source:
    return load_source(DataConfig(name="x", source="image_folder", root=str(root)))


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    fill(tmp_path / "cat", tmp_path / "dog")
    return tmp_path


def test_names_of_splits():
    names = {
        "train": "train Train TRAINING train_set trainset train-images",
        "val": "val valid Validation dev VAL_SET",
        "test": "test Testing test_set eval evaluation",
    }
    for split, spellings in names.items():
        assert {split_of(name) for name in spellings.split()} == {split}
    assert {split_of(name) for name in ("cat", "trains", "testament", "valve", "set", "data")} == {None}


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train", "test"),
        ("Training", "Testing"),
        ("training_set", "test_set"),
        ("TRAIN", "dev"),
        ("train", "eval"),
    ],
)
@pytest.mark.parametrize("archive", ["", "pets-v2"])
def test_splits_under_their_usual_names(tmp_path, train, test, archive):
    root = tmp_path / archive
    fill(*(root / train / name for name in ("cat", "dog")))
    fill(*(root / test / name for name in ("cat", "dog")), count=4, start=50)
    source = load(tmp_path)
    assert (len(source.train), len(source.test)) == (20, 8) and source.classes == ("cat", "dog")
    assert source.test.labels.tolist() == [0] * 4 + [1] * 4


def test_splits_that_were_unpacked_into_a_folder_of_their_own(tmp_path):
    fill(*(tmp_path / "train" / "train" / name for name in ("cat", "dog")))
    fill(*(tmp_path / "test" / "test" / name for name in ("cat", "dog")), count=4)
    assert load(tmp_path).classes == ("cat", "dog")


def test_validation_is_said_to_be_unused(tmp_path):
    for part in ("train", "val", "test"):
        fill(*(tmp_path / part / name for name in ("cat", "dog")))
    assert load(tmp_path).notes.lines() == ["skipped 1 folders of splits that are not used (val)"]


def test_order_is_that_of_torchvisions_image_folder(tmp_path):
    names = ["b", "B", "a b", "é", "块", "a.b", "10", "9"]
    fill(*(tmp_path / "train" / name for name in names))
    fill(tmp_path / "train" / "b" / "z" / "deep", tmp_path / "train" / "b" / "a", count=3)
    fill(*(tmp_path / "test" / name for name in names))
    source, expected = load(tmp_path), ImageFolder(str(tmp_path / "train"))
    assert list(source.classes) == expected.classes
    assert source.train.labels.tolist() == expected.targets
    pixels = torch.stack([torch.from_numpy(np.array(image)[..., 0]) for image, _ in expected])
    assert torch.equal(pixels_of(source.train)[:, 0], pixels)


def test_what_is_no_data_is_left_out_and_counted(classes):
    plain = load(classes)
    fill(
        *(classes / name for name in (".ipynb_checkpoints", "checkpoints", "$RECYCLE.BIN")),
        *(classes / "__MACOSX" / "cat", classes / "cat" / ".thumbnails"),
        count=2,
    )
    for name in ("._0.png", ".DS_Store", "Thumbs.db", "clip.mpg", "notes.pdf", "a.heic", "a.npy", "c.eps"):
        (classes / "cat" / name).write_bytes(b"no image")
    (classes / "readme.txt").write_text("cats and dogs")
    (classes / "birds").mkdir()
    Image.new("RGB", (90, 90)).save(classes / "overview.png")
    source = registry._loaded.clear() or load(classes)
    assert source.classes == ("cat", "dog")
    assert torch.equal(pixels_of(source.train), pixels_of(plain.train))
    assert torch.equal(pixels_of(source.test), pixels_of(plain.test))
    assert {reason: sorted(names) for reason, names in source.notes.skipped.items()} == {
        "hidden files or folders": [
            *("$RECYCLE.BIN", ".ipynb_checkpoints", "__MACOSX", "cat/.DS_Store", "cat/._0.png"),
            *("cat/.thumbnails", "cat/Thumbs.db", "checkpoints"),
        ],
        "files that are not images": sorted(
            [f"cat/{name}" for name in ("a.heic", "a.npy", "c.eps", "clip.mpg", "notes.pdf")] + ["readme.txt"]
        ),
        "empty class folders": ["birds"],
        "images outside class folders": ["overview.png"],
    }
    (line,) = source.notes.lines()
    assert line.startswith("skipped 8 hidden files or folders (") and "1 empty class folders (birds)" in line


def test_names_in_both_unicode_forms_are_one_class(tmp_path):
    composed, split = (unicodedata.normalize(form, "bärs") for form in ("NFC", "NFD"))
    fill(tmp_path / "train" / composed, tmp_path / "train" / "cat")
    fill(tmp_path / "test" / split, tmp_path / "test" / "cat", count=4)
    assert load(tmp_path).classes == (composed, "cat")
    fill(tmp_path / "train" / split, count=3, start=60)
    registry._loaded.clear()
    assert load(tmp_path).train.labels.tolist() == [0] * 13 + [1] * 10


def test_links_that_lead_back_and_links_to_another_class(classes):
    (classes / "cat" / "all").symlink_to(classes)
    source = load(classes)
    assert len(source.train) + len(source.test) == 20
    assert source.notes.skipped == {"links that lead back": ("cat/all",)}
    (classes / "cat" / "all").unlink()
    (classes / "puma").symlink_to(classes / "cat")
    registry._loaded.clear()
    assert f"has the folder {classes / 'cat'} in two places, by a link: cat and puma; expected" in refused(
        classes
    )


def test_a_link_in_a_circle_is_an_unreadable_image(classes):
    for here in (classes, classes / "cat"):
        (here / "loop.png").symlink_to("loop.png")
    with pytest.raises(ValueError, match=r"cat/loop.png' cannot be decoded: Too many levels"):
        load(classes)
    config = DataConfig(name="x", source="image_folder", root=str(classes), on_error="skip")
    source = load_source(config)
    assert len(source.train) + len(source.test) == 20
    assert source.notes.skipped["unreadable images"] == (repr(str(classes / "cat" / "loop.png")),)


def test_a_split_that_is_a_link_to_another(tmp_path):
    fill(*(tmp_path / "train" / name for name in ("cat", "dog")))
    (tmp_path / "test").symlink_to(tmp_path / "train")
    two = "train/cat and test/cat"
    assert f"has the folder {tmp_path / 'train' / 'cat'} in two places, by a link: {two}; " in refused(
        tmp_path
    )


def test_folders_inside_of_classes_are_said(tmp_path):
    fill(*(tmp_path / name for name in ("animal/cat", "animal/dog", "plant/rose", "plant/oak", "stone")))
    fill(tmp_path / "stone" / "deep")
    source = load(tmp_path)
    assert source.classes == ("animal", "plant", "stone")
    assert source.notes.lines() == [
        "the folders in animal, plant are read as one class each, such as cat, dog in animal"
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read any folder")
def test_a_folder_that_may_not_be_read_is_an_error(classes):
    (classes / "cat" / "closed").mkdir(mode=0)
    with pytest.raises(PermissionError, match="closed"):
        load(classes)


def test_names_that_are_not_unicode(classes):
    os.rename(classes / "dog", os.fsencode(classes) + b"/d\xffg")
    with pytest.raises(ValueError, match=r"has the class 'd\\udcffg', which is not valid Unicode; rename it"):
        load(classes)
    os.rename(os.fsencode(classes) + b"/d\xffg", classes / "dog")
    os.rename(classes / "dog" / "0.png", os.fsencode(classes) + b"/dog/\xff.png")
    registry._loaded.clear()
    config = DataConfig(name="x", source="image_folder", root=str(classes), max_memory_fraction=1e-12)
    assert len(load_source(config).train) == 16


def test_a_folder_named_as_an_image(classes):
    (classes / "cat" / "more.png").mkdir()
    assert len(load(classes).train) + len(load(classes).test) == 20


def refused(root: Path) -> str:
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        load(root)
    message = str(caught.value)
    assert f"data.root={str(root)!r}" in message and message.count("\n") == 0
    return message


def test_splits_next_to_classes(classes):
    fill(classes / "train" / "cat", classes / "train" / "dog", classes / "test" / "cat")
    assert "has the splits test, train next to other folders with images: cat, dog; expected" in refused(
        classes
    )


def test_a_test_split_alone(tmp_path):
    fill(tmp_path / "test" / "cat", tmp_path / "val" / "cat")
    assert "has the splits test, val, but none to train on; expected ROOT/train" in refused(tmp_path)


def test_two_folders_for_one_split(tmp_path):
    fill(*(tmp_path / name / "cat" for name in ("Train", "training", "test")))
    assert "has two folders for one split, Train and training; expected" in refused(tmp_path)


def test_splits_inside_of_classes(tmp_path):
    fill(*(tmp_path / name / part for name in ("cat", "dog") for part in ("train", "test")))
    assert "has the splits test, train inside of the folder cat; expected" in refused(tmp_path)


@pytest.mark.parametrize(
    ("folders", "named"),
    [
        (("seg_train/seg_train", "seg_test/seg_test"), "seg_test, seg_train"),
        (
            ("cats_train", "cats_test", "dogs_train", "dogs_test"),
            "cats_test, cats_train, dogs_test, dogs_train",
        ),
        (("catsTrain", "catsTest"), "catsTest, catsTrain"),
        (("Test 01 cat", "Train 02 cat"), "Test 01 cat, Train 02 cat"),
    ],
)
def test_classes_whose_names_differ_only_in_a_split(tmp_path, folders, named):
    fill(*(tmp_path / name for name in folders))
    assert f"has folders whose names tell of splits: {named}; expected" in refused(tmp_path)


def test_classes_with_a_word_that_a_split_has(tmp_path):
    fill(*(tmp_path / name for name in ("bullet_train", "test_tube", "steam_train")))
    assert load(tmp_path).classes == ("bullet_train", "steam_train", "test_tube")


def test_splits_under_names_that_are_not_known(tmp_path):
    fill(*(tmp_path / part / name for name in ("cat", "dog") for part in ("train2017", "holdout")))
    assert "folders of equal names (cat, dog) inside of holdout, train2017, which may be" in refused(tmp_path)


def test_images_without_classes(tmp_path):
    fill(tmp_path)
    assert "found 0 folders and 10 images outside of them; expected" in refused(tmp_path)
    fill(*(tmp_path / "set" / "train" / name for name in ("cat", "dog")), tmp_path / "set" / "test")
    root = tmp_path / "set"
    assert f"in {root / 'test'}, found 0 folders and 10 images outside of them; expected" in refused(root)


def test_files_that_pillow_does_not_read(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.heic").write_bytes(b"x")
    assert "found 2 folders and no image, and 2 files of other kinds (.heic); expected" in refused(tmp_path)


def test_one_class(tmp_path):
    fill(tmp_path / "only")
    with pytest.raises(ValueError, match="has only the class 'only'; a classifier needs two or more"):
        load(tmp_path)


def test_a_class_that_is_missing_in_a_split(tmp_path):
    fill(*(tmp_path / "train" / name for name in ("cat", "dog", "emu")))
    fill(tmp_path / "test" / "cat", tmp_path / "test" / "emu")
    assert load(tmp_path).notes.lines() == ["the test split has no image of dog"]
    fill(tmp_path / "test" / "fox")
    registry._loaded.clear()
    with pytest.raises(ValueError, match=r"test has classes that are missing in .*train: fox"):
        load(tmp_path)
