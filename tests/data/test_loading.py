"""What is broken is named or left out, constant images are named, and pixels of a source are checked."""

import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pixels import pixels_of

from vision.config import DataConfig
from vision.data import Images, Source, load_inputs, load_source
from vision.data.decoding import decode
from vision.data.sources import registry

DIGITS = load_source(DataConfig(name="digits", source="digits"))


@pytest.fixture(autouse=True)
def no_memory_of_other_tests(monkeypatch):
    monkeypatch.setattr(registry, "_loaded", type(registry._loaded)())
    monkeypatch.setattr(registry, "_sources", dict(registry._sources))


def write(root: Path, count: int = 40) -> None:
    for part, images in (("train", DIGITS.train), ("test", DIGITS.test)):
        for index in range(count):
            folder = root / part / f"class{int(images.labels[index]) % 2}"
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels_of(images)[index, 0].numpy()).save(folder / f"{index:03}.png")


def load(root: Path, **settings) -> Source:
    return load_source(DataConfig(name="mine", source="image_folder", root=str(root), **settings))


def break_files(root: Path) -> list[str]:
    """Files that decoders refuse with four kinds of exceptions, by name."""
    whole = root / "train" / "class0" / "whole.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)).save(whole)
    data = whole.read_bytes()
    whole.unlink()
    broken = {
        "train/class0/cut_header.jpg": data[:300],
        "train/class1/empty.png": b"",
        "train/class1/page.jpg": b"<html>not found</html>",
        "test/class0/icon.ico": b"\0\0\1\0\1\0",
    }
    for name, content in broken.items():
        (root / name).write_bytes(content)
    Image.new("1", (19000, 19000)).save(root / "test" / "class1" / "map.png")  # too many pixels
    (root / "test" / "class1" / "gone.png").symlink_to(root / "nowhere.png")
    return [*broken, "test/class1/map.png", "test/class1/gone.png"]


@pytest.mark.parametrize("memory", [0.5, 1e-12])
def test_files_that_cannot_be_read_are_named_or_skipped(tmp_path, memory, caplog):
    write(tmp_path)
    settings = {"max_memory_fraction": memory, "img_size": 8, "channels": "1"}
    whole = load(tmp_path, **settings)
    names = break_files(tmp_path)
    with pytest.raises(
        ValueError, match=r"cut_header\.jpg' cannot be decoded: .*, and 2 more; .*on_error=skip"
    ):
        load(tmp_path, on_constant="warn", **settings)
    with caplog.at_level(logging.WARNING):
        source = load(tmp_path, on_error="skip", **settings)
    skipped = source.notes.skipped["unreadable images"]
    assert sorted(Path(name.strip("'")).name for name in skipped) == sorted(Path(name).name for name in names)
    assert "mine: skipped 6 unreadable images (" in caplog.text and "and 1 more" in caplog.text
    for split in ("train", "test"):
        left, all_of_them = getattr(source, split), getattr(whole, split)
        assert left.labels.tolist() == all_of_them.labels.tolist()
        assert all(torch.equal(left.pixels[i], all_of_them.pixels[i]) for i in range(40))


@pytest.mark.parametrize("memory", [0.5, 1e-12])
def test_a_file_cut_in_its_pixels(tmp_path, memory):
    write(tmp_path)
    path = tmp_path / "train" / "class0" / "000.png"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    settings = {"max_memory_fraction": memory, "img_size": 8}
    with pytest.raises(ValueError, match=r"000\.png' cannot be decoded: "):
        pixels = load(tmp_path, **settings).train.pixels
        [pixels[index] for index in range(len(pixels))]
    source = load(tmp_path, on_error="skip", **settings)
    assert len(source.train) == 39
    assert [Path(name).name for name in source.notes.skipped["unreadable images"]] == ["000.png'"]


def test_nothing_is_left(tmp_path):
    write(tmp_path)
    for path in (tmp_path / "test").rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(
        ValueError, match=r"no image of the test split can be read: image '.*' cannot be decoded"
    ):
        load(tmp_path, on_error="skip")


