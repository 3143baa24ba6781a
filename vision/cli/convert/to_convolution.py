"""`vision convert --to convolution`: the nearest CNNs of a ViT, their error and what accuracy they keep.

vision convert outputs/demo/ViT/n1200/s0 --to convolution --kernel-size 3,5,7,full --out outputs/nearest
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pandas as pd
import torch
from rich.box import SIMPLE_HEAD
from rich.table import Table
from torch import Tensor, nn

from vision.cli.console import console, print_line
from vision.cli.convert.image_counts import FITTED
from vision.cli.images import SEED, image_files, noise, normalize, read_images, spread_indices
from vision.cli.model_arguments import ModelChoice
from vision.cli.run_data import is_run, run_inputs
from vision.cli.weights import build_with_weights
from vision.convert import Calibration, ConvolutionSummary, input_shape
from vision.convert.convolution_summary import ConvolutionModel
from vision.convert.kernel_size import KernelSize
from vision.convert.nearest_registry import check_source, save_nearest_cnn
from vision.data import Inputs
from vision.models.sources import ModelSource

NOISE_IMAGES = 64
BATCH = 256
ERROR = "error: squared, as a share of the variance of the layer's output"


@dataclass(frozen=True)
class Images:
    """What a conversion is fitted and scored on.

    Attributes:
        calibration: (B, C, H, W), normalized.
        test: batches of images and, for a run, of their classes.
        description: what is fitted and scored on which of them.
    """

    calibration: Tensor
    test: Sequence[tuple[Tensor, Tensor | None]]
    description: str


def kernel_sizes(text: str) -> list[KernelSize]:
    """Return the sizes of --kernel-size.

    >>> kernel_sizes("3,5,full")
    [3, 5, 'full']
    """
    sizes: list[KernelSize] = []
    for word in text.split(","):
        word = word.strip()
        if word != "full" and not (word.isdecimal() and int(word) % 2 == 1):
            raise ValueError(f'--kernel-size must be odd numbers or "full", such as 3,5,full, got {text!r}')
        sizes.append("full" if word == "full" else int(word))
    return list(dict.fromkeys(sizes))


def calibration_images(inputs: Inputs, most: int = FITTED) -> Tensor:
    """Return up to `most` training images of a run, normalized.

    They are evenly spaced, as images in a folder are in the order of their classes.
    """
    train = inputs.subset.train
    chosen = train[torch.tensor(spread_indices(len(train), most))]
    return torch.cat([images for images, _ in inputs.eval_batches(inputs.source.train, chosen)])


def convert_to_convolution(
    choice: ModelChoice,
    *,
    data: Path | None,
    sizes: Sequence[KernelSize],
    distill_steps: int,
    out: Path | None,
) -> int:
    """Print the error of each layer and the accuracy kept for each kernel size; save the models to `out`."""
    folders = [] if out is None else [_folder(out, size) for size in sizes]
    if taken := [folder for folder in folders if folder.exists() and any(folder.iterdir())]:
        raise ValueError(
            f"--out: {taken[0]} exists and is not empty; nothing was changed, give another folder"
        )
    source, model, weights = build_with_weights(choice)
    if out is not None:
        check_source(source, model)
    model.eval()
    images = _images(Path(choice.name), model, data, input_shape(model, choice.input_size))
    calibration = Calibration(model, images.calibration)
    for size in sizes:
        calibration.check(size)
    converted: dict[KernelSize, nn.Module] = {
        size: calibration.convert(size, distill_steps=distill_steps).eval() for size in sizes
    }
    before = _outputs(model, images)
    scores: dict[KernelSize, dict[str, float]] = {
        size: _score(_outputs(one, images), before, images) for size, one in converted.items()
    }
    layers = _layers(converted)
    _print(choice.name, layers, scores, _score(before, before, images))
    for line in [ERROR, weights, images.description, *_distilled(converted), *_left(converted)]:
        print_line(line)
    if out is not None:
        _write(out, source, converted, layers, scores)
    return 0


def _images(run: Path, model: nn.Module, data: Path | None, shape: tuple[int, ...]) -> Images:
    """Return the images of a run, those of a folder, or noise."""
    if data is None and is_run(run):
        inputs = run_inputs(run)
        calibration = calibration_images(inputs)
        test = list(inputs.eval_batches(inputs.test))
        text = (
            f"fitted on {len(calibration)} training images of the run, scored on its {len(inputs.test)} test "
            "images"
        )
        return Images(calibration, test, text)
    if data is not None:
        calibration = normalize(read_images(image_files(data, FITTED), shape), model)
        text = f"fitted and scored on the same {len(calibration)} images of {data}"
        return Images(calibration, [(calibration, None)], text)
    calibration = noise(shape, NOISE_IMAGES)
    text = (
        f"fitted and scored on the same {NOISE_IMAGES} images of noise (seed {SEED}), which say little about "
        "photographs"
    )
    return Images(calibration, [(calibration, None)], text)


@torch.no_grad()
def _outputs(model: nn.Module, images: Images) -> Tensor:
    return torch.cat([model(part) for batch, _ in images.test for part in torch.split(batch, BATCH)])


def _score(outputs: Tensor, before: Tensor, images: Images) -> dict[str, float]:
    """Return the share of images with the original's class, and the accuracy if the classes are known."""
    predicted = outputs.argmax(1)
    score = {"agreement": float((predicted == before.argmax(1)).float().mean())}
    labels = [label for _, label in images.test if label is not None]
    if labels:
        score["accuracy"] = float((predicted == torch.cat(labels)).float().mean())
    return score


