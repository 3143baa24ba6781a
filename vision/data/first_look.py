"""What decoding each image once tells of images that are not in memory, before a run is trained on them.

>>> looks = first_looks(source)  # doctest: +SKIP
>>> looks.at(config, train=subset.train, test=torch.arange(9))  # doctest: +SKIP
['train: no pixel is above 31 of 255']
"""

# Tensor.tolist has no types.
# pyright: reportUnknownMemberType=false

import logging
from typing import cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from vision.config import DataConfig
from vision.data.channel_statistics import mean_and_std, sums
from vision.data.encoded import EncodedImages, is_constant
from vision.data.images import Images, Source
from vision.data.unlikely_pixels import UnlikelyPixels

_logger = logging.getLogger(__name__)


class FirstLook:
    """What was seen of the images of a split that are not in memory.

    Args:
        split: what messages call it.
        images: encoded ones.
    """

    def __init__(self, split: str, images: Images) -> None:
        count = len(images)
        self._split, self._images = split, images
        self._seen = torch.zeros(count, dtype=torch.bool)
        self._constant = torch.zeros(count, dtype=torch.bool)
        self._brightest = torch.zeros(count, dtype=torch.uint8)
        self._hashes = torch.zeros(count, dtype=torch.int64)
        self._sums = torch.zeros(count, images.shape[0], 2, dtype=torch.int64)

    def at(self, indices: Tensor) -> None:
        """Decode the images at the indices (N,) that were not seen yet.

        Raises:
            ValueError: one cannot be decoded. The message names it.
        """
        new = cast("list[int]", indices[~self._seen[indices]].tolist())
        assert isinstance(self._images.pixels, EncodedImages)
        self._images.pixels.pick(new).check(lambda index, image: self._keep(new[index], image))
        self._seen[new] = True

    def mean_and_std(self, indices: Tensor) -> tuple[list[float], list[float]]:
        """Return mean and standard deviation of each channel, over images that were seen."""
        _, height, width = self._images.shape
        return mean_and_std(self._sums[indices].sum(0), len(indices) * height * width)

    def unlikely(self, indices: Tensor) -> UnlikelyPixels:
        """Return what is unlikely about images that were seen."""
        constant = indices[self._constant[indices]].sort().values  # in the order of the files
        hashes = self._hashes[indices]
        return UnlikelyPixels(
            self._split,
            len(indices),
            [self._images.name(int(index)) for index in constant],
            bool((hashes == hashes[:1]).all()),
            int(self._brightest[indices].max()),
        )

    def _keep(self, index: int, image: Tensor) -> None:
        self._constant[index] = is_constant(image[None])[0]
        self._brightest[index] = image.max()
        self._hashes[index] = hash(image.numpy().tobytes())
        self._sums[index] = sums(image[None])


class FirstLooks:
    """The first looks at a data set, for all runs of this process.

    Attributes:
        train, test: at the splits; None for one that is in memory.
    """

    def __init__(self, train: Images, test: Images) -> None:
        self.train = None if train.resident else FirstLook("train", train)
        self.test = None if test.resident else FirstLook("test", test)
        self._told = set[str]()

    def at(self, config: DataConfig, *, train: Tensor, test: Tensor) -> list[str]:
        """Decode images that are not in memory and were not seen yet; returns what is unlikely about them.

        Args:
            config: settings of the data.
            train, test: the indices (N,) of the images that a run uses.

        Raises:
            ValueError: an image cannot be decoded, or is constant and data.on_constant=error.
        """
        remarks: list[str] = []
        for look, indices in ((self.train, train), (self.test, test)):
            if look is not None:
                look.at(indices)
                remarks += look.unlikely(indices).remarks(refuse_constant=config.on_constant == "error")
        for remark in remarks:
            if remark not in self._told:
                _logger.warning("%s: %s", config.name, remark)
        self._told.update(remarks)
        return remarks


_looks: WeakKeyDictionary[Source, FirstLooks] = WeakKeyDictionary()


def first_looks(source: Source) -> FirstLooks:
    """Return the first looks at a data set that `load_source` read: the same ones for the same source."""
    if source not in _looks:
        _looks[source] = FirstLooks(source.train, source.test)
    return _looks[source]
