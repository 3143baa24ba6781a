"""The images that `vision convert` and `vision inspect` feed to a model, and the one to draw on.

>>> read_images(image_files(Path("photos")), (3, 224, 224)).shape  # doctest: +SKIP
torch.Size([8, 3, 224, 224])
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor, nn
from torchvision.datasets.folder import IMG_EXTENSIONS  # pyright: ignore[reportMissingTypeStubs]

from vision.data.decoding import decode
from vision.data.image_shape import fit
from vision.dynamic import JsonObject
from vision.inspection import spread_indices

NOISE_IMAGES = 2
SEED = 0


def image_files(folder: Path, most: int = 8) -> list[Path]:
    """Return up to `most` image files below a folder, evenly spaced in the order of their names.

    Raises:
        FileNotFoundError: there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"--data {folder} is not a folder; give one with images")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMG_EXTENSIONS)
    if not files:
        raise FileNotFoundError(f"--data {folder} has no image in it; looked for {', '.join(IMG_EXTENSIONS)}")
    return [files[index] for index in spread_indices(len(files), most)]


def read_images(files: Sequence[Path], shape: Sequence[int]) -> Tensor:
    """Return the central part of each image, resized to `shape` (C, H, W): (B, C, H, W) in [0, 1].

    Raises:
        ValueError: a file is not an image, or the model does not take images of one or three channels.
    """
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise ValueError(f"--data needs a model of grey or RGB images, got one for {shape} (C, *size)")
    return torch.stack([resized(_decoded(file), shape) for file in files])


def normalize(pixels: Tensor, model: nn.Module) -> Tensor:
    """(B, C, H, W) in [0, 1] -> normalized by the model's own mean and deviation, or ImageNet's."""
    mean, std = statistics(model, pixels.shape[1])
    return (pixels - mean) / std


def statistics(model: nn.Module, channels: int = 3) -> tuple[Tensor, Tensor]:
    """Return mean and deviation (C, 1, 1) of the images that a model expects; ImageNet's by default."""
    config: JsonObject = getattr(model, "pretrained_cfg", None) or {}
    mean, std = config.get("mean") or IMAGENET_DEFAULT_MEAN, config.get("std") or IMAGENET_DEFAULT_STD
    return _per_channel(mean, channels), _per_channel(std, channels)


def noise(shape: Sequence[int], count: int = NOISE_IMAGES) -> Tensor:
    """Return images (count, C, *size) of normal noise, always the same."""
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(SEED))


def picture(pixels: Tensor | None, shape: Sequence[int]) -> NDArray[np.float32]:
    """Return the first image of (B, C, H, W) as (H, W, 3); for None a photograph from scikit-learn."""
    if pixels is not None:
        return pixels[0].expand(3, -1, -1).permute(1, 2, 0).numpy()
    from sklearn.datasets import load_sample_image  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

    china: NDArray[np.uint8] = load_sample_image("china.jpg")  # pyright: ignore[reportUnknownVariableType]
    photograph = torch.tensor(china).permute(2, 0, 1)
    return resized(photograph, (3, *shape[1:])).permute(1, 2, 0).numpy()


def resized(image: Tensor, shape: Sequence[int]) -> Tensor:
    """uint8 (1 or 3, any height, any width) -> (C, H, W) in [0, 1]."""
    channels, height, width = shape
    square = fit(image, height, width).float() / 255
    return square.mean(0, keepdim=True) if channels == 1 else square.expand(channels, -1, -1)


def _per_channel(values: Sequence[float], channels: int) -> Tensor:
    """Return the values, or their mean for each channel if the number of channels differs."""
    each = values if len(values) == channels else [sum(values) / len(values)] * channels
    return torch.tensor(each).view(-1, 1, 1)


def _decoded(file: Path) -> Tensor:
    try:
        return decode(str(file))
    except Exception as error:  # decoders raise nearly anything at a broken file
        raise ValueError(f"image {file} cannot be decoded: {error}") from error
