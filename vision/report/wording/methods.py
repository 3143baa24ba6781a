"""How runs were made: the small print of figures, and the list of methods of a page.

>>> value_range(pd.Series([22, 300, 1055, 2110]))
'22 to 2,110'
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from vision.text import first_few

FEW_VALUES = 4
FEW_HASHES = 6
MEAN, MEDIAN = "mean, 95% t interval", "median (thin line)"


def run_count(count: int, total: int | None) -> str:
    """Return "6 of 8 runs", or "6 runs" where the total is unknown."""
    return f"{count} of {total} runs" if total else f"{count} runs"


def repetitions(least: int, most: int) -> str:
    """Return "n = 3 to 5" per point."""
    return f"n = {least}" if least == most else f"n = {least} to {most}"


def value_range(column: pd.Series) -> str:
    """Return the values of a column if they are few; else the ends of numbers, or the first of names."""
    known = column.dropna()
    values = list(dict.fromkeys(map(str, known.tolist())))
    if len(values) < FEW_VALUES:
        return ", ".join(values)
    if pd.api.types.is_numeric_dtype(known):
        return f"{known.min():,} to {known.max():,}"
    return first_few(values, 1)


def interval_basis(kinds: Mapping[str, Sequence[int]]) -> str:
    """Return what the intervals are over; several kinds each with their sizes."""
    if len(kinds) == 1:
        return f"95%, Student's t {REPEATS[next(iter(kinds))]}"
    parts = (f"at {', '.join(f'{n:,}' for n in at)} images {REPEATS[kind]}" for kind, at in kinds.items())
    return f"95%, Student's t {'; '.join(parts)}"


NO_INTERVALS = "none drawn: there is one run per point"
REPEATS = {
    "seeds": "over seeds",
    "one subset": "over seeds on the same subset, so it does not cover other subsets",
    "seeds and subsets": "over seeds, each with its own subset",
    "subsets": "over subsets",
    "averaged seeds": "over subsets, the seeds of each averaged",
}
OTHER_SUBSETS = "the models did NOT have the same subsets at each size and seed; see the runs"


def same_subsets(hashes: Sequence[str]) -> str:
    """Return that all models had the same subsets, with their hashes."""
    return f"the same for all models at each size and seed, {len(hashes)}: {first_few(hashes, FEW_HASHES)}"