def _layers(converted: dict[KernelSize, nn.Module]) -> pd.DataFrame:
    """Return one row per layer, and a column of errors for each kernel size."""
    columns = {
        _label(size): {row.name: row.error for row in _summary(one).rows} for size, one in converted.items()
    }
    return pd.DataFrame(columns).rename_axis("layer")


def _print(
    name: str, layers: pd.DataFrame, scores: dict[KernelSize, dict[str, float]], before: dict[str, float]
) -> None:
    print_line(f"the nearest CNNs of {name}: error of each layer by kernel size")
    table = Table("layer", *layers.columns, box=SIMPLE_HEAD)
    for layer, errors in layers.iterrows():
        table.add_row(str(layer), *(f"{error:.1%}" for error in errors))
    table.add_section()
    for key in ("agreement", "accuracy"):
        if key in before:
            label = f"accuracy (was {before[key]:.1%})" if key == "accuracy" else "same class as before"
            table.add_row(label, *(f"{score[key]:.1%}" for score in scores.values()))
    console().print(table)


def _distilled(converted: dict[KernelSize, nn.Module]) -> list[str]:
    lines: list[str] = []
    for size, one in converted.items():
        summary = _summary(one)
        if summary.logit_errors is None:
            continue
        before, after = summary.logit_errors
        what = f"from {before:.3g} to {after:.3g}" if after < before else f"{before:.3g}, the fit is kept"
        lines.append(f"{_label(size)}, {summary.distill_steps} steps of training: squared logit error {what}")
    return [*lines, "the errors of the layers are those before the training"] if lines else []


def _left(converted: dict[KernelSize, nn.Module]) -> list[str]:
    first = _summary(next(iter(converted.values())))
    return [f"left unchanged: {left}" for left in first.left]


def _write(
    out: Path,
    source: ModelSource,
    converted: dict[KernelSize, nn.Module],
    layers: pd.DataFrame,
    scores: dict[KernelSize, dict[str, float]],
) -> None:
    """Write each model to its own folder, and the two tables."""
    for size, model in converted.items():
        folder = _folder(out, size)
        save_nearest_cnn(model, folder, source)
        print_line(f"wrote {folder}")
    layers.to_csv(out / "layers.csv")
    pd.DataFrame(scores).T.rename_axis("kernel_size").to_csv(out / "accuracy.csv")
    for file in ("layers.csv", "accuracy.csv"):
        print_line(f"wrote {out / file}")


def _folder(out: Path, size: KernelSize) -> Path:
    return out / f"k{size}"


def _summary(model: nn.Module) -> ConvolutionSummary:
    return cast(ConvolutionModel, model).conversion


def _label(size: KernelSize) -> str:
    return size if isinstance(size, str) else f"{size} x {size}"
