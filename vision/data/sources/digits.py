"""scikit-learn's handwritten digits: 1,797 grey images of 8x8, 10 classes; nothing to download.

>>> from vision.data import load_source
>>> load_source(DataConfig(name="digits", source="digits")).test.shape
(1, 8, 8)
"""

# torch.from_numpy has no types.
# pyright: reportUnknownMemberType=false

from typing import Any

import torch

from vision.config import DataConfig
from vision.data.images import Images, Source
from vision.data.sources.registry import register_source
from vision.data.subsets import stratified_split

TEST_SHARE = 0.2


@register_source("digits")
def load_digits(config: DataConfig) -> Source:
    """Return 1,437 training and 360 test images: a stratified split that does not depend on seeds.

    The file's grey levels 0 to 16 become 0 to 255, rounded. Source: E. Alpaydin and C. Kaynak, Optical
    Recognition of Handwritten Digits, UCI (1998), its test part.
    """
    from sklearn.datasets import load_digits as read  # pyright: ignore[reportMissingTypeStubs]

    digits: Any = read()
    pixels = torch.from_numpy(digits.images).mul(255 / 16).round().to(torch.uint8)[:, None]
    images = Images(pixels, torch.from_numpy(digits.target).long())
    train, test = stratified_split(images.labels, TEST_SHARE)
    return Source(images.pick(train), images.pick(test), tuple(str(name) for name in digits.target_names))
