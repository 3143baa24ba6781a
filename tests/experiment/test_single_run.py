"""One whole run on real digits: what its folder holds, and that the same run is the same to the bit."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import yaml
from safetensors.torch import save_file

from vision import results
from vision.config import AugmentConfig, ModelConfig, RunConfig, check
from vision.data import eval_batches, load_source
from vision.experiment import check_run, run
from vision.models import load_model


def test_a_run_leaves_all_that_its_record_needs(small_run):
    reported: list[dict] = []
    result = run(small_run, reported.append)
    folder = results.run_folder(small_run)
    assert {p.name for p in folder.iterdir()} == {
        "config.yaml",
        "config.json",
        "result.json",
        "metrics.jsonl",
        "model.safetensors",
        "test_predictions.npy",
        "test_logits.npy",
        "test_labels.npy",
    }
    kept = json.loads((folder / "result.json").read_text())
    assert kept == {k: v for k, v in result.items() if k not in ("folder", "skipped")}
    assert kept["n_train"] + kept["n_val"] == kept["train_size"] == 60
    assert len(kept["subset_sha256"]) == 64 and kept["params"] > 0 and kept["macs"] > 0
    assert yaml.safe_load((folder / "config.yaml").read_text())["training"]["steps"] == 12
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [m["step"] for m in metrics] == [4, 8, 12] and "val_accuracy" in metrics[0]
    assert max(r["step"] for r in reported) == 12
    assert kept["val_accuracy"] == metrics[-1]["val_accuracy"] and kept["late_loss_fall"] is None
    test = load_source(small_run.data).test
    predictions, labels = (np.load(folder / f"test_{name}.npy") for name in ("predictions", "labels"))
    assert np.array_equal(labels, test.labels.numpy()) and predictions.dtype == labels.dtype == np.uint8
    assert (predictions == labels).mean() == pytest.approx(kept["test_accuracy"])
    assert kept["record_version"] == results.RECORD_VERSION and kept["classes"] == [*"0123456789"]


@pytest.mark.parametrize("way", ["checkpoint_path", "pretrained"])
def test_a_run_that_starts_from_weights_of_timm_is_loaded_again(small_run, way, tmp_path):
    start = timm.create_model("test_resnet", in_chans=1, num_classes=10)
    save_file(start.state_dict(), tmp_path / "start.safetensors")
    file = str(tmp_path / "start.safetensors")
    overlay = {"file": file, "input_size": [1, 8, 8], "num_classes": 10}
    given: Any = {
        "checkpoint_path": {"checkpoint_path": file},
        "pretrained": {"pretrained": True, "pretrained_cfg_overlay": overlay},
    }[way]
    training = replace(small_run.training, steps=1, lr=1e-9, warmup_fraction=0.0, num_evaluations=1)
    model = replace(small_run.model, name="test_resnet", kwargs=given)
    result = run(replace(small_run, model=model, training=training))
    (tmp_path / "start.safetensors").unlink()
    for loaded in (
        timm.create_model(f"local-dir:{result['folder']}", pretrained=True),
        load_model(result["folder"]),
    ):
        for key, value in loaded.named_parameters():
            torch.testing.assert_close(value, start.state_dict()[key], rtol=1e-4, atol=1e-6)


def test_the_weights_come_back_through_timm(small_run):
    result = run(small_run)
    model = timm.create_model(f"local-dir:{result['folder']}", pretrained=True).eval()
    test = load_source(small_run.data).test
    train = load_source(small_run.data).train
    from vision.data import channel_statistics, draw_subset

    subset = draw_subset(train.labels, 60, seed=0, val_fraction=0.1)
    mean, std = channel_statistics(train, subset.train)
    with torch.no_grad():
        guessed = [model(x).argmax(1) for x, _ in eval_batches(test, batch_size=500, mean=mean, std=std)]
    assert np.array_equal(torch.cat(guessed).numpy(), np.load(f"{result['folder']}/test_predictions.npy"))


@pytest.mark.parametrize("name", ["field_cnn", "field_vit", "field_local"])
def test_the_same_seed_is_the_same_run_to_the_bit(small_run, name):
    augment = AugmentConfig(crop_padding=1, flip=True, mixup=0.2, random_erasing=0.2)
    config = replace(
        small_run, data=replace(small_run.data, augment=augment), model=replace(small_run.model, name=name)
    )

    def weights(sweep: str, seed: int) -> bytes:
        folder = run(replace(config, sweep=sweep, seed=seed))["folder"]
        return (Path(folder) / "model.safetensors").read_bytes()

    assert weights("one", 0) == weights("two", 0)
    assert weights("three", 1) != weights("two", 0)


def test_issued_again_a_finished_run_is_not_trained_again(small_run):
    first = run(small_run)
    again = run(small_run, lambda record: pytest.fail("it trained"))
    assert again["skipped"] and again["finished"] == first["finished"]


def test_every_model_sees_the_same_images(small_run):
    other = replace(small_run, model=replace(small_run.model, name="field_vit", label="ViT"))
    assert run(small_run)["subset_sha256"] == run(other)["subset_sha256"]


def test_subset_and_training_seed_are_two_settings(small_run):
    subsets = [run(replace(small_run, seed=seed))["subset_sha256"] for seed in (0, 1)]
    assert subsets[0] == subsets[1]


def test_validation_images_from_outside_the_subset(small_run):
    inside = run(small_run)
    small_run.data.val_from = "rest"
    outside = run(replace(small_run, sweep="rest"))
    assert (inside["n_train"], inside["n_val"]) == (54, 6)
    assert (outside["n_train"], outside["n_val"]) == (60, 138), "a tenth of the other 1,377 images"
    assert inside["train_size"] == outside["train_size"] == 60
    assert inside["subset_sha256"] == outside["subset_sha256"]
    assert outside["val_accuracy"] * 138 == pytest.approx(round(outside["val_accuracy"] * 138))
    assert outside["settings"]["data.val_from"] == "rest" and "data.val_from" not in inside["settings"]
    with pytest.raises(ValueError, match=r"train_size=all leaves none"):
        run(replace(small_run, train_size="all"))


def test_a_record_tells_whether_the_loss_still_fell(small_run):
    small_run.training.num_evaluations = 6
    record = run(small_run)
    text = (Path(record["folder"]) / "metrics.jsonl").read_text()
    losses = [json.loads(line)["train_loss"] for line in text.splitlines()]
    assert len(losses) == 6
    # the middles 1/12, 9/12 and 11/12 are in the first, the fourth and the last fifth
    share = (losses[4] - losses[5]) / (losses[0] - losses[5])
    assert record["late_loss_fall"] == pytest.approx(share, abs=1e-4)


def test_a_diverging_run_is_kept_as_failed_with_step_and_learning_rate(small_run):
    config = replace(small_run, training=replace(small_run.training, lr=1e30, clip_grad=None))
    with pytest.raises(RuntimeError, match="the loss is"):
        run(config)
    failure = results.read_failure(results.run_folder(config))
    assert failure["status"] == "failed" and failure["step"] >= 1 and failure["lr"] > 0
    assert "NonFiniteLoss" in failure["traceback"]


@pytest.mark.parametrize(
    ("group", "name", "value", "message"),
    [
        (
            "training",
            "precision",
            "float8",
            "training.precision must be one of auto, float32, bfloat16, got 'float8'",
        ),
        ("training", "lr", -1.0, "training.lr must be from 1e-12 to 1e\\+30, got -1.0"),
        ("training", "steps", None, "training.steps or as training.epochs"),
        ("training", "min_steps", 20, "training.min_steps=20 belongs to a budget in epochs"),
        ("training", "warmup_fraction", 1.5, "training.warmup_fraction must be 0 or from"),
        ("data", "val_from", "test", "data.val_from must be one of subset, rest, got 'test'"),
        ("data", "val_fraction", 1.0, "data.val_fraction must be 0 or from"),
        ("data", "mean", [0.5], "both data.mean and data.std"),
    ],
)
def test_wrong_settings_are_refused_by_name(small_run: RunConfig, group, name, value, message):
    wrong = replace(small_run, **{group: replace(getattr(small_run, group), **{name: value})})
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        check(wrong)


@pytest.mark.parametrize("size", [5, 5000, "many", 60.5])
def test_the_error_of_a_training_set_size_out_of_range_names_the_range(small_run, size):
    with pytest.raises(ValueError, match=r"train_size .*10 .*1437"):
        run(replace(small_run, train_size=size))


def test_a_model_that_could_not_be_saved_is_refused_before_it_is_trained(small_run):
    @timm.models.register_model
    def bare_linear(pretrained=False, num_classes=10, in_chans=1, **kwargs):
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, num_classes))

    with pytest.raises(ValueError, match=r"model.name='bare_linear'.*build_model_with_cfg"):
        run(replace(small_run, model=replace(small_run.model, name="bare_linear", kwargs={})))


def test_a_model_that_diverges_in_its_last_step_is_failed_too(small_run):
    recipe = replace(small_run.training, lr=1e30, steps=1, num_evaluations=1, clip_grad=None)
    with pytest.raises(RuntimeError, match="the loss is"):
        run(replace(small_run, training=recipe))
    assert not (results.run_folder(small_run) / results.RESULT).exists()


def test_a_share_of_the_test_images_is_the_same_for_every_run(small_run):
    small_run.data.test_size = 50
    one = run(small_run)
    two = run(replace(small_run, seed=1))
    assert one["n_test"] == two["n_test"] == 50 and one["settings"]["data.test_size"] == 50
    assert len(np.load(f"{one['folder']}/test_predictions.npy")) == 50
    small_run.data.test_size = 100_000
    with pytest.raises(ValueError, match=r"^data.test_size must be an integer from 10 .* to 360"):
        run(replace(small_run, seed=2))


def test_with_patience_the_weights_of_the_lowest_validation_loss_are_scored(small_run):
    """Training on noise: the validation loss rises soon, and the run stops."""
    data = replace(small_run.data, val_fraction=0.5)
    recipe = {"steps": 400, "num_evaluations": 40, "patience": 3, "lr": 0.02, "label_smoothing": 0.0}
    config = replace(small_run, data=data, training=replace(small_run.training, **recipe))
    result = run(config)
    lines = [json.loads(line) for line in (Path(result["folder"]) / "metrics.jsonl").read_text().splitlines()]
    losses = [line["val_loss"] for line in lines]
    assert result["steps"] == lines[-1]["step"] < 400
    assert result["val_loss"] == min(losses) == losses[-4]
    assert result["late_loss_fall"] is not None


def test_patience_without_validation_images_is_refused(small_run):
    data = replace(small_run.data, val_fraction=0.0)
    config = replace(small_run, data=data, training=replace(small_run.training, patience=2))
    with pytest.raises(ValueError, match=r"training.patience=2 needs validation images.*val_fraction=0"):
        run(config)


@pytest.mark.slow
def test_a_model_that_cannot_run_at_the_size_is_refused_before_any_work(small_run):
    small_run.model = ModelConfig(name="inception_v3")
    small_run.data.img_size = 32
    with pytest.raises(ValueError, match=r"'inception_v3' cannot run on images of 32 x 32 .* would fit"):
        check_run(small_run)
    assert not Path(small_run.output_dir).exists()


def test_the_grid_is_said_before_training(small_run):
    said = []
    small_run.data.img_size = 29
    result = run(small_run, said.append)
    assert said[0]["about"].startswith("8 x 8 tokens from patches of 4 x 4 pixels; ")
    assert result["model_arguments"]["dynamic_img_pad"] is True
    assert result["model_arguments"]["patch_size"] == 4 and result["data_summary"]["shape"] == [1, 29, 29]
