"""Checks of the pixels and labels that a source returns, and conversions that cannot be misunderstood.

>>> images = Images(torch.ones(2, 8, 8, 3), torch.tensor([0, 1]))
>>> checked_images(images, ("a", "b"), "train")[1]
['train: float pixels in [0, 1] are scaled to 0 to 255', 'train: pixels (N, H, W, C) become (N, C, H, W)']
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from vision.data.encoded import EncodedImages
from vision.data.images import Images

_LITTLE_SUPPORTED = (torch.uint16, torch.uint32, torch.uint64)  # torch has no minimum of these
MOST_CHANNELS = 4  # of usual images; a longer axis is one of pixels, unless it is followed by a square
WANTED = "pixels must be uint8 (N, C, H, W), from 0 to 255"


def checked_images(images: Images, classes: tuple[str, ...], split: str) -> tuple[Images, list[str]]:
    """Return the images with pixels uint8 (N, C, H, W) and labels int64 (N,), and what was converted.

    Arrays of numpy become tensors. Float pixels in [0, 1], bool pixels, and numbers from 0 to 255 of another
    type become uint8. (N, H, W) gets an axis of channels. (N, H, W, C) is transposed where the second axis is
    longer than 4, and C is at most 4 or the image is a square.

    Args:
        images: of one split.
        classes: the names of the classes, label 0 first.
        split: what messages call it.

    Raises:
        ValueError: the pixels or labels are anything else; the message describes them.
    """
    labels = _checked_labels(images.labels, classes, split)
    if isinstance(images.pixels, EncodedImages):
        return Images(images.pixels, labels), []
    pixels, made_bytes = _bytes(_tensor(images.pixels, f"{split}: {WANTED}"), split)
    pixels, made_planes = _channels_first(pixels, split)
    remarks = (*made_bytes, *made_planes, *_many_channels(pixels))
    return Images(pixels, labels), [f"{split}: {text}" for text in remarks]


def check_same_scale(splits: Mapping[str, Images]) -> None:
    """Raise a ValueError if the floats of one split are in [0, 1] and those of another are not."""
    highest = {name: _highest_float(images.pixels, name) for name, images in splits.items()}
    unit = {name: high is not None and 0 < high <= 1 for name, high in highest.items()}
    if any(unit.values()) and (wide := [name for name, high in highest.items() if (high or 0) > 1]):
        narrow = next(name for name in unit if unit[name])
        raise ValueError(
            f"float pixels must have one scale: those of {narrow} are in [0, 1], "
            f"and those of {wide[0]} go up to {highest[wide[0]]:g}"
        )


def _highest_float(values: object, split: str) -> float | None:
    if isinstance(values, EncodedImages):
        return None
    pixels = _tensor(values, f"{split}: {WANTED}")
    return float(pixels.max()) if pixels.dtype.is_floating_point and pixels.numel() else None


def image_batch(values: object, named: str) -> Tensor:
    """Return one image or several, of numbers, as uint8 (N, C, H, W); see `checked_images`.

    Args:
        values: (H, W), (C, H, W), (H, W, C), or several with a leading axis, of any kind of array.
        named: what messages call it.

    Raises:
        ValueError: the numbers are neither from 0 to 255 nor in [0, 1], or the axes are not those of images.
    """
    pixels, _ = _bytes(_tensor(values, f"{named}: {WANTED}"), named)
    if pixels.ndim == 2 or (pixels.ndim == 3 and 0 < min(pixels.shape[0], pixels.shape[2]) <= 4):
        pixels = pixels[None]
    return _channels_first(pixels, named)[0]


def _tensor(values: object, wanted: str) -> Tensor:
    if isinstance(values, Tensor):
        if values.is_meta:
            raise ValueError(f"{wanted}; got a tensor without values, on the meta device")
        values = values.detach().to_dense() if values.layout != torch.strided else values.detach()
        # torch has no minimum of floats of 8 bits.
        return values.float() if values.is_floating_point() and values.itemsize == 1 else values
    if np.ma.is_masked(values):
        raise ValueError(f"{wanted}; got a masked array, whose masked values are unknown: fill them")
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{wanted}; got {type(values).__name__}: {error}") from error
    if array.dtype.kind not in "biufc":
        raise ValueError(f"{wanted}; got {type(values).__name__} of {array.dtype}")
    kind = np.dtype(np.float64) if array.dtype == np.longdouble else array.dtype.newbyteorder("=")
    # torch takes neither other byte orders nor negative strides, and warns of arrays that are read-only.
    array = np.ascontiguousarray(array, kind)
    return torch.as_tensor(array if array.flags.writeable else array.copy())


def _bytes(pixels: Tensor, split: str) -> tuple[Tensor, list[str]]:
    if pixels.dtype == torch.uint8 or not pixels.numel():
        return pixels, []
    if pixels.dtype == torch.bool:
        return pixels.to(torch.uint8) * 255, ["bool pixels become 0 and 255"]
    if pixels.dtype.is_complex:
        raise ValueError(f"{split}: {WANTED}; got {pixels.dtype}")
    given = _short(pixels.dtype)
    if pixels.dtype in _LITTLE_SUPPORTED:
        pixels = pixels.long()
    low, high = float(pixels.min()), float(pixels.max())
    if pixels.dtype.is_floating_point and low >= 0 and high <= 1:
        scaled = torch.cat(
            [(part.double() * 255).round().to(torch.uint8) for part in torch.split(pixels, 1024)]
        )
        return scaled, ["float pixels in [0, 1] are scaled to 0 to 255"]
    if (
        low >= 0
        and high <= 255
        and all(torch.equal(part, part.round()) for part in torch.split(pixels, 1024))
    ):
        return pixels.to(torch.uint8), [f"{given} pixels from 0 to 255 become uint8"]
    raise ValueError(
        f"{split}: {WANTED}; got {given} from {low:g} to {high:g}: scale them to integers "
        "from 0 to 255, before any normalization"
    )


def _channels_first(pixels: Tensor, split: str) -> tuple[Tensor, list[str]]:
    if pixels.ndim == 3 and 0 not in pixels.shape:
        return pixels[:, None], ["pixels (N, H, W) become (N, 1, H, W)"]
    if pixels.ndim != 4 or 0 in pixels.shape:
        raise ValueError(f"{split}: {WANTED}; got the shape {tuple(pixels.shape)}")
    rows, cols, last = pixels.shape[1:]
    if rows == cols != last and rows <= MOST_CHANNELS and last in (1, 3):
        raise ValueError(
            f"{split}: {WANTED}; "
            f"got the shape {tuple(pixels.shape)}, which may be (N, C, H, W) or (N, H, W, C)"
        )
    if rows > MOST_CHANNELS and (last <= MOST_CHANNELS or rows == cols != last):
        return pixels.permute(0, 3, 1, 2).contiguous(), ["pixels (N, H, W, C) become (N, C, H, W)"]
    return pixels, []


def _many_channels(pixels: Tensor) -> list[str]:
    """Return a sentence if images have more channels than usual ones: the axes may be in another order."""
    channels, height, width = pixels.shape[1:]
    return [f"images have {channels} channels of {height}x{width}"] if channels > MOST_CHANNELS else []


def _checked_labels(labels: object, classes: tuple[str, ...], split: str) -> Tensor:
    wanted = f"{split}: labels must be int64 (N,) with N > 0"
    labels = _tensor(labels, wanted)
    labels = labels.long() if labels.dtype in _LITTLE_SUPPORTED else labels
    if labels.dtype.is_floating_point or labels.dtype.is_complex or labels.ndim != 1 or not len(labels):
        raise ValueError(f"{wanted}, got {_short(labels.dtype)} {tuple(labels.shape)}")
    if labels.min() < 0 or labels.max() >= len(classes):
        raise ValueError(
            f"{split}: labels must be from 0 to {len(classes) - 1} for {len(classes)} classes, "
            f"got {int(labels.min())} to {int(labels.max())}"
        )
    return labels.long()


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
