"""Links and paths in tables that lead out of the data's folder: each is an attack on a file elsewhere."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from vision.config import DataConfig
from vision.data import load_source


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """An image that is not part of the data."""
    path = tmp_path / "elsewhere" / "secret.png"
    write_image(path, 255)
    return path


def write_image(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def folder_of_images(root: Path) -> Path:
    for split in ("train", "test"):
        for name in ("cats", "dogs"):
            for number in range(3):
                write_image(
                    root / split / name / f"{number}.png",
                    len(split) * 100 + len(name) + ord(name[0]) + 7 * number,
                )
    return root


def table(root: Path, path: str, *, struct: bool) -> Path:
    for number in range(9):
        write_image(root / f"{number}.png", number)
    paths = [*(f"{number}.png" for number in range(9)), path]
    images = [{"bytes": None, "path": name} for name in paths] if struct else paths
    pq.write_table(pa.table({"image": images, "label": [0, 1] * 5}), root / "all.parquet")
    return root


def load(source: str, root: Path, **settings):
    return load_source(DataConfig(source=source, root=str(root), **settings))


@pytest.mark.parametrize("struct", [False, True], ids=["text", "struct"])
@pytest.mark.parametrize("is_relative", [False, True], ids=["absolute", "relative"])
def test_a_path_in_a_table_cannot_leave_the_folder(tmp_path, secret, struct, is_relative):
    path = "../elsewhere/secret.png" if is_relative else str(secret)
    root = table(tmp_path / "data", path, struct=struct)
    with pytest.raises(ValueError, match=r"secret.png is outside of the data's folder .*allow_outside_root"):
        load("parquet", root)
    skipped = load("parquet", root, on_error="skip")
    assert len(skipped.train) + len(skipped.test) == 9, "it is not read when it is skipped either"
    allowed = load("parquet", root, allow_outside_root=True)
    assert len(allowed.train) + len(allowed.test) == 10


def test_a_link_beside_a_table_cannot_leave_the_folder(tmp_path, secret):
    root = table(tmp_path / "data", "link.png", struct=False)
    (root / "link.png").symlink_to(secret)
    with pytest.raises(ValueError, match=r"link.png is outside of the data's folder"):
        load("parquet", root)


@pytest.mark.parametrize("what", ["image", "class", "split", "deeper"])
def test_links_of_a_folder_cannot_leave_it(tmp_path, secret, what):
    root = folder_of_images(tmp_path / "data")
    if what == "image":
        (root / "train/cats/link.png").symlink_to(secret)
    elif what == "class":
        (root / "train/mice").symlink_to(secret.parent)
    elif what == "split":
        (root / "train").rename(secret.parent / "train")
        (root / "train").symlink_to(secret.parent / "train")
    else:
        (root / "train/cats/more").symlink_to(secret.parent)
    with pytest.raises(ValueError, match=r"is outside of the data's folder .*allow_outside_root"):
        load("image_folder", root)
    assert len(load("image_folder", root, allow_outside_root=True).test) == 6


def test_links_within_the_folder_are_followed_and_end(tmp_path):
    root = folder_of_images(tmp_path / "data")
    (root / "train/cats/9.png").symlink_to(root / "train/cats/0.png")
    (root / "train/dogs/again").symlink_to(root / "train/dogs")  # leads back to itself
    assert len(load("image_folder", root).train) == 7


def test_the_root_itself_may_be_a_link(tmp_path):
    root = folder_of_images(tmp_path / "data")
    (tmp_path / "link").symlink_to(root)
    assert len(load("image_folder", tmp_path / "link").train) == 6
