"""`vision inspect`, as a user calls it."""

import numpy as np
import pytest
from PIL import Image

from vision.cli import main


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(4):
        pixels = np.random.default_rng(i).integers(0, 255, (40, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


def pictures(folder):
    return {path.name for path in folder.glob("*.png") if Image.open(path).size[0] > 300}


def test_a_vit_beside_a_cnn_on_images_of_ones_own(tmp_path, photos, capsys):
    out = tmp_path / "seen"
    options = ["--input-size", "32", "--against", "field_cnn", "--data", str(photos), "--out", str(out)]
    assert main(["inspect", "field_vit", *options]) == 0
    shown = capsys.readouterr()
    assert "field_cnn" in shown.out and "attention distance" in shown.out and "4 images" in shown.out
    names = {"attention_distance", "rollout", "receptive_field", "positions", "cka"}
    assert pictures(out) == {f"{name}.png" for name in names}
    assert "no heads.png" in shown.err


def test_a_cnn_alone_and_what_it_has_no_part_for(tmp_path, capsys):
    out = tmp_path / "seen"
    assert main(["inspect", "resnet10t", "--input-size", "32", "--out", str(out)]) == 0
    shown = capsys.readouterr()
    assert pictures(out) == {
        f"{name}.png" for name in ("attention_distance", "rollout", "receptive_field", "cka")
    }
    assert "no positions.png: ResNet has no pos_embed" in shown.err and "8 images of noise" in shown.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["field_vitt"], "did you mean field_vit"),
        (["field_vit", "--data", "nowhere"], "--data nowhere is no folder"),
        (["field_vit", "--against", "mnist_net"], "NAME must be a model"),
        (["field_vit", "--checkpoint", "no.pth"], "no.pth"),
        (["resnet10t", "--against", "field_vit"], "give --input-size"),
    ],
)
def test_wrong_options_are_named_before_any_work(arguments, message, tmp_path, capsys):
    assert main(["inspect", *arguments, "--out", str(tmp_path / "seen")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "seen").exists()
