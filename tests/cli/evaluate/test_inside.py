"""`vision evaluate --with kernel_share,nearest_cnn`: equal to the measures themselves, run by run."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch

from vision import results
from vision.cli import main
from vision.cli.run_data import run_inputs
from vision.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
from vision.convert import as_convolution
from vision.data import draw_subset
from vision.experiment import run
from vision.inspection import kernel_shares
from vision.models import load_model

INSIDE = ["--with", "kernel_share,nearest_cnn"]
SMALL = {"embed_dim": 8, "depth": 2}
MODELS = [
    ModelConfig(name="field_cnn", label="CNN", kwargs=SMALL),
    ModelConfig(name="field_vit", label="ViT", kwargs=SMALL),
    ModelConfig(name="field_static", label="static", kwargs={**SMALL, "mixer_options": {"kernel_size": 3}}),
]


def train(out: Path, model: ModelConfig) -> None:
    run(
        RunConfig(
            data=DataConfig(name="digits", source="digits", test_size=60),
            model=model,
            training=TrainingConfig(steps=20, batch_size=16, num_evaluations=1, precision="float32"),
            train_size=40,
            sweep="small",
            output_dir=str(out),
        )
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("inside")
    for model in MODELS:
        train(out, model)
    assert main(["evaluate", str(out / "small"), *INSIDE]) == 0
    return out / "small"


def rows_of(sweep: Path, name: str, label: str) -> pd.DataFrame:
    rows = pd.read_csv(results.evaluation_file(sweep, name))
    return rows[rows["label"] == label].set_index("level")


def test_kernel_shares_are_those_of_the_test_images(trained):
    folder = trained / "ViT" / "n40" / "s0"
    inputs = run_inputs(folder)
    # The 60 test images in any order: a mean over images.
    images = torch.cat([batch for batch, _ in inputs.eval_batches(inputs.test)])
    heads = kernel_shares(load_model(folder), images, resamples=1).table
    expected = heads.groupby("depth")[["kernel", "position", "content", "width"]].mean()
    found = rows_of(trained, "kernel_share", "ViT")
    assert found["images"].tolist() == [60, 60]
    for name in expected:
        assert found[name].to_dict() == pytest.approx(expected[name].to_dict(), abs=1e-5)
    static = rows_of(trained, "kernel_share", "static")
    assert static["kernel"].tolist() == pytest.approx([1.0, 1.0], abs=1e-6)


def test_a_part_of_the_test_images_is_stratified(trained, tmp_path, monkeypatch):
    sweep = shutil.copytree(trained, tmp_path / "small")
    results.evaluation_file(sweep, "kernel_share").unlink()
    monkeypatch.setattr("vision.cli.evaluate.inside.MOST_IMAGES", 20)
    assert main(["evaluate", str(sweep), "--with", "kernel_share", "--images", "all"]) == 0
    folder = sweep / "ViT" / "n40" / "s0"
    inputs = run_inputs(folder)
    part = draw_subset(inputs.test.labels, 20, seed=0, val_fraction=0).train
    assert inputs.test.labels[part].bincount().tolist() == [2] * 10
    images = torch.cat([batch for batch, _ in inputs.eval_batches(inputs.test, part)])
    expected = kernel_shares(load_model(folder), images, resamples=1).table.groupby("depth")["kernel"].mean()
    found = rows_of(sweep, "kernel_share", "ViT")
    assert set(found["images"]) == {20}
    assert found["kernel"].to_dict() == pytest.approx(expected.to_dict(), abs=1e-5)


def test_the_nearest_cnn_is_that_of_training_images(trained):
    folder = trained / "ViT" / "n40" / "s0"
    inputs, model = run_inputs(folder), load_model(folder)
    found = rows_of(trained, "nearest_cnn", "ViT")
    assert found.index.tolist() == [0, 3, 7] and found["kind"].tolist() == ["unchanged", "kernel", "kernel"]
    record = results.collect(trained).set_index("label").loc["ViT"]
    assert found.loc[0, "accuracy"] == pytest.approx(record["test_accuracy"]) and found.loc[0, "kept"] == 1
    images = torch.cat([batch for batch, _ in inputs.eval_batches(inputs.test)])
    calibration = torch.cat([x for x, _ in inputs.eval_batches(inputs.source.train, torch.arange(256))])
    nearest = as_convolution(model, calibration, "full")
    with torch.no_grad():
        same = nearest(images).argmax(1) == model(images).argmax(1)
    # Other calibration images give a slightly different CNN.
    assert found.loc[7, "consistency"] == pytest.approx(float(same.double().mean()), abs=0.1)
    static = rows_of(trained, "nearest_cnn", "static")
    assert static["consistency"].tolist() == [1.0, 1.0, 1.0]


def test_models_without_attention_are_counted_and_what_is_known_stays(trained, tmp_path, capsys):
    sweep = shutil.copytree(trained, tmp_path / "small")
    file = results.evaluation_file(sweep, "nearest_cnn")
    rows = pd.read_csv(file)
    assert set(rows["label"]) == {"ViT", "static"}
    rows.loc[0, "accuracy"] = 0.123
    rows.to_csv(file, index=False)
    assert main(["evaluate", str(sweep), *INSIDE]) == 0
    assert pd.read_csv(file).equals(rows), "nothing was computed again"
    shown, told = capsys.readouterr()
    shown = " ".join(shown.split())
    assert "kernel share in %" in shown and "nearest 7 x 7 CNN in %" in shown
    assert "not compared" not in shown
    assert "left out: 1 run with no attention that can be read: CNN/n40/s0 (kernel_share)" in told


def test_a_model_with_attention_that_cannot_be_converted_has_no_nearest_cnn(trained, tmp_path, capsys):
    sweep = shutil.copytree(trained, tmp_path / "small")
    softened = ModelConfig(name="softened_cnn", label="softened", kwargs={"cnn": "field_cnn", **SMALL})
    train(tmp_path, softened)  # with a soft patch stem
    assert main(["evaluate", str(sweep), *INSIDE]) == 0
    told = capsys.readouterr().err
    of = "2 runs with no attention, or some that cannot be converted, such as CNN/n40/s0 (nearest_cnn)"
    assert f"left out: {of}" in told
    assert "softened" not in set(pd.read_csv(results.evaluation_file(sweep, "nearest_cnn"))["label"])
    rows = rows_of(sweep, "kernel_share", "softened")
    assert (rows["kernel"] < 1).any() and (rows["kernel"] > 0.5).all(), "soft kernels are not quite kernels"
    assert rows.index.tolist() == [1, 2, 3] and "pool" not in set(rows["layer"])


def test_a_softened_cnn_has_a_nearest_cnn(trained, tmp_path):
    sweep = shutil.copytree(trained, tmp_path / "small")
    kwargs = {"cnn": "field_cnn", "only": "blocks.*", **SMALL}
    train(tmp_path, ModelConfig(name="softened_cnn", label="softened", kwargs=kwargs))
    assert main(["evaluate", str(sweep), "--with", "nearest_cnn"]) == 0
    rows = rows_of(sweep, "nearest_cnn", "softened")
    assert (rows["consistency"] > 0.9).all()


def test_runs_with_the_same_weights_each_have_rows(trained, tmp_path):
    """A window that holds the whole grid is attention without a window, and is trained alike."""
    sweep = shutil.copytree(trained, tmp_path / "small")
    train(tmp_path, ModelConfig(name="field_window", label="tiles", kwargs=SMALL))
    weights = results.weights_of_runs(sweep)
    assert weights["tiles/n40/s0"] == weights["ViT/n40/s0"]
    assert main(["evaluate", str(sweep), "--with", "kernel_share,calibration"]) == 0
    for name in ("kernel_share", "calibration"):
        rows = pd.read_csv(results.evaluation_file(sweep, name)).drop(columns="folder")
        one, other = (rows[rows["label"] == label].drop(columns="label") for label in ("ViT", "tiles"))
        assert len(one) > 1
        pd.testing.assert_frame_equal(one.reset_index(drop=True), other.reset_index(drop=True))
