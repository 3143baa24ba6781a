"""Augmentation: one draw for each image, windows that are windows, draws from the run's seed alone."""

import random

import numpy as np
import pytest
import torch

from vision.config import AugmentConfig
from vision.data.augmentation import Augmentation, Normalize, crop, draw_crops, draw_flips, flip

CPU = torch.device("cpu")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(count=64, channels=3, height=9, width=7):
    return torch.randint(1, 256, (count, channels, height, width), dtype=torch.uint8, generator=generator(9))


def augmentation(seed=0, *, batch_size=64, num_classes: int | None = 10, **changes):
    return Augmentation(
        AugmentConfig(**changes),
        mean=[0.5, 0.4, 0.3],
        std=[0.2, 0.25, 0.3],
        batch_size=batch_size,
        num_classes=num_classes,
        generator=generator(seed),
        device=CPU,
    )


def test_flip_hits_about_half_of_one_batch():
    images = noise(1000)
    flipped = flip(images, draw_flips(1000, generator()))
    mirrored = (flipped == images.flip(-1)).flatten(1).all(1)
    same = (flipped == images).flatten(1).all(1)
    assert (mirrored ^ same).all()
    assert 440 < mirrored.sum() < 560


def test_every_crop_is_a_window_and_offsets_differ():
    padding, images = 3, noise(200)
    height, width = images.shape[-2:]
    framed = torch.nn.functional.pad(images, (padding,) * 4)
    seen = set()
    windows = crop(images, padding, draw_crops(200, padding, width, generator()))
    for source, window in zip(framed, windows, strict=True):
        fits = [
            (top, left)
            for top in range(2 * padding + 1)
            for left in range(2 * padding + 1)
            if torch.equal(source[:, top : top + height, left : left + width], window)
        ]
        assert len(fits) == 1
        seen.add(fits[0])
    assert len(seen) > 40  # of 49


def test_padding_is_black_before_normalization():
    images = torch.full((64, 3, 8, 8), 255, dtype=torch.uint8)
    x, _ = augmentation(crop_padding=4)(images, torch.zeros(64, dtype=torch.int64))
    expected = Normalize([0.5, 0.4, 0.3], [0.2, 0.25, 0.3])(
        torch.tensor([0, 255]).repeat(3, 1).view(1, 3, 1, 2).byte()
    )
    for channel in range(3):
        assert set(x[:, channel].unique().tolist()) == set(expected[0, channel].flatten().tolist())


def test_normalize_is_the_formula_and_guards_constant_channels():
    images = noise()
    mean, std = torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1), torch.tensor([0.2, 0.25, 0.3]).view(3, 1, 1)
    torch.testing.assert_close(augmentation()(images, torch.arange(64))[0], (images / 255 - mean) / std)
    assert Normalize([1.0], [0.0])(torch.full((2, 1, 4, 4), 255, dtype=torch.uint8)).abs().max() == 0
    with pytest.raises(ValueError, match=r"data\.mean .* must have one value per channel, 3, got 1"):
        Normalize([0.1], [0.2])(images)
    with pytest.raises(ValueError, match=r"data\.mean and data\.std must each have one value per channel"):
        Normalize([0.1, 0.2], [0.2])


ALL = {"crop_padding": 2, "flip": True, "mixup": 0.8, "cutmix": 1.0, "random_erasing": 0.5}


def numpy_state():
    return np.random.get_state(legacy=False)["state"]["key"].tolist()


def test_the_same_seed_gives_the_same_batches_and_leaves_global_draws_alone():
    images, labels = noise(), torch.randint(10, (64,), generator=generator())
    first, second = augmentation(**ALL), augmentation(**ALL)
    x = None
    for _ in range(3):
        before = random.getstate(), numpy_state(), torch.get_rng_state()
        x, y = first(images, labels)
        assert random.getstate() == before[0]
        assert numpy_state() == before[1]
        assert torch.equal(torch.get_rng_state(), before[2])
        _ = random.random(), np.random.rand(), torch.rand(1)
        again = second(images, labels)
        assert torch.equal(x, again[0]) and torch.equal(y, again[1])
    assert x is not None and not torch.equal(x, first(images, labels)[0])
    assert not torch.equal(first(images, labels)[0], augmentation(1, **ALL)(images, labels)[0])


