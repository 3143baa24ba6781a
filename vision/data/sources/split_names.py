"""The usual names of splits.

>>> split_of("Training_Set"), split_of("valid"), split_of("cats")
('train', 'val', None)
>>> split_in("cats_train"), split_in("cats_test"), split_in("trains")
(('train', 'cats'), ('test', 'cats'), None)
"""

import re

SPLITS = {
    "train": ("train", "training", "trn"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "tst", "eval", "evaluation"),
}
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD = re.compile(r"[^\W\d_]+")
_SUFFIX = re.compile(r"[ _-]?(set|split|data|images|imgs)$")


def split_of(name: str) -> str | None:
    """Return train, val or test for a usual name of a split, in any case; None for other names."""
    word = _SUFFIX.sub("", name.strip().lower())
    return next((split for split, names in SPLITS.items() if word in names), None)


def split_in(name: str) -> tuple[str, str] | None:
    """Return the split that one word of a name is, and the other words; None if no word is one."""
    words = _WORD.findall(_CAMEL.sub(" ", name).lower())
    for position, word in enumerate(words):
        if split := split_of(word):
            return split, " ".join(words[:position] + words[position + 1 :])
    return None
