"""`vision inspect`: what a model has learned to look at, in one table and a picture each.

vision inspect outputs/demo/ViT/n1200/s0 --against outputs/demo/CNN/n1200/s0
"""

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from rich.console import Console
from torch import Tensor, nn

from vision import inspection
from vision.cli.images import SEED, image_files, noise, normalised, read_images, statistics
from vision.cli.inspect_figures import Looking, distance_table, write_pictures
from vision.cli.weights import build_with_weights
from vision.convert import as_attention, load_converted
from vision.convert.conversion import input_shape
from vision.convert.saved import CONVERSION
from vision.models import find_model
from vision.results import RESULT
from vision.text import first_few

READ = 64  # images at most, all of which CKA compares


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
    tables = [distance_table(str(one), heads) for one, heads in distances.groupby("model", sort=False)]
    Console().print(*tables, "\n".join([*notes, f"{len(images)} images of {seen}"]), soft_wrap=True)
    write_pictures(looking, distances, out)
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
    found = find_model(name, img_size=input_size)
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
    if cuts_patches and not inspection.attention_distance(model, image).empty:
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
        table = inspection.attention_distance(model, looking.some())
        reasons: dict[str, list[str]] = {}
        for layer, reason in table.attrs["skipped"].items():
            reasons.setdefault(reason, []).append(layer)
        for reason, layers in reasons.items():
            print(f"no distance of {name}, {first_few(layers, 1)}: {reason}", file=sys.stderr)
        tables.append(table.assign(model=name))
    return pd.concat(tables, ignore_index=True)
