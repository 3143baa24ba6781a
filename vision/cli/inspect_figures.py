"""What `vision inspect` shows: a table of attention distances, and every picture that a model has.

>>> write_pictures(looking, distances, Path("outputs/inspect"))  # doctest: +SKIP
"""

import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table
from torch import Tensor, nn

from vision import inspection, plots
from vision.cli.images import picture
from vision.patches import Grid
from vision.provenance import provenance

LOOKED_AT, SHOWN = 8, 4  # of the images, evenly spread: for all but CKA, and in a picture
AT_ONCE = 8  # images in a minibatch of CKA
FEWEST_FOR_CKA = 4


@dataclass(frozen=True)
class Looking:
    """What is looked at.

    Attributes:
        models: by the name that a picture gives it; the first, and one to stand beside it or none.
        images: (B, C, H, W), normalised.
        pixels: the same in [0, 1], or None where the images are noise.
        weights: what the models' weights are, a line each.
        seen: what the images are.
    """

    models: dict[str, nn.Module]
    images: Tensor
    pixels: Tensor | None
    weights: list[str]
    seen: str

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images."""
        return self.images.shape[2], self.images.shape[3]

    def some(self, count: int = LOOKED_AT) -> Tensor:
        """() -> so many of the images, evenly spread, at most all."""
        return self.images[_spread(len(self.images), count)]

    def notes(self, images: int = 0, more: str = "", *, models: int = 1) -> str:
        """() -> the small print of a picture: weights, images, versions and commit."""
        record = provenance()
        made = f"torch {record['versions']['torch']}; commit {str(record['commit'])[:10]}"
        seen = f"{images} images of {self.seen}{more}; " if images else ""
        return "; ".join([*self.weights[:models], f"{seen}{made}"])


def distance_table(name: str, distances: pd.DataFrame) -> Table:
    """The distances of one model, a row a layer."""
    table = Table("layer", "kind", "heads", "pixels: mean", "nearest", "farthest", box=SIMPLE_HEAD)
    for names, heads in distances.groupby(["layer", "kind"], sort=False):
        far = heads["distance"]
        numbers = f"{far.mean():.1f}", f"{far.min():.1f}", f"{far.max():.1f}"
        table.add_row(*map(str, names), str(len(heads)), *numbers)  # type: ignore[arg-type]
    table.title = f"mean attention distance of {name}"
    return table


def write_pictures(looking: Looking, distances: pd.DataFrame, out: Path) -> None:
    """Draw and write whatever there is to see, and say why a picture is missing.

    Args:
        looking: what is looked at.
        distances: attention distances of its models, as `vision.inspection.attention_distance` gives them.
        out: folder, which is made where it is not there.
    """
    out.mkdir(parents=True, exist_ok=True)
    for file, draw in _pictures(looking, distances):
        _write(out / file, draw)


def _pictures(looking: Looking, distances: pd.DataFrame) -> Iterator[tuple[str, Callable[[], Any]]]:
    """File name and picture of each way to look inside; what a model has no part for raises when drawn."""
    name, model = next(iter(looking.models.items()))
    yield "attention_distance.png", lambda: _distance(looking, distances)
    yield "rollout.png", lambda: _rollout(looking, name, model)
    yield "receptive_field.png", lambda: _receptive_field(looking, name, model)
    yield "heads.png", lambda: _heads(looking, name, model)
    yield "positions.png", lambda: _positions(looking, name, model)
    yield "cka.png", lambda: _cka(looking)


def _distance(looking: Looking, distances: pd.DataFrame) -> Any:
    return plots.plot_attention_distance(
        distances,
        title="How far each head looks",
        equal=inspection.equal_distance(Grid(*looking.size), looking.size),
        notes=looking.notes(len(looking.some()), models=2),
    )


def _rollout(looking: Looking, name: str, model: nn.Module) -> Any:
    chosen = _spread(len(looking.images), SHOWN)
    values = inspection.attention_rollout(model, looking.images[chosen]).numpy()
    pixels = looking.pixels
    shown = [None if pixels is None else picture(pixels[i, None], pixels[i].shape) for i in chosen]
    panels = [
        (f"image {i + 1}", shown[i], one * one.size)  # an equal share of all patches is 1
        for i, one in enumerate(values)
    ]
    geometry = "" if not hasattr(model, "conversion") else "; a convolution looks alike at every image"
    return plots.plot_heatmap(
        panels,
        looking.size,
        title=f"Where the output of {name} comes from (attention rollout)",
        label="times an equal share",
        notes=looking.notes(len(values), geometry),
    )


def _receptive_field(looking: Looking, name: str, model: nn.Module) -> Any:
    layers = inspection.block_names(model)
    images = looking.some()
    panels = []
    for layer in (layers[i] for i in _spread(len(layers), SHOWN)):
        field = inspection.effective_receptive_field(model, images, layer).numpy()
        panels.append((f"after {layer}", None, field / max(float(field.max()), np.finfo(float).tiny)))
    return plots.plot_heatmap(
        panels,
        looking.size,
        title=f"Which pixels move the central token of {name}",
        label="mean |gradient|, of its largest",
        log=True,
        notes=looking.notes(len(images), ", averaged; black: below 1/10,000, or not seen"),
    )


def _heads(looking: Looking, name: str, model: nn.Module) -> Any:
    places = inspection.head_positions(model)
    learned = places.query("width > 0")
    if learned.empty:
        why = (
            "those of its convolutions sit on their kernels"
            if len(places)
            else "its attention has no centres"
        )
        raise ValueError(f"{name} has no heads whose centres are learned: {why}")
    return plots.plot_heads(learned, title=f"Where the heads of {name} look", notes=looking.notes())


def _positions(looking: Looking, name: str, model: nn.Module) -> Any:
    similarity = inspection.position_similarity(model).numpy()
    return plots.plot_position_similarity(
        similarity, title=f"Position vectors of {name}", notes=looking.notes()
    )


def _cka(looking: Looking) -> Any:
    images = looking.images
    if len(images) < FEWEST_FOR_CKA:
        raise ValueError(f"CKA needs {FEWEST_FOR_CKA} images or more, got {len(images)}")
    (one, model), (other, beside) = [*looking.models.items(), *looking.models.items()][:2]
    batches = [batch for batch in images.split(AT_ONCE) if len(batch) >= FEWEST_FOR_CKA]
    count = sum(map(len, batches))
    return plots.plot_cka(
        inspection.cka(model, beside, batches),
        title="How alike the layers are",
        rows=one,
        columns=other,
        notes=looking.notes(count, f" in {len(batches)} minibatches", models=2),
    )


def _spread(count: int, most: int) -> list[int]:
    """() -> so many of count numbers, evenly spread from the first to the last."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)).tolist()


def _write(path: Path, draw: Callable[[], Any]) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        try:
            figure = draw()
        except ValueError as error:
            print(f"no {path.name}: {error}", file=sys.stderr)
            return
        plots.save(figure, path.with_suffix(""))
    for message in dict.fromkeys(str(one.message) for one in told if one.category is UserWarning):
        print(f"{path.name}: {message}", file=sys.stderr)
    print(f"wrote {path}")
