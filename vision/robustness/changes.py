"""The changes of test images that each evaluation makes, by kind and level.

>>> [change.level for change in changes("translations", (3, 32, 32))]
[1, 2, 4, 8, 16]
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import gcd

from torch import Tensor

from vision.patches import reorder_patches
from vision.robustness.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from vision.robustness.draws import Draws
from vision.robustness.geometry import PARTS, hide_patches, random_shift
from vision.statistics import UNCHANGED

MOST_PARTS = 16  # of a row of patches that are shuffled
SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)

Numbers = Sequence[int]
Shape = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of images.

    Attributes:
        kind: its name.
        level: how much: a severity, pixels, or a share.
        apply: uint8 (B, C, H, W) and the images' numbers in their data set -> uint8 (B, C, H, W).
    """

    kind: str
    level: float
    apply: Callable[[Tensor, Numbers], Tensor]


def _as_they_are(images: Tensor, numbers: Numbers) -> Tensor:
    return images


AS_THEY_ARE = Change(UNCHANGED, 0, _as_they_are)


def corruptions(shape: Shape, severities: Sequence[int] = SEVERITIES) -> list[Change]:
    """Return the 15 common corruptions at each severity."""
    return [
        Change(kind, severity, partial(_corrupt, kind, severity))
        for kind in CORRUPTIONS
        for severity in severities
    ]


def shuffled_patches(shape: Shape) -> list[Change]:
    """Return shufflings of square patches; the level is their side in pixels, and larger is milder.

    Raises:
        ValueError: no square patch divides the images.
    """
    common = gcd(*shape[1:])
    sides = [side for side in range(1, common) if common % side == 0 and side * MOST_PARTS >= min(shape[1:])]
    if not sides:
        raise ValueError(
            f"shuffled_patches needs images that equal squares cover, got {shape[1]} x {shape[2]}"
        )
    return [Change("patches", side, partial(_shuffle, side)) for side in reversed(sides)]


def translations(shape: Shape) -> list[Change]:
    """Return cyclic shifts in a random direction; the level is the distance in pixels, up to half a side."""
    longest = min(shape[1:]) // 2
    distances = [2**power for power in range(longest.bit_length()) if 2**power <= longest]
    return [Change("cyclic", distance, partial(_shift, distance)) for distance in distances]


def occlusion(shape: Shape, colour: Tensor) -> list[Change]:
    """Return hidden areas in one colour; the level is the share of the image that is hidden."""
    return [Change("areas", share, partial(_hide, share, colour)) for share in SHARES]


# Those that score changed images; the calibration is that of the images as they are.
EVALUATIONS: dict[str, str] = {
    "corruptions": "15 common corruptions at severities 1 to 5",
    "shuffled_patches": "square patches in a random order, by their side",
    "translations": "cyclic shifts, by their distance",
    "occlusion": "hidden areas, by their share of the image",
}


def changes(
    evaluation: str, shape: Shape, *, severities: Sequence[int] = SEVERITIES, colour: Tensor | None = None
) -> list[Change]:
    """Return what an evaluation changes in images of a shape.

    Args:
        evaluation: one of `EVALUATIONS`.
        shape: (C, H, W) of the images.
        severities: of the corruptions.
        colour: of hidden areas, one value from 0 to 255 per channel; None is grey.

    Raises:
        ValueError: there is no such evaluation, or it cannot be made with these images.
    """
    if evaluation == "corruptions":
        return corruptions(shape, severities)
    if evaluation == "shuffled_patches":
        return shuffled_patches(shape)
    if evaluation == "translations":
        return translations(shape)
    if evaluation == "occlusion":
        return occlusion(shape, Tensor([128.0] * shape[0]) if colour is None else colour)
    raise ValueError(f"the evaluation must be one of {', '.join(EVALUATIONS)}, got {evaluation!r}")


def _corrupt(kind: str, severity: int, images: Tensor, numbers: Numbers) -> Tensor:
    return corrupt(images, kind, severity, numbers)


def _shuffle(side: int, images: Tensor, numbers: Numbers) -> Tensor:
    count = images.shape[2] // side * (images.shape[3] // side)
    return reorder_patches(images, side, Draws(numbers, "shuffled_patches").orders(count))


def _shift(distance: int, images: Tensor, numbers: Numbers) -> Tensor:
    return random_shift(images, distance, Draws(numbers, "translations"))


def _hide(share: float, colour: Tensor, images: Tensor, numbers: Numbers) -> Tensor:
    return hide_patches(images, share, colour, Draws(numbers, "occlusion").orders(PARTS * PARTS))
