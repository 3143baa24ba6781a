"""Arguments that `vision convert` and `vision inspect` share: a model and its weights."""

import argparse
from pathlib import Path
from typing import NamedTuple

LARGEST_INPUT = 1024  # an explicit pass stores a weight for each head, query and position of the window


class ModelChoice(NamedTuple):
    """The model that NAME, --checkpoint, --pretrained, --input-size and --classes choose."""

    name: str
    checkpoint: Path | None = None
    pretrained: bool = False
    input_size: int | None = None
    classes: int | None = None


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add NAME, --checkpoint, --pretrained and --input-size."""
    name = "a model of timm's, torchvision/NAME, or the folder of a finished run"
    parser.add_argument("name", metavar="NAME", help=name)
    weights = "file of weights: .safetensors, .pth or .pt (default: random weights)"
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help=weights)
    parser.add_argument(
        "--pretrained", action="store_true", help="use the weights that the library publishes"
    )
    size = "side of the images in pixels (default: the model's own)"
    parser.add_argument("--input-size", type=int, metavar="N", help=size)


def check_input_size(input_size: int | None) -> None:
    """Raise a ValueError if --input-size is out of range."""
    if input_size is not None and not 1 <= input_size <= LARGEST_INPUT:
        raise ValueError(f"--input-size must be from 1 to {LARGEST_INPUT} pixels, got {input_size}")


def add_images(parser: argparse.ArgumentParser, purpose: str, most: int | str, *, default: str) -> None:
    """Add --data, a folder of images, with what is taken without one."""
    text = f"images to {purpose}, at most {most} (default: {default})"
    parser.add_argument("--data", type=Path, metavar="FOLDER", help=text)
