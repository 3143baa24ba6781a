"""What reading a data set found: what was left out, and what a user should know.

>>> notes = Notes().with_skipped("hidden", [".DS_Store", "._a.png"])
>>> notes.lines()
['skipped 2 hidden (.DS_Store, ._a.png)']
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from vision.text import first_few

NAMED = 5


@dataclass(frozen=True, slots=True)
class Notes:
    """What was found while a data set was read.

    Attributes:
        skipped: the names of what was left out, by the reason, such as "unreadable images".
        remarks: sentences that a user should read.
        modes: how many images are stored in which of Pillow's modes; empty for images given as a tensor.
        sizes: how many images have which height x width before resizing.
        near_duplicates: names of pairs of a training and a test image that look alike; None if the images are
            not in memory, where nobody looked.
    """

    skipped: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    remarks: tuple[str, ...] = ()
    modes: Mapping[str, int] = field(default_factory=dict[str, int])
    sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    near_duplicates: tuple[tuple[str, str], ...] | None = None

    def with_skipped(self, reason: str, names: Iterable[str]) -> "Notes":
        """Return notes in which these names are left out too."""
        added = (*self.skipped.get(reason, ()), *names)
        return replace(self, skipped={**self.skipped, reason: added}) if added else self

    def with_remarks(self, *remarks: str) -> "Notes":
        """Return notes with further sentences."""
        return replace(self, remarks=(*self.remarks, *remarks))

    def joined(self, other: "Notes") -> "Notes":
        """Return notes of everything in both."""
        notes = self.with_remarks(*other.remarks)
        for reason, names in other.skipped.items():
            notes = notes.with_skipped(reason, names)
        return replace(notes, modes=_sum(self.modes, other.modes), sizes=_sum(self.sizes, other.sizes))

    def lines(self) -> list[str]:
        """Return the sentences, and one line on what was left out."""
        skipped = [f"{len(names)} {reason} ({named(names)})" for reason, names in self.skipped.items()]
        return [*self.remarks, *(["skipped " + ", ".join(skipped)] if skipped else [])]


def named(names: Sequence[str]) -> str:
    """Return the first few names for a message."""
    return first_few(names, NAMED)


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return dict((Counter(one) + Counter(other)).most_common())
