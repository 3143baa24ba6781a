"""`vision convert`: a CNN as masked attention, or the nearest CNN of a ViT; compare, and write the result.

vision convert resnet18 --data photos --out outputs/resnet18
vision convert outputs/demo/ViT/n1200/s0 --to convolution --kernel-size 3,5,7,full
"""

import argparse
from pathlib import Path
from typing import Literal

from vision.cli.convert.image_counts import COMPARED, FITTED
from vision.cli.model_arguments import ModelChoice, add_images, add_model, check_input_size
from vision.cli.output_paths import check_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `vision convert`."""
    parser.epilog = "example: vision convert resnet18 --data photos --out outputs/resnet18"
    add_model(parser)
    parser.add_argument(
        "--classes", type=int, metavar="N", help="number of outputs (default: the model's own)"
    )
    to = "attention: a CNN, exactly; convolution: the nearest CNN of a ViT (default: %(default)s)"
    parser.add_argument("--to", choices=("attention", "convolution"), default="attention", help=to)
    most = f"{COMPARED}, or {FITTED} with --to convolution"
    default = "noise; with --to convolution, the images of a run"
    add_images(parser, "compare on", most, default=default)
    heads = "one head per kernel position, or as few as the kernel's rank needs (default: %(default)s)"
    parser.add_argument("--heads", choices=("kernel", "min"), default="kernel", help=heads)
    pooling = "max pools as exact hard attention, or as a softmax (default: %(default)s)"
    parser.add_argument("--pooling", choices=("exact", "soft"), default="exact", help=pooling)
    precision = "precision of the model and the images (default: %(default)s)"
    parser.add_argument("--precision", choices=("float32", "float64"), default="float32", help=precision)
    strict = "fail if any module that mixes tokens cannot be converted"
    parser.add_argument("--strict", action="store_true", help=strict)
    sizes = "with --to convolution: sides of the kernel in tokens, such as 3,5,7,full (default: 3)"
    parser.add_argument("--kernel-size", metavar="K,...", help=sizes)
    distill = "with --to convolution: steps of training towards the original's logits (default: 0)"
    parser.add_argument("--distill-steps", type=int, metavar="N", help=distill)
    out = "write the converted model, its table of layers and its figure there"
    parser.add_argument("--out", type=Path, metavar="DIR", help=out)


def convert(
    name: str,
    *,
    checkpoint: Path | None,
    pretrained: bool,
    input_size: int | None,
    classes: int | None,
    to: Literal["attention", "convolution"],
    kernel_size: str | None,
    distill_steps: int | None,
    data: Path | None,
    heads: Literal["kernel", "min"],
    pooling: Literal["exact", "soft"],
    precision: str,
    strict: bool,
    out: Path | None,
) -> int:
    """Convert the model `name`, print how it compares with the original, and write it to `out` if given.

    With `to` convolution, heads, pooling, precision and strict must be the defaults.

    Raises:
        ValueError: an option is wrong, weights do not fit, or the model cannot be converted.
        FileNotFoundError: a file or folder that an option names does not exist.
    """
    check_input_size(input_size)
    if classes is not None and classes < 1:
        raise ValueError(f"--classes must be 1 or more, got {classes}")
    if out is not None:
        check_folder("--out", out)
    of_attention = {
        "--heads": heads != "kernel",
        "--pooling": pooling != "exact",
        "--strict": strict,
        "--precision": precision != "float32",
    }
    of_convolution = {
        "--kernel-size": kernel_size is not None,
        "--distill-steps": distill_steps is not None,
    }
    _check_direction(to, "attention", of_attention)
    _check_direction(to, "convolution", of_convolution)
    if distill_steps is not None and distill_steps < 0:
        raise ValueError(f"--distill-steps must be 0 or more, got {distill_steps}")
    model = ModelChoice(name, checkpoint, pretrained, input_size, classes)
    if to == "convolution":
        from vision.cli.convert.to_convolution import convert_to_convolution, kernel_sizes

        sizes = kernel_sizes("3" if kernel_size is None else kernel_size)
        return convert_to_convolution(
            model, data=data, sizes=sizes, distill_steps=distill_steps or 0, out=out
        )
    from vision.cli.convert.to_attention import convert_to_attention

    return convert_to_attention(
        model, data=data, heads=heads, pooling=pooling, precision=precision, strict=strict, out=out
    )


def _check_direction(to: str, direction: str, options: dict[str, bool]) -> None:
    """Raise a ValueError if an option of one direction is given for the other one."""
    given = [name for name, is_given in options.items() if is_given]
    if given and to != direction:
        raise ValueError(f"{given[0]} needs --to {direction}, got --to {to}")
