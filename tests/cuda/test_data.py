"""Batches on the device: resident and streamed images, and the same augmentation as on the CPU."""

import io
from typing import Any

import pytest
import torch

from vision.config import AugmentConfig, DataConfig
from vision.data import (
    Images,
    Source,
    channel_statistics,
    eval_batches,
    load_source,
    register_source,
    train_batches,
)

AUGMENT = AugmentConfig(crop_padding=2, flip=True, mixup=0.2, cutmix=0.5, random_erasing=0.5)
GEOMETRY = AugmentConfig(crop_padding=2, flip=True)
STATISTICS: dict[str, Any] = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.25, 0.3]}


def pixels() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (60, 3, 12, 12), dtype=torch.uint8, generator=generator)


@register_source("cuda_tests_png")
def png_images(config: DataConfig) -> Source:
    """60 small PNG files in memory, which are decoded as they are read."""
    from PIL import Image

    from vision.data.encoded import EncodedImages

    items = []
    for image in pixels():
        file = io.BytesIO()
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(file, "PNG")
        items.append(file.getvalue())
    labels = torch.arange(60) % 5
    half = Images(EncodedImages(items), labels)
    return Source(half, half, tuple("abcde"))


def first_batches(images: Images, device, augment, count=4, **options):
    batches = train_batches(
        images,
        torch.arange(60),
        batch_size=16,
        seed=3,
        augment=augment,
        num_classes=5,
        steps=count,
        device=device,
        **STATISTICS,
        **options,
    )
    return list(batches)


def assert_equal(got, wanted, atol=1e-5):
    for (x, y), (other, target) in zip(got, wanted, strict=True):
        torch.testing.assert_close(x.cpu(), other.cpu(), rtol=0, atol=atol)
        torch.testing.assert_close(y.cpu(), target.cpu(), rtol=0, atol=atol)


@pytest.mark.parametrize("augment", [None, GEOMETRY, AUGMENT], ids=["none", "geometry", "all"])
def test_the_same_seed_gives_the_same_batches_as_on_the_cpu(device, augment):
    labels = torch.arange(60) % 5
    wanted = first_batches(Images(pixels(), labels), torch.device("cpu"), augment)
    got = first_batches(Images(pixels().to(device), labels), device, augment)
    assert all(x.device.type == y.device.type == device.type for x, y in got)
    assert_equal(got, wanted)


def test_images_in_the_hosts_memory_are_sent_to_the_device(device):
    labels = torch.arange(60) % 5
    wanted = first_batches(Images(pixels(), labels), torch.device("cpu"), GEOMETRY)
    got = first_batches(Images(pixels(), labels), device, GEOMETRY)
    assert all(x.device.type == device.type for x, _ in got)
    assert_equal(got, wanted)


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_streamed_batches_equal_resident_ones(device, workers):
    config = DataConfig(name="png", source="cuda_tests_png")
    resident = load_source(config, device=device)
    there = resident.train.pixels
    assert isinstance(there, torch.Tensor) and there.device.type == device.type
    streamed = load_source(
        DataConfig(name="png", source="cuda_tests_png", max_memory_fraction=1e-12), device=device
    )
    assert not streamed.train.resident
    wanted = first_batches(resident.train, device, GEOMETRY)
    got = first_batches(streamed.train, device, GEOMETRY, workers=workers)
    assert all(x.device.type == y.device.type == device.type for x, y in got)
    assert_equal(got, wanted)
    for name in ("mean", "std"):
        index = {"mean": 0, "std": 1}[name]
        one, other = (channel_statistics(s.train, torch.arange(60))[index] for s in (resident, streamed))
        assert one == other


def test_evaluation_reads_every_image_once_in_order(device):
    images = Images(pixels().to(device), torch.arange(60))
    batches = list(eval_batches(images, batch_size=25, device=device, **STATISTICS))
    assert [len(x) for x, _ in batches] == [25, 25, 10]
    assert torch.cat([y for _, y in batches]).tolist() == list(range(60))


@pytest.mark.cuda
def test_a_batch_does_not_wait_for_the_device(cuda):
    """Making batches of resident images must not synchronize: the device would idle."""
    labels = torch.arange(60) % 5
    images = Images(pixels().to(cuda), labels)
    first_batches(images, cuda, GEOMETRY)  # builds what is kept
    batches = train_batches(
        images, torch.arange(60), batch_size=16, seed=3, augment=GEOMETRY, steps=4, device=cuda, **STATISTICS
    )
    next(batches)  # sends labels, mean and deviation
    torch.cuda.set_sync_debug_mode("error")
    try:
        assert len(list(batches)) == 3
    finally:
        torch.cuda.set_sync_debug_mode("default")
