"""A synthetic task of long range: a key in one corner says which of two far markers is the label.

>>> load_source(DataConfig(name="far_marker", source="far_marker")).train.shape
(1, 8, 8)
"""

import numpy as np
import torch
from torch import Tensor

from vision.config import DataConfig
from vision.data.images import Images, Source
from vision.data.sources.registry import register_source

SIDE = 8
TRAIN, TEST = 9000, 1800
CLASSES = ("upright", "level")
# Every question there is: the place that the key names, and the markers in places 0 and 1.
QUESTIONS = torch.tensor([(0, 0, 1), (0, 1, 0), (1, 0, 1), (1, 1, 0)], device="cpu")
# What the two keys and the two markers look like, 2 x 2 pixels each.
_KEYS = torch.tensor([[1, 1, 1, 1], [0, 1, 1, 0]], device="cpu").view(2, 2, 2)
_MARKERS = torch.tensor([[1, 0, 1, 0], [1, 1, 0, 0]], device="cpu").view(2, 2, 2)
_NOISE, _LIT = 64, 191  # grey levels: the background is below the first, a lit pixel that much brighter


@register_source("far_marker")
def load_far_marker(config: DataConfig) -> Source:
    """9,000 images to train on and 1,800 to test on, made here: each of the 4 questions equally often.

    data.img_size is the side in pixels, 8 if null; data.dataset the distance between the key and the far
    markers in pixels, side - 2 if null. Neither seed of a run changes the images.

    Raises:
        ValueError: the side is below 4, or the distance no whole number from 2 to side - 2.
    """
    side = SIDE if config.img_size is None else config.img_size
    distance = _distance(config.dataset, side)
    train, test = (
        far_marker(questions(count, seed=seed), distance=distance, side=side, seed=seed)
        for count, seed in ((TRAIN, 0), (TEST, 1))
    )
    return Source(train, test, CLASSES)


def questions(count: int, *, seed: int) -> Tensor:
    """() -> long (count, 3): rows of `QUESTIONS` in random order, each as often as any other, within one."""
    order = np.random.RandomState(seed).permutation(count)
    return QUESTIONS[torch.from_numpy(order) % len(QUESTIONS)]


def far_marker(asked: Tensor, *, distance: int, side: int = SIDE, seed: int = 0) -> Images:
    """asked (N, 3) -> N grey images of side x side pixels that put these questions, and their answers.

    In the top left corner lies the key, 2 x 2 pixels that name one of two places: 0 is `distance` columns to
    the right of it, 1 as many rows below. In each lies one of two markers, never the same in both; the label
    is the one in the place that is named. All else is noise. Taken alone, neither the key nor the markers
    say anything of the label: each class goes with each key as often as with each order of the markers.

    So a model whose logits are a sum of what it sees of the key and what it sees of the markers has a mean
    cross-entropy of log 2 at least over the 4 questions, whatever its weights: that is convex in the logits,
    and has no slope where they are 0. A mean over tokens none of which sees the key and a marker is such a
    sum. A model that brings both together starts on the same flat place and takes a while to leave it.

    Args:
        asked: the place that the key names, and the markers in places 0 and 1, as rows of `QUESTIONS`.
        distance: pixels from the key to each marker, first row or column to first.
        side: of the images.
        seed: of the noise.
    """
    noise = np.random.RandomState(seed).randint(0, _NOISE, (len(asked), 1, side, side))
    pixels = torch.from_numpy(noise)
    patterns = torch.cat((_KEYS[asked[:, :1]], _MARKERS[asked[:, 1:]]), dim=1) * _LIT
    for place, (row, col) in enumerate(((0, 0), (0, distance), (distance, 0))):
        pixels[:, 0, row : row + 2, col : col + 2] += patterns[:, place]
    labels = asked[:, 1:].gather(1, asked[:, :1]).squeeze(1)
    return Images(pixels.to(torch.uint8), labels)


def _distance(dataset: str | None, side: int) -> int:
    if side < 4:
        raise ValueError(f"data.img_size must be at least 4 for far_marker, got {side}")
    text = str(side - 2) if dataset is None else dataset
    if not text.isdecimal() or not 2 <= int(text) <= side - 2:
        raise ValueError(
            "data.dataset must be the distance in pixels, a whole number from 2 to "
            f"{side - 2} for images of {side} x {side}, got {dataset!r}"
        )
    return int(text)
