"""A synthetic long-range task: a key in one corner determines which of two far markers is the label.

>>> from vision.config import DataConfig
>>> load_far_marker(DataConfig(name="far_marker", source="far_marker")).train.shape
(1, 8, 8)
"""

# torch.from_numpy has no types.
# pyright: reportUnknownMemberType=false

import numpy as np
import torch
from torch import Tensor

from vision.config import DataConfig
from vision.data.images import Images, Source
from vision.data.sources.registry import register_source

SIDE = 8
TRAIN, TEST = 9000, 1800
CLASSES = ("upright", "level")
# All questions: the marker that the key names, 0 or 1, and the patterns of markers 0 and 1.
QUESTIONS = torch.tensor([(0, 0, 1), (0, 1, 0), (1, 0, 1), (1, 1, 0)], device="cpu")
# The patterns of the two keys and of the two markers, 2 x 2 pixels each.
_KEYS = torch.tensor([[1, 1, 1, 1], [0, 1, 1, 0]], device="cpu").view(2, 2, 2)
_MARKERS = torch.tensor([[1, 0, 1, 0], [1, 1, 0, 0]], device="cpu").view(2, 2, 2)
_NOISE, _LIT = 64, 191  # grey levels: noise is below the first; a pattern adds the second


@register_source("far_marker", options=("distance",))
def load_far_marker(config: DataConfig) -> Source:
    """Generate 9,000 training and 1,800 test images, each of the 4 questions equally often.

    data.img_size is the side in pixels, by default 8. data.options.distance is the distance between the key
    and the markers in pixels, by default side - 2. The seeds of a run do not change the images.

    Raises:
        ValueError: the side is below 4, or the distance is not an integer from 2 to side - 2.
    """
    side = SIDE if config.img_size is None else config.img_size
    distance = _distance(config, side)
    train, test = (
        far_marker(questions(count, seed=seed), distance=distance, side=side, seed=seed)
        for count, seed in ((TRAIN, 0), (TEST, 1))
    )
    return Source(train, test, CLASSES)


def questions(count: int, *, seed: int) -> Tensor:
    """Return rows of `QUESTIONS` in random order, int64 (count, 3); their counts differ by at most one."""
    order = np.random.RandomState(seed).permutation(count)
    return QUESTIONS[torch.from_numpy(order) % len(QUESTIONS)]


def far_marker(asked: Tensor, *, distance: int, side: int = SIDE, seed: int = 0) -> Images:
    """Draw N grey images of side x side pixels that show these questions, labelled with the answers.

    The key is in the top left corner. Its pattern of 2 x 2 pixels names one of two markers. Marker 0 is
    `distance` columns to the right of the key, marker 1 as many rows below it. The two have different
    patterns, and the label is the pattern of the named one. Everything else is noise.

    Neither the key alone nor the markers alone carry information about the label. Suppose that the logits are
    a sum of a function of the key and a function of the markers. Then the mean cross-entropy over the 4
    questions is at least log 2. A mean over tokens, none of which sees both the key and a marker, is such a
    sum. The cross-entropy is convex in the logits with no slope where they are 0. A model that combines key
    and marker also starts on this plateau, and needs some hundred steps to leave it.

    Args:
        asked: int64 (N, 3), rows of `QUESTIONS`: the marker that the key names, and the patterns of markers
            0 and 1.
        distance: pixels from the key to each marker, first row or column to first.
        side: of the images.
        seed: of the noise.
    """
    noise = np.random.RandomState(seed).randint(0, _NOISE, (len(asked), 1, side, side))
    pixels = torch.from_numpy(noise)
    patterns = torch.cat((_KEYS[asked[:, :1]], _MARKERS[asked[:, 1:]]), dim=1) * _LIT
    for pattern, (row, col) in enumerate(((0, 0), (0, distance), (distance, 0))):
        pixels[:, 0, row : row + 2, col : col + 2] += patterns[:, pattern]
    labels = asked[:, 1:].gather(1, asked[:, :1]).squeeze(1)
    return Images(pixels.to(torch.uint8), labels)


def _distance(config: DataConfig, side: int) -> int:
    if side < 4:
        raise ValueError(f"data.img_size must be at least 4 for far_marker, got {side}")
    # DataConfig takes the distance from data.dataset, where earlier versions had it; other text is refused.
    value = config.options.get("distance", config.dataset)
    text = str(side - 2 if value is None else value)
    if not text.isdecimal() or not 2 <= int(text) <= side - 2:
        raise ValueError(
            "data.options.distance must be the distance in pixels, an integer from 2 to "
            f"{side - 2} for images of {side} x {side}, got {value!r}"
        )
    return int(text)
