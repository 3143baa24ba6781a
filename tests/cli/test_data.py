"""`vision data`: what it prints about a folder and a data set, its pictures, and its errors."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vision.cli.contact_sheets import COLUMNS, GAP, TEST_ROWS
from vision.cli.main import main
from vision.config import DataConfig
from vision.data.sources import registry


@pytest.fixture(autouse=True)
def in_a_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "_loaded", type(registry._loaded)())
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for part, count in (("train", 20), ("test", 5)):
        for name, level in (("cat", 250), ("dog", 0)):
            folder = tmp_path / "my photos" / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                values = random.integers(0, 200, (60, 50, 3)).astype(np.uint8)
                values[:20, :, 0] = level
                Image.fromarray(values).save(folder / f"{index}.png")
    return tmp_path / "my photos"


def test_a_folder(photos, capsys):
    broken = photos / "train" / "cat" / "x.jpg"
    broken.write_bytes(b"")
    Image.open(photos / "train" / "cat" / "3.png").save(photos / "test" / "dog" / "copy.png")
    Image.new("RGB", (50, 60), "red").save(photos / "train" / "dog" / "red.png")
    assert main(["data", str(photos), "--out", "sheets"]) == 0
    shown = capsys.readouterr().out
    assert "my photos: 41 training images, 11 test images" in shown
    for line in (
        "stored as (height x width): 60x50 (52)",
        "read as (channels, height, width): 3, 60, 50",
        "modes of the files: RGB (52)",
        f"skipped 1 unreadable images: '{broken}'",
        "1 of the train images have one value everywhere: ",
        f"1 test images are near-duplicates of a training image: '{photos}/test/dog/copy.png' of ",
        "wrote sheets/my-photos: 2 contact sheets, the last row of each from the test split",
    ):
        assert line in shown, line
    sheet = np.asarray(Image.open("sheets/my-photos/0-cat.png"))
    rows = 2  # 20 training images
    height, width = (rows + TEST_ROWS) * (60 + GAP) + GAP, COLUMNS * (50 + GAP) + GAP
    assert sheet.shape == (height, width, 3)
    first, _, last = (sheet[2 + row * 62 : 22 + row * 62, 2:52] for row in (0, 1, rows))
    assert (first[..., 0] == 250).all() and (last[..., 0] == 250).all()
    assert (sheet[-62:, 2 + 5 * 52 :] == 128).all()  # 5 test images


def test_images_of_different_sizes_are_shown_all_the_same(photos, capsys):
    Image.open(photos / "test" / "cat" / "0.png").resize((30, 40)).save(photos / "test" / "cat" / "0.png")
    assert main(["data", str(photos)]) == 0
    shown = capsys.readouterr().out
    assert "60x50 (49), 40x30 (1)" in shown and "read as (channels, height, width): 3, 64, 64" in shown
    assert Path("outputs/data/my-photos/1-dog.png").exists()


def test_classes_of_any_name(photos, capsys):
    for part in ("train", "test"):
        (photos / part / "dog").rename(photos / part / "a\nb\x1b[31m<c>")
        (photos / part / "cat").rename(photos / part / ("块" * 80))
    assert main(["data", str(photos)]) == 0
    shown = capsys.readouterr().out
    assert r"a\nb\x1b[31m<c>" in shown and "\x1b" not in shown
    assert Path("outputs/data/my-photos", f"1-{'块' * 60}.png").exists()


def test_folders_of_any_name(photos, capsys):
    for name in ("${oc.env:HOME}", "a$b", "back\\slash", "end\\", "it's", '"q"', "~", "a,b=c"):
        photos = photos.rename(name)
        assert main(["data", str(photos)]) == 0
        assert f"{name}: 40 training images" in capsys.readouterr().out


def test_a_folder_above_is_called_by_its_name(photos, capsys, monkeypatch):
    monkeypatch.chdir(photos / "train")
    assert main(["data", "..", "--out", "../../sheets"]) == 0
    assert "my photos: 40 training images" in capsys.readouterr().out
    assert DataConfig(source="image_folder", root="cat/..").name == "train"


def test_streamed_near_duplicates_have_their_names(photos, capsys):
    Image.open(photos / "train" / "cat" / "3.png").save(photos / "test" / "dog" / "copy.png")
    assert main(["data", str(photos), "data.max_memory_fraction=1e-12"]) == 0
    pair = f"'{photos}/test/dog/copy.png' of '{photos}/train/cat/3.png'"
    assert f"1 test images are near-duplicates of a training image: {pair}" in capsys.readouterr().out


def test_a_data_set_by_name_and_by_file(photos, capsys):
    assert main(["data", "digits", "data.img_size=6"]) == 0
    shown = capsys.readouterr().out
    assert "digits: 1,437 training images, 360 test images" in shown and ": 1, 6, 6" in shown
    conf = Path("conf") / "data"
    conf.mkdir(parents=True)
    (conf / "mine.yaml").write_text(f"source: image_folder\nroot: {photos}\nname: mine\n")
    assert main(["data", "conf/data/mine.yaml", "data.img_size=8"]) == 0
    assert "mine: 40 training images, 10 test images" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "DIR_or_CONFIG must be a folder, .* or one of .*cifar10, .*; got 'nowhere'"),
        (["image_folder"], "data.root must be given, for example data.root=VALUE"),
        (["digits", "data.img_sze=8"], "there is no setting data.img_sze; did you mean data.img_size?"),
        (["digits", "data.img_size=0"], "data.img_size must be from 1 to 16384, got 0"),
        (["."], "must have one folder of images per class in .*, found 0 folders and no image"),
    ],
)
def test_errors_are_one_sentence(arguments, message, capsys):
    assert main(["data", *arguments]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("vision data: ") and shown.count("\n") == 1
    assert re.search(message, shown), shown
