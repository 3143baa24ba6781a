"""Images that are unlikely to be what a user meant: constant or equal ones, and splits that are all dark.

>>> found = UnlikelyPixels("train", count=2, constant=[], all_equal=True, brightest=1)
>>> found.constant_remark(), found.dark_remark()
('all 2 images of the train split are equal', 'train: no pixel is above 1 of 255')
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vision.data.encoded import is_constant
from vision.data.notes import named

REMEDY = "remove them, or set data.on_constant=warn"
DARK = 32  # of 255; below it, all pixels are as those of masks and of images with few bits
AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class UnlikelyPixels:
    """What is unlikely about the images of a split.

    Attributes:
        split: what messages call the split.
        count: its number of images.
        constant: names of the images that have one value everywhere.
        all_equal: whether all images are equal.
        brightest: the largest value of all pixels.
    """

    split: str
    count: int
    constant: Sequence[str]
    all_equal: bool
    brightest: int

    @classmethod
    def among(cls, split: str, pixels: Tensor, name: Callable[[int], str]) -> "UnlikelyPixels":
        """Look at pixels in memory, uint8 (N, C, H, W); `name` returns what messages call an image."""
        parts = torch.split(pixels, AT_ONCE)
        constant = torch.cat([is_constant(part) for part in parts]).nonzero().flatten()
        all_equal = all(bool((part == pixels[:1]).all()) for part in parts)
        names = [name(int(index)) for index in constant]
        return cls(split, len(pixels), names, all_equal, int(pixels.max()))

    def constant_remark(self) -> str | None:
        """Return a sentence on what is constant, if anything is."""
        if self.count > 1 and self.all_equal:
            return f"all {self.count:,} images of the {self.split} split are equal"
        if not self.constant:
            return None
        names = named(self.constant)
        return f"{len(self.constant):,} of the {self.split} images have one value everywhere: {names}"

    def dark_remark(self) -> str | None:
        """Return a sentence if all pixels are dark, and not all 0, which is constant."""
        return (
            f"{self.split}: no pixel is above {self.brightest} of 255" if 0 < self.brightest < DARK else None
        )

    def remarks(self, *, refuse_constant: bool) -> list[str]:
        """Return all sentences.

        Raises:
            ValueError: something is constant, and that is to be refused.
        """
        constant = self.constant_remark()
        if constant is not None and refuse_constant:
            raise ValueError(f"{constant}; {REMEDY}")
        return [remark for remark in (constant, self.dark_remark()) if remark is not None]
