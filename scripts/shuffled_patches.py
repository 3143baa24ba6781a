"""Without positions a ViT does not notice that an image's patches are shuffled; a CNN does.

Trains four models of one backbone with three seeds each. Scores them on the test images as they are, and with
the patches of each image in a random order. Expect equal accuracies of the ViT without positions and of the
model without mixing, for which the tokens are a set. Their logits agree up to the rounding of float32, which
adds the tokens in another order. Expect the CNN and the ViT with positions to lose accuracy.
About 1 minute on digits, and 3 minutes on 32 x 32 pixels, on one core.

    python scripts/shuffled_patches.py --out outputs/shuffled_patches
    python scripts/shuffled_patches.py --root FOLDER --out docs/figures   # its train.parquet and test.parquet
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from torch import Tensor, nn

from vision.config import AugmentConfig, DataConfig, ModelConfig, RunConfig, TrainingConfig
from vision.data import Source, load_source
from vision.experiment import run
from vision.models import load_model
from vision.patches import shuffle_patches
from vision.plots import save
from vision.plots.layout.figure import new_figure
from vision.plots.layout.heatmap_cells import without_frame
from vision.plots.layout.legend import legend_above
from vision.plots.layout.style import COLOURS, MUTED, styled
from vision.plots.layout.tables import check_table
from vision.statistics import accuracy_curves

# Label -> name and arguments; the same backbone, patches and number of blocks.
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "ViT, no positions": ("field_vit", {"pos_embed": "none"}),
    "no mixing": ("field_identity", {}),
    "ViT, learned positions": ("field_vit", {"pos_embed": "learned"}),
    "CNN, 3 x 3": ("field_cnn", {"mixer_options": {"kernel_size": 3}}),
}
PARAMS, SEEDS, SHUFFLE_SEED = 100_000, (0, 1, 2), 0
TEST_IMAGES, BATCH, EXAMPLE = 2000, 500, 0  # the first test images are scored, and the first is drawn

INTACT, SHUFFLED = COLOURS[0], COLOURS[1]
OFFSET = 0.13  # in rows, so that equal accuracies do not hide each other
SCORE_COLUMNS = ("label", "images", "mean", "low", "high")


def configs(data: DataConfig, train_size: int, training: TrainingConfig, out: str) -> Iterator[RunConfig]:
    """Yield the config of every run; the seed determines the subset as well."""
    for label, (name, arguments) in MODELS.items():
        for seed in SEEDS:
            yield RunConfig(
                data=replace(data, subset_seed=seed),
                model=ModelConfig(name=name, label=label, kwargs={"params": PARAMS, **arguments}),
                training=training,
                train_size=train_size,
                seed=seed,
                sweep="shuffled_patches",
                output_dir=out,
            )


def score(model: nn.Module, pixels: Tensor, labels: Tensor, *, patch_size: int) -> dict[str, float]:
    """Return the accuracy on images (N, C, H, W) as they are and shuffled.

    `moved` is the largest difference between the logits of an image and of its shuffled form, divided by the
    largest logit.
    """
    hits, moved, largest = {"intact": 0, "shuffled": 0}, 0.0, 0.0
    generator = torch.Generator().manual_seed(SHUFFLE_SEED)
    with torch.inference_mode():
        for images, targets in zip(pixels.split(BATCH), labels.split(BATCH), strict=True):
            intact = model(images)
            shuffled = model(shuffle_patches(images, patch_size, generator))
            for name, logits in (("intact", intact), ("shuffled", shuffled)):
                hits[name] += int((logits.argmax(1) == targets).sum())
            moved = max(moved, float((shuffled - intact).abs().max()))
            largest = max(largest, float(intact.abs().max()))
    return {**{name: count / len(labels) for name, count in hits.items()}, "moved": moved / largest}


def train_and_score(config: RunConfig, source: Source) -> dict[str, Any]:
    """Return the record of a run, trained now or before, with both accuracies."""
    record = run(config)
    model: Any = load_model(record["folder"]).eval()
    mean, std = (torch.tensor(model.pretrained_cfg[name]).view(-1, 1, 1) for name in ("mean", "std"))
    pixels = (test_pixels(source) - mean) / std
    both = score(model, pixels, source.test.labels[:TEST_IMAGES], patch_size=model.patch_embed.patch_size)
    return {**record, **both}


def test_pixels(source: Source) -> Tensor:
    """Return the test images (N, C, H, W) in [0, 1], at most TEST_IMAGES of them."""
    return torch.as_tensor(source.test.pixels[:TEST_IMAGES]).float() / 255  # type: ignore[index]


def intervals(records: pd.DataFrame) -> pd.DataFrame:
    """Return mean and 95% t interval over seeds on both kinds of images, for `plot_shuffled_patches`."""
    both = [accuracy_curves(records, metric=name).assign(images=name) for name in ("intact", "shuffled")]
    order = {label: index for index, label in enumerate(MODELS)}
    return pd.concat(both).sort_values("label", key=lambda labels: labels.map(order), kind="stable")


def draw(records: pd.DataFrame, source: Source, patch_size: int) -> Figure:
    """Draw the accuracies, with one test image in both forms."""
    image = test_pixels(source)[EXAMPLE : EXAMPLE + 1]
    shuffled = shuffle_patches(image, patch_size, torch.Generator().manual_seed(SHUFFLE_SEED))
    example = _pixels(image), _pixels(shuffled)
    first, seeds = records.iloc[0], records["seed"].nunique()
    notes = (
        f"mean and 95% t-interval over n = {seeds} seeds, each with its own subset; "
        f"{first['train_size']:,} training images, {first['steps']} steps, about {PARAMS:,} parameters; "
        f"{min(first['n_test'], TEST_IMAGES):,} test images, "
        f"one random order per image, patches of {patch_size} x {patch_size} pixels; float32; "
        f"torch {first['versions']['torch']}; {first['device']}; commit {str(first['commit'])[:10]}"
    )
    return plot_shuffled_patches(
        intervals(records),
        example,
        patch_size=patch_size,
        title=f"Who notices that the patches are shuffled? {first['data']}",
        chance=1 / len(source.classes),
        notes=notes,
    )


def _pixels(images: Tensor) -> NDArray[Any]:
    """(1, C, H, W) -> (H, W, C), or (H, W) of a grey image."""
    return images[0].permute(1, 2, 0).squeeze(-1).numpy()


@styled
def plot_shuffled_patches(
    scores: pd.DataFrame,
    example: tuple[NDArray[Any], NDArray[Any]],
    *,
    patch_size: int,
    title: str,
    chance: float | None = None,
    notes: str = "",
) -> Figure:
    """Draw one image in both forms, and below it the accuracy of each model on both, with intervals.

    Args:
        scores: columns label, images (intact or shuffled), and mean, low and high in [0, 1]; the first label
            is drawn at the top.
        example: an image (H, W) or (H, W, 3) in [0, 1], and the same with its patches shuffled.
        patch_size: side of a patch in pixels, for the grid over the example.
        title: text above the figure.
        chance: accuracy of guessing, drawn as a line.
        notes: small print below it.

    Raises:
        ValueError: a column is missing.
    """
    check_table(scores, SCORE_COLUMNS, name="scores")
    figure, body = new_figure(title, notes, height=5.2)
    parts: Any = body.subfigures(2, 1, height_ratios=(1.6, 3.6))
    pictures, below = parts
    intact, shuffled = pictures.subplots(1, 2)
    for ax, image in zip((intact, shuffled), example, strict=True):
        _draw_example(ax, image, patch_size)
    intact.set_title("as it is", color=INTACT)
    shuffled.set_title("patches shuffled", color=SHUFFLED)
    _draw_scores(below.subplots(), scores, chance)
    legend_above(below, _score_legend(chance))
    return figure


def _draw_example(ax: Axes, image: NDArray[Any], patch_size: int) -> None:
    height, width = image.shape[:2]
    ax.imshow(image, cmap="gray", vmin=0, vmax=1, extent=(0, width, height, 0))
    for draw_line, size in ((ax.axhline, height), (ax.axvline, width)):
        for position in range(patch_size, size, patch_size):
            draw_line(position, color="white", linewidth=0.5, alpha=0.6)
    ax.set(xticks=[], yticks=[])
    without_frame(ax)


def _draw_scores(panel: Axes, scores: pd.DataFrame, chance: float | None) -> None:
    labels = list(dict.fromkeys(scores["label"]))
    for row in scores.to_dict("records"):
        intact = row["images"] == "intact"
        at = labels.index(row["label"]) + (-OFFSET if intact else OFFSET)
        colour, mean = INTACT if intact else SHUFFLED, 100 * row["mean"]
        panel.plot([100 * row["low"], 100 * row["high"]], [at, at], color=colour, linewidth=2.2, alpha=0.55)
        panel.plot(mean, at, ls="none", marker="o" if intact else "s", color=colour, markersize=7)
        text: Any = {"ha": "center", "va": "bottom" if intact else "top", "color": colour}
        panel.annotate(
            f"{mean:.1f}", (mean, at), (0, 6 if intact else -6), textcoords="offset points", **text
        )
    panel.set_yticks(range(len(labels)), labels)
    panel.set_ylim(len(labels) - 0.4, -0.6)
    panel.set_xlabel("test accuracy (%)")
    if chance is not None:
        panel.axvline(100 * chance, color=MUTED, linestyle=":")
    panel.set_xlim(left=0)
    panel.grid(False)
    panel.grid(True, axis="x")


def _score_legend(chance: float | None) -> list[Line2D]:
    handles = [
        Line2D([], [], color=INTACT, marker="o", label="images as they are"),
        Line2D([], [], color=SHUFFLED, marker="s", label="patches shuffled"),
    ]
    if chance is not None:
        handles.append(Line2D([], [], color=MUTED, linestyle=":", label="chance"))
    return handles


def main(arguments: list[str] | None = None) -> None:
    """Train and score the models, print the tables, and write the figure."""
    parser = argparse.ArgumentParser(description="Score models on images with shuffled patches.")
    parser.add_argument("--root", type=Path, help="folder of train.parquet and test.parquet; default: digits")
    parser.add_argument(
        "--name", default="cifar10-jpeg", help="name of the data in --root (default: %(default)s)"
    )
    parser.add_argument("--train-size", type=int, help="training images (default: 1,200 digits, else 2,000)")
    parser.add_argument("--steps", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--runs", type=Path, help="keep the runs there, and reuse finished ones")
    parser.add_argument("--out", type=Path, default=Path("docs/figures"), help="default: %(default)s")
    options = parser.parse_args(arguments)
    training = TrainingConfig(
        steps=options.steps, num_evaluations=1, precision="float32", device="cpu", threads=1
    )
    data = _data(options.root, options.name)
    size, source = options.train_size or (2000 if options.root else 1200), load_source(data)
    with TemporaryDirectory() as temporary:
        chosen = configs(data, size, training, str(options.runs or temporary))
        records = pd.DataFrame([train_and_score(config, source) for config in chosen])
    shown = records.assign(moved=[f"{moved:.0e}" for moved in records["moved"]])
    print(shown[["label", "seed", "train_size", "params", "intact", "shuffled", "moved"]].to_string())
    print(intervals(records).drop(columns=["data", "std"]).round(4).to_string())
    figure = draw(records, source, records["model_arguments"].iloc[0]["patch_size"])
    save(figure, options.out / "shuffled_patches")


def _data(root: Path | None, name: str) -> DataConfig:
    if root is None:
        return DataConfig(name="digits", source="digits")
    augment = AugmentConfig(crop_padding=4, flip=True)
    return DataConfig(name=name, source="parquet", root=str(root), test_size=TEST_IMAGES, augment=augment)


if __name__ == "__main__":
    main()