def test_constant_images_are_named(tmp_path):
    write(tmp_path)
    Image.new("L", (8, 8), 7).save(tmp_path / "train" / "class1" / "blank.png")
    with pytest.raises(ValueError, match=r"1 of the train images have one value everywhere: .*blank\.png'; "):
        load(tmp_path)
    source = load(tmp_path, on_constant="warn")
    assert "1 of the train images have one value everywhere" in source.notes.lines()[0]
    streamed = load(tmp_path, max_memory_fraction=1e-12)
    with pytest.raises(ValueError, match=r"blank\.png' is constant: .* data\.on_constant=warn"):
        [streamed.train.pixels[index] for index in range(len(streamed.train))]


def test_images_that_are_all_equal(tmp_path):
    write(tmp_path)
    for path in (tmp_path / "test").rglob("*.png"):
        Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(path)
    with pytest.raises(ValueError, match=r"all 40 images of the test split are equal; .*on_constant=warn"):
        load(tmp_path)
    assert "all 40 images of the test split are equal" in load(tmp_path, on_constant="warn").notes.lines()


@pytest.mark.parametrize("mean", [None, [0.5]])
def test_constant_images_that_are_streamed_are_refused_or_counted_before_training(tmp_path, mean):
    write(tmp_path)
    Image.new("L", (8, 8), 7).save(tmp_path / "train" / "class1" / "blank.png")
    streamed: dict[str, Any] = {"max_memory_fraction": 1e-12, "mean": mean, "std": mean}
    for path in (tmp_path / "test").rglob("*.png"):
        Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(path)

    def inputs(**settings):
        config = DataConfig(name="mine", source="image_folder", root=str(tmp_path), **streamed, **settings)
        return load_inputs(config, "all")

    with pytest.raises(ValueError, match=r"blank\.png' is constant: "):
        inputs()
    assert inputs(on_constant="warn").summary()["remarks"] == [
        f"1 of the train images have one value everywhere: '{tmp_path}/train/class1/blank.png'",
        "all 40 images of the test split are equal",
    ]
    (tmp_path / "train" / "class1" / "blank.png").unlink()
    registry._loaded.clear()
    with pytest.raises(ValueError, match=r"^all 40 images of the test split are equal; .*on_constant=warn"):
        inputs()


def test_images_that_are_streamed_are_decoded_once_before_training_and_said_once(
    tmp_path, monkeypatch, caplog
):
    """A check of all runs reads one subset, and each run then reads its own."""
    write(tmp_path)
    Image.new("L", (8, 8), 7).save(tmp_path / "train" / "class1" / "blank.png")
    decoded = Counter[str]()

    def counting(item, **options):
        decoded[item] += 1
        return decode(item, **options)

    monkeypatch.setattr("vision.data.encoded.decode", counting)
    settings: dict[str, Any] = {"max_memory_fraction": 1e-12, "on_constant": "warn", "val_fraction": 0.2}
    config = DataConfig(name="mine", source="image_folder", root=str(tmp_path), **settings)
    load_inputs(replace(config, mean=[0.5], std=[0.5]), "all")
    for seed in range(3):
        inputs = load_inputs(replace(config, subset_seed=seed), 30)
        in_memory = load_inputs(replace(config, subset_seed=seed, max_memory_fraction=0.5), 30)
        assert (inputs.mean, inputs.std) == (in_memory.mean, in_memory.std)
    images = [str(path) for path in tmp_path.rglob("*.png")]
    assert decoded == dict.fromkeys(images, 2)  # once more for the images in memory
    constant = f"1 of the train images have one value everywhere: '{tmp_path}/train/class1/blank.png'"
    assert [message for message in caplog.messages if constant in message] == [f"mine: {constant}"] * 2


@pytest.mark.parametrize("memory", [0.5, 1e-12])
@pytest.mark.parametrize(("brightest", "said"), [(1, True), (31, True), (32, False)])
def test_files_without_a_bright_pixel_are_said(tmp_path, memory, brightest, said):
    """As masks and images of 5 bits, whose values nothing else tells from black."""
    for index in range(20):
        folder = tmp_path / ("train" if index < 10 else "test") / f"kind{index % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        values = np.random.default_rng(index).integers(0, brightest + 1, (8, 8)).astype(np.uint8)
        values[index % 8, 0] = brightest
        Image.fromarray(values).save(folder / f"{index}.png")
    config = DataConfig(name="x", source="image_folder", root=str(tmp_path), max_memory_fraction=memory)
    remarks = load_inputs(config, "all").summary()["remarks"]
    dark = [f"{split}: no pixel is above {brightest} of 255" for split in ("train", "test")]
    assert remarks == (dark if said else [])


