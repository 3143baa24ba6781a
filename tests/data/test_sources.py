"""Sources: the images and labels that were written come back; errors name the setting."""

import sys

import pytest
import torch
from PIL import Image
from pixels import pixels_of
from torch import Tensor

from vision.config import AugmentConfig, DataConfig
from vision.data import EncodedImages, Images, Source, load_source, register_source
from vision.data.decoding import Header, decode
from vision.data.sources import registry


def config(source, **settings):
    return DataConfig(name=source, source=source, **settings)


@pytest.fixture(autouse=True)
def no_memory_of_other_tests(monkeypatch):
    monkeypatch.setattr(registry, "_loaded", type(registry._loaded)())
    monkeypatch.setattr(registry, "_sources", dict(registry._sources))


@pytest.fixture(scope="module")
def digits():
    return load_source(config("digits"))


def save(image: Tensor, path, mode=None, size=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(image.permute(1, 2, 0).squeeze(-1).numpy())
    if size is not None:
        picture = picture.resize(size)
    (picture.convert(mode) if mode else picture).save(path)


def write_folder(images: Images, root, count=40, **options):
    """root/<class>/<index>.png; returns the pixels in the order in which they are to be read."""
    for index in range(count):
        save(images.pixels[index], root / f"class{int(images.labels[index])}" / f"{index:04d}.png", **options)
    order = sorted(range(count), key=lambda index: (int(images.labels[index]), index))
    return pixels_of(images)[order], images.labels[order]


def test_digits(digits):
    assert (len(digits.train), len(digits.test)) == (1437, 360)
    assert digits.train.shape == (1, 8, 8) and digits.classes == tuple("0123456789")
    for split, least, most in ((digits.train, 138, 147), (digits.test, 34, 37)):
        counts = split.labels.bincount()
        assert least <= counts.min() and counts.max() <= most
        assert (int(split.pixels.min()), int(split.pixels.max())) == (0, 255)
    both = torch.cat((digits.train.pixels, digits.test.pixels)).flatten(1)
    assert len(both.unique(dim=0)) == 1797


def test_image_folder_with_train_and_test(digits, tmp_path):
    train, labels = write_folder(digits.train, tmp_path / "train")
    test, test_labels = write_folder(digits.test, tmp_path / "val")
    source = load_source(config("image_folder", root=str(tmp_path)))
    assert torch.equal(pixels_of(source.train), train) and torch.equal(source.train.labels, labels)
    assert torch.equal(pixels_of(source.test), test) and torch.equal(source.test.labels, test_labels)
    assert source.classes == tuple(f"class{digit}" for digit in range(10))


def test_image_folder_of_classes_alone_is_split_once_and_for_all(digits, tmp_path):
    written, _ = write_folder(digits.train, tmp_path, count=100)
    first = load_source(config("image_folder", root=str(tmp_path)))
    again = load_source(config("image_folder", root=str(tmp_path), max_memory_fraction=0.4))
    assert (len(first.train), len(first.test)) == (80, 20)
    assert torch.equal(pixels_of(first.test), pixels_of(again.test)) and first is not again
    both = torch.cat((pixels_of(first.train), pixels_of(first.test)))
    assert sorted(map(str, both.tolist())) == sorted(map(str, written.tolist()))
    assert first.test.labels.bincount().tolist() == [2] * 10


def test_image_folder_with_fewer_classes_in_the_test(digits, tmp_path):
    write_folder(digits.train, tmp_path / "train")
    save(digits.test.pixels[0], tmp_path / "test" / "class7" / "a.png")
    assert load_source(config("image_folder", root=str(tmp_path))).test.labels.tolist() == [7]
    save(digits.test.pixels[0], tmp_path / "test" / "other" / "a.png")
    with pytest.raises(ValueError, match=r"classes that are missing in .*train: other"):
        load_source(config("image_folder", root=str(tmp_path), max_memory_fraction=0.4))


def test_image_folders_that_are_not_there(digits, tmp_path):
    with pytest.raises(
        FileNotFoundError, match=rf"data\.root='.*nowhere' is not a folder: {tmp_path}/nowhere"
    ):
        load_source(config("image_folder", root=str(tmp_path / "nowhere")))
    with pytest.raises(FileNotFoundError, match="must have one folder of images per class"):
        load_source(config("image_folder", root=str(tmp_path)))
    write_folder(digits.train, tmp_path / "train")
    with pytest.raises(FileNotFoundError, match="no test or val"):
        load_source(config("image_folder", root=str(tmp_path)))


def test_images_of_different_sizes_need_img_size(digits, tmp_path):
    write_folder(digits.train, tmp_path, count=30)
    for index, size in enumerate([(8, 12), (20, 9)]):
        save(digits.train.pixels[index], tmp_path / "class0" / f"odd{index}.png", size=size)
    with pytest.raises(
        ValueError, match=r"different sizes \(12x8, 8x8, 9x20, height x width\); set data\.img_size"
    ):
        load_source(config("image_folder", root=str(tmp_path)))
    assert load_source(config("image_folder", root=str(tmp_path), img_size=6)).train.shape == (1, 6, 6)


@pytest.mark.parametrize("index", [1, 200, 400])
@pytest.mark.parametrize("memory", [0.5, 1e-12])
def test_one_image_of_another_size_is_found_wherever_it_lies(digits, tmp_path, index, memory):
    write_folder(digits.train, tmp_path / "train", count=401)
    write_folder(digits.test, tmp_path / "test", count=20)
    save(digits.train.pixels[0], tmp_path / "train" / "class0" / f"{index:04}b.png", size=(9, 9))
    with pytest.raises(ValueError, match=r"different sizes \(8x8, 9x9, height x width\); set data\.img_size"):
        load_source(config("image_folder", root=str(tmp_path), max_memory_fraction=memory))


@pytest.mark.parametrize("index", [0, 201, 399])
def test_one_colour_image_gives_the_same_wherever_it_lies(digits, tmp_path, index):
    write_folder(digits.train, tmp_path / "train", count=400)
    write_folder(digits.test, tmp_path / "test", count=20)
    path = sorted((tmp_path / "train").rglob("*.png"))[index]
    grey = Image.open(path).copy()
    grey.convert("RGB").save(path)
    root = str(tmp_path)
    source = load_source(config("image_folder", root=root))
    assert (
        source.train.shape == (3, 8, 8) and "419 images are grey and 1 in colour" in source.notes.lines()[0]
    )
    assert load_source(config("image_folder", root=root, channels="3")).train.shape == (3, 8, 8)
    one = load_source(config("image_folder", root=root, channels="1"))
    assert one.train.shape == (1, 8, 8) and not one.notes.lines()
    assert (pixels_of(one.train) == pixels_of(source.train)[:, :1]).all()
    streamed = load_source(config("image_folder", root=root, channels="1", max_memory_fraction=1e-12))
    assert all(torch.equal(streamed.train.pixels[i], one.train.pixels[i]) for i in (0, index, 399))


def test_resizing_takes_the_central_square_and_is_the_same_for_arrays_and_files(digits, tmp_path):
    train, _ = write_folder(digits.train, tmp_path / "train")
    write_folder(digits.test, tmp_path / "test")
    from_files = load_source(config("image_folder", root=str(tmp_path), img_size=5))

    @register_source("arrays")
    def load_arrays(config):
        return Source(Images(train, from_files.train.labels), from_files.test, from_files.classes)

    assert torch.equal(
        pixels_of(load_source(config("arrays", img_size=5)).train), pixels_of(from_files.train)
    )
    wide = torch.zeros(1, 1, 4, 8, dtype=torch.uint8)
    wide[..., 2:6] = 200

    @register_source("wide")
    def load_wide(config):
        return Source(Images(wide, torch.tensor([0])), Images(wide, torch.tensor([0])), ("a", "b"))

    assert (pixels_of(load_source(config("wide", img_size=3, on_constant="warn")).train) == 200).all()
    assert load_source(config("wide")).train.shape == (1, 4, 8)


@pytest.mark.parametrize("mode", ["P", "RGBA", "CMYK", "LA"])
def test_palettes_cmyk_and_transparency_become_rgb(digits, tmp_path, mode):
    path = tmp_path / ("image.tiff" if mode == "CMYK" else "image.png")
    image = digits.train.pixels[3]
    save(image.expand(3, -1, -1) if mode == "CMYK" else image, path, mode=mode)
    images = EncodedImages([str(path)])
    (header,) = images.headers()
    assert isinstance(header, Header) and header.shape == (3, 8, 8)
    decoded = EncodedImages([str(path)], shape=(3, 8, 8))[0]
    assert (decoded.int() - image.int()).abs().max() <= 1


def test_grey_stays_grey_and_joins_colour(digits, tmp_path):
    write_folder(digits.train, tmp_path, count=30)
    assert load_source(config("image_folder", root=str(tmp_path))).train.shape == (1, 8, 8)
    save(digits.train.pixels[0], tmp_path / "class5" / "colour.png", mode="RGB")
    source = load_source(config("image_folder", root=str(tmp_path), max_memory_fraction=0.4))
    assert source.train.shape == source.test.shape == (3, 8, 8)
    assert (pixels_of(source.train)[:, 0] == pixels_of(source.train)[:, 2]).all()


def test_sixteen_bits_and_bits(tmp_path):
    deep = torch.arange(64).view(8, 8) * 1000
    Image.fromarray(deep.numpy().astype("uint16")).save(tmp_path / "deep.png")
    assert torch.equal(decode(str(tmp_path / "deep.png")), (deep >> 8).byte()[None])
    Image.fromarray((deep > 30000).numpy()).save(tmp_path / "bits.png")
    assert torch.equal(decode(str(tmp_path / "bits.png")), (deep > 30000).byte()[None] * 255)


def test_a_file_that_is_no_image(digits, tmp_path):
    write_folder(digits.train, tmp_path, count=30)
    (tmp_path / "class1" / "0000.png").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"0000\.png"):
        load_source(config("image_folder", root=str(tmp_path)))


