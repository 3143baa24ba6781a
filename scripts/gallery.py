"""Draw the figures of docs/gallery.md that show what is inside a model.

Trains three models of one backbone, and skips finished runs. Writes test images as files, and calls
`vision inspect` on the models and the images. About 6 minutes on one core, 4 of them for training.

    python scripts/gallery.py --out docs/figures
    python scripts/gallery.py --data digits --train-size 1200 --out outputs/gallery   # 1 minute
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import yaml
from PIL import Image

from vision import results
from vision.cli import main as command
from vision.config import AugmentConfig, DataConfig
from vision.data import load_source

IMAGES = 64
MODELS = {"vit": "field_vit", "cnn": "field_cnn", "quadratic": "field_quadratic"}
# (model, the model given by --against) -> figures of `vision inspect`, and their names in the gallery.
FIGURES = {
    ("vit", "cnn"): {
        "attention_distance": "gallery_attention_distance",
        "rollout": "gallery_rollout",
        "positions": "gallery_positions",
        "receptive_field": "gallery_receptive_field_vit",
        "cka": "gallery_cka",
    },
    ("cnn", "vit"): {"receptive_field": "gallery_receptive_field_cnn"},
    ("quadratic", "vit"): {"heads": "gallery_heads"},
}


def train(data: str, train_size: int, steps: int, out: Path) -> dict[str, Path]:
    """Train each model if it has no finished run; return the folder of each model's run."""
    sweep = [f"data={data}", f"model={','.join(MODELS)}", f"train_size={train_size}"]
    recipe = [f"training.steps={steps}", "training.precision=float32", "training.device=cpu"]
    output = ["training.threads=1", "sweep=gallery", f"output_dir={out}"]
    # Hydra changes the logging and the working directory of its process, so it runs in another one.
    vision_train = [sys.executable, "-m", "vision", "train", "-m"]
    subprocess.run([*vision_train, *sweep, *recipe, *output], check=True)
    records = results.collect(out / "gallery")
    records = records[(records["steps"] == steps) & (records["train_size"] == train_size)]
    folders = dict(zip(records["model"], records["folder"], strict=True))
    return {model: out / "gallery" / folders[name] for model, name in MODELS.items()}


def write_images(run: Path, folder: Path) -> None:
    """Write the first test images of a run's data as PNG files."""
    data = yaml.safe_load((run / results.CONFIG).read_text())["data"]
    source = load_source(DataConfig(**{**data, "augment": AugmentConfig(**data["augment"])}))
    folder.mkdir(parents=True)
    for number, pixels in enumerate(torch.as_tensor(source.test.pixels[:IMAGES])):  # type: ignore[index]
        image = Image.fromarray(pixels.expand(3, -1, -1).permute(1, 2, 0).numpy())
        image.save(folder / f"{number:02d}.png")


def main(arguments: list[str] | None = None) -> None:
    """Train and inspect the models, and copy the figures to the folder of the page."""
    parser = argparse.ArgumentParser(description="Draw the figures of docs/gallery.md.")
    parser.add_argument("--data", default="cifar10_jpeg", help="a name in conf/data (default: %(default)s)")
    parser.add_argument("--train-size", type=int, default=4000, help="default: %(default)s")
    parser.add_argument("--steps", type=int, default=600, help="default: %(default)s")
    parser.add_argument("--runs", type=Path, default=Path("outputs"), help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("docs/figures"), help="default: %(default)s")
    options = parser.parse_args(arguments)
    runs = train(options.data, options.train_size, options.steps, options.runs)
    options.out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as temporary:
        images = Path(temporary) / f"{options.data}-test"
        write_images(runs["vit"], images)
        for (model, other), figures in FIGURES.items():
            inspected = Path(temporary) / model
            models = [str(runs[model]), "--against", str(runs[other])]
            command(["inspect", *models, "--data", str(images), "--out", str(inspected)])
            for figure, name in figures.items():
                shutil.copy(inspected / f"{figure}.png", options.out / f"{name}.png")


if __name__ == "__main__":
    main()