def test_the_batch_given_is_not_changed():
    images = noise()
    before = images.clone()
    augmentation(**ALL)(images, torch.arange(64) % 10)
    assert torch.equal(images, before)


def test_mixup_mixes_images_and_targets_alike_with_a_draw_for_each():
    # Images of one colour, which is the label's: after mixing, the colour tells the share in the target.
    labels = torch.arange(64) % 2
    images = (labels * 255).to(torch.uint8).view(64, 1, 1, 1).expand(64, 3, 8, 8)
    change = Augmentation(
        AugmentConfig(mixup=1.0),
        mean=[0.0] * 3,
        std=[1.0] * 3,
        batch_size=64,
        num_classes=2,
        generator=generator(),
        device=CPU,
    )
    x, y = change(images, labels)
    torch.testing.assert_close(x[:, 0, 0, 0], y[:, 1])
    torch.testing.assert_close(y.sum(dim=1), torch.ones(64))
    assert len(y[:, 1].unique()) > 50


def test_cutmix_targets_are_the_share_of_pixels():
    labels = torch.arange(64) % 2
    images = (labels * 255).to(torch.uint8).view(64, 1, 1, 1).expand(64, 3, 16, 16)
    change = Augmentation(
        AugmentConfig(cutmix=1.0),
        mean=[0.0] * 3,
        std=[1.0] * 3,
        batch_size=64,
        num_classes=2,
        generator=generator(),
        device=CPU,
    )
    x, y = change(images, labels)
    torch.testing.assert_close(x.mean(dim=(1, 2, 3)), y[:, 1])
    assert len(y[:, 1].unique()) > 20


def test_erasing_sets_a_rectangle_of_some_images_to_the_mean():
    x, _ = augmentation(random_erasing=0.5)(noise(height=16, width=16), torch.arange(64))
    erased = (x == 0).all(dim=1)
    assert 20 < erased.flatten(1).any(1).sum() < 44
    assert len({mask.nonzero().min(0).values.tolist().__str__() for mask in erased if mask.any()}) > 10


def test_mixing_needs_an_even_batch_and_the_number_of_classes():
    with pytest.raises(ValueError, match=r"training\.batch_size must be even with data\.augment\.mixup=0\.5"):
        augmentation(mixup=0.5, batch_size=63)
    with pytest.raises(ValueError, match="needs num_classes, got None"):
        augmentation(cutmix=0.5, num_classes=None)


POLICIES = [
    {"policy": "randaugment", "policy_options": {"num_ops": 2, "magnitude": 9}},
    {"policy": "trivialaugment"},
    {"policy": "autoaugment"},
]


@pytest.mark.parametrize("changes", POLICIES, ids=lambda changes: changes["policy"])
def test_a_policy_draws_for_each_image_from_the_generator(changes):
    one_image = noise(1).repeat(64, 1, 1, 1)
    labels = torch.arange(64) % 10
    before = torch.get_rng_state()
    x, y = augmentation(**changes)(one_image, labels)
    assert torch.equal(torch.get_rng_state(), before), "the global generator is left as it was"
    assert torch.equal(y, labels) and x.shape == one_image.shape and x.dtype == torch.float32
    assert len({image.numpy().tobytes() for image in x}) > 20
    again, _ = augmentation(**changes)(one_image, labels)
    other, _ = augmentation(seed=1, **changes)(one_image, labels)
    assert torch.equal(x, again) and not torch.equal(x, other)


def test_a_policy_comes_before_normalization_and_erasing():
    images = noise(64)
    x, _ = augmentation(policy="trivialaugment", random_erasing=1.0)(images, torch.zeros(64).long())
    erased = (x == 0).flatten(1).any(1)
    assert erased.float().mean() > 0.9


def test_options_that_a_policy_does_not_have_are_named():
    with pytest.raises(ValueError, match=r"data.augment.policy=trivialaugment cannot .*policy_options=.*ops"):
        augmentation(policy="trivialaugment", policy_options={"num_ops": 3})
