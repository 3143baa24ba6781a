"""Without positions a ViT does not notice that an image's patches are shuffled; a CNN does.

Trains four models of one backbone from three seeds each, and scores them on the test images as they are and
with the patches of each image in a random order of its own. Expect equal accuracies where the tokens are a
set, from the ViT without positions and from no mixing, and a fall of the CNN and of the ViT with positions.
The logits of the former agree but for rounding: float32 adds the tokens up in another order.
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
from torch import Tensor, nn

from vision.config import AugmentConfig, DataConfig, ModelConfig, RunConfig, TrainingConfig
from vision.data import Source, load_source
from vision.experiment import run
from vision.models import load_model
from vision.patches import shuffle_patches
from vision.plots import plot_shuffled_patches, save
from vision.statistics import accuracy_curves

# label -> name, arguments; the same backbone, patches and number of blocks.
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "ViT, no positions": ("field_vit", {"pos_embed": "none"}),
    "no mixing": ("field_identity", {}),
    "ViT, learned positions": ("field_vit", {"pos_embed": "learned"}),
    "CNN, 3 x 3": ("field_cnn", {"mixer_options": {"kernel_size": 3}}),
}
PARAMS, SEEDS, SHUFFLE_SEED = 100_000, (0, 1, 2), 0
TESTED, AT_ONCE, EXAMPLE = 2000, 500, 0  # test images, the first ones


def configs(data: DataConfig, train_size: int, training: TrainingConfig, out: str) -> Iterator[RunConfig]:
    """Every run: the seed chooses the subset as well."""
    for label, (name, arguments) in MODELS.items():
        for seed in SEEDS:
            yield RunConfig(
                data=replace(data, subset_seed=seed),
                model=ModelConfig(name=name, label=label, kwargs={"params": PARAMS, **arguments}),
                training=training,
                train_size=train_size,
                seed=seed,
                sweep="shuffled_patches",
                out=out,
            )


def score(model: nn.Module, pixels: Tensor, labels: Tensor, *, patch_size: int) -> dict[str, float]:
    """pixels (N, C, H, W) in [0, 1], labels (N,) -> accuracy on the images as they are and shuffled.

    `moved` is the largest difference between the logits of an image and of its shuffled form, over the
    largest logit.
    """
    hits, moved, largest = {"intact": 0, "shuffled": 0}, 0.0, 0.0
    generator = torch.Generator().manual_seed(SHUFFLE_SEED)
    with torch.inference_mode():
        for images, targets in zip(pixels.split(AT_ONCE), labels.split(AT_ONCE), strict=True):
            intact = model(images)
            shuffled = model(shuffle_patches(images, patch_size, generator))
            for name, logits in (("intact", intact), ("shuffled", shuffled)):
                hits[name] += int((logits.argmax(1) == targets).sum())
            moved = max(moved, float((shuffled - intact).abs().max()))
            largest = max(largest, float(intact.abs().max()))
    return {**{name: count / len(labels) for name, count in hits.items()}, "moved": moved / largest}


def scored(config: RunConfig, source: Source) -> dict[str, Any]:
    """The record of a run, trained now or before, with both accuracies."""
    record = run(config)
    model: Any = load_model(record["folder"]).eval()
    mean, std = (torch.tensor(model.pretrained_cfg[name]).view(-1, 1, 1) for name in ("mean", "std"))
    pixels = (test_pixels(source) - mean) / std
    both = score(model, pixels, source.test.labels[:TESTED], patch_size=model.patch_embed.patch_size)
    return {**record, **both}


def test_pixels(source: Source) -> Tensor:
    """() -> (N, C, H, W) in [0, 1]: the test images, at most TESTED of them."""
    return torch.as_tensor(source.test.pixels[:TESTED]).float() / 255  # type: ignore[index]


def intervals(records: pd.DataFrame) -> pd.DataFrame:
    """Mean and 95% t-interval over seeds on both kinds of images, as `plot_shuffled_patches` takes them."""
    both = [accuracy_curves(records, metric=name).assign(images=name) for name in ("intact", "shuffled")]
    order = {label: place for place, label in enumerate(MODELS)}
    return pd.concat(both).sort_values("label", key=lambda labels: labels.map(order), kind="stable")


def draw(records: pd.DataFrame, source: Source, patch_size: int) -> Any:
    """The figure, with one test image in both forms."""
    image = test_pixels(source)[EXAMPLE : EXAMPLE + 1]
    shuffled = shuffle_patches(image, patch_size, torch.Generator().manual_seed(SHUFFLE_SEED))
    example = tuple(one[0].permute(1, 2, 0).squeeze(-1).numpy() for one in (image, shuffled))
    first, seeds = records.iloc[0], records["seed"].nunique()
    notes = (
        f"mean and 95% t-interval over n = {seeds} seeds, each with a subset of its own; "
        f"{first['train_size']:,} training images, {first['steps']} steps, about {PARAMS:,} parameters; "
        f"{min(first['n_test'], TESTED):,} test images, "
        f"one random order an image, patches of {patch_size} x {patch_size} pixels; float32; "
        f"torch {first['versions']['torch']}; {first['device']}; commit {str(first['commit'])[:10]}"
    )
    return plot_shuffled_patches(
        intervals(records),
        example,  # type: ignore[arg-type]
        patch_size=patch_size,
        title=f"Who notices that the patches are shuffled? {first['data']}",
        chance=1 / len(source.classes),
        notes=notes,
    )


def main(arguments: list[str] | None = None) -> None:
    """Train, score, print the table, and write shuffled_patches.png and .svg."""
    parser = argparse.ArgumentParser(description="Score models on images with shuffled patches.")
    parser.add_argument("--root", type=Path, help="folder of train.parquet and test.parquet; default: digits")
    parser.add_argument("--name", default="cifar10-jpeg", help="what --root holds (default: %(default)s)")
    parser.add_argument("--train-size", type=int, help="training images (default: 1,200 digits, else 2,000)")
    parser.add_argument("--steps", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--runs", type=Path, help="keep the runs there, and take finished ones from there")
    parser.add_argument("--out", type=Path, default=Path("docs/figures"), help="default: %(default)s")
    options = parser.parse_args(arguments)
    training = TrainingConfig(
        steps=options.steps, evaluations=1, precision="float32", device="cpu", threads=1
    )
    data = _data(options.root, options.name)
    size, source = options.train_size or (2000 if options.root else 1200), load_source(data)
    with TemporaryDirectory() as temporary:
        chosen = configs(data, size, training, str(options.runs or temporary))
        records = pd.DataFrame([scored(config, source) for config in chosen])
    shown = records.assign(moved=[f"{moved:.0e}" for moved in records["moved"]])
    print(shown[["label", "seed", "train_size", "params", "intact", "shuffled", "moved"]].to_string())
    print(intervals(records).drop(columns=["data", "std"]).round(4).to_string())
    figure = draw(records, source, records["model_arguments"].iloc[0]["patch_size"])
    save(figure, options.out / "shuffled_patches")


def _data(root: Path | None, name: str) -> DataConfig:
    if root is None:
        return DataConfig(name="digits", source="digits")
    augment = AugmentConfig(crop_padding=4, flip=True)
    return DataConfig(name=name, source="parquet", root=str(root), test_size=TESTED, augment=augment)


if __name__ == "__main__":
    main()
