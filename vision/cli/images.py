"""The images that a command looks at a model with, and the one that it draws on.

>>> read_images(image_files(Path("photos")), (3, 224, 224)).shape  # doctest: +SKIP
torch.Size([8, 3, 224, 224])
"""

from pathlib import Path

import numpy as np
import torch
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor, nn
from torchvision.datasets.folder import IMG_EXTENSIONS

from vision.data.decoding import decode, resize

MOST = 8
NOISE = 2
SEED = 0


def image_files(folder: Path, most: int = MOST) -> list[Path]:
    """Files of images below a folder, so many at most, spread evenly over all in the order of their names.

    Raises:
        FileNotFoundError: there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"--data {folder} is no folder; give one with images")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMG_EXTENSIONS)
    if not files:
        raise FileNotFoundError(f"--data {folder} has no image in it; looked for {', '.join(IMG_EXTENSIONS)}")
    chosen = np.unique(np.linspace(0, len(files) - 1, most).round().astype(int))
    return [files[i] for i in chosen]


def read_images(files: list[Path], shape: tuple[int, ...]) -> Tensor:
    """() -> (B, C, H, W) in [0, 1]: the central part of each image, resized to `shape` (C, H, W).

    Raises:
        ValueError: a file is no image, or the model takes no images of one or three channels.
    """
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise ValueError(f"--data needs a model of grey or RGB images, got one for {shape} (C, *size)")
    return torch.stack([_fitted(_decoded(file), shape) for file in files])


def normalised(pixels: Tensor, model: nn.Module) -> Tensor:
    """(B, C, H, W) in [0, 1] -> the same by the model's own mean and deviation, ImageNet's if it has none."""
    mean, std = statistics(model, pixels.shape[1])
    return (pixels - mean) / std


def statistics(model: nn.Module, channels: int = 3) -> tuple[Tensor, Tensor]:
    """() -> mean and deviation (C, 1, 1) of the images that a model knows; ImageNet's if it says none."""
    config = getattr(model, "pretrained_cfg", None) or {}
    given = config.get("mean") or IMAGENET_DEFAULT_MEAN, config.get("std") or IMAGENET_DEFAULT_STD
    mean, std = (
        torch.tensor(v if len(v) == channels else [sum(v) / len(v)] * channels).view(-1, 1, 1) for v in given
    )
    return mean, std


def noise(shape: tuple[int, ...], count: int = NOISE) -> Tensor:
    """() -> (count, C, *size), from a normal distribution and always the same."""
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(SEED))


def picture(pixels: Tensor | None, shape: tuple[int, ...]) -> np.ndarray:
    """(B, C, H, W) or None -> (H, W, 3): the first image, else a photograph that scikit-learn brings."""
    if pixels is not None:
        return pixels[0].expand(3, -1, -1).permute(1, 2, 0).numpy()
    from sklearn.datasets import load_sample_image

    photograph = torch.from_numpy(load_sample_image("china.jpg").copy()).permute(2, 0, 1)
    return _fitted(photograph, (3, *shape[1:])).permute(1, 2, 0).numpy()


def _decoded(file: Path) -> Tensor:
    try:
        return decode(str(file))
    except OSError as error:
        raise ValueError(f"image {file} cannot be decoded: {error}") from error


def _fitted(image: Tensor, shape: tuple[int, ...]) -> Tensor:
    """uint8 (1 or 3, any height, any width) -> (C, H, W) in [0, 1]."""
    channels, height, width = shape
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    square = resize(image, side).float()[:, top : top + height, left : left + width] / 255
    return square.mean(0, keepdim=True) if channels == 1 else square.expand(channels, -1, -1)
