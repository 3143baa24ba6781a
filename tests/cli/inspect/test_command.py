"""`vision inspect`, as a user calls it."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from vision.cli import main
from vision.cli.images import normalize
from vision.cli.inspect.models import read_inputs, renormalize_inputs
from vision.cli.model_arguments import ModelChoice
from vision.cli.run_data import run_inputs
from vision.config import ModelConfig
from vision.experiment import run


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(4):
        pixels = np.random.default_rng(i).integers(0, 255, (40, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


def pictures(folder):
    names: set[str] = set()
    for path in folder.glob("*.png"):
        with Image.open(path) as picture:
            names |= {path.name} if picture.size[0] > 300 else set()
    return names


@pytest.mark.slow
def test_a_vit_next_to_a_cnn_on_given_images(tmp_path, photos, capsys):
    out = tmp_path / "seen"
    options = ["--input-size", "32", "--against", "field_cnn", "--data", str(photos), "--out", str(out)]
    assert main(["inspect", "field_vit", *options]) == 0
    shown = capsys.readouterr()
    assert "field_cnn" in shown.out and "attention distance" in shown.out and "4 images" in shown.out
    names = {"attention_distance", "kernel_shares", "rollout", "receptive_field", "positions", "cka"}
    assert pictures(out) == {f"{name}.png" for name in names}
    assert "how convolutional the heads of field_vit are" in shown.out
    assert "no heads.png: field_vit has no heads whose centres are learned: its attention has" in shown.err


@pytest.mark.slow
def test_a_cnn_alone_and_what_it_has_no_part_for(tmp_path, capsys):
    out = tmp_path / "seen"
    assert main(["inspect", "resnet10t", "--input-size", "32", "--out", str(out)]) == 0
    shown = capsys.readouterr()
    assert pictures(out) == {
        f"{name}.png" for name in ("attention_distance", "kernel_shares", "rollout", "receptive_field", "cka")
    }
    assert len(re.findall(r"all 9 +100% +exact", shown.out)) > 8  # convolutions are kernels
    assert "no positions.png: ResNet has no pos_embed" in shown.err and "64 images of noise" in shown.out


@pytest.mark.slow
def test_a_timm_vit_is_looked_at_as_it_is_and_swins_windows_have_a_reason(tmp_path, photos, capsys):
    out = tmp_path / "seen"
    assert main(["inspect", "test_vit", "--input-size", "64", "--out", str(out)]) == 0
    shown = capsys.readouterr()
    assert "blocks.5.attn" in shown.out and "patch_embed" not in shown.out
    names = {"attention_distance", "kernel_shares", "rollout", "receptive_field", "positions", "cka"}
    assert pictures(out) == {f"{name}.png" for name in names}
    swin = ["swin_tiny_patch4_window7_224", "--input-size", "56", "--data", str(photos)]
    assert main(["inspect", *swin, "--out", str(tmp_path / "swin")]) == 0
    told = capsys.readouterr().err.splitlines()
    (distances,) = [line for line in told if line.startswith("no distance of swin")]
    assert "windows per image are folded into its batch" in distances
    assert not [line for line in told if line.startswith("no kernel shares")]
    (rollout,) = [line for line in told if line.startswith("no rollout.png")]
    assert "folded into the batch in layers.0.blocks.0.attn; rollout needs" in rollout


def test_a_run_is_looked_at_on_its_own_test_images(small_run, capsys):
    kwargs = {"embed_dim": 16, "depth": 1}
    folder = run(replace(small_run, model=ModelConfig(name="field_vit", label="ViT", kwargs=kwargs)))[
        "folder"
    ]
    seen = read_inputs(ModelChoice(folder), data=None, most=5, against=None)
    inputs = run_inputs(Path(folder))
    (batch,) = inputs.eval_batches(inputs.test.pick(torch.tensor([0, 90, 180, 269, 359])))
    torch.testing.assert_close(seen.images, batch[0])
    assert seen.description == "the test split of digits" and seen.pixels is not None
    record = Path(folder) / "result.json"
    record.write_text(record.read_text().replace('"digits"', '"digit"'))
    assert read_inputs(ModelChoice(folder), data=None, most=5, against=None).pixels is None
    assert "cannot be read, so noise takes their place" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_is_named_by_its_label_and_its_learned_heads_are_drawn(tmp_path, small_run, capsys):
    kwargs = {"embed_dim": 16, "depth": 1, "mixer_options": {"num_heads": 4}}
    gated = ModelConfig(name="field_gated", label="gated", kwargs=kwargs)
    folder = run(replace(small_run, model=gated))["folder"]
    assert main(["inspect", folder, "--out", str(tmp_path / "seen")]) == 0
    shown = capsys.readouterr().out
    assert "gated (60 images, seed 0): one run on digits, 12 steps, test accuracy" in shown
    assert "64 images of the test split of digits" in shown
    assert "heads.png" in {path.name for path in (tmp_path / "seen").iterdir()}


def test_a_second_model_sees_the_images_normalised_as_it_knows_them():
    pixels = torch.rand(2, 3, 4, 4)
    models = [nn.Sequential(nn.Identity()) for _ in range(2)]
    statistics: list[Any] = [
        {"mean": (0.1, 0.2, 0.3), "std": (0.5, 0.6, 0.7)},
        {"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)},
    ]
    for model, known in zip(models, statistics, strict=True):
        model.pretrained_cfg = known
    images = normalize(pixels, models[0])
    for model in models:
        renormalize_inputs(model, 3, like=models[0], own=model)
        torch.testing.assert_close(model(images), normalize(pixels, model))
    assert not models[0]._forward_pre_hooks


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["field_vitt"], "did you mean field_vit"),
        (["field_vit", "--data", "nowhere"], "--data nowhere is not a folder"),
        (["field_vit", "--against", "mnist_net"], "neither a model of timm"),
        (["field_vit", "--checkpoint", "no.pth"], "no.pth"),
        (["resnet10t", "--against", "field_vit"], "give --input-size"),
    ],
)
def test_wrong_options_are_named_before_any_work(arguments, message, tmp_path, capsys):
    assert main(["inspect", *arguments, "--out", str(tmp_path / "seen")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "seen").exists()


@pytest.mark.slow
def test_a_recurrence_is_named_and_has_no_rollout(tmp_path, capsys):
    assert main(["inspect", "field_recurrent", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().err
    assert "blocks.0.mixer.along and 7 more: a recurrence has no weights" in said
    assert "no kernel shares of field_recurrent, blocks.0.mixer.along and 7 more: a recurrence" in said
    assert "no rollout.png: a recurrence mixes tokens without weights" in said
    assert not (tmp_path / "rollout.png").exists()


@pytest.mark.slow
def test_a_converted_folder_is_looked_at_as_it_is(tmp_path, capsys):
    folder = tmp_path / "converted"
    assert main(["convert", "field_cnn", "--out", str(folder)]) == 0
    assert main(["inspect", str(folder), "--out", str(tmp_path / "seen")]) == 0
    shown = capsys.readouterr()
    assert "the centres of its convolutions are the kernel positions" in shown.err
    assert {"attention_distance.png", "rollout.png", "cka.png"} <= pictures(tmp_path / "seen")
    assert main(["inspect", str(folder), "--pretrained"]) == 2
    assert "leave out --checkpoint and --pretrained" in capsys.readouterr().err


def test_a_run_of_one_size_refuses_another(small_run, capsys):
    vit = ModelConfig(name="field_vit", label="ViT", kwargs={"embed_dim": 16, "depth": 1})
    folder = run(replace(small_run, model=vit))["folder"]
    assert main(["inspect", folder, "--input-size", "16"]) == 2
    assert "is built for images of 8 x 8 pixels, got 16" in capsys.readouterr().err
