"""`vision train` on a folder of one's own, as it lies on the disk."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

TINY = ["debug=tiny", "data=image_folder", "data.root=photos", "training.threads=1"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """60 images of 37 x 53 pixels in 3 classes, of which 12 are held out for testing."""
    random = np.random.default_rng(0)
    for number, name in enumerate(("bars flat", "b\u00e4rs upright", "\u5757 block")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(20):
            values = random.integers(0, 90, (53, 37, 3)).astype(np.uint8)
            values[..., number] += 120
            Image.fromarray(values).save(tmp_path / "photos" / name / f"{index:02}.png")
    return tmp_path


def test_tiny_runs_on_12_test_images_and_pads_by_the_recorded_rule(photos, vision):
    model = ["model=cnn", "model.kwargs.params=20000", "+model.kwargs.depth=1"]
    done = vision(photos, "train", *TINY, *model)
    assert done.returncode == 0, done.stderr
    # 53 x 37 pixels are padded to 55 x 40: patches of 5 pixels leave 8 tokens on the shorter side.
    assert "CNN n=20 seed=0: 11 x 8 tokens from patches of 5 x 5 pixels; 19," in done.stderr
    record = json.loads((photos / done.stdout.strip() / "result.json").read_text())
    assert (record["data"], record["n_test"]) == ("photos", 12)
    padded = {"img_size": [53, 37], "patch_size": 5, "dynamic_img_pad": True}
    assert {key: record["model_arguments"][key] for key in padded} == padded
    assert record["classes"] == ["bars flat", "b\u00e4rs upright", "\u5757 block"]


def test_status_counts_and_names_images_that_were_skipped(photos, vision):
    (photos / "photos" / "bars flat" / "03.png").write_bytes(b"\x89PNG cut")
    refused = vision(photos, "train", *TINY, "model=cnn")
    assert refused.returncode == 2 and "03.png' cannot be decoded" in refused.stderr
    done = vision(photos, "train", "-m", *TINY, "model=cnn", "data.on_error=skip")
    assert done.returncode == 0 and "2 of 2 runs finished" in done.stderr, done.stderr
    status = vision(photos, "status", "outputs/tiny/runs")
    path = photos / "photos" / "bars flat" / "03.png"
    assert f"of 2 finished runs, 2 skipped 1 unreadable images: '{path}'" in status.stdout + status.stderr


def test_a_model_that_cannot_run_on_images_of_their_size_is_refused_before_the_sweep(photos, vision):
    before = sorted(path.name for path in photos.iterdir())
    models = ["model=timm", "model.name=inception_v3,resnet10t", "train_size=20"]
    refused = vision(photos, "train", "-m", *TINY, *models)
    assert refused.returncode == 2
    (line,) = [line for line in refused.stderr.splitlines() if line.startswith("vision train: ")]
    assert "model 'inception_v3' cannot run on images of 53 x 37 pixels" in line
    assert "data.img_size=96 or data.img_size=128 would fit" in line
    assert sorted(path.name for path in photos.iterdir()) == before
