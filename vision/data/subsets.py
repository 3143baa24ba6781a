"""Which images a run trains on: stratified, seeded, nested over sizes, and the same for every model.

>>> draw_subset(torch.arange(10).repeat(100), 50, seed=0, val_fraction=0.1).train.shape
torch.Size([45])
"""

# torch.from_numpy has no types.
# pyright: reportUnknownMemberType=false

import hashlib
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Subset:
    """Indices into a training split, in ascending order; train and val share none.

    Attributes:
        train: int64 (N_train,), images to train on.
        val: int64 (N_val,), images held out for validation; empty if there are too few to spare.
        size: number of images that were drawn as the subset.
        sha256: fingerprint of the subset: the SHA-256 of its sorted int64 little-endian bytes.
    """

    train: Tensor
    val: Tensor
    size: int
    sha256: str


def draw_subset(
    labels: Tensor,
    train_size: int | str,
    *,
    seed: int,
    val_fraction: float,
    val_from: str = "subset",
    setting: str = "train_size",
) -> Subset:
    """Draw a subset of train_size images to train on, and images for validation.

    With val_from="subset" the validation images are a part of the subset, and the others are trained on. With
    val_from="rest" they come from the images outside it, and the whole subset is trained on.

    The first images are one of each class; further ones keep the classes' proportions (Webster's method). So
    counts of classes of one size differ by at most one. All of it is nested: with the same seed, the subset,
    `train` and `val` of one size are contained in those of every larger size.

    From the subset, every class gives about val_fraction of its images to validation, but never its first.
    For balanced classes these are floor(val_fraction * train_size) images in all. They are fewer where
    classes of one or two images have none to spare. With one image per class `val` is empty.

    From the rest, `val` has val_fraction of its images, at least one, and stratified. `val` of one size is
    contained in that of every smaller size.

    Args:
        labels: int64 (N,), the class of every image of the training split.
        train_size: an integer, or a string of one, from the number of classes to N; or "all".
        seed: of the draw; it is independent of the model's seed.
        val_fraction: share of the subset or of the rest to hold out, from 0 up to but not including 1.
        val_from: "subset" or "rest".
        setting: what messages call train_size.

    Raises:
        ValueError: train_size or val_fraction is out of range, or there is no rest to hold out from.
    """
    if not 0 <= val_fraction < 1:
        raise ValueError(f"val_fraction must be at least 0 and below 1, got {val_fraction}")
    classes = labels.cpu().numpy()
    size = _checked_size(train_size, least=len(np.unique(classes)), most=len(classes), setting=setting)
    chosen, rest = np.split(stratified_order(classes, seed=seed), [size])
    if val_from == "rest":
        train, val = chosen, _last(rest, val_fraction, train_size)
    else:
        held_out = _held_out(classes[chosen], val_fraction, seed=seed)
        train, val = chosen[~held_out], chosen[held_out]
    return Subset(
        train=torch.from_numpy(np.sort(train)),
        val=torch.from_numpy(np.sort(val)),
        size=size,
        sha256=hashlib.sha256(np.sort(chosen).astype("<i8").tobytes()).hexdigest(),
    )


def stratified_split(labels: Tensor, share: float, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Split indices into the rest and a stratified share, both ascending."""
    order = stratified_order(labels.cpu().numpy(), seed=seed)
    kept = len(order) - math.ceil(share * len(order))
    return torch.from_numpy(np.sort(order[:kept])), torch.from_numpy(np.sort(order[kept:]))


def stratified_order(labels: np.ndarray, *, seed: int) -> np.ndarray:
    """Return the indices (N,) in a random order of which every prefix is stratified."""
    # RandomState and not default_rng: numpy guarantees that its stream never changes, so hashes stay valid.
    random = np.random.RandomState(seed)
    order = random.permutation(len(labels))
    rank = _rank_within_class(labels[order])
    quotient = (rank + 0.5) / np.bincount(labels)[labels[order]]
    quotient[rank == 0] = -1.0  # one image of each class comes first
    return order[np.lexsort((random.rand(len(order)), quotient))]


def _last(rest: np.ndarray, fraction: float, train_size: int | str) -> np.ndarray:
    """Return the last images of the order, which are outside the subsets of most other sizes too."""
    if fraction == 0:
        return rest[:0]
    if not len(rest):
        raise ValueError(
            "data.val_from=rest takes validation images from outside the subset, and "
            f"train_size={train_size} leaves none; use a smaller train_size, data.val_from=subset, or "
            "data.val_fraction=0"
        )
    return rest[-max(1, round(fraction * len(rest))) :]


def _held_out(labels: np.ndarray, fraction: float, *, seed: int) -> np.ndarray:
    """Mark the images for validation by class and rank within it alone, which keeps the split nested."""
    # A different offset for each class spreads the rounding: floor(x) + floor(x + 1/n) + ... = floor(nx).
    classes = int(labels.max()) + 1
    offset = np.random.RandomState(seed).permutation(classes)[labels] / classes
    rank = _rank_within_class(labels)

    def held(count: np.ndarray) -> np.ndarray:
        return np.minimum(np.floor(count * fraction + offset + 1e-9), count - 1).clip(min=0)

    return held(rank + 1) > held(rank)


def _rank_within_class(labels: np.ndarray) -> np.ndarray:
    """Return how many images of its class precede each image: [3, 5, 3, 3, 5] -> [0, 0, 1, 2, 1]."""
    by_class = np.argsort(labels, kind="stable")
    counts = np.bincount(labels)
    rank = np.empty(len(labels), dtype=np.int64)
    rank[by_class] = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rank


def _checked_size(train_size: int | str, *, least: int, most: int, setting: str) -> int:
    if train_size == "all":
        return most
    try:
        size = int(train_size)
        exact = not isinstance(train_size, bool) and (isinstance(train_size, str) or size == train_size)
    except (TypeError, ValueError, OverflowError):
        size, exact = 0, False
    if not (exact and least <= size <= most):
        everything = "'all'" if setting == "train_size" else "null"
        raise ValueError(
            f"{setting} must be an integer from {least} (one image per class) to {most} (all of them), "
            f"or {everything}, got {train_size!r}"
        )
    return size
