"""Without positions a ViT does not notice that patches are shuffled, a CNN does: mathematics and script."""

from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from figure_cases import values_of
from shuffled_patches import MODELS, draw, intervals, main, plot_shuffled_patches, score
from torch import nn

from vision import shuffle_patches
from vision.config import DataConfig
from vision.data import load_source
from vision.patches import Grid, patchify, unpatchify

SEES_A_SET = {
    "ViT without positions": ("field_vit", {"pos_embed": "none"}),
    "no mixing": ("field_identity", {}),
}
SEES_A_GRID = {
    "ViT with learned positions": ("field_vit", {"pos_embed": "learned"}),
    "ViT with sinusoidal positions": ("field_vit", {"pos_embed": "sinusoidal"}),
    "ViT with conditional positions": ("field_vit", {"pos_embed": "conditional"}),
    "CNN": ("field_cnn", {}),
    "local attention without positions": ("field_local", {"pos_embed": "none"}),
    "static attention": ("field_static", {}),
    "pooling": ("field_pooling", {}),
}


def drawn(name: str, arguments: dict[str, Any]) -> Any:
    """A model in float64 whose every parameter is drawn, so that nothing is 0 as it starts."""
    torch.manual_seed(0)
    model = timm.create_model(name, img_size=16, patch_size=4, embed_dim=16, depth=2, **arguments)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model.double().eval()


def both_forms():
    """Images (5, 3, 16, 16), the same with their patches shuffled, and the orders (5, 16)."""
    images = torch.randn(5, 3, 16, 16, generator=torch.Generator().manual_seed(0)).double()
    numbered = unpatchify(torch.arange(16.0)[:, None].expand(5, 16, 16), Grid(4, 4), 4)
    shuffled, orders = (shuffle_patches(x, 4, torch.Generator().manual_seed(1)) for x in (images, numbered))
    return images, shuffled, patchify(orders, 4)[..., 0].long()


@pytest.mark.parametrize("name", SEES_A_SET)
def test_logits_of_a_set_do_not_know_its_order_and_tokens_follow_it(name):
    model, (images, shuffled, orders) = drawn(*SEES_A_SET[name]), both_forms()
    with torch.no_grad():
        tokens, wanted = model.forward_features(shuffled), model.forward_features(images)
        torch.testing.assert_close(model(shuffled), model(images), rtol=0, atol=1e-10)
    in_order = wanted.gather(1, orders[..., None].expand_as(wanted))
    torch.testing.assert_close(tokens, in_order, rtol=0, atol=1e-10)
    assert (tokens - wanted).abs().max() > 1e-2  # the tokens themselves did move


@pytest.mark.parametrize("name", SEES_A_GRID)
def test_logits_of_a_grid_know_its_order(name):
    model, (images, shuffled, _) = drawn(*SEES_A_GRID[name]), both_forms()
    with torch.no_grad():
        moved = (model(shuffled) - model(images)).abs().amax(1) / model(images).abs().amax(1)
    assert (moved > 1e-3).all()


def test_a_timm_vit_is_a_set_once_its_positions_are_0():
    model: Any = timm.create_model("vit_tiny_patch16_224", img_size=64, depth=2).double().eval()
    images = torch.randn(2, 3, 64, 64).double()
    shuffled = shuffle_patches(images, 16, torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert (model(shuffled) - model(images)).abs().max() > 1e-6
        model.pos_embed.zero_()
        torch.testing.assert_close(model(shuffled), model(images), rtol=0, atol=1e-10)


class Corner(nn.Module):
    """Class 0 where the first pixel is bright, else class 1; or whether any pixel is."""

    def __init__(self, *, anywhere: bool):
        super().__init__()
        self.anywhere = anywhere

    def forward(self, images):
        bright = images.flatten(1).amax(1) if self.anywhere else images[:, 0, 0, 0]
        return torch.stack((bright, 0.5 - bright), dim=1)


def test_scores_by_hand():
    images = torch.zeros(600, 1, 4, 4)
    images[:300, 0, 0, 0] = 1.0
    labels = torch.arange(2).repeat_interleave(300)
    seen = score(Corner(anywhere=True), images, labels, patch_size=2)
    assert seen == {"intact": 1.0, "shuffled": 1.0, "moved": 0.0}
    fooled = score(Corner(anywhere=False), images, labels, patch_size=2)
    # The bright patch stays in its corner once in 4 times.
    assert fooled["intact"] == 1.0 and fooled["shuffled"] == pytest.approx(0.5 + 0.5 / 4, abs=0.05)
    assert fooled["moved"] == 1.0


def records():
    rows = [
        {"label": label, "seed": seed, "subset_seed": seed, "data": "digits", "train_size": 100}
        | {"intact": 0.6 + 0.1 * seed, "shuffled": 0.2, "steps": 5, "n_test": 360, "device": "a CPU"}
        | {"versions": {"torch": "2"}, "commit": "0123456789abc"}
        for label in reversed(MODELS)
        for seed in (0, 1, 2)
    ]
    return pd.DataFrame(rows)


def test_the_figure_shows_each_model_twice_with_its_interval():
    table = intervals(records())
    assert list(dict.fromkeys(table["label"])) == list(MODELS) and (table["n"] == 3).all()
    first = table.iloc[0]
    half = 4.302653 * 0.1 / np.sqrt(3)  # Student's t of 2 degrees of freedom at 97.5%
    assert first["images"] == "intact"
    assert [first["mean"], first["low"], first["high"]] == pytest.approx([0.7, 0.7 - half, 0.7 + half])
    figure = draw(records(), load_source(DataConfig(name="digits", source="digits")), 2)
    figure.savefig(BytesIO(), format="png")
    panel = next(one for one in figure.axes if one.get_xlabel() == "test accuracy (%)")
    assert [tick.get_text() for tick in panel.get_yticklabels()] == list(MODELS)
    assert [text.get_text() for text in panel.texts] == ["70.0", "20.0"] * 4
    intact, shuffled = (values_of(one.images[0]) for one in figure.axes if one.images)
    assert not np.array_equal(intact, shuffled)
    assert np.array_equal(np.sort(intact, axis=None), np.sort(shuffled, axis=None))
    assert "n = 3 seeds" in figure.get_supxlabel()
    with pytest.raises(ValueError, match="got none named images"):
        plot_shuffled_patches(table.drop(columns="images"), (np.eye(2), np.eye(2)), patch_size=1, title="t")


@pytest.mark.slow
def test_the_script_from_training_to_figure(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("shuffled_patches.PARAMS", 20_000)
    main(["--train-size", "50", "--steps", "2", "--out", str(tmp_path)])
    table = capsys.readouterr().out.splitlines()
    assert (tmp_path / "shuffled_patches.png").exists() and (tmp_path / "shuffled_patches.svg").exists()
    runs = [line for line in table if line.split()[0].isdigit() and "e-" in line.split()[-1]]
    for label in ("ViT, no positions", "no mixing"):
        ours = [line.split() for line in runs if label in line]
        assert len(ours) == 3
        assert all(line[-3] == line[-2] and float(line[-1]) < 1e-5 for line in ours)
