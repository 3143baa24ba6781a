"""How convolutional the attention of finished runs is: kernel shares, and what their nearest CNNs keep.

>>> evaluate_inside("kernel_share", runs, images, table, progress)  # doctest: +SKIP
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

from torch import nn

from vision.cli.evaluate.chosen_images import ChosenImages, choose_images
from vision.cli.evaluate.models import LoadedRun
from vision.cli.evaluate.progress import EvaluationProgress
from vision.cli.evaluate.runs import left_out
from vision.cli.stderr import tell
from vision.convert import Calibration
from vision.convert.convolution_summary import ConvolutionModel
from vision.convert.kernel_size import KernelSize
from vision.inspection import kernel_shares
from vision.inspection.attention_distance import is_fixed
from vision.results import EvaluationTable
from vision.robustness import AS_THEY_ARE
from vision.robustness.scores import scores

MOST_IMAGES = 256  # of which attention is measured, or on which the kernels of a nearest CNN are fitted
KERNEL_SIZES = (3, 5, 7)

Rows = list[dict[str, Any]]


def evaluate_inside(
    name: str,
    runs: Sequence[LoadedRun],
    images: ChosenImages,
    table: EvaluationTable,
    progress: EvaluationProgress,
) -> None:
    """Write the rows of the runs that are not in the table; runs without attention are counted in a line.

    Args:
        name: one of `INSIDE`.
        runs: with the same images.
        images: test images.
        table: of the evaluation.
        progress: of the command.
    """
    measure, without = INSIDE[name], list[str]()
    for run in progress.track(runs, name, total=len(runs)):
        try:
            rows = measure(run, images, table)
        except ValueError:  # the model runs on these images, so the reason is its attention
            without.append(str(run.finished.row["folder"]))
        else:
            table.add({**run.columns, **row} for row in rows)
    if line := left_out(without, WITHOUT[name]):
        tell(f"{line} ({name})")


def kernel_share_rows(run: LoadedRun, images: ChosenImages, table: EvaluationTable) -> Rows:
    """Return a row per layer with attention: the shares and the effective width, averaged over its heads.

    Convolutions and pools as attention, such as the patch stem of a softened CNN, are kernels whatever the
    model has learned. They count only where there is nothing else.

    Raises:
        ValueError: the model has no attention with offsets between query and key.
    """
    # The test images may be in the order of their classes.
    few = min(MOST_IMAGES, len(images.labels))
    pixels = choose_images(run.inputs.test, few, setting="kernel_share").pixels
    key = {"kind": "layer", "images": len(pixels)}
    if table.has(**run.finished.key, **key, level=1):
        return []
    classifier = run.classifier
    heads = kernel_shares(classifier.model, classifier.normalized(pixels), resamples=1).table
    fixed = is_fixed(heads["kind"])
    heads = heads if fixed.all() else heads[~fixed]
    layers = heads.groupby("layer", sort=False)[["kernel", "position", "content", "width"]].mean()
    rows = layers.reset_index().assign(level=range(1, len(layers) + 1)).to_dict("records")
    return [{**key, **{str(name): value for name, value in row.items()}} for row in rows]


def nearest_cnn_rows(run: LoadedRun, images: ChosenImages, table: EvaluationTable) -> Rows:
    """Return a row per kernel size, the last as wide as the grid: the scores of the nearest CNN.

    Its kernels are fitted on the same training images for every run, whatever it was trained on.

    Raises:
        ValueError: the model has no attention, or some that cannot be converted.
    """
    classifier = run.classifier
    fitted = choose_images(run.inputs.source.train, MOST_IMAGES, setting="nearest_cnn")
    calibration = Calibration(classifier.model, classifier.normalized(fitted.pixels))
    sides = _sides(calibration)
    count = len(images.labels)
    wanted = [(AS_THEY_ARE.kind, int(AS_THEY_ARE.level)), *(("kernel", side) for side in sides)]
    rows: Rows = [{"kind": kind, "level": level, "images": count} for kind, level in wanted]
    todo = [row for row in rows if not table.has(**run.finished.key, **row)]
    if not todo:
        return []
    before = classifier.logits(images.pixels)
    for row in todo:
        size = sides.get(row["level"])
        other = classifier if size is None else classifier.with_model(_converted(calibration, size))
        row |= scores(other.logits(images.pixels), before, images.labels)
    return todo


def _converted(calibration: Calibration, size: KernelSize) -> nn.Module:
    """Return the nearest CNN, or raise a ValueError if it is none: some attention stays."""
    model = calibration.convert(size)
    if staying := cast(ConvolutionModel, model).conversion.left:
        raise ValueError(f"{staying[0].name} cannot be converted: {staying[0].reason}")
    return model


def _sides(calibration: Calibration) -> dict[int, KernelSize]:
    """Return the kernels by their side in tokens; the last one reaches every token."""
    grid = calibration.grid
    if grid is None:  # all attention is convolutions, which keep their kernels
        return {side: side for side in KERNEL_SIZES}
    sides: dict[int, KernelSize] = {side: side for side in KERNEL_SIZES if side <= min(grid.rows, grid.cols)}
    sides[2 * max(grid.rows, grid.cols) - 1] = "full"
    return sides


INSIDE: dict[str, Callable[[LoadedRun, ChosenImages, EvaluationTable], Rows]] = {
    "kernel_share": kernel_share_rows,
    "nearest_cnn": nearest_cnn_rows,
}
WITHOUT = {
    "kernel_share": "no attention that can be read",
    "nearest_cnn": "no attention, or some that cannot be converted",
}
