"""A split of a data set on its way into memory: its headers are read, and what is broken is left out.

>>> images = Images(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1]))
>>> read_split("train", images, ("a", "b"), DataConfig(name="x", source="x")).notes.sizes
{'8x8': 2}
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from vision.config import DataConfig
from vision.data.decoding import Header
from vision.data.encoded import EncodedImages, Unreadable
from vision.data.images import Images
from vision.data.notes import Notes, named
from vision.data.pixels import checked_images
from vision.data.unlikely_pixels import UnlikelyPixels

UNREADABLE = "unreadable images"


@dataclass(slots=True)
class Split:
    """A split on its way into memory.

    Attributes:
        name: train or test.
        images: those that are left.
        headers: of encoded images, in their order; none for images given as a tensor.
        notes: what was found.
        encoded: the images before they are decoded, for their names.
    """

    name: str
    images: Images
    headers: list[Header] = field(default_factory=list[Header])
    notes: Notes = field(default_factory=Notes)
    encoded: EncodedImages | None = None

    def leave_out(self, unreadable: Sequence[Unreadable], config: DataConfig) -> Tensor:
        """Remove images that cannot be read, or raise an error that names the first.

        Returns:
            Which images stay, bool (N,).

        Raises:
            ValueError: data.on_error=raise, or no image is left.
        """
        stay = torch.ones(len(self.images), dtype=torch.bool)
        if not unreadable:
            return stay
        if config.on_error == "raise":
            more = f", and {len(unreadable) - 1:,} more" if len(unreadable) > 1 else ""
            raise ValueError(
                f"{unreadable[0].reason}{more}; remove what is broken, or set data.on_error=skip to leave it "
                "out"
            )
        stay[[one.index for one in unreadable]] = False
        if not stay.any():
            raise ValueError(f"no image of the {self.name} split can be read: {unreadable[0].reason}")
        names = [self.image_name(one.index) for one in unreadable]
        self.notes = self.notes.with_skipped(UNREADABLE, names)
        self.images = self.images.pick(stay.nonzero().flatten())
        assert isinstance(self.images.pixels, EncodedImages)
        self.encoded = self.images.pixels
        return stay

    def check_pixels(self, pixels: Tensor, *, refuse_constant: bool) -> None:
        """Note what is unlikely about the pixels, or refuse what is constant; see `UnlikelyPixels`.

        Args:
            pixels: uint8 (N, C, H, W), of the images of this split.
            refuse_constant: raise an error.
        """
        found = UnlikelyPixels.among(self.name, pixels, self.image_name)
        self.notes = self.notes.with_remarks(*found.remarks(refuse_constant=refuse_constant))

    def image_name(self, index: int) -> str:
        """Return what messages call image `index`."""
        return f"number {index}" if self.encoded is None else self.encoded.name(index)

    def missing_classes(self, classes: tuple[str, ...]) -> list[str]:
        """Return a remark if there is no image of some class."""
        counts = self.images.labels.bincount(minlength=len(classes))
        missing = [name for name, count in zip(classes, counts, strict=True) if not count]
        return [f"the {self.name} split has no image of {named(missing)}"] if missing else []


def read_split(name: str, images: Images, classes: tuple[str, ...], config: DataConfig) -> Split:
    """Check a split, read its headers, and leave out the images without a readable one.

    Raises:
        ValueError: pixels or labels are not what they should be, or an image cannot be read.
    """
    images, converted = checked_images(images, classes, name)
    split = Split(name, images, notes=Notes().with_remarks(*converted))
    if not isinstance(images.pixels, EncodedImages):
        height, width = images.shape[1:]
        split.notes = replace(split.notes, sizes={f"{height}x{width}": len(images)})
        return split
    split.encoded = images.pixels
    headers = images.pixels.headers()
    split.leave_out([one for one in headers if isinstance(one, Unreadable)], config)
    split.headers = [one for one in headers if isinstance(one, Header)]
    modes = Counter(header.mode for header in split.headers)
    sizes = Counter(f"{header.shape[1]}x{header.shape[2]}" for header in split.headers)
    split.notes = replace(split.notes, modes=dict(modes.most_common()), sizes=dict(sizes.most_common()))
    if several := sum(header.several for header in split.headers):
        text = f"{several:,} of the {name} files have several frames or pages; the first one is read"
        split.notes = split.notes.with_remarks(text)
    return split
