"""A model's folder: written, read, loaded, and refused where a file is missing."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from small_models import build
from timm.data.config import resolve_model_data_config

from vision import results
from vision.models import load_model, save_model
from vision.models.saved import CONFIG, WEIGHTS, read_saved

ARGUMENTS: dict[str, Any] = {"img_size": 8, "patch_size": 2, "in_chans": 1, "embed_dim": 16, "depth": 1}
IMAGES: dict[str, Any] = {"input_size": (1, 8, 8), "mean": (0.25,), "std": (0.5,)}


@pytest.fixture
def saved(tmp_path: Path):
    model = build("field_cnn", **ARGUMENTS).eval()
    save_model(model, tmp_path / "s0", arguments=ARGUMENTS, **IMAGES)
    return model, tmp_path / "s0"


def test_a_folder_holds_the_constructor_its_arguments_and_the_images(saved):
    model, folder = saved
    assert {file.name for file in folder.iterdir()} == {CONFIG, WEIGHTS}
    contents = read_saved(folder)
    assert (contents.name, contents.num_classes, contents.weights) == ("field_cnn", 10, folder / WEIGHTS)
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    rebuilt = build(contents.name, **contents.arguments)
    assert {name: value.shape for name, value in rebuilt.state_dict().items()} == shapes
    assert contents.images == {"input_size": [1, 8, 8], "mean": [0.25], "std": [0.5]}


def test_a_loaded_model_has_the_same_weights_and_preprocessing(saved):
    model, folder = saved
    loaded, images = load_model(folder).eval(), torch.randn(2, 1, 8, 8)
    assert torch.equal(loaded(images), model(images))
    for one in (model, loaded):
        known = resolve_model_data_config(one)
        assert {key: tuple(known[key]) for key in IMAGES} == IMAGES and known["crop_pct"] == 1.0


def test_changes_replace_saved_arguments_and_another_number_of_classes_renews_the_head(saved):
    model, folder = saved
    other: Any = load_model(str(folder), num_classes=3, drop_rate=0.5).eval()
    images = torch.randn(2, 1, 8, 8)
    assert other(images).shape == (2, 3) and other.head_drop.p == 0.5
    assert torch.equal(other.forward_features(images), model.forward_features(images))


@pytest.mark.parametrize("file", [CONFIG, WEIGHTS])
def test_a_folder_without_one_of_its_files_is_an_error_that_names_it(saved, file):
    (saved[1] / file).unlink()
    for read in (read_saved, load_model):
        with pytest.raises(ValueError, match=rf"s0 holds no {file}; give the folder of a finished run"):
            read(saved[1])


def test_arguments_of_timms_factory_are_not_saved(saved, tmp_path):
    model, folder = saved
    start = {"pretrained": True, "pretrained_cfg_overlay": {"file": str(folder / WEIGHTS)}}
    started = build("field_cnn", **ARGUMENTS, **start).eval()
    save_model(started, tmp_path / "s1", arguments={**ARGUMENTS, **start}, **IMAGES)
    assert read_saved(tmp_path / "s1").arguments == read_saved(folder).arguments
    (folder / WEIGHTS).unlink()
    images = torch.randn(2, 1, 8, 8)
    assert torch.equal(load_model(tmp_path / "s1").eval()(images), model(images))


def test_a_folder_that_holds_arguments_of_timms_factory_is_read(saved):
    model, folder = saved
    arguments = read_saved(folder).arguments
    config = json.loads((folder / CONFIG).read_text())
    config["model_args"] |= {"pretrained": True, "checkpoint_path": "gone.safetensors"}
    (folder / CONFIG).write_text(json.dumps(config))
    assert read_saved(folder).arguments == arguments
    loaded, images = load_model(folder).eval(), torch.randn(2, 1, 8, 8)
    assert torch.equal(loaded(images), model(images))
    assert tuple(resolve_model_data_config(loaded)["mean"]) == IMAGES["mean"]
    wider: Any = load_model(folder, img_size=12, in_chans=3, num_classes=3).eval()
    assert wider(torch.randn(2, 3, 12, 12)).shape == (2, 3)


def test_folders_of_earlier_versions_without_arguments_are_read(saved):
    config = json.loads((saved[1] / CONFIG).read_text())
    del config["model_args"]
    (saved[1] / CONFIG).write_text(json.dumps(config))
    assert read_saved(saved[1]).arguments == {}


def test_weights_of_a_run_that_were_altered_are_refused(saved):
    folder = saved[1]
    results.write_result(folder, {"test_accuracy": 0.5})
    read_saved(folder)
    (folder / "result.json").rename(folder / "kept.json")
    (folder / "result.json").write_text("[1, 2]")
    with pytest.raises(ValueError, match=r"s0/result.json cannot be read, so the weights .* checked"):
        read_saved(folder)
    (folder / "kept.json").rename(folder / "result.json")
    weights = bytearray((folder / WEIGHTS).read_bytes())
    weights[-5] ^= 0x40
    (folder / WEIGHTS).write_bytes(weights)
    for read in (read_saved, load_model):
        with pytest.raises(ValueError, match=rf"s0/{WEIGHTS} was altered: its checksum is not the one in"):
            read(folder)
