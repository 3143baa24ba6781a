"""The pixels of images in memory, for tests that compare them."""

from torch import Tensor

from vision.data import Images


def pixels_of(images: Images) -> Tensor:
    """Return the pixels; the images must not be encoded."""
    assert isinstance(images.pixels, Tensor)
    return images.pixels
