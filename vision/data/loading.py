"""From what a source returns to images of one shape in memory.

>>> from vision.data.sources.digits import load_digits
>>> config = DataConfig(name="digits", source="digits", img_size=6)
>>> load_to_device(load_digits(config), config, device=torch.device("cpu")).train.shape
(1, 6, 6)
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from vision.config import DataConfig, gpu_share
from vision.data.classes import checked_classes, nearly_equal
from vision.data.decoding import check_background
from vision.data.depth import Ranges
from vision.data.duplicates import near_duplicates
from vision.data.encoded import SIZE_HINT, EncodedImages
from vision.data.fingerprint import fingerprint
from vision.data.image_shape import resize, to_channels
from vision.data.images import Images, Source
from vision.data.pixels import check_same_scale
from vision.data.split import Split, read_split
from vision.text import first_few

Shape = tuple[int, int, int]
RESIZED_AT_ONCE = 1024  # images


class SizesDiffer(ValueError):
    """Images have different sizes, and data.img_size is null."""


def load_to_device(source: Source, config: DataConfig, *, device: torch.device) -> Source:
    """Bring all images to one shape, and to the device's memory if they fit; otherwise they stay encoded.

    Images given as a tensor stay a tensor, in the host's memory if the device has no room. The notes of the
    returned source list what was left out, and what a user should know.

    Raises:
        ValueError: there is one class; pixels or labels are not what they should be; images have different
            sizes and data.img_size is null; an image cannot be read; or images are constant.
    """
    check_background(config.background)
    classes = checked_classes(source.classes, config.name)
    given = {"train": source.train, "test": source.test}
    check_same_scale(given)
    splits = [read_split(name, images, classes, config) for name, images in given.items()]
    shape, remarks = _common_shape(splits, config)
    total = sum(len(split.images) for split in splits) * shape[0] * shape[1] * shape[2]
    free = min(_free_memory(device), _free_memory(torch.device("cpu")))
    fits = total <= config.max_memory_fraction * free
    known_by = fingerprint([split.images for split in splits], classes, contents=fits)
    ranges, flat = _ranges(splits)
    for split in splits:
        _bring_to_shape(split, shape, ranges, config, decode=fits)
    notes = source.notes.with_remarks(*remarks, *flat, *nearly_equal(classes))
    for split in splits:
        notes = notes.joined(split.notes).with_remarks(*split.missing_classes(classes))
    if all(split.images.resident for split in splits):
        notes = replace(notes, near_duplicates=_near_duplicates(*splits))
    train, test = (_placed(split.images, device if fits else None) for split in splits)
    return Source(train, test, classes, notes, ranges, known_by)


def _common_shape(splits: Sequence[Split], config: DataConfig) -> tuple[Shape, list[str]]:
    """Return (C, H, W) for all images, and a remark if some are grey and some in colour."""
    shapes = Counter[Shape]()
    for split in splits:
        shapes.update(header.shape for header in split.headers)
        if isinstance(split.images.pixels, Tensor):
            shapes[split.images.shape] += len(split.images)
    sizes = {shape[1:] for shape in shapes}
    if config.img_size is None and len(sizes) > 1:
        listed = first_few(sorted(f"{height}x{width}" for height, width in sizes), 4)
        raise SizesDiffer(f"images have different sizes ({listed}, height x width); {SIZE_HINT}")
    height, width = (config.img_size, config.img_size) if config.img_size else next(iter(sizes))
    if config.channels != "auto":
        return (int(config.channels), height, width), []
    grey = sum(count for shape, count in shapes.items() if shape[0] == 1)
    remarks: list[str] = []
    if 0 < grey < shapes.total():
        remarks.append(
            f"{grey:,} images are grey and {shapes.total() - grey:,} in colour, so all are read in colour; "
            "data.channels=1 makes all grey"
        )
    return (max(shape[0] for shape in shapes), height, width), remarks


def _ranges(splits: Sequence[Split]) -> tuple[Ranges, list[str]]:
    """Return the range of the images of all splits that have more than 8 bits, and a remark on flat ones."""
    measured: list[Ranges] = []
    for split in splits:
        deep = [index for index, header in enumerate(split.headers) if header.deep]
        if deep and isinstance(split.images.pixels, EncodedImages):
            measured += split.images.pixels.measure_ranges(deep)
    ranges = Ranges()
    for one in measured:
        ranges = ranges.joined(one)
    ranges.check()
    flat = sum(map(ranges.flattens, measured))
    text = (
        f"{flat:,} of {len(measured):,} images with more than 8 bits use at most 1/16 of the common range, "
        "so few grey levels remain of them; check that all have the same scale"
    )
    return ranges, [text] if flat else []


def _bring_to_shape(split: Split, shape: Shape, ranges: Ranges, config: DataConfig, *, decode: bool) -> None:
    """Bring the images of a split to one shape; encoded ones become a tensor if `decode`."""
    pixels = split.images.pixels
    refuse = config.on_constant == "error"
    if isinstance(pixels, Tensor):
        pixels = _resized(pixels, shape)
        split.check_pixels(pixels, refuse_constant=refuse)
        split.images = Images(pixels, split.images.labels)
        return
    reading = {"shape": shape, "img_size": config.img_size, "background": config.background, "ranges": ranges}
    encoded = replace(pixels, **reading)
    split.images = Images(encoded, split.images.labels)
    if decode:
        pixels, unreadable = encoded.decode_all()
        stay = split.leave_out(unreadable, config)
        pixels = pixels if stay.all() else pixels[stay]
        split.check_pixels(pixels, refuse_constant=refuse)
        split.images = Images(pixels, split.images.labels)
        return
    if config.on_error == "skip":
        split.leave_out(encoded.find_unreadable(), config)
        assert isinstance(split.images.pixels, EncodedImages)
        encoded = split.images.pixels
    split.images = Images(replace(encoded, refuse_constant=refuse), split.images.labels)


def _near_duplicates(train: Split, test: Split) -> tuple[tuple[str, str], ...]:
    pairs = near_duplicates(train.images, test.images)
    return tuple((train.image_name(known), test.image_name(asked)) for known, asked in pairs)


def _resized(pixels: Tensor, shape: Shape) -> Tensor:
    """uint8 (N, C, H, W) -> uint8 (N, *shape)."""
    if pixels.shape[2:] != shape[1:]:
        pixels = torch.cat([resize(chunk, shape[1]) for chunk in torch.split(pixels, RESIZED_AT_ONCE)])
    return to_channels(pixels, shape[0])


def _placed(images: Images, device: torch.device | None) -> Images:
    """Return images with their pixels on the device, if there is one for them."""
    if device is None or not isinstance(images.pixels, Tensor):
        return images
    return Images(images.pixels.contiguous().to(device), images.labels)


def _free_memory(device: torch.device) -> int:
    """Return the free bytes, on a GPU those of this process's share.

    On Linux they include what the page cache can give back.
    """
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return min(free, int(gpu_share() * total))
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        fields = dict(line.split(":") for line in meminfo.read_text().splitlines())
        return int(fields["MemAvailable"].split()[0]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
