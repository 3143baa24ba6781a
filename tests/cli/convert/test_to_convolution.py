"""`vision convert --to convolution` as a user runs it."""

import csv
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch

from vision.cli import main
from vision.cli.convert.to_convolution import calibration_images
from vision.cli.run_data import run_inputs
from vision.config import ModelConfig
from vision.convert import HeadConvolution
from vision.experiment import run
from vision.models import load_model
from vision.training import evaluate


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")


@pytest.fixture
def vit(small_run):
    kwargs = {"embed_dim": 16, "depth": 2, "patch_size": 2}
    return run(replace(small_run, model=ModelConfig(name="field_vit", label="ViT", kwargs=kwargs)))


def test_a_run_is_fitted_on_its_images_and_the_saved_models_have_the_printed_accuracy(vit, tmp_path, capsys):
    out = tmp_path / "near"
    command = [
        "convert",
        vit["folder"],
        "--to",
        "convolution",
        "--kernel-size",
        "1,3,full",
        "--out",
        str(out),
    ]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert (
        f"accuracy (was {vit['test_accuracy']:.1%})" in said
        and "training images of the run, scored on its 360 test" in said
    )
    assert len(re.findall(r"blocks\.[01]\.mixer(?: +\d+\.\d%){3}", said)) == 2
    printed = re.search(r"accuracy \(was .*?\)(?: +(\d+\.\d)%)(?: +(\d+\.\d)%)(?: +(\d+\.\d)%)", said)
    assert printed is not None
    inputs = run_inputs(Path(vit["folder"]))
    for size, shown in zip(("1", "3", "full"), printed.groups(), strict=True):
        read: Any = (load_model(out / f"k{size}"), timm.create_model(f"local-dir:{out}/k{size}", True))
        for model in read:
            assert isinstance(model.blocks[0].mixer, HeadConvolution)
            batches = inputs.eval_batches(inputs.test)
            scores = evaluate(model, batches, device=torch.device("cpu"), precision="float32")
            assert f"{100 * scores.accuracy:.1f}" == shown
    rows = list(csv.DictReader((out / "layers.csv").open()))
    assert [row["layer"] for row in rows] == ["blocks.0.mixer", "blocks.1.mixer"]
    assert {row["kernel_size"] for row in csv.DictReader((out / "accuracy.csv").open())} == {"1", "3", "full"}
    assert main(command) == 2, "the folder is not overwritten"
    assert "is not empty; nothing was changed" in capsys.readouterr().err


@pytest.mark.slow
def test_the_saved_model_is_looked_at(vit, tmp_path):
    out = tmp_path / "near"
    assert (
        main(["convert", vit["folder"], "--to", "convolution", "--kernel-size", "3", "--out", str(out)]) == 0
    )
    assert main(["inspect", str(out / "k3"), "--out", str(tmp_path / "seen")]) == 0


def test_the_images_of_a_run_are_read_again_as_it_read_them(vit):
    inputs = run_inputs(Path(vit["folder"]))
    assert len(inputs.subset.train) == vit["n_train"]
    model = load_model(vit["folder"])
    scores = evaluate(
        model, inputs.eval_batches(inputs.test), device=torch.device("cpu"), precision="float32"
    )
    assert scores.accuracy == pytest.approx(vit["test_accuracy"], abs=1e-6)


def test_it_is_fitted_on_training_images_of_all_parts(vit):
    inputs = run_inputs(Path(vit["folder"]))
    train = inputs.subset.train
    assert len(train) > 40
    fitted = calibration_images(inputs, 3)
    ends = torch.stack([train[0], train[-1]])
    (batch, _), *_ = inputs.eval_batches(inputs.source.train, ends)
    assert len(fitted) == 3
    torch.testing.assert_close(fitted[[0, -1]], batch)


@pytest.mark.slow
def test_a_name_without_data_is_fitted_on_noise_and_says_so(capsys):
    arguments = ["field_vit", "--to", "convolution", "--distill-steps", "2"]
    assert main(["convert", *arguments]) == 0
    said = capsys.readouterr().out
    assert "same class as before" in said and "accuracy" not in said and "images of noise" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["field_vit", "--kernel-size", "3"], "--kernel-size needs --to convolution, got --to attention"),
        (
            ["field_vit", "--to", "convolution", "--strict"],
            "--strict needs --to attention, got --to convolution",
        ),
        (
            ["field_vit", "--to", "convolution", "--precision", "float64"],
            "--precision needs --to attention, got --to convolution",
        ),
        (["field_vit", "--to", "convolution", "--kernel-size", "4"], "must be odd numbers or"),
        (
            ["field_vit", "--to", "convolution", "--kernel-size", "3,9"],
            "at most 8, as the tokens' grid is 8 x 8",
        ),
        (["field_vit", "--to", "convolution", "--distill-steps", "-1"], "--distill-steps must be 0 or more"),
        (
            ["resnet10t", "--to", "convolution", "--input-size", "32"],
            "needs attention that it can convert, ResNet",
        ),
    ],
)
def test_wrong_options_are_one_sentence(arguments, message, capsys):
    assert main(["convert", *arguments]) == 2
    said = capsys.readouterr().err
    assert message in said and len(said.splitlines()) == 1
