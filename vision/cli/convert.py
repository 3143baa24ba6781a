"""`vision convert`: a CNN becomes masked attention, is compared with what it was, and written to a folder.

vision convert resnet18 --data photos --out outputs/resnet18
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vision.cli.convert_show import Measured, picture, read_images, show, write_layers
from vision.convert import as_attention, attention_layers, set_explicit
from vision.convert.compare import Difference, layer_differences, logits_difference
from vision.convert.conversion import Heads, Pooling
from vision.convert.files import save_converted
from vision.models.checkpoint import load_checkpoint
from vision.models.named import Named, build_named, find_named

SEED = 0
LARGEST_INPUT = 1024  # the explicit pass holds a weight for each head, query and place of the window
NOISE_IMAGES = 2


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
    """Convert the model `name`, print how its layers and logits compare, and write it to `out` if given.

    Raises:
        ValueError: an option is wrong, weights do not fit, or the model cannot be converted.
        FileNotFoundError: a file or folder that was named is not there.
    """
    _check(input_size, classes, out)
    found = find_named(name, img_size=input_size, num_classes=classes)
    model, weights = _built(found, checkpoint, pretrained)
    model = model.to(getattr(torch, precision)).eval()
    converted = as_attention(model, input_size, heads, pooling, strict=strict)
    shape = converted.conversion.input_shape  # type: ignore[union-attr]
    pixels = None if data is None else read_images(data, shape)
    images, about = _inputs(model, pixels, shape)
    if out is not None:
        save_converted(converted, out, source={"name": found.name, "arguments": found.arguments})
    measured = _measure(model, converted, images.to(getattr(torch, precision)))
    console = show(name, converted, measured, notes=[weights, about], precision=precision)
    if out is not None:
        ...
    return 0
