"""Batches: every image in turn, whole batches, one result wherever the images are."""

import itertools
from typing import TypedDict

import pytest
import torch
from joblib import Parallel, delayed
from PIL import Image

from vision.config import AugmentConfig, DataConfig
from vision.data import (
    EncodedImages,
    Images,
    channel_statistics,
    draw_subset,
    eval_batches,
    load_source,
    train_batches,
)

CROP_FLIP = AugmentConfig(crop_padding=2, flip=True)
ALL = AugmentConfig(crop_padding=2, flip=True, mixup=0.8, cutmix=1.0, random_erasing=0.25)


class Normalization(TypedDict):
    mean: list[float]
    std: list[float]


PLAIN: Normalization = {"mean": [0.5], "std": [0.5]}


def numbered(count):
    """Images whose first pixel is their index, with labels that are the index too."""
    pixels = torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1).repeat(1, 1, 4, 4)
    return Images(pixels, torch.arange(count))


def collect(batches):
    return [(x.clone(), y.clone()) for x, y in batches]


def same(first, second):
    return len(first) == len(second) and all(
        torch.equal(x, other_x) and torch.equal(y, other_y)
        for (x, y), (other_x, other_y) in zip(first, second, strict=True)
    )


@pytest.fixture(scope="module")
def digits():
    return load_source(DataConfig(name="digits", source="digits"))


@pytest.fixture(scope="module")
def folder(digits, tmp_path_factory):
    root = tmp_path_factory.mktemp("digits")
    for split, images in (("train", digits.train), ("test", digits.test)):
        for index in range(60):
            path = root / split / str(int(images.labels[index])) / f"{index:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(images.pixels[index, 0].numpy()).save(path)
    return root


def source_of(folder, **settings):
    return load_source(DataConfig(name="folder", source="image_folder", root=str(folder), **settings))


