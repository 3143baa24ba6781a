"""The accuracies of the runs of a published page, as text.

>>> Means(records).pm("CNN", 500)  # doctest: +SKIP
'37.2 ± 1.3'
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import pandas as pd

from publishing.selection import Selection
from vision.statistics import accuracy_curves

SOLVED = 0.9
Points = dict[tuple[str, int], dict[Any, Any]]  # by model and size


class Means(Selection):
    """Accuracies of models and sizes."""

    def __init__(self, records: pd.DataFrame) -> None:
        super().__init__(records)
        self._points: Callable[[str], Points] = cache(self._curves)

    def mean(self, label: str, size: int, metric: str = "test_accuracy") -> float:
        """Return a mean accuracy in percent."""
        return 100 * self._points(metric)[label, size]["mean"]

    def acc(self, label: str, size: int, metric: str = "test_accuracy") -> str:
        """Return a mean accuracy in percent, such as "35.4"."""
        return f"{self.mean(label, size, metric):.1f}"

    def pm(self, label: str, size: int) -> str:
        """Return a mean accuracy with half of its 95% interval, such as "35.4 ± 1.3"; of one run, "35.4"."""
        point = self._points("test_accuracy")[label, size]
        mean, low, high = (100 * point[name] for name in ("mean", "low", "high"))
        return plus_minus(mean, low, high, digits=1)

    def gain(self, label: str, first: int, last: int) -> str:
        """Return how much a mean rises from one size to another, in points."""
        return f"{self.mean(label, last) - self.mean(label, first):.1f}"

    def order(self, size: int) -> list[str]:
        """Return the labels, the best mean first."""
        points_of = self._points("test_accuracy")
        means = {label: point["mean"] for (label, n), point in points_of.items() if n == size}
        return sorted(means, key=lambda label: -means[label])

    def rank_correlation(self, first: int, second: int) -> str:
        """Return Spearman's correlation of the means at two sizes."""
        labels = self.order(first)
        means = [pd.Series([self.mean(label, size) for label in labels]) for size in (first, second)]
        return f"{means[0].corr(means[1], method='spearman'):.2f}"

    def span(self, kind: str, fields: tuple[int, ...], size: int) -> str:
        """Return the lowest and highest mean of some fields of a kind, such as "30.5 to 31.2"."""
        means = [self.mean(f"{kind} {field}", size) for field in fields]
        return f"{min(means):.1f} to {max(means):.1f}"

    def span_of(self, label: str, metric: str) -> str:
        """Return the lowest and highest mean of a model over the sizes, such as "44 to 60"."""
        means = [self.mean(label, size, metric) for size in self.sizes]
        return f"{min(means):.0f} to {max(means):.0f}"

    def best_field(self, kind: str, size: int) -> str:
        """Return the field with the best mean, of labels such as "field_local 3"."""
        return next(name for name in self.order(size) if name.startswith(f"{kind} ")).split()[-1]

    def table(self, labels: list[str], sizes: list[int]) -> str:
        """Return the rows of a Markdown table of accuracies."""
        return "\n".join(f"| {label} | {' | '.join(self.pm(label, n) for n in sizes)} |" for label in labels)

    def solved(self, label: str, size: int) -> str:
        """Return in how many runs more than 90% of the test images are right, such as "2 of 3"."""
        values = self._values(label, size)
        return f"{int((values > SOLVED).sum())} of {len(values)}"

    def highest_unsolved(self) -> str:
        """Return the highest accuracy in percent of the runs that are not above 90%."""
        values = self.records["test_accuracy"]
        return f"{100 * values[values <= SOLVED].max():.0f}"

    def lowest(self, label: str, size: int) -> str:
        """Return the lowest accuracy of a run in percent."""
        return f"{100 * self._values(label, size).min():.0f}"

    def _values(self, label: str, size: int) -> pd.Series:
        runs = self.records
        return runs[(runs["label"] == label) & (runs["train_size"] == size)]["test_accuracy"]

    def _curves(self, metric: str) -> Points:
        rows: list[dict[Any, Any]] = accuracy_curves(self.records, metric=metric).to_dict("records")
        return {(str(row["label"]), int(row["train_size"])): row for row in rows}


def plus_minus(mean: float, low: float, high: float, *, digits: int) -> str:
    """Return a mean with half of its interval, such as "35.4 ± 1.3"; without an interval, "35.4"."""
    half = max(high - mean, mean - low)
    return f"{mean:.{digits}f}" if math.isnan(half) else f"{mean:.{digits}f} ± {half:.{digits}f}"
