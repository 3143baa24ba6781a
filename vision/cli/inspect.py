"""`vision inspect`: what a model has learned to look at, in one table and a picture each.

vision inspect outputs/demo/ViT/n1200/s0 --against outputs/demo/CNN/n1200/s0
"""

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from vision import analysis, plots
from vision.cli.images import SEED, image_files, noise, normalised, picture, read_images, statistics
from vision.cli.weights import build_with_weights
from vision.convert import as_attention, load_converted
from vision.convert.conversion import input_shape
from vision.convert.files import CONVERSION
from vision.models import find_named
from vision.patches import Grid
from vision.provenance import provenance
from vision.results import RESULT

READ = 64  # images at most, all of which CKA compares
LOOKED_AT, SHOWN = 8, 4  # of these, evenly spread: for all but CKA, and in a picture
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
    files = None if data is None else image_files(data, READ)
    model, note = _model(name, checkpoint, pretrained, input_size)
    shape = _shape(model, input_size)
    pixels = None if files is None else read_images(files, shape)
    images = noise(shape, READ) if pixels is None else normalised(pixels, model)
    found, notes = {_short(name): model}, [_weights(name, note)]
    if against is not None and against != name:
        other, note = _model(against, None, pretrained, input_size)
        if _shape(other, input_size) != shape:
            raise ValueError(
                f"--against needs a model for images of {shape} (C, H, W), got "
                f"{_shape(other, input_size)}; give --input-size"
            )
        found[_short(against) if _short(against) not in found else against] = other
        notes.append(_weights(against, note))
    models = {short: _as_attention(one, images[:1], shape) for short, one in found.items()}
    for one, converted in zip(found.values(), models.values(), strict=True):
        _feed(converted, shape[0], like=model, own=one)
    seen = f"noise (seed {SEED})" if data is None else data.absolute().name
    looking = Looking(models, images, pixels, notes, seen)
    distances = _distances(looking)
    tables = [_table(str(one), heads) for one, heads in distances.groupby("model", sort=False)]
    Console().print(*tables, "\n".join([*notes, f"{len(images)} images of {seen}"]), soft_wrap=True)
    out.mkdir(parents=True, exist_ok=True)
    for file, draw in _pictures(looking, distances):
        _write(out / file, draw)
    return 0


def _model(
    name: str, checkpoint: Path | None, pretrained: bool, input_size: int | None
) -> tuple[nn.Module, str]:
    if (Path(name) / CONVERSION).is_file():
        if checkpoint is not None or pretrained:
            raise ValueError(
                f"{name} holds a converted model's weights; leave out --checkpoint, --pretrained"
            )
        return load_converted(name), f"{name}: converted, with its weights"
    found = find_named(name, img_size=input_size)
    model, note = build_with_weights(found, checkpoint, pretrained)
    return model.eval(), note


def _shape(model: nn.Module, input_size: int | None) -> tuple[int, ...]:
    """() -> (C, H, W) of the images; a converted model's are those that it was converted for."""
    report: Any = getattr(model, "conversion", None)
    return input_shape(model, input_size if report is None else input_size or report.input_shape)


def _as_attention(model: nn.Module, image: Tensor, shape: tuple[int, ...]) -> nn.Module:
    """The model itself where attention alone mixes its tokens, or it is converted; else converted."""
    if hasattr(model, "conversion"):
        return model
    convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    cuts_patches = all(one.kernel_size == one.stride or one.kernel_size == (1, 1) for one in convolutions)
    if cuts_patches and not analysis.attention_distance(model, image).empty:
        return model
    return as_attention(model, shape)


