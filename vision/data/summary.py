"""What a data set holds, as plain values: for the record of a run and for `vision data`.

>>> from vision.config import DataConfig
>>> from vision.data.sources import load_source
>>> found = summary(load_source(DataConfig(name="digits", source="digits")))
>>> found["images"]["test"]["0"], found["shape"], found["near_duplicates"]["count"]
(36, [1, 8, 8], 0)
"""

from vision.data.images import Images, Source
from vision.data.split import UNREADABLE
from vision.dynamic import JsonObject

MOST_NAMES = 20


def summary(source: Source, *, mean: list[float] | None = None, std: list[float] | None = None) -> JsonObject:
    """Return what was read of a data set, as values that JSON can hold.

    Args:
        source: as `load_source` returns it.
        mean: of each channel, in [0, 1].
        std: the standard deviation of each channel.

    Returns:
        - images: their number by split and class; shape: (C, H, W) as they were read
        - mean and std, as given
        - sizes and modes: how many files have which height x width, and which of Pillow's modes
        - skipped: count and names by reason, all names of unreadable images and the first 20 of others
        - remarks: the messages for the user
        - near_duplicates: count and the first 20 pairs; null if nobody looked
    """
    notes = source.notes
    pairs = notes.near_duplicates
    return {
        "images": {
            "train": _by_class(source.train, source.classes),
            "test": _by_class(source.test, source.classes),
        },
        "shape": list(source.train.shape),
        "mean": mean,
        "std": std,
        "sizes": _most_frequent(dict(notes.sizes)),
        "modes": dict(notes.modes),
        "skipped": {
            reason: {
                "count": len(names),
                "names": list(names[: None if reason == UNREADABLE else MOST_NAMES]),
            }
            for reason, names in notes.skipped.items()
        },
        "remarks": list(notes.remarks),
        "near_duplicates": None
        if pairs is None
        else {"count": len(pairs), "pairs": [list(pair) for pair in pairs[:MOST_NAMES]]},
    }


def _by_class(images: Images, classes: tuple[str, ...]) -> dict[str, int]:
    counts = images.labels.bincount(minlength=len(classes))
    return {name: int(count) for name, count in zip(classes, counts, strict=True)}


def _most_frequent(counts: dict[str, int]) -> dict[str, int]:
    """Return the first 20 counts, and the rest as "others"."""
    first = dict(list(counts.items())[:MOST_NAMES])
    others = sum(counts.values()) - sum(first.values())
    return first | ({"others": others} if others else {})
