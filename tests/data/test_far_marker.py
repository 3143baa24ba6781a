"""The synthetic task of long range: its images, and that what does not reach cannot beat chance."""

from math import log

import pytest
import timm
import torch
from pixels import pixels_of
from torch import nn
from torch.nn.functional import cross_entropy

import vision  # noqa: F401  (its models in timm's registry)
from vision.config import DataConfig
from vision.data import Images, load_source
from vision.data.sources.far_marker import QUESTIONS, far_marker, questions

MEAN, STD = 60.0, 70.0


def config(**settings) -> DataConfig:
    return DataConfig(name="far_marker", source="far_marker", **settings)


def pixels(images: Images) -> torch.Tensor:
    return (pixels_of(images).float() - MEAN) / STD


def model(name: str, depth: int, seed: int = 0, **options) -> nn.Module:
    torch.manual_seed(seed)
    sizes = {"img_size": 8, "patch_size": 2, "in_chans": 1, "embed_dim": 32, "depth": depth}
    return timm.create_model(name, **sizes, num_classes=2, pos_embed="sinusoidal", **options)


def trained(name: str, depth: int, steps: int = 400) -> nn.Module:
    net, images = model(name, depth), far_marker(questions(3600, seed=0), distance=6)
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, steps)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        batch = images.pick(torch.randint(0, len(images), (64,), generator=generator))
        loss = cross_entropy(net(pixels(batch)), batch.labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval()


@torch.no_grad()
def scores(net: nn.Module) -> tuple[float, float]:
    """Cross-entropy and accuracy on images that were not trained on."""
    images = far_marker(questions(900, seed=1), distance=6, seed=1)
    logits = net(pixels(images))
    found = (logits.argmax(1) == images.labels).float().mean()
    return float(cross_entropy(logits, images.labels)), float(found)


@torch.no_grad()
def lowest_over_noises(net: nn.Module) -> float:
    """The lowest cross-entropy over all questions before one and the same noise."""
    net, labels, found = net.double(), far_marker(QUESTIONS, distance=6).labels, []
    for seed in range(20):
        # one image a call, so that each draws the same noise
        same = [pixels_of(far_marker(row[None], distance=6, seed=seed)) for row in QUESTIONS]
        x = (torch.cat(same).double() - MEAN) / STD
        found.append(float(cross_entropy(net(x), labels)))
    return min(found)


def test_the_source_is_the_same_whenever_it_is_read():
    source = load_source(config())
    assert (len(source.train), len(source.test), source.train.shape) == (9000, 1800, (1, 8, 8))
    assert source.classes == ("upright", "level")
    assert source.train.labels.bincount().tolist() == [4500, 4500]
    again = load_source(config(root="elsewhere", subset_seed=5))
    assert again is not source and torch.equal(pixels_of(again.train), pixels_of(source.train))
    assert torch.equal(again.test.labels, source.test.labels)
    both = torch.cat((pixels_of(source.train), pixels_of(source.test))).flatten(1)
    assert len(both.unique(dim=0)) == 10_800  # no test image was trained on
    one, other = (pixels_of(far_marker(QUESTIONS, distance=6, seed=seed)) for seed in (0, 1))
    assert not torch.equal(one, other)


@pytest.mark.parametrize(("side", "distance"), [(8, 6), (8, 2), (16, 9)])
def test_the_label_is_the_marker_in_the_place_that_the_key_names(side, distance):
    source = load_source(config(img_size=side, options={"distance": distance}))
    lit = pixels_of(source.test)[:, 0] >= 191
    key = (~lit[:, 0, 0]).long()  # the first key is all lit, the second a diagonal without that pixel
    right, below = (
        lit[:, row : row + 2, col : col + 2].flatten(1) for row, col in ((0, distance), (distance, 0))
    )
    upright = torch.tensor([True, False, True, False])
    named = torch.where(key[:, None] == 0, right, below)
    assert torch.equal((named == upright).all(1), source.test.labels == 0)
    assert torch.equal((right == upright).all(1), (below != upright).any(1))  # never the same in both
    assert pixels_of(source.test)[:, 0].masked_fill(lit, 0).max() < 64
    assert set(lit.sum((1, 2)).tolist()) == {6, 8}  # a key of 4 or 2 pixels, 2 markers of 2


def test_neither_the_key_nor_the_markers_say_anything_alone():
    asked = questions(1800, seed=1)
    labels = far_marker(asked, distance=6).labels
    for part in (asked[:, 0], asked[:, 1]):
        together = torch.stack((part, labels)).unique(dim=1, return_counts=True)[1]
        assert together.tolist() == [450] * 4


@pytest.mark.parametrize(("name", "depth"), [("field_local", 1), ("field_cnn", 1), ("field_identity", 3)])
def test_whatever_its_weights_a_model_that_does_not_reach_stays_at_log_2_or_above(name, depth):
    for seed in range(5):
        net = model(name, depth, seed)
        for parameter in net.parameters():
            parameter.data *= 3  # far from the equal logits that have log 2 for free
        assert lowest_over_noises(net) >= log(2) - 1e-9
    reaches = [model("field_vit", 1, seed) for seed in range(5)]
    for net in reaches:
        for parameter in net.parameters():
            parameter.data *= 3
    assert min(lowest_over_noises(net) for net in reaches) < log(2) - 1e-3  # so the bound can fail


@pytest.mark.slow
def test_full_attention_learns_what_one_local_layer_cannot():
    loss, accuracy = scores(trained("field_vit", 1))
    assert loss < 0.1 and accuracy > 0.97
    local = trained("field_local", 1)
    loss, accuracy = scores(local)
    assert loss > log(2) - 0.01 and accuracy < 0.6
    assert lowest_over_noises(local) >= log(2) - 1e-9


@pytest.mark.slow
def test_a_second_local_layer_reaches():
    loss, accuracy = scores(trained("field_local", 2))
    assert loss < 0.1 and accuracy > 0.97


def test_settings_out_of_range_are_refused_by_name():
    with pytest.raises(ValueError, match=r"data.img_size must be at least 4.*got 3"):
        load_source(config(img_size=3))
    for distance in ("7", "1", "far", "-2"):
        with pytest.raises(
            ValueError, match=rf"data.options.distance.*from 2 to 6 .*8 x 8, got '{distance}'"
        ):
            load_source(config(options={"distance": distance}))
    with pytest.raises(ValueError, match=r"data.options of far_marker are distance; got size"):
        load_source(config(options={"size": 3}))
