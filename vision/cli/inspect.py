"""`vision inspect`: what a model has learned to look at, in one table and a picture each.

vision inspect outputs/demo/ViT/n1200/s0 --against outputs/demo/CNN/n1200/s0
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from vision import analysis, plots
from vision.cli.images import image_files, noise, normalised, picture, read_images
from vision.cli.weights import build_with_weights
from vision.convert import as_attention
from vision.convert.conversion import input_shape
from vision.models import find_named

SHOWN = 4  # images in a picture
FEWEST_FOR_CKA = 4


def inspect(
    name: str,
    *,
    checkpoint: Path | None,
    pretrained: bool,
    input_size: int | None,
    data: Path | None,
    against: str | None,
    out: Path,
) -> int:
    """Look inside the model `name`, print its attention distances, and write every picture that it has.

    A CNN is looked at as attention. With `against`, a second model stands beside it in the distances, and
    its layers are compared by CKA.

    Raises:
        ValueError: an option is wrong, or the models do not take the same images.
        FileNotFoundError: a file or folder that an option names is not there.
    """
    files = None if data is None else image_files(data)
    model, note = _model(name, checkpoint, pretrained, input_size)
    shape = input_shape(model, input_size)
    pixels = None if files is None else read_images(files, shape)
    images = noise(shape, 8) if pixels is None else normalised(pixels, model)
    models = {name: as_attention(model, shape)}
    if against is not None:
        other, _ = _model(against, None, pretrained, input_size)
        if input_shape(other, input_size) != shape:
            raise ValueError(
                f"--against needs a model for images of {shape} (C, H, W), got "
                f"{input_shape(other, input_size)}; give --input-size"
            )
        models[against] = as_attention(other, shape)
    distances = _distances(models, images)
    seen = "noise" if data is None else str(data)
    Console().print(_table(distances), f"{note}; {len(images)} images of {seen}", soft_wrap=True)
    out.mkdir(parents=True, exist_ok=True)
    for file, draw in _pictures(models, images, pixels, distances):
        _write(out / file, draw)
    return 0


def _model(
    name: str, checkpoint: Path | None, pretrained: bool, input_size: int | None
) -> tuple[nn.Module, str]:
    found = find_named(name, img_size=input_size)
    model, note = build_with_weights(found, checkpoint, pretrained)
    return model.eval(), note


def _distances(models: dict[str, nn.Module], images: Tensor) -> pd.DataFrame:
    tables = [analysis.attention_distance(model, images).assign(model=name) for name, model in models.items()]
    return pd.concat(tables, ignore_index=True)


def _table(distances: pd.DataFrame) -> Table:
    table = Table("model", "layer", "kind", "heads", "pixels: mean", "nearest", "farthest", box=SIMPLE_HEAD)
    for names, heads in distances.groupby(["model", "layer", "kind"], sort=False):
        far = heads["distance"]
        numbers = f"{far.mean():.1f}", f"{far.min():.1f}", f"{far.max():.1f}"
        table.add_row(*map(str, names), str(len(heads)), *numbers)  # type: ignore[arg-type]
    table.title = "mean attention distance, pixels of the image"
    return table


def _pictures(
    models: dict[str, nn.Module], images: Tensor, pixels: Tensor | None, distances: pd.DataFrame
) -> Iterator[tuple[str, Callable[[], Any]]]:
    """File name and picture of each way to look inside; what a model has no part for raises when drawn."""
    first, *others = models
    model = models[first]
    title = " and ".join(models)
    yield "attention_distance.png", lambda: plots.plot_attention_distance(distances, title=title)
    yield "rollout.png", lambda: _rollout(model, images, pixels, first)
    yield "receptive_field.png", lambda: _receptive_field(model, images, first)
    yield "heads.png", lambda: plots.plot_heads(_learned(model), title=f"Where the heads of {first} look")
    yield (
        "positions.png",
        lambda: plots.plot_position_similarity(
            analysis.position_similarity(model).numpy(), title=f"Position vectors of {first}"
        ),
    )
    other = others[0] if others else first
    yield "cka.png", lambda: _cka(models, images, first, other)


def _rollout(model: nn.Module, images: Tensor, pixels: Tensor | None, name: str) -> Any:
    values = analysis.attention_rollout(model, images[:SHOWN]).numpy()
    shown = [None] * len(values) if pixels is None else [picture(one[None], one.shape) for one in pixels]
    panels = [(f"image {i + 1}", shown[i], one) for i, one in enumerate(values)]
    title = f"Where {name} reads (attention rollout)"
    return plots.plot_heat(panels, title=title, label="share of the output")


def _receptive_field(model: nn.Module, images: Tensor, name: str) -> Any:
    layers = analysis.block_names(model)
    chosen = [layers[i] for i in np.unique(np.linspace(0, len(layers) - 1, SHOWN).round().astype(int))]
    panels = [
        (layer, None, analysis.effective_receptive_field(model, images, layer).numpy()) for layer in chosen
    ]
    return plots.plot_heat(
        panels, title=f"What moves the central token of {name}", label="absolute input gradient"
    )


def _learned(model: nn.Module) -> pd.DataFrame:
    """The heads whose centres are learned; a convolution's own are its kernel and tell nothing new."""
    places = analysis.head_places(model)
    return places.query("width > 0")


def _cka(models: dict[str, nn.Module], images: Tensor, one: str, other: str) -> Any:
    if len(images) < FEWEST_FOR_CKA:
        raise ValueError(f"CKA needs {FEWEST_FOR_CKA} images or more, got {len(images)}")
    table = analysis.cka(models[one], models[other], [images])
    return plots.plot_cka(table, title="How alike the layers are", rows=one, columns=other)


def _write(path: Path, draw: Callable[[], Any]) -> None:
    try:
        figure = draw()
    except ValueError as error:
        print(f"no {path.name}: {error}", file=sys.stderr)
        return
    figure.savefig(path, dpi=150)
    print(f"wrote {path}")
