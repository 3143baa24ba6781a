"""Comparisons of the runs of a published page, as text.

>>> Runs(records).lead("CNN", "ViT", 500)  # doctest: +SKIP
'+3.0'
"""

from collections.abc import Callable
from functools import cache

import pandas as pd

from publishing.means import Means
from vision.report.wording.lead import average_lead, lead
from vision.report.wording.short_answer import short_answer
from vision.statistics import Comparison, compare_models
from vision.statistics.leads import LEVEL, Lead, mean_lead
from vision.text import points


class Runs(Means):
    """All that a template may say about runs: settings, accuracies and comparisons."""

    def __init__(self, records: pd.DataFrame) -> None:
        super().__init__(records)
        self._compare: Callable[[str, str], Comparison] = cache(self._comparison)

    def lead(self, first: str, second: str, size: int | None = None) -> str:
        """Return a lead in points, on average over the sizes or at one."""
        return points(self._lead(first, second, size)[0])

    def interval(self, first: str, second: str, size: int | None = None) -> str:
        """Return the 95% interval of a lead, such as "+2.2 to +3.8"."""
        low, high = self._lead(first, second, size)[1:]
        return f"{points(low)} to {points(high)}"

    def lead_text(self, first: str, second: str, size: int | None = None) -> str:
        """Return "+3.0 points (95% interval +2.2 to +3.8)"."""
        ends = self.interval(first, second, size)
        return f"{self.lead(first, second, size)} points (95% interval {ends})"

    def detectable(self, first: str, second: str, size: int | None = None) -> str:
        """Return the smallest detectable lead in points, on average over the sizes or at one."""
        found = self._compare(first, second)
        rows = {one.train_size: one.detectable for one in found.by_size}
        return f"{100 * (found.detectable if size is None else rows[size]):.1f}"

    def leader(self, first: str, second: str, size: int | None = None) -> str | None:
        """Return which of two models is significantly ahead, on average over the sizes or at one."""
        found = self._compare(first, second)
        return found.leader if size is None else dict(zip(found.sizes, found.leaders, strict=True))[size]

    def significance(self, first: str, second: str, size: int | None = None) -> str:
        """Return "significant" or "not significant"."""
        return "significant" if self.leader(first, second, size) else "not significant"

    def p(self, first: str, second: str) -> str:
        """Return the p value of the average lead."""
        return f"{self._compare(first, second).p:.2g}"

    def answer(self, first: str, second: str) -> str:
        """Return the answer of the page of this sweep, in its words."""
        return " ".join(lead(self._compare(first, second)))

    def short_answer(self, first: str, second: str) -> str:
        """Return the answer in at most three sentences."""
        return " ".join(short_answer(self._compare(first, second)))

    def average(self, first: str, second: str) -> str:
        """Return the sentences on the average lead, in the words of the page."""
        return " ".join(average_lead(self._compare(first, second)))

    def ahead_in(self, first: str, second: str) -> str:
        """Return in how many pairs of runs the first model has the higher accuracy, such as "16 of 21"."""
        pairs = self._pairs(first, second)
        return f"{int((pairs[first] > pairs[second]).sum())} of {len(pairs)}"

    def equal_in(self, first: str, second: str) -> str:
        """Return in how many pairs of runs two models have the same accuracy."""
        pairs = self._pairs(first, second)
        return f"{int((pairs[first] == pairs[second]).sum())} of {len(pairs)}"

    def change(self, first: str, second: str, start: int, end: int) -> str:
        """Return how a lead changes from one size to another: "+2.0 points (95% interval -1.0 to +5.0)"."""
        mean, low, high = self._change(first, second, start, end).estimate
        return f"{points(mean)} points (95% interval {points(low)} to {points(high)})"

    def change_is_significant(self, first: str, second: str, start: int, end: int) -> bool:
        """Return whether a lead changes significantly from one size to another."""
        return self._change(first, second, start, end).p < LEVEL

    def _change(self, first: str, second: str, start: int, end: int) -> Lead:
        pairs = self._pairs(first, second)
        leads = (pairs[first] - pairs[second]).unstack("train_size")
        return mean_lead(pd.DataFrame({end: leads[end] - leads[start]}))

    def _pairs(self, first: str, second: str) -> pd.DataFrame:
        table = self.records.pivot_table(
            index=["train_size", "seed"], columns="label", values="test_accuracy"
        )
        return table[[first, second]].dropna()

    def _comparison(self, first: str, second: str) -> Comparison:
        return compare_models(self.records, first, second)

    def _lead(self, first: str, second: str, size: int | None) -> tuple[float, float, float]:
        found = self._compare(first, second)
        if size is None:
            return found.average
        return next(one.lead for one in found.by_size if one.train_size == size)
