"""The linear probe of a run's features, on its own data set or on another one.

>>> read_transfer(Transfer(["data=digits"]), (3, 32, 32)).train.shape  # doctest: +SKIP
(3, 32, 32)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from vision.cli.data import compose_data
from vision.cli.evaluate.models import LoadedRun
from vision.data import Images, load_source
from vision.dynamic import JsonObject
from vision.robustness import linear_probe, probe_images
from vision.robustness.probe import features_of, shots_for


@dataclass(frozen=True, slots=True)
class Transfer:
    """The settings of another data set, such as data=digits and data.root=FOLDER."""

    settings: Sequence[str]


class TransferImages(NamedTuple):
    """The images of another data set in the shape that a model takes."""

    name: str
    train: Images
    test: Images


def read_transfer(transfer: Transfer, shape: tuple[int, int, int]) -> TransferImages:
    """Read the data set of --transfer for models that take images of a shape (C, H, W).

    Raises:
        ValueError: no data is named, a setting is wrong, or the images are not square.
        FileNotFoundError: the data are not there.
    """
    chosen = [word for word in transfer.settings if word.startswith("data=")]
    if len(chosen) != 1:
        raise ValueError(
            f"--transfer must name one data set, such as data=digits, got {' '.join(transfer.settings)}"
        )
    channels, height, width = shape
    if height != width:
        raise ValueError(
            f"--with transfer needs models of square images, got images of {height} x {width} pixels"
        )
    others = [word for word in transfer.settings if word not in chosen]
    size = [f"data.img_size={height}", f"data.channels={channels}"]
    name = chosen[0].removeprefix("data=")
    config = compose_data(name, [*others, *size], argument="data of --transfer")
    source = load_source(config)
    return TransferImages(config.name, source.train, source.test)


def probe_run(
    run: LoadedRun,
    train: Images,
    test: tuple[Tensor, Tensor],
    trained_on: Tensor,
    *,
    known: Callable[..., bool],
) -> list[JsonObject]:
    """Return a row for each number of images per class: level, accuracy, and the share of seen images.

    Args:
        run: the run.
        train: the images to choose from.
        test: pixels (M, C, H, W) and labels (M,) to score.
        trained_on: indices of the images in `train` that the run was trained on.
        known: called with level, the images per class: whether the accuracy with so many is known.
    """
    todo = [shots for shots in shots_for(train.labels) if not known(level=shots)]
    if not todo:
        return []
    seed = int(run.finished.row.get("subset_seed") or 0)
    chosen = [probe_images(train.labels, shots, seed=seed, trained_on=trained_on) for shots in todo]
    every = chosen[-1]
    features, test_features = (
        features_of(run.classifier, pixels) for pixels in (train.pick(every).in_memory(), test[0])
    )
    rows: list[JsonObject] = []
    for shots, images in zip(todo, chosen, strict=True):
        own = torch.isin(every, images).numpy()
        accuracy = linear_probe(features[own], train.labels[images].numpy(), test_features, test[1].numpy())
        seen = float(torch.isin(images, trained_on).double().mean())
        rows.append({"level": shots, "accuracy": accuracy, "seen": seen})
    return rows
