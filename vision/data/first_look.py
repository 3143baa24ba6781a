"""A look at each image that is not in memory, before a run is trained on them.

>>> look = FirstLook(DataConfig(name="mine", source="image_folder"))
>>> look.at("test", source.test)  # doctest: +SKIP
>>> look.remarks()
[]
"""

import logging
from collections.abc import Callable

from torch import Tensor

from vision.config import DataConfig
from vision.data.constant_images import REMEDY, ConstantImages
from vision.data.encoded import EncodedImages
from vision.data.images import Images

_logger = logging.getLogger(__name__)


class FirstLook:
    """Decodes images that are not in memory, and finds what cannot be decoded, or is constant.

    Args:
        config: settings of the data.
    """

    def __init__(self, config: DataConfig) -> None:
        self._config = config
        self._constant = {split: ConstantImages(split) for split in ("train", "test")}

    def at(self, split: str, images: Images) -> None:
        """Decode encoded images.

        Args:
            split: train or test.
            images: all of it, or a part.

        Raises:
            ValueError: one cannot be decoded. The message names it.
        """
        if isinstance(images.pixels, EncodedImages):
            images.pixels.check(self.of(split, images))

    def of(self, split: str, images: Images) -> Callable[[int, Tensor], None]:
        """Return a function that is to be called with the number and the pixels (C, H, W) of each image."""

        def look(index: int, image: Tensor) -> None:
            self._constant[split].add(image[None], lambda _: images.name(index))

        return look

    def remarks(self) -> list[str]:
        """Return sentences on what is constant, after telling them.

        Raises:
            ValueError: something is, and data.on_constant=error.
        """
        found = [text for constant in self._constant.values() if (text := constant.found())]
        if found and self._config.on_constant == "error":
            raise ValueError(f"{found[0]}; {REMEDY}")
        for text in found:
            _logger.warning("%s: %s", self._config.name, text)
        return found