@pytest.mark.parametrize("batch_size", [7, 10, 64])
def test_every_image_once_an_epoch_in_a_new_order_and_full_batches(batch_size):
    indices = torch.arange(5, 35)
    batches = train_batches(numbered(50), indices, batch_size=batch_size, seed=0, **PLAIN)
    batches = list(itertools.islice(batches, 40))
    assert all(x.shape == (batch_size, 1, 4, 4) and x.dtype == torch.float32 for x, _ in batches)
    stream = torch.cat([y for _, y in batches])
    epochs = stream[: len(stream) // 30 * 30].view(-1, 30)
    assert (epochs.sort(dim=1).values == indices).all()
    assert len({tuple(epoch.tolist()) for epoch in epochs}) == len(epochs)


def test_images_keep_their_labels():
    for x, y in train_batches(numbered(50), torch.arange(50), batch_size=16, seed=3, steps=5, **PLAIN):
        torch.testing.assert_close((x[:, 0, 0, 0] * 0.5 + 0.5) * 255, y.float())


def test_steps_and_seeds(digits):
    indices = torch.arange(100)

    def batches(seed):
        return train_batches(
            digits.train, indices, batch_size=32, augment=CROP_FLIP, seed=seed, steps=6, **PLAIN
        )

    first = collect(batches(seed=0))
    assert len(first) == 6
    assert same(first, collect(batches(seed=0)))
    assert not same(first, collect(batches(seed=1)))
    bare = train_batches(digits.train, indices, batch_size=32, seed=0, steps=6, **PLAIN)
    assert all(torch.equal(y, other) for (_, y), (_, other) in zip(first, bare, strict=True))


def test_evaluation_is_in_order_and_whole(digits):
    batches = collect(eval_batches(digits.test, batch_size=100, **PLAIN))
    assert [len(y) for _, y in batches] == [100, 100, 100, 60]
    assert torch.equal(torch.cat([y for _, y in batches]), digits.test.labels)
    torch.testing.assert_close(torch.cat([x for x, _ in batches]), (digits.test.pixels / 255 - 0.5) / 0.5)
    some = collect(eval_batches(digits.test, torch.tensor([5, 3, 9]), batch_size=2, **PLAIN))
    assert torch.cat([y for _, y in some]).tolist() == digits.test.labels[[5, 3, 9]].tolist()
    assert not collect(eval_batches(digits.test, torch.tensor([], dtype=torch.int64), batch_size=2, **PLAIN))


@pytest.mark.slow
@pytest.mark.parametrize("img_size", [None, 12])
@pytest.mark.parametrize("workers", [0, 2])
def test_streamed_and_resident_images_give_the_same_batches(folder, workers, img_size):
    resident, streamed = (
        source_of(folder, img_size=img_size),
        source_of(folder, img_size=img_size, max_memory_fraction=1e-12),
    )
    assert resident.train.resident and not streamed.train.resident
    assert resident.train.shape == streamed.train.shape == (1, img_size or 8, img_size or 8)
    indices = torch.arange(0, 60, 2)

    def batches(images, workers=0):
        return train_batches(
            images,
            indices,
            batch_size=8,
            augment=ALL,
            num_classes=10,
            seed=4,
            steps=9,
            workers=workers,
            **PLAIN,
        )

    first = collect(batches(resident.train))
    assert same(first, collect(batches(streamed.train, workers)))
    evaluated = collect(eval_batches(resident.test, batch_size=32, **PLAIN))
    assert same(evaluated, collect(eval_batches(streamed.test, batch_size=32, workers=workers, **PLAIN)))
    assert channel_statistics(resident.train, indices) == channel_statistics(streamed.train, indices)


def test_an_endless_stream_can_be_left(folder):
    streamed = source_of(folder, max_memory_fraction=1e-12)
    batches = train_batches(streamed.train, torch.arange(60), batch_size=8, seed=0, workers=1, **PLAIN)
    images, _ = next(batches)
    del batches  # must not wait for the workers
    assert len(images) == 8


def stream_some(images):
    return [
        int(y.sum())
        for _, y in train_batches(images, torch.arange(20), batch_size=4, seed=0, steps=3, workers=1, **PLAIN)
    ]


@pytest.mark.slow
def test_streaming_works_inside_a_joblib_process(folder):
    images = source_of(folder, max_memory_fraction=1e-12).train
    here = [
        int(y.sum())
        for _, y in train_batches(images, torch.arange(20), batch_size=4, seed=0, steps=3, **PLAIN)
    ]
    assert Parallel(n_jobs=2)([delayed(stream_some)(images)]) == [here]


def test_statistics_are_the_channels_mean_and_deviation(digits):
    subset = draw_subset(digits.train.labels, 200, seed=0, val_fraction=0.1)
    mean, std = channel_statistics(digits.train, subset.train)
    pixels = digits.train.pixels[subset.train].double() / 255
    assert mean == pytest.approx([pixels.mean().item()])
    assert std == pytest.approx([pixels.std(correction=0).item()])
    x = torch.cat([x for x, _ in eval_batches(digits.train, subset.train, batch_size=64, mean=mean, std=std)])
    assert x.mean().abs() < 1e-5 and (x.std() - 1).abs() < 1e-3


def test_statistics_of_two_channels_and_of_a_constant():
    pixels = torch.tensor([[0, 255], [51, 255]], dtype=torch.uint8).view(2, 2, 1, 1).expand(2, 2, 3, 3)
    assert channel_statistics(Images(pixels.contiguous(), torch.tensor([0, 1])), torch.tensor([0, 1])) == (
        pytest.approx([0.1, 1.0]),
        pytest.approx([0.1, 0.0]),
    )


def test_no_images_and_broken_images(tmp_path):
    with pytest.raises(ValueError, match="no images to train on"):
        train_batches(numbered(5), torch.tensor([], dtype=torch.int64), batch_size=2, seed=0, **PLAIN)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    images = Images(EncodedImages([str(broken)], shape=(1, 4, 4)), torch.tensor([0]))
    with pytest.raises(ValueError, match=r"broken\.png' cannot be decoded"):
        next(eval_batches(images, batch_size=1, **PLAIN))


POLICY = AugmentConfig(flip=True, policy="trivialaugment")


@pytest.mark.parametrize("augment", [None, CROP_FLIP, ALL, POLICY], ids=["none", "geometry", "all", "policy"])
@pytest.mark.parametrize("resident", [True, False])
def test_batches_that_start_later_are_those_of_the_whole(folder, augment, resident):
    source = source_of(folder, max_memory_fraction=1.0 if resident else 1e-12)
    assert source.train.resident == resident

    def made(start: int):
        options = {"seed": 3, "augment": augment, "num_classes": 10, "steps": 12, "start": start, **PLAIN}
        return collect(train_batches(source.train, torch.arange(60), batch_size=16, **options))

    assert same(made(7), made(0)[7:])
