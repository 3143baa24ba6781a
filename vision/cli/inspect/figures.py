"""The figures that `vision inspect` writes: every one that a model has.

>>> write_figures(inputs, distances, shares, Path("outputs/inspect"))  # doctest: +SKIP
"""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from vision import inspection, plots
from vision.cli.images import picture, spread_indices
from vision.cli.inspect.models import InspectionInputs
from vision.cli.stderr import tell
from vision.patches import Grid
from vision.plots import Figure
from vision.plots.model.heatmap import Panel

PANELS = 4  # images or layers in a figure
CKA_BATCH = 8  # images in a minibatch
FEWEST_FOR_CKA = 4
SHARE_LAYERS = 12  # rows of the figure of kernel shares


def write_figures(
    inputs: InspectionInputs,
    distances: pd.DataFrame,
    shares: inspection.KernelShares | None,
    out: Path,
) -> None:
    """Draw and write every figure that the models allow, and print why a figure is missing.

    Args:
        inputs: models and images.
        distances: attention distances of the models, as `attention_distances` returns them.
        shares: of the first model, as `kernel_shares` returns them.
        out: folder, which is made if it does not exist.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name, draw in _figures(inputs, distances, shares):
        _write(out / name, draw)


def _figures(
    inputs: InspectionInputs, distances: pd.DataFrame, shares: inspection.KernelShares | None
) -> Iterator[tuple[str, Callable[[], Figure]]]:
    """Yield the file name and function of each figure; ValueError means that the model has no such part."""
    name, model = next(iter(inputs.models.items()))
    yield "attention_distance.png", lambda: _distance(inputs, distances)
    if shares is not None:
        yield "kernel_shares.png", lambda: _kernel_shares(inputs, name, shares)
    yield "rollout.png", lambda: _rollout(inputs, name, model)
    yield "receptive_field.png", lambda: _receptive_field(inputs, name, model)
    yield "heads.png", lambda: _heads(inputs, name, model)
    yield "positions.png", lambda: _positions(inputs, name, model)
    yield "cka.png", lambda: _cka(inputs)


def _distance(inputs: InspectionInputs, distances: pd.DataFrame) -> Figure:
    return plots.plot_attention_distance(
        distances,
        title="How far each head looks",
        equal=inspection.equal_distance(Grid(*inputs.size), inputs.size),
        notes=inputs.notes(len(inputs.few_images()), models=2),
    )


def _kernel_shares(inputs: InspectionInputs, name: str, shares: inspection.KernelShares) -> Figure:
    layers = list(dict.fromkeys(shares.table["layer"]))
    chosen = [layers[index] for index in spread_indices(len(layers), SHARE_LAYERS)]
    left_out = f", {len(chosen)} of {len(layers)} layers" if len(chosen) < len(layers) else ""
    return plots.plot_kernel_shares(
        shares.table[shares.table["layer"].isin(chosen)],
        {layer: (kernel.weights, kernel.rows, kernel.cols) for layer, kernel in shares.kernels.items()},
        title=f"How convolutional the heads of {name} are",
        notes=inputs.notes(
            len(inputs.images),
            f"{left_out}; line: 95% interval over images; above a kernel: head and width in tokens",
        ),
    )


def _rollout(inputs: InspectionInputs, name: str, model: nn.Module) -> Figure:
    chosen = spread_indices(len(inputs.images), PANELS)
    values = inspection.attention_rollout(model, inputs.images[chosen]).numpy()
    pixels = inputs.pixels
    images = [None if pixels is None else picture(pixels[i, None], pixels[i].shape) for i in chosen]
    panels = [
        (f"image {i + 1}", images[i], shares * shares.size)  # an equal share of all patches is 1
        for i, shares in enumerate(values)
    ]
    more = "; a convolution looks alike at every image" if hasattr(model, "conversion") else ""
    return plots.plot_heatmap(
        panels,
        inputs.size,
        title=f"Where the output of {name} comes from (attention rollout)",
        label="times an equal share",
        notes=inputs.notes(len(values), more),
    )


def _receptive_field(inputs: InspectionInputs, name: str, model: nn.Module) -> Figure:
    layers = inspection.block_names(model)
    images = inputs.few_images()
    panels: list[Panel] = []
    for layer in (layers[i] for i in spread_indices(len(layers), PANELS)):
        field = inspection.effective_receptive_field(model, images, layer).numpy()
        panels.append((f"after {layer}", None, field / max(float(field.max()), np.finfo(float).tiny)))
    return plots.plot_heatmap(
        panels,
        inputs.size,
        title=f"Which pixels move the central token of {name}",
        label="mean |gradient|, of its largest",
        log=True,
        notes=inputs.notes(len(images), ", averaged; black: below 1/10,000, or not seen"),
    )


def _heads(inputs: InspectionInputs, name: str, model: nn.Module) -> Figure:
    positions = inspection.head_positions(model)
    learned = positions.query("width > 0")
    if learned.empty:
        fixed = "the centres of its convolutions are the kernel positions"
        reason = fixed if len(positions) else "its attention has no centres"
        raise ValueError(f"{name} has no heads whose centres are learned: {reason}")
    return plots.plot_heads(learned, title=f"Where the heads of {name} look", notes=inputs.notes())


def _positions(inputs: InspectionInputs, name: str, model: nn.Module) -> Figure:
    similarity = inspection.position_similarity(model).numpy()
    title = f"Position vectors of {name}"
    return plots.plot_position_similarity(similarity, title=title, notes=inputs.notes())


def _cka(inputs: InspectionInputs) -> Figure:
    images = inputs.images
    if len(images) < FEWEST_FOR_CKA:
        raise ValueError(f"CKA needs {FEWEST_FOR_CKA} images or more, got {len(images)}")
    (rows, model), (columns, other) = [*inputs.models.items(), *inputs.models.items()][:2]
    starts = range(0, len(images) - FEWEST_FOR_CKA + 1, CKA_BATCH)
    batches = [images[start : start + CKA_BATCH] for start in starts]
    count = sum(map(len, batches))
    return plots.plot_cka(
        inspection.cka(model, other, batches),
        title="How alike the layers are",
        rows=rows,
        columns=columns,
        notes=inputs.notes(count, f" in {len(batches)} minibatches", models=2),
    )


def _write(path: Path, draw: Callable[[], Figure]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            figure = draw()
        except ValueError as error:
            tell(f"no {path.name}: {error}")
            return
        plots.save(figure, path.with_suffix(""))
    messages = (str(warning.message) for warning in caught if warning.category is UserWarning)
    for message in dict.fromkeys(messages):
        tell(f"{path.name}: {message}")
    print(f"wrote {path}")
