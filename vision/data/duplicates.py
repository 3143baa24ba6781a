"""Test images that look like a training image: a model may have learned them by heart.

Two images are near-duplicates if the correlation of their grey thumbnails, of at most 16 x 16 pixels, is at
least 0.99. Another size, compression or brightness changes it by less. On digits of 8 x 8 pixels, 0.98
would already join different ones. Images of fewer than 8 pixels a side must be equal.

>>> images = Images(torch.randint(256, (9, 1, 8, 8), dtype=torch.uint8), torch.arange(9))
>>> near_duplicates(images, images.pick(torch.tensor([4])))
[(4, 0)]
"""

# scipy's trees have no complete types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from vision.data.images import Images

SIDE, LEAST_SIDE = 16, 8
CORRELATION = 0.99
_CHUNK = 1024
_DIRECTIONS = 16  # of the thumbnails' space, in which candidates are looked for


def near_duplicates(train: Images, test: Images) -> list[tuple[int, int]]:
    """Return pairs of positions, in `train` and in `test`: the nearest training image of each test image.

    Test images without a near-duplicate are left out. From 8 pixels a side, so are images of one grey level.
    """
    if min(train.shape[1:]) < LEAST_SIDE:
        return _equal(train, test)
    known, asked = thumbnails(train), thumbnails(test)
    pairs: list[tuple[int, int]] = []
    for index, candidates in enumerate(_candidates(known, asked)):
        if len(candidates) and asked[index].any():
            correlations = known[candidates] @ asked[index]
            best = int(correlations.argmax())
            if correlations[best] >= CORRELATION:
                pairs.append((int(candidates[best]), index))
    return pairs


def _equal(train: Images, test: Images) -> list[tuple[int, int]]:
    """Return pairs of equal images, with the first of the training images."""
    known: dict[bytes, int] = {}
    for index, pixels in enumerate(train.in_memory()):
        known.setdefault(pixels.numpy().tobytes(), index)
    asked = [known.get(pixels.numpy().tobytes()) for pixels in test.in_memory()]
    return [(equal, index) for index, equal in enumerate(asked) if equal is not None]


def _candidates(known: NDArray[np.float32], asked: NDArray[np.float32]) -> Iterable[Sequence[int]]:
    """Yield for each row of `asked` the rows of `known` that may correlate enough with it."""
    try:
        from scipy.spatial import cKDTree
    except ModuleNotFoundError:  # all products take longer
        return (np.flatnonzero(known @ row >= CORRELATION).tolist() for row in asked)
    # The distance of unit vectors is sqrt(2 - 2 correlation), and no larger in fewer directions.
    radius = (2 - 2 * CORRELATION) ** 0.5
    directions = np.linalg.eigh(known.T @ known)[1][:, -_DIRECTIONS:]
    return cKDTree(known @ directions).query_ball_point(asked @ directions, radius)


def thumbnails(images: Images) -> NDArray[np.float32]:
    """Return grey thumbnails (N, D) without their mean, of length 1, or 0 where the image has one level."""
    _, height, width = images.shape
    sides = (min(SIDE, height), min(SIDE, width))
    found = np.empty((len(images), sides[0] * sides[1]), dtype=np.float32)

    def reduce(pixels: Tensor) -> NDArray[np.float32]:
        small = F.adaptive_avg_pool2d(pixels.float().mean(1, keepdim=True), sides).flatten(1)
        centred = small - small.mean(1, keepdim=True)
        return F.normalize(centred, eps=1e-3).cpu().numpy()

    if isinstance(images.pixels, Tensor):
        for start in range(0, len(images), _CHUNK):
            found[start : start + _CHUNK] = reduce(images.pixels[start : start + _CHUNK])
    else:
        images.pixels.find_unreadable(lambda index, image: found.__setitem__(index, reduce(image[None])[0]))
    return found
