"""Data sets of torchvision, by the name of their class.

>>> load_source(DataConfig(name="cifar10", source="torchvision", dataset="CIFAR10"))  # doctest: +SKIP
"""

from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, cast

import torch
from filelock import FileLock
from torch import Tensor

from vision.config import DataConfig
from vision.data.encoded import EncodedImages
from vision.data.images import Images, Source
from vision.data.sources.registry import register_source
from vision.data.subsets import stratified_split
from vision.dynamic import JsonObject

TEST_SHARE = 0.2
Parts = tuple[JsonObject, ...]
FLAG: tuple[Parts, Parts] = (({"train": True},), ({"train": False},))
SPLIT: tuple[Parts, Parts] = (({"split": "train"},), ({"split": "test"},))
DATASETS: dict[str, tuple[Parts, Parts]] = {
    "CIFAR10": FLAG,
    "CIFAR100": FLAG,
    "ciFAIR10": FLAG,
    "ciFAIR100": FLAG,
    "MNIST": FLAG,
    "FashionMNIST": FLAG,
    "SVHN": SPLIT,
    "Food101": SPLIT,
    # with its validation split, because ours is taken from the training subset
    "Flowers102": (({"split": "train"}, {"split": "val"}), ({"split": "test"},)),
    "Imagenette": (({"split": "train"},), ({"split": "val"},)),
    "EuroSAT": (({},), ()),  # has no test split: a fixed one is held out
}


@register_source("torchvision")
def load_torchvision(config: DataConfig) -> Source:
    """Read the splits of the class that data.dataset names; download them if data.download.

    EuroSAT has only one split; a stratified fifth, independent of the run's seeds, is held out for the test.
    Flowers102's training and validation splits make up our training split. Imagenette is read from the
    smallest of its three archives that data.img_size does not enlarge.

    Raises:
        ValueError: data.dataset is not in `DATASETS`.
        FileNotFoundError: the files are not in data.root, and are not or cannot be downloaded.
    """
    if config.dataset not in DATASETS:
        raise ValueError(f"data.dataset must be one of {', '.join(DATASETS)}, got {config.dataset!r}")
    train_parts, test_parts = DATASETS[config.dataset]
    sets = [_open(config, part) for part in train_parts]
    train, classes = _join(sets), _classes(sets[0])
    if test_parts:
        return Source(train, _join([_open(config, part) for part in test_parts]), classes)
    kept, held = stratified_split(train.labels, TEST_SHARE)
    return Source(train.pick(kept), train.pick(held), classes)


def _open(config: DataConfig, part: JsonObject) -> Any:
    from torchvision import datasets  # pyright: ignore[reportMissingTypeStubs]

    from vision.data.sources import cifair

    root, name = Path(config.root).absolute(), str(config.dataset)
    kind = getattr(cifair if name.startswith("ciFAIR") else datasets, name)
    if config.dataset == "Imagenette":
        part = {**part, "size": _archive(config.img_size)}
    if config.dataset in ("Flowers102", "Food101", "Imagenette", "EuroSAT"):
        part = {**part, "loader": str}  # items are paths, which we decode
    try:
        with _download_lock(root) if config.download else nullcontext():
            return kind(str(root), download=config.download, **part)
    except (RuntimeError, OSError) as error:
        way = "the download failed" if config.download else "set data.download=true to fetch it"
        raise FileNotFoundError(
            f"data.root={config.root!r} has no complete {config.dataset} in {root}; {way}: {error}"
        ) from error


@contextmanager
def _download_lock(root: Path) -> Generator[None]:
    """Let one process at a time download into a folder, so that two do not damage each other's files."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(root / ".lock")
        lock.acquire()
    except OSError:  # a read-only folder
        yield
        return
    try:
        yield
    finally:
        lock.release()


def _archive(img_size: int | None) -> str:
    sizes = (side for side in (160, 320) if img_size is not None and img_size <= side)
    return next((f"{side}px" for side in sizes), "full")


def _join(sets: list[Any]) -> Images:
    """Join the images of all sets: as a tensor if the class keeps an array, otherwise by path."""
    if hasattr(sets[0], "data"):
        parts = [(_channels_first(torch.as_tensor(part.data)), _targets(part)) for part in sets]
        return Images(torch.cat([x for x, _ in parts]), torch.cat([y for _, y in parts]))
    samples = [part[index] for part in sets for index in range(len(part))]
    paths, labels = zip(*samples, strict=True)
    return Images(EncodedImages(paths), torch.tensor(labels))


def _channels_first(data: Tensor) -> Tensor:
    """(N, H, W), (N, H, W, 3) or (N, C, H, W) -> (N, C, H, W)."""
    if data.ndim == 3:
        return data[:, None]
    return data.permute(0, 3, 1, 2) if data.shape[1] > 3 else data


def _targets(part: Any) -> Tensor:
    return torch.as_tensor(part.targets if hasattr(part, "targets") else part.labels).long()


def _classes(part: Any) -> tuple[str, ...]:
    """Return the names of the classes, the first of several (Imagenette); numbers if there are none."""
    names = getattr(part, "classes", None) or range(int(_targets(part).max()) + 1)
    return tuple(cast("tuple[str, ...]", name)[0] if isinstance(name, tuple) else str(name) for name in names)
