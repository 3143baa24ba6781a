"""A run on image files, small, grey and in colour, and the model that it left."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vision.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
from vision.experiment import run

CLASSES = ("bright", "dark")


def write_images(folder: Path) -> None:
    """Write 15 images of each of two classes, of several sizes, 16 bits deep in part, some transparent."""
    rng = np.random.default_rng(0)
    for number in range(30):
        kind = CLASSES[number % 2]
        height, width = 12 + number % 5, 10 + number % 7
        level = 160 if kind == "bright" else 40
        values = np.clip(level + rng.normal(0, 40, (height, width, 3)), 0, 255)
        path = folder / kind / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number % 5 == 0:
            Image.fromarray((values[..., 0] * 16).astype(np.uint16)).save(path)  # 12 bits in 16
        elif number % 5 == 1:
            alpha = rng.integers(0, 256, (height, width, 1))
            Image.fromarray(np.concatenate([values, alpha], 2).astype(np.uint8), "RGBA").save(path)
        elif number % 5 == 2:
            exif = Image.Exif()
            exif[0x0112] = 6  # turned by 90 degrees
            Image.fromarray(values.astype(np.uint8)).save(path, exif=exif)
        elif number % 5 == 3:
            Image.fromarray(values[..., 0].astype(np.uint8)).save(path)
        else:
            Image.fromarray(values.astype(np.uint8)).save(path)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    write_images(folder)
    return folder


@pytest.fixture(scope="session")
def photo_config(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    return RunConfig(
        data=DataConfig(source="image_folder", root=str(photos), img_size=8, background="red"),
        model=ModelConfig(
            name="field_cnn", label="CNN", kwargs={"embed_dim": 16, "depth": 2, "patch_size": 2}
        ),
        training=TrainingConfig(steps=8, batch_size=8, num_evaluations=1, precision="float32", device="cpu"),
        train_size=20,
        output_dir=str(tmp_path_factory.mktemp("outputs")),
    )


@pytest.fixture(scope="session")
def photo_run(photo_config: RunConfig) -> Path:
    return Path(run(photo_config)["folder"])


@pytest.fixture(scope="session")
def vit_run(photo_config: RunConfig) -> Path:
    """A model that is built for one size of images."""
    kwargs = {"embed_dim": 16, "depth": 1, "patch_size": 2, "pos_embed": "learned"}
    model = ModelConfig(name="field_vit", label="ViT", kwargs=kwargs)
    return Path(run(replace(photo_config, model=model))["folder"])
