"""Arguments that `vision convert` and `vision inspect` share: a model and its weights."""

import argparse
from pathlib import Path


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add NAME, --checkpoint, --pretrained and --input-size."""
    name = "a model of timm's, torchvision/NAME, or the folder of a finished run"
    parser.add_argument("name", metavar="NAME", help=name)
    weights = "file of weights: .safetensors, .pth or .pt (default: random weights)"
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help=weights)
    parser.add_argument(
        "--pretrained", action="store_true", help="use the weights that the library publishes"
    )
    parser.add_argument("--input-size", type=int, metavar="N", help="side of the images in pixels")


def add_images(parser: argparse.ArgumentParser, purpose: str, most: int) -> None:
    """Add --data, a folder of images."""
    text = f"images to {purpose}, at most {most} (default: noise)"
    parser.add_argument("--data", type=Path, metavar="FOLDER", help=text)