def own(pixels: Any, labels: Any = (0, 1, 0, 1), classes=("a", "b"), **settings) -> Source:
    def load_own(config):
        labelled: Any = labels if isinstance(labels, np.ndarray) else torch.tensor(labels)
        return Source(Images(pixels, labelled), DIGITS.test, classes)

    registry._sources["own"], registry._options["own"] = load_own, frozenset()
    registry._loaded.clear()
    return load_source(DataConfig(name="own", source="own", test_size=None, img_size=8, **settings))


VALUES = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype(np.uint8)
PLANES = torch.from_numpy(VALUES.copy()).permute(0, 3, 1, 2)


FLOATS = "float pixels in [0, 1] are scaled to 0 to 255"


@pytest.mark.parametrize(
    ("pixels", "expected", "said"),
    [
        (PLANES, PLANES, None),
        (PLANES.numpy(), PLANES, None),
        (VALUES, PLANES, "pixels (N, H, W, C) become (N, C, H, W)"),
        (VALUES[..., 0], PLANES[:, :1], "pixels (N, H, W) become (N, 1, H, W)"),
        (PLANES.int(), PLANES, "int32 pixels from 0 to 255 become uint8"),
        (PLANES.numpy().astype(np.uint16), PLANES, "uint16 pixels from 0 to 255 become uint8"),
        (PLANES.double(), PLANES, "float64 pixels from 0 to 255 become uint8"),
        (PLANES.float() / 255, PLANES, "float pixels in [0, 1] are scaled to 0 to 255"),
        (PLANES > 128, (PLANES > 128).byte() * 255, "bool pixels become 0 and 255"),
        (VALUES[:, ::-1].transpose(0, 3, 1, 2), PLANES.flip(2), None),
        (PLANES.numpy().astype(">u2"), PLANES, "uint16 pixels from 0 to 255 become uint8"),
        ((PLANES / 255).requires_grad_(), PLANES, "float pixels in [0, 1] are scaled to 0 to 255"),
        ((PLANES / 255).to_sparse(), PLANES, "float pixels in [0, 1] are scaled to 0 to 255"),
        (list(VALUES), PLANES, "pixels (N, H, W, C) become (N, C, H, W)"),
        ((PLANES > 128).to(torch.float8_e4m3fn), (PLANES > 128).byte() * 255, FLOATS),
        (PLANES // 16, PLANES // 16, "no pixel is above 15 of 255"),
    ],
)
def test_pixels_of_a_source_become_bytes(pixels, expected, said):
    source = own(pixels, labels=np.array([0, 1, 0, 9], np.int32), classes=DIGITS.classes)
    assert torch.equal(pixels_of(source.train), expected.expand(-1, 3, -1, -1)[:, : source.train.shape[0]])
    assert source.train.labels.tolist() == [0, 1, 0, 9]
    remarks = [line for line in source.notes.remarks if line.startswith("train:")]
    assert remarks == ([] if said is None else [f"train: {said}"])


@pytest.mark.parametrize("channels", [2, 13])
def test_square_images_with_channels_last(channels):
    values = np.random.default_rng(1).integers(0, 256, (4, 8, 8, channels)).astype(np.uint8)

    def load_own(config):
        images = Images(torch.from_numpy(values), torch.tensor([0, 1, 0, 1]))
        return Source(images, images, ("a", "b"))

    registry._sources["own"], registry._options["own"] = load_own, frozenset()
    source = load_source(DataConfig(name="own", source="own"))
    assert torch.equal(pixels_of(source.train), torch.from_numpy(values).permute(0, 3, 1, 2))


def test_many_channels_are_said(monkeypatch):
    pixels = torch.randint(256, (4, 16, 24, 6), dtype=torch.uint8)
    images = Images(pixels, torch.tensor([0, 1, 0, 1]))
    monkeypatch.setitem(registry._sources, "own", lambda config: Source(images, images, ("a", "b")))
    monkeypatch.setitem(registry._options, "own", frozenset())
    source = load_source(DataConfig(name="own", source="own"))
    assert source.train.shape == (16, 24, 6)
    assert source.notes.remarks == tuple(
        f"{split}: images have 16 channels of 24x6" for split in ("train", "test")
    )


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (PLANES.float() / 128 - 1, r"got float32 from -1 to 0\.99.*: scale them to integers from 0 to 255"),
        (PLANES.int() * 16, "got int32 from 0 to 4080: scale them"),
        (PLANES.float() / 3, "got float32 from 0 to 85: scale them"),
        (PLANES.float().log(), "got float32 from -inf"),
        (PLANES[:, None], r"got the shape \(4, 1, 3, 8, 8\)"),
        (PLANES.flatten(1), r"got the shape \(4, 192\)"),
        (
            PLANES[:, :, :4, :4].permute(0, 2, 3, 1),
            r"got the shape \(4, 4, 4, 3\), which may be .*C, H, W\) or",
        ),
        ([object()] * 4, "got list of object"),
        (["a.png"] * 4, "got list of <U5"),
        (np.ma.masked_less(PLANES.numpy(), 9), "got a masked array, .*: fill them"),
        (PLANES.to("meta"), "got a tensor without values, on the meta device"),
    ],
)
def test_other_pixels_are_refused(pixels, message):
    with pytest.raises(
        ValueError, match=rf"train: pixels must be uint8 \(N, C, H, W\), from 0 to 255; {message}"
    ):
        own(pixels, labels=np.array([0, 1, 0, 9]), classes=DIGITS.classes)


