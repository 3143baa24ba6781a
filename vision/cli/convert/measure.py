"""How closely a converted model agrees with its original, and what both cost.

>>> measure(model, as_attention(model, 64), images).fast.absolute < 1e-5  # doctest: +SKIP
True
"""

import os
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from vision.cli.stderr import tell
from vision.convert import (
    ConversionSummary,
    Difference,
    attention_layers,
    layer_differences,
    logits,
    logits_difference,
    set_explicit_attention,
)


@dataclass(frozen=True)
class Measurements:
    """What was measured on some images.

    Attributes:
        layers: each layer by its name, against the original's module on the same input.
        explicit: difference of the logits, with attention run with its weights.
        fast: difference of the logits, with attention run as torch's own operations.
        spread: how far apart the original's logits of different images are, as a share of the largest; None
            for a single image.
        seconds: time for one image, by "explicit" and "fast".
        memory: peak of the process in bytes, "before" the explicit pass and "after"; empty where unknown.
    """

    layers: dict[str, Difference]
    explicit: Difference
    fast: Difference
    spread: float | None
    seconds: dict[str, float]
    memory: dict[str, int]


def summary_of(converted: nn.Module) -> ConversionSummary:
    """Return what the conversion of a model did."""
    summary = converted.conversion
    assert isinstance(summary, ConversionSummary)
    return summary


def measure(model: nn.Module, converted: nn.Module, images: Tensor) -> Measurements:
    """Compare a converted model with its original on images (B, C, H, W)."""
    fast = logits_difference(model, converted, images, explicit=False)
    seconds = {"fast": _seconds(set_explicit_attention(converted, False), images[:1])}
    before = _peak_memory()
    explicit = logits_difference(model, converted, images)
    seconds["explicit"] = _seconds(set_explicit_attention(converted, True), images[:1])
    after = _peak_memory()
    set_explicit_attention(converted, False)
    with _progress(sum(1 for _ in attention_layers(converted))) as on_layer:
        layers = layer_differences(model, converted, images, on_layer=on_layer)
    memory = {"before": before, "after": after} if before and after else {}
    return Measurements(layers, explicit, fast, _spread(model, images), seconds, memory)


@contextmanager
def _progress(total: int) -> Generator[Callable[[str, Difference], None], None, None]:
    """Yield a callback for each layer compared: it moves a bar on a terminal, otherwise prints a line."""
    done: set[str] = set()
    if not sys.stderr.isatty():

        def print_layer(name: str, difference: Difference) -> None:
            done.add(name)
            text = f"layer {len(done)}/{total} {name}: max difference {difference.absolute:.1e}"
            tell(text)

        yield print_layer
        return
    columns = TextColumn("comparing layers"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(
        *columns, TextColumn("{task.description}"), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("", total=total)

        def move(name: str, difference: Difference) -> None:
            done.add(name)
            bar.update(task, completed=len(done), description=name)

        yield move


def _seconds(model: nn.Module, image: Tensor) -> float:
    with torch.no_grad():
        start = time.perf_counter()
        model(image)
        return time.perf_counter() - start


def _spread(model: nn.Module, images: Tensor) -> float | None:
    if len(images) < 2:
        return None
    with torch.no_grad():
        values = logits(model, images)
    return float((values - values[:1]).abs().max() / values.abs().max())


def _peak_memory() -> int | None:
    """Return the most memory that this process has held, in bytes; None where that is unknown."""
    if os.name != "posix":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
