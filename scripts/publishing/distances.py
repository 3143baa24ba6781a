"""How far the heads of a published sweep attend before and after training, as text.

>>> Distances(sweep).row("ViT", [100, 200])  # doctest: +SKIP
'| ViT | 16.53 ± 0.02 | 16.56 ± 0.03 | 16.64 ± 0.09 |'
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from publishing.means import plus_minus
from vision.report.sweep import Sweep
from vision.statistics import distance_ends
from vision.statistics.intervals import interval_of


class Distances:
    """Attention distances in pixels, averaged over the heads of each run."""

    def __init__(self, sweep: Sweep) -> None:
        runs = sweep.records.set_index("folder")[["label", "train_size", "seed"]]
        self.ends = distance_ends(sweep.distances).join(runs)

    @property
    def labels(self) -> list[str]:
        """The models that attend, in the order of their names."""
        return sorted(self.ends["label"].unique())

    def row(self, label: str, sizes: Sequence[int]) -> str:
        """Return a row of a Markdown table: the distance before training, and after it with each size."""
        runs = self.ends[self.ends["label"] == label]
        after = [runs.loc[runs["train_size"] == size, "last"] for size in sizes]
        before = runs.groupby("seed")["first"].mean()  # a seed starts nearly the same for each size
        return f"| {label} | {' | '.join(map(_text, [before, *after]))} |"

    def before(self, label: str) -> float:
        """Return the mean distance before training, over sizes and seeds."""
        return float(self.ends.loc[self.ends["label"] == label, "first"].mean())

    def after(self, label: str) -> float:
        """Return the mean distance after training, over sizes and seeds."""
        return float(self.ends.loc[self.ends["label"] == label, "last"].mean())

    def uniform(self, side: int, patch: int) -> float:
        """Return the distance of uniform attention over `side` x `side` patches of so many pixels."""
        rows, cols = np.divmod(np.arange(side**2), side)
        apart = np.hypot(rows[:, None] - rows, cols[:, None] - cols)
        return patch * float(apart.mean())


def _text(values: pd.Series) -> str:
    """Return "16.53 ± 0.02", the mean and half of the 95% t interval."""
    if values.empty:
        return ""
    return plus_minus(values.mean(), *interval_of(values.to_numpy()), digits=2)
