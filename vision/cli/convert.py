"""`vision convert`: a CNN becomes masked attention, is compared with what it was, and written to a folder.

vision convert resnet18 --data photos --out outputs/resnet18
"""

import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vision.cli.convert_table import Measured, console, progress, show, write_layers
from vision.cli.images import NOISE, SEED, image_files, noise, normalised, picture, read_images
from vision.cli.weights import build_with_weights
from vision.convert import as_attention, attention_layers, set_explicit
from vision.convert.conversion import Heads, Pooling
from vision.convert.saved import CONVERSION, save_converted
from vision.convert.summary import ConversionSummary
from vision.convert.verify import layer_differences, logits, logits_difference
from vision.models.saved import WEIGHTS
from vision.models.sources import find_model

LARGEST_INPUT = 1024  # the explicit pass holds a weight for each head, query and place of the window


def convert(
    name: str,
    *,
    checkpoint: Path | None,
    pretrained: bool,
    input_size: int | None,
    classes: int | None,
    data: Path | None,
    heads: Heads,
    pooling: Pooling,
    precision: str,
    strict: bool,
    out: Path | None,
) -> int:
    """Convert the model `name`, print how it compares with the original, and write it to `out` if given.

    Raises:
        ValueError: an option is wrong, weights do not fit, or the model cannot be converted.
        FileNotFoundError: a file or folder that an option names is not there.
    """
    _check(input_size, classes)
    files = None if data is None else image_files(data)
    found = find_model(name, img_size=input_size, num_classes=classes)
    model, weights = build_with_weights(found, checkpoint, pretrained)
    model = model.to(getattr(torch, precision)).eval()
    converted = as_attention(model, input_size, heads, pooling, strict=strict)
    report: ConversionSummary = converted.conversion  # type: ignore[assignment]
    pixels = None if files is None else read_images(files, report.input_shape)
    images = noise(report.input_shape) if pixels is None else normalised(pixels, model)
    if out is not None:
        save_converted(converted, out, source={"name": found.name, "arguments": found.arguments})
    measured = _measure(model, converted, images.to(getattr(torch, precision)))
    seen = f"{NOISE} images of noise (seed {SEED})" if data is None else f"{len(images)} images of {data}"
    show(name, report, measured, notes=[weights, f"compared in {precision} on {seen}"])
    if out is not None:
        _write(out, found.name, converted, measured, pixels)
    return 0


def _check(input_size: int | None, classes: int | None) -> None:
    if input_size is not None and not 1 <= input_size <= LARGEST_INPUT:
        raise ValueError(f"--input-size must be from 1 to {LARGEST_INPUT} pixels, got {input_size}")
    if classes is not None and classes < 1:
        raise ValueError(f"--classes must be 1 or more, got {classes}")


def _measure(model: nn.Module, converted: nn.Module, images: Tensor) -> Measured:
    fast = logits_difference(model, converted, images, explicit=False)
    seconds = {"fast": _seconds(set_explicit(converted, False), images[:1])}
    before = _peak_memory()
    explicit = logits_difference(model, converted, images)
    seconds["explicit"] = _seconds(set_explicit(converted, True), images[:1])
    after = _peak_memory()
    set_explicit(converted, False)
    with progress(sum(1 for _ in attention_layers(converted))) as listener:
        layers = layer_differences(model, converted, images, report=listener)
    memory = {"before": before, "after": after} if before and after else {}
    return Measured(layers, explicit, fast, _spread(model, images), seconds, memory)


def _write(out: Path, name: str, converted: nn.Module, measured: Measured, pixels: Tensor | None) -> None:
    """The table, and the fields through depth on an image, beside the converted model."""
    from vision.plots import save

    report: ConversionSummary = converted.conversion  # type: ignore[assignment]
    write_layers(out / "layers.csv", report, measured)
    written = [WEIGHTS, CONVERSION, "layers.csv"]
    try:
        figure = _figure(name, converted, pixels)
    except ValueError as error:
        print(f"vision convert: no figure of the fields: {error}", file=sys.stderr)
    else:
        written += [file.name for file in save(figure, out / "fields")]
    for file in written:
        console().print(f"wrote {out / file}", soft_wrap=True, markup=False)


def _figure(name: str, converted: nn.Module, pixels: Tensor | None) -> Any:
    from vision.inspection.receptive_fields import fields_through_depth
    from vision.plots.model.receptive_fields import plot_fields

    report: ConversionSummary = converted.conversion  # type: ignore[assignment]
    shape = report.input_shape
    panels = fields_through_depth(converted, shape)
    title = f"What the central token of {name} sees, {shape[1]} x {shape[2]} pixels"
    return plot_fields(picture(pixels, shape), panels, title=title)


def _seconds(model: nn.Module, image: Tensor) -> float:
    with torch.no_grad():
        begun = time.perf_counter()
        model(image)
        return time.perf_counter() - begun


def _spread(model: nn.Module, images: Tensor) -> float | None:
    if len(images) < 2:
        return None
    with torch.no_grad():
        found = logits(model, images)
    return float((found - found[:1]).abs().max() / found.abs().max())


def _peak_memory() -> int | None:
    """The most memory that this process has held, in bytes; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
