"""Pairs of handwritten digits side by side; the class is which of the two is larger."""

import torch

from vision.config import DataConfig
from vision.data import Images, Source, load_source, register_source


@register_source("digit_pairs")
def load_digit_pairs(config: DataConfig) -> Source:
    """Return 5,000 training pairs and 1,000 test pairs, made of different scans: grey, 8 x 16 pixels."""

    def pairs(digits: Images, count: int) -> Images:
        left, right = torch.randint(len(digits), (2, count), generator=torch.Generator().manual_seed(0))
        pixels, labels = torch.as_tensor(digits.pixels), digits.labels
        images = torch.cat((pixels[left], pixels[right]), dim=-1)
        return Images(images, (labels[right] - labels[left]).sign() + 1)

    digits = load_source(DataConfig(source="digits"))
    return Source(pairs(digits.train, 5000), pairs(digits.test, 1000), ("left", "equal", "right"))
