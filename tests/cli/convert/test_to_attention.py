"""`vision convert` as a user runs it: what it prints, writes and refuses."""

import csv
import re
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from PIL import Image
from sklearn.datasets import load_sample_image

from vision.cli import main
from vision.cli.images import image_files, normalize, picture, read_images
from vision.convert import load_converted
from vision.models import save_model

SMALL = ["--input-size", "64", "--classes", "4"]
NUMBER = r"\d\.\de[-+]\d\d"


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """Make lines wide enough for the table, whatever the terminal is."""
    monkeypatch.setenv("COLUMNS", "140")


def convert(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main(["convert", *map(str, arguments)])
    shown = capsys.readouterr()
    return status, shown.out, shown.err


def differences(out: str) -> dict[str, float]:
    """Return the last but one column of the table by layer."""
    row = rf"^ ([\w.]+) +(?:convolution|max pool|average pool).* ({NUMBER}) +(?:{NUMBER}|all are 0) *$"
    rows = re.findall(row, out, re.M)
    return {name: float(value) for name, value in rows}


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Ten photographs in two folders and two formats, one of them grey, next to a text file."""
    photograph = load_sample_image("flower.jpg")
    for i in range(10):
        folder = tmp_path / "photos" / ("a" if i % 2 else "b/c")
        folder.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(photograph[10 * i : 10 * i + 300, 20 * i : 20 * i + 200])
        (image.convert("L") if i == 3 else image).save(folder / f"{i}.{'png' if i % 3 else 'JPG'}", "png")
    (tmp_path / "photos/notes.txt").write_text("no image")
    return tmp_path / "photos"


@pytest.mark.parametrize("name", ["resnet10t", "torchvision/squeezenet1_1"])
def test_every_layer_is_compared_and_the_logits_both_ways(capsys, name):
    status, out, err = convert(capsys, name, *SMALL)
    assert status == 0
    found = differences(out)
    assert len(found) == {"resnet10t": 19, "torchvision/squeezenet1_1": 30}[name]
    assert max(found.values()) < 1e-4 and sum(value > 0 for value in found.values()) > len(found) / 3
    logits = re.findall(rf"logits (as explicit attention|by torch's operations): .* ({NUMBER}) of the", out)
    assert [kind for kind, _ in logits] == ["as explicit attention", "by torch's operations"]
    assert all(float(share) < 1e-5 for _, share in logits)
    assert "weights are random (seed 0)" in out and "2 images of noise (seed 0)" in out
    assert ("14 batch norms folded" in out) == (name == "resnet10t")
    assert len(err.splitlines()) == len(found) and f"layer {len(found)}/{len(found)} " in err


@pytest.mark.slow
def test_few_heads_soft_pools_and_float64(capsys):
    hard = differences(convert(capsys, "resnet10t", *SMALL, "--precision", "float64")[1])
    assert max(hard.values()) < 1e-12
    options = ["--precision", "float64", "--heads", "min", "--pooling", "soft"]
    status, out, _ = convert(capsys, "resnet10t", *SMALL, *options)
    soft = differences(out)
    assert status == 0 and "fewest heads" in out
    assert 1e-4 < soft.pop("maxpool") < 0.022  # ln(9) / 100
    assert max(soft.values()) < 1e-12


@pytest.mark.slow
def test_the_folder_holds_the_model_its_table_and_its_figure(capsys, tmp_path, photographs):
    out = tmp_path / "deep/er/c"
    command = ["resnet10t", *SMALL, "--data", photographs, "--out", out]
    status, said, _ = convert(capsys, *command)
    assert status == 0 and f"8 images of {photographs}" in said
    files = {"model.safetensors", "conversion.json", "layers.csv", "fields.png", "fields.svg", "fields.pdf"}
    assert {path.name for path in out.iterdir()} == files
    assert all(f"wrote {out / file}" in said for file in files)
    assert Image.open(out / "fields.png").width > 700 and "<svg" in (out / "fields.svg").read_text()
    rows = list(csv.DictReader((out / "layers.csv").open()))
    shown = differences(said)
    assert {row["name"] for row in rows} == set(shown)
    assert all(float(row["difference"]) == pytest.approx(shown[row["name"]], rel=0.06) for row in rows)
    loaded = load_converted(out)
    assert loaded(torch.zeros(1, 3, 64, 64)).shape == (1, 4)
    model = (out / "model.safetensors").read_bytes()
    assert convert(capsys, *command)[0] == 0, "the folder holds the same content"
    status, _, err = convert(capsys, *command, "--heads", "min")
    assert status == 2 and "nothing was changed" in err and len(err.splitlines()) == 1
    assert (out / "model.safetensors").read_bytes() == model


@pytest.mark.slow
def test_a_checkpoint_is_used_and_a_wrong_one_refused(capsys, tmp_path):
    model = timm.create_model("resnet10t", num_classes=4).eval()
    torch.save({"state_dict": model.state_dict()}, tmp_path / "w.pth")
    command = ["resnet10t", "--input-size", 64, "--checkpoint", tmp_path / "w.pth"]
    status, said, _ = convert(capsys, *command, "--classes", 4, "--out", tmp_path / "c")
    assert status == 0 and f"weights from {tmp_path / 'w.pth'}" in said and "random" not in said
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(load_converted(tmp_path / "c")(x), model(x), atol=1e-5)
    status, _, err = convert(capsys, *command)
    assert status == 2 and "has 4 classes: give --classes" in err and len(err.splitlines()) == 1
    status, _, err = convert(capsys, "resnet18", *command[1:], "--classes", 4)
    assert status == 2 and "missing: " in err and "unexpected: conv1.0.weight" in err


def test_the_folder_of_a_run_is_converted_with_its_weights(capsys, tmp_path):
    arguments: dict[str, Any] = {"num_classes": 3, "in_chans": 1, "img_size": 16, "embed_dim": 16, "depth": 2}
    model = timm.create_model("field_cnn", **arguments)
    known = {"input_size": (1, 16, 16), "mean": (0.2,), "std": (0.5,)}
    save_model(model, tmp_path / "s0", arguments=arguments, **known)
    status, said, _ = convert(capsys, tmp_path / "s0")
    assert status == 0 and "images 1 x 16 x 16" in said
    assert f"weights from {tmp_path / 's0/model.safetensors'}" in said
    status, _, err = convert(capsys, tmp_path / "s0", "--pretrained")
    assert status == 2 and "leave out" in err


@pytest.mark.slow
def test_layers_that_stay_are_listed_with_a_reason_and_strict_refuses_them(capsys):
    status, said, _ = convert(capsys, "torchvision/lraspp_mobilenet_v3_large", *SMALL)
    assert status == 0 and "left unchanged" in said and "it resamples the image" in said
    status, said, err = convert(capsys, "torchvision/lraspp_mobilenet_v3_large", *SMALL, "--strict")
    assert status == 2 and "strict=True" in err and "it resamples the image" in err and not said
    status, said, _ = convert(capsys, "vit_tiny_patch16_224", *SMALL, "--strict")
    assert status == 0 and said.count(" unchanged") == 12, "one row for each of its attention layers"


WRONG = {
    "resnet1": ["NAME", "'resnet1'", "did you mean resnet18, torchvision/resnet18"],
    "torchvision/resnet1": ["'torchvision/resnet1'", "torchvision/resnet18"],
    "resnet10t --input-size 0": ["--input-size", "from 1 to 1024", "got 0"],
    "resnet10t --input-size 4096": ["--input-size", "from 1 to 1024", "got 4096"],
    "torchvision/squeezenet1_1 --input-size 4": ["does not run on images of shape (3, 4, 4)"],
    "resnet10t --classes 0": ["--classes must be 1 or more, got 0"],
    "resnet10t --data nowhere": ["--data nowhere is not a folder"],
    "resnet10t --data .": ["has no image in it", ".png"],
    "resnet10t --checkpoint w.pth": ["w.pth is not a file"],
    "resnet10t --checkpoint w.pth --pretrained": ["two sources of weights"],
    ".": ["holds no config.json", "finished run"],
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_input_is_one_line_that_names_it(capsys, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, said, err = convert(capsys, *line.split())
    assert status == 2 and not said and len(err.splitlines()) == 1 and err.startswith("vision convert: ")
    for word in WRONG[line]:
        assert word in err
    assert list(tmp_path.iterdir()) == []


def test_images_are_read_evenly_cut_and_normalize_by_the_models_own_mean(tmp_path, photographs):
    files = image_files(photographs)
    assert len(files) == 8 and files == sorted(files)
    assert len({path.parent for path in files}) == 2 and {path.suffix for path in files} == {".png", ".JPG"}
    assert read_images(files, (3, 20, 30)).shape == (8, 3, 20, 30)
    assert read_images(files, (1, 16, 16)).shape == (8, 1, 16, 16)
    with pytest.raises(ValueError, match=r"grey or RGB images, got one for \(3, 8, 16, 16\)"):
        read_images(files, (3, 8, 16, 16))
    Image.new("RGB", (8, 8), (255, 0, 51)).save(tmp_path / "red.png")
    pixels = read_images([tmp_path / "red.png"], (3, 4, 4))
    model = timm.create_model(
        "resnet10t", pretrained_cfg_overlay={"mean": (0.5, 0.5, 0.1), "std": (0.5, 0.25, 0.1)}
    )
    assert torch.allclose(normalize(pixels, model)[0, :, 0, 0], torch.tensor([1.0, -2.0, 1.0]), atol=1e-6)
    assert picture(pixels, (3, 4, 4)).tolist() == [[pytest.approx([1, 0, 0.2])] * 4] * 4
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"broken\.png cannot be decoded"):
        read_images([tmp_path / "broken.png"], (3, 4, 4))
