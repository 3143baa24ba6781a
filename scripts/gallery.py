"""The pictures of docs/gallery.md that look inside a model, made again.

Trains three models of one backbone (finished runs are taken as they are), writes test images as files, and
calls `vision inspect` on both. About 6 minutes on one core, 4 of them for training.

    python scripts/gallery.py --out docs/figures
    python scripts/gallery.py --data digits --train-size 1200 --out outputs/gallery   # in a minute
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
# model, beside which other -> its pictures, and what the gallery calls them.
PICTURES = {
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


def trained(data: str, train_size: int, steps: int, out: Path) -> dict[str, Path]:
    """The folder of a finished run of each model."""
    chosen = [f"data={data}", f"model={','.join(MODELS)}", f"train_size={train_size}"]
    recipe = [f"training.steps={steps}", "training.precision=float32", "training.device=cpu"]
    place = ["training.threads=1", "sweep=gallery", f"output_dir={out}"]
    # In a process of its own, as Hydra takes over the one that it is in.
    command = [sys.executable, "-m", "vision", "train", "-m"]
    subprocess.run([*command, *chosen, *recipe, *place], check=True)
    records = results.collect(out / "gallery")
    fits = (records["steps"] == steps) & (records["train_size"] == train_size)
    folders = dict(zip(records["model"][fits], records["folder"][fits], strict=True))
    return {model: out / "gallery" / folders[name] for model, name in MODELS.items()}


def write_images(run: Path, folder: Path) -> None:
    """The first test images of a run's data as PNG files."""
    given = yaml.safe_load((run / results.CONFIG).read_text())["data"]
    source = load_source(DataConfig(**{**given, "augment": AugmentConfig(**given["augment"])}))
    folder.mkdir(parents=True)
    for number, pixels in enumerate(torch.as_tensor(source.test.pixels[:IMAGES])):  # type: ignore[index]
        image = Image.fromarray(pixels.expand(3, -1, -1).permute(1, 2, 0).numpy())
        image.save(folder / f"{number:02d}.png")


def main(arguments: list[str] | None = None) -> None:
    """Train, look inside, and put the pictures where the page shows them."""
    parser = argparse.ArgumentParser(description="Make the pictures of docs/gallery.md again.")
    parser.add_argument("--data", default="cifar10_jpeg", help="a name in conf/data (default: %(default)s)")
    parser.add_argument("--train-size", type=int, default=4000, help="default: %(default)s")
    parser.add_argument("--steps", type=int, default=600, help="default: %(default)s")
    parser.add_argument("--runs", type=Path, default=Path("outputs"), help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("docs/figures"), help="default: %(default)s")
    options = parser.parse_args(arguments)
    runs = trained(options.data, options.train_size, options.steps, options.runs)
    options.out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as temporary:
        images = Path(temporary) / f"{options.data}-test"
        write_images(runs["vit"], images)
        for (model, other), pictures in PICTURES.items():
            seen = Path(temporary) / model
            named = [str(runs[model]), "--against", str(runs[other])]
            command(["inspect", *named, "--data", str(images), "--out", str(seen)])
            for picture, name in pictures.items():
                shutil.copy(seen / f"{picture}.png", options.out / f"{name}.png")


if __name__ == "__main__":
    main()