def test_users_register_their_own(tmp_path, monkeypatch):
    (tmp_path / "my_images.py").write_text(
        "import torch\n"
        "from vision.data import Images, Source, register_source\n"
        "@register_source('mine')\n"
        "def load_mine(config):\n"
        "    pixels = torch.arange(72).reshape(4, 2, 3, 3).to(torch.uint8)\n"
        "    images = Images(pixels, torch.tensor([0, 1, 0, 1]))\n"
        "    return Source(images, images, ('a', 'b'))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    source = load_source(config("mine", module="my_images"))
    assert source.train.shape == (2, 3, 3) and source.classes == ("a", "b")
    sys.modules.pop("my_images")
    load_source(config("mine", module="my_images"))  # a module that is loaded again registers its name again
    with pytest.raises(ValueError, match="'digits' is already registered, by vision"):
        register_source("digits")(lambda config: source)


def test_unknown_sources_and_modules():
    with pytest.raises(ValueError, match=r"data\.source must be one of .*digits, .*torchvision, got 'digit'"):
        load_source(config("digit"))
    with pytest.raises(ValueError, match=r"data\.module must be a module .*, got 'no_such'"):
        load_source(config("digits", module="no_such"))


def test_labels_are_checked():
    @register_source("wrong")
    def load_wrong(config):
        images = Images(torch.zeros(2, 1, 2, 2, dtype=torch.uint8), torch.tensor([0, 2]))
        return Source(images, images, ("a", "b"))

    with pytest.raises(ValueError, match="labels must be from 0 to 1 for 2 classes, got 0 to 2"):
        load_source(config("wrong"))
    with pytest.raises(ValueError, match="2 images with 1 labels"):
        Images(torch.zeros(2, 1, 2, 2, dtype=torch.uint8), torch.tensor([0]))


def test_a_sweep_reads_a_source_once():
    reads = []

    @register_source("counted")
    def load_counted(config):
        reads.append(config.root)
        images = Images(torch.arange(8).reshape(2, 1, 2, 2).byte(), torch.tensor([0, 1]))
        return Source(images, images, ("a", "b"))

    first = load_source(config("counted"))
    again = config("counted", subset_seed=7, val_fraction=0.3, mean=[0.1], augment=AugmentConfig(flip=True))
    assert load_source(again) is first and len(reads) == 1
    assert load_source(config("counted", root="elsewhere")) is not first and len(reads) == 2