def _feed(model: nn.Module, channels: int, *, like: nn.Module, own: nn.Module) -> None:
    """Let a model, given images normalised as `like` has them, see them normalised as its `own` has them."""
    (mean, std), (its_mean, its_std) = statistics(like, channels), statistics(own, channels)
    if torch.equal(mean, its_mean) and torch.equal(std, its_std):
        return

    def normalise(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return ((inputs[0] * std + mean - its_mean) / its_std, *inputs[1:])

    model.register_forward_pre_hook(normalise)


def _record(name: str) -> dict[str, Any] | None:
    file = Path(name) / RESULT
    return json.loads(file.read_text()) if file.is_file() else None


def _short(name: str) -> str:
    """() -> a name for titles: that of the model; of a run's folder, its label, size and seed."""
    run = _record(name)
    return name if run is None else f"{run['label']} ({run['train_size']:,} images, seed {run['seed']})"


def _weights(name: str, note: str) -> str:
    """() -> what the weights are: how a run was trained, else the note that came with them."""
    run = _record(name)
    if run is None:
        return f"{name}: {note.partition(';')[0]}"
    return (
        f"{_short(name)}: one run on {run['data']}, {run['steps']:,} steps, "
        f"test accuracy {100 * run['test_accuracy']:.1f}%, commit {str(run['commit'])[:10]}"
    )


def _distances(looking: Looking) -> pd.DataFrame:
    """Attention distances of all models, after a line for the layers that have none."""
    tables = []
    for name, model in looking.models.items():
        table = analysis.attention_distance(model, looking.some())
        reasons: dict[str, list[str]] = {}
        for layer, reason in table.attrs["skipped"].items():
            reasons.setdefault(reason, []).append(layer)
        for reason, layers in reasons.items():
            rest = f" and {len(layers) - 1} more" if len(layers) > 1 else ""
            print(f"no distance of {name}, {layers[0]}{rest}: {reason}", file=sys.stderr)
        tables.append(table.assign(model=name))
    return pd.concat(tables, ignore_index=True)


def _table(name: str, distances: pd.DataFrame) -> Table:
    table = Table("layer", "kind", "heads", "pixels: mean", "nearest", "farthest", box=SIMPLE_HEAD)
    for names, heads in distances.groupby(["layer", "kind"], sort=False):
        far = heads["distance"]
        numbers = f"{far.mean():.1f}", f"{far.min():.1f}", f"{far.max():.1f}"
        table.add_row(*map(str, names), str(len(heads)), *numbers)  # type: ignore[arg-type]
    table.title = f"mean attention distance of {name}"
    return table


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
        equal=analysis.equal_distance(Grid(*looking.size), looking.size),
        notes=looking.notes(len(looking.some()), models=2),
    )


def _rollout(looking: Looking, name: str, model: nn.Module) -> Any:
    chosen = _spread(len(looking.images), SHOWN)
    values = analysis.attention_rollout(model, looking.images[chosen]).numpy()
    pixels = looking.pixels
    shown = [None if pixels is None else picture(pixels[i, None], pixels[i].shape) for i in chosen]
    panels = [
        (f"image {i + 1}", shown[i], one * one.size)  # an equal share of all patches is 1
        for i, one in enumerate(values)
    ]
    geometry = "" if not hasattr(model, "conversion") else "; a convolution looks alike at every image"
    return plots.plot_heat(
        panels,
        looking.size,
        title=f"Where the output of {name} comes from (attention rollout)",
        label="times an equal share",
        notes=looking.notes(len(values), geometry),
    )


def _receptive_field(looking: Looking, name: str, model: nn.Module) -> Any:
    layers = analysis.block_names(model)
    images = looking.some()
    panels = []
    for layer in (layers[i] for i in _spread(len(layers), SHOWN)):
        field = analysis.effective_receptive_field(model, images, layer).numpy()
        panels.append((f"after {layer}", None, field / max(float(field.max()), np.finfo(float).tiny)))
    return plots.plot_heat(
        panels,
        looking.size,
        title=f"Which pixels move the central token of {name}",
        label="mean |gradient|, of its largest",
        log=True,
        notes=looking.notes(len(images), ", averaged; black: below 1/10,000, or not seen"),
    )


def _heads(looking: Looking, name: str, model: nn.Module) -> Any:
    places = analysis.head_places(model)
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
    similarity = analysis.position_similarity(model).numpy()
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
        analysis.cka(model, beside, batches),
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