def test_float_pixels_of_two_scales_are_refused(monkeypatch):
    wide, unit = PLANES.float(), PLANES.float() / 255
    monkeypatch.setitem(registry._options, "own", frozenset())
    labels = torch.tensor([0, 1, 0, 1])
    for train, test, message in (
        (wide, unit, r"those of test are in \[0, 1\], and those of train go up to \d+"),
        (unit, wide, r"those of train are in \[0, 1\], and those of test go up to \d+"),
    ):
        source = Source(Images(train, labels), Images(test, labels), ("a", "b"))
        monkeypatch.setitem(registry._sources, "own", lambda config, source=source: source)
        with pytest.raises(ValueError, match=f"float pixels must have one scale: {message}"):
            load_source(DataConfig(name="own", source="own"))


def test_other_labels_are_refused():
    with pytest.raises(
        ValueError, match=r"train: labels must be int64 \(N,\) with N > 0, got float32 \(4,\)"
    ):
        own(PLANES, labels=np.zeros(4, np.float32), classes=DIGITS.classes)
    with pytest.raises(
        ValueError, match=r"train: labels must be int64 \(N,\) with N > 0; got ndarray of <U1"
    ):
        own(PLANES, labels=np.array(["a", "b", "a", "b"]))
    with pytest.raises(ValueError, match=r"pixels and labels need one entry per image: .*NoneType"):
        own(None, labels=(0, 1))
    with pytest.raises(ValueError, match="train: labels must be from 0 to 9 for 10 classes, got -1 to 9"):
        own(PLANES, labels=(-1, 9, 0, 0), classes=DIGITS.classes)


def test_one_class_is_refused_and_a_missing_class_is_said():
    with pytest.raises(ValueError, match=r"data\.name='own' has only the class 'a'; a classifier needs two"):
        own(PLANES, labels=(0, 0, 0, 0), classes=("a",))
    for classes, message in (
        ({"b": 1, "a": 0}, "must have a sequence of classes, got {'b': 1, 'a': 0}"),
        ("abc", "must have a sequence of classes, got 'abc'"),
        ({"a", "b"}, "must have a sequence of classes, got {"),
        (("a", None), "must have classes whose names are text, got None"),
        (("a", "b", "a"), "must have different classes, got a twice"),
    ):
        with pytest.raises(ValueError, match=f"data.name='own' {message}"):
            own(PLANES, classes=classes)
    assert own(PLANES, labels=np.array([0, 1, 0, 9], np.uint64), classes=range(10)).classes == DIGITS.classes
    tensor: Any = PLANES
    registry._sources["own"], registry._options["own"] = (lambda config: tensor), frozenset()
    registry._loaded.clear()
    with pytest.raises(ValueError, match=r"data\.source='own' must return a Source, got Tensor"):
        load_source(DataConfig(name="own", source="own"))
    source = own(PLANES, classes=DIGITS.classes)
    assert "the train split has no image of 2, 3, 4, 5, 6 and 3 more" in source.notes.lines()


def test_the_background_is_a_colour():
    with pytest.raises(ValueError, match=r"data\.background must be the name of a colour, .* got 'shite'"):
        load_source(DataConfig(name="digits", source="digits", background="shite"))
