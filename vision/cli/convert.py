"""`vision convert`: a CNN as masked attention, or the nearest CNN of a ViT; compare, and write the result.

vision convert resnet18 --data photos --out outputs/resnet18
vision convert outputs/demo/ViT/n1200/s0 --to convolution --kernel-size 3,5,7,full
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vision.cli.console import print_line
from vision.cli.model_arguments import add_images, add_model, check_input_size
from vision.cli.output_paths import check_folder
from vision.cli.stderr import tell

if TYPE_CHECKING:  # torch is imported when a model is converted, and not for --help
    from torch import Tensor, nn

    from vision.cli.convert_measure import Measurements
    from vision.plots import Figure

MOST_IMAGES = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `vision convert`."""
    parser.epilog = "example: vision convert resnet18 --data photos --out outputs/resnet18"
    add_model(parser)
    parser.add_argument(
        "--classes", type=int, metavar="N", help="number of outputs (default: the model's own)"
    )
    to = "attention: a CNN, exactly; convolution: the nearest CNN of a ViT (default: %(default)s)"
    parser.add_argument("--to", choices=("attention", "convolution"), default="attention", help=to)
    add_images(parser, "compare on", MOST_IMAGES)
    heads = "one head per kernel position, or as few as the kernel's rank needs (default: %(default)s)"
    parser.add_argument("--heads", choices=("kernel", "min"), default="kernel", help=heads)
    pooling = "max pools as exact hard attention, or as a softmax (default: %(default)s)"
    parser.add_argument("--pooling", choices=("exact", "soft"), default="exact", help=pooling)
    precision = "precision of the model and the images (default: %(default)s)"
    parser.add_argument("--precision", choices=("float32", "float64"), default="float32", help=precision)
    strict = "fail if any module that mixes tokens cannot be converted"
    parser.add_argument("--strict", action="store_true", help=strict)
    sizes = "with --to convolution: tokens across, such as 3,5,7,full (default: 3)"
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

    With `to` convolution, heads, pooling, precision and strict have no effect.

    Raises:
        ValueError: an option is wrong, weights do not fit, or the model cannot be converted.
        FileNotFoundError: a file or folder that an option names does not exist.
    """
    check_input_size(input_size)
    if classes is not None and classes < 1:
        raise ValueError(f"--classes must be 1 or more, got {classes}")
    if out is not None:
        check_folder("--out", out)
    if to == "attention" and (kernel_size is not None or distill_steps is not None):
        raise ValueError("--kernel-size and --distill-steps need --to convolution")
    if distill_steps is not None and distill_steps < 0:
        raise ValueError(f"--distill-steps must be 0 or more, got {distill_steps}")
    if to == "convolution":
        from vision.cli.convert_to_convolution import convert_to_convolution, kernel_sizes

        return convert_to_convolution(
            name,
            checkpoint=checkpoint,
            pretrained=pretrained,
            input_size=input_size,
            classes=classes,
            data=data,
            sizes=kernel_sizes("3" if kernel_size is None else kernel_size),
            distill_steps=distill_steps or 0,
            out=out,
        )
    import torch

    from vision.cli import convert_measure, convert_table
    from vision.cli.images import NOISE_IMAGES, SEED, image_files, noise, normalize, read_images
    from vision.cli.weights import build_with_weights
    from vision.convert import as_attention, save_converted
    from vision.models.sources import find_model

    files = None if data is None else image_files(data, MOST_IMAGES)
    source = find_model(name, img_size=input_size, num_classes=classes)
    model, weights = build_with_weights(source, checkpoint, pretrained)
    dtype = getattr(torch, precision)
    model = model.to(dtype).eval()
    converted = as_attention(model, input_size, heads, pooling, strict=strict)
    summary = convert_measure.summary_of(converted)
    pixels = None if files is None else read_images(files, summary.input_shape)
    images = noise(summary.input_shape) if pixels is None else normalize(pixels, model)
    if out is not None:
        save_converted(converted, out, source={"name": source.name, "arguments": source.arguments})
    measurements = convert_measure.measure(model, converted, images.to(dtype))
    what = (
        f"{NOISE_IMAGES} images of noise (seed {SEED})" if data is None else f"{len(images)} images of {data}"
    )
    notes = [weights, f"compared in {precision} on {what}"]
    convert_table.print_comparison(name, summary, measurements, notes=notes)
    if out is not None:
        _write(out, source.name, converted, measurements, pixels)
    return 0


def _write(
    out: Path, name: str, converted: "nn.Module", measurements: "Measurements", pixels: "Tensor | None"
) -> None:
    """Write the table of layers, and the figure of the receptive fields, next to the converted model."""
    from vision.cli.convert_measure import summary_of
    from vision.cli.convert_table import write_layers
    from vision.convert import CONVERSION
    from vision.models.saved import WEIGHTS
    from vision.plots import save

    write_layers(out / "layers.csv", summary_of(converted), measurements)
    files = [WEIGHTS, CONVERSION, "layers.csv"]
    try:
        figure = _figure(name, converted, pixels)
    except ValueError as error:
        tell(f"vision convert: no figure of the receptive fields: {error}")
    else:
        files += [file.name for file in save(figure, out / "fields")]
    for file in files:
        print_line(f"wrote {out / file}")


def _figure(name: str, converted: "nn.Module", pixels: "Tensor | None") -> "Figure":
    from vision.cli.convert_measure import summary_of
    from vision.cli.images import picture
    from vision.inspection.receptive_fields import fields_through_depth
    from vision.plots import plot_fields

    shape = summary_of(converted).input_shape
    panels = fields_through_depth(converted, shape)
    title = f"What the central token of {name} sees, {shape[1]} x {shape[2]} pixels"
    return plot_fields(picture(pixels, shape), panels, title=title)
