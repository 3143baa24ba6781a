"""`vision convert --to attention`: a CNN as masked attention, how it compares, and its receptive fields.

vision convert resnet18 --data photos --out outputs/resnet18
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from vision.cli.console import print_line
from vision.cli.convert.image_counts import COMPARED
from vision.cli.convert.measure import Measurements, measure, summary_of
from vision.cli.convert.table import print_comparison, write_layers
from vision.cli.images import NOISE_IMAGES, SEED, image_files, noise, normalize, picture, read_images
from vision.cli.model_arguments import ModelChoice
from vision.cli.stderr import tell
from vision.cli.weights import build_with_weights
from vision.convert import CONVERSION, as_attention, save_converted
from vision.models.saved import WEIGHTS

if TYPE_CHECKING:  # matplotlib is imported when a figure is drawn
    from vision.plots import Figure


def convert_to_attention(
    choice: ModelChoice,
    *,
    data: Path | None,
    heads: Literal["kernel", "min"],
    pooling: Literal["exact", "soft"],
    precision: str,
    strict: bool,
    out: Path | None,
) -> int:
    """Print how the converted model compares with the original; write it and its fields to `out`."""
    files = None if data is None else image_files(data, COMPARED)
    source, model, weights = build_with_weights(choice)
    dtype = getattr(torch, precision)
    model = model.to(dtype).eval()
    converted = as_attention(model, choice.input_size, heads, pooling, strict=strict)
    summary = summary_of(converted)
    pixels = None if files is None else read_images(files, summary.input_shape)
    images = noise(summary.input_shape) if pixels is None else normalize(pixels, model)
    if out is not None:
        save_converted(converted, out, source={"name": source.name, "arguments": source.arguments})
    measurements = measure(model, converted, images.to(dtype))
    what = (
        f"{NOISE_IMAGES} images of noise (seed {SEED})" if data is None else f"{len(images)} images of {data}"
    )
    notes = [weights, f"compared in {precision} on {what}"]
    print_comparison(choice.name, summary, measurements, notes=notes)
    if out is not None:
        _write(out, source.name, converted, measurements, pixels)
    return 0


def _write(
    out: Path, name: str, converted: nn.Module, measurements: Measurements, pixels: Tensor | None
) -> None:
    """Write the table of layers, and the figure of the receptive fields, next to the converted model."""
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


def _figure(name: str, converted: nn.Module, pixels: Tensor | None) -> "Figure":
    from vision.inspection.receptive_fields import fields_through_depth
    from vision.plots import plot_fields

    shape = summary_of(converted).input_shape
    panels = fields_through_depth(converted, shape)
    title = f"What the central token of {name} sees, {shape[1]} x {shape[2]} pixels"
    return plot_fields(picture(pixels, shape), panels, title=title)
