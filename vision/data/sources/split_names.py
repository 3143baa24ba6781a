"""The usual names of splits.

>>> split_of("Training_Set"), split_of("valid"), split_of("cats")
('train', 'val', None)
"""

import re

SPLITS = {
    "train": ("train", "training", "trn"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "tst", "eval", "evaluation"),
}
_SUFFIX = re.compile(r"[ _-]?(set|split|data|images|imgs)$")


def split_of(name: str) -> str | None:
    """Return train, val or test for a usual name of a split, in any case; None for other names."""
    word = _SUFFIX.sub("", name.strip().lower())
    return next((split for split, names in SPLITS.items() if word in names), None)
