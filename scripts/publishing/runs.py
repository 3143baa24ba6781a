"""Comparisons of the runs of a published page, as text.

>>> Runs(records).lead("CNN", "ViT", 500)  # doctest: +SKIP
'+3.0'
"""

from collections.abc import Callable, Sequence
from functools import cache
from itertools import product

import pandas as pd

from publishing.means import Means
from vision.report.wording.crossings import crossing_sentences
from vision.report.wording.lead import average_lead, lead
from vision.report.wording.short_answer import short_answer
from vision.statistics import Comparison, compare_models
from vision.statistics.leads import LEVEL, Lead, holm, mean_lead
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

    def leaders_of(self, base: str, others: Sequence[str]) -> dict[str, str | None]:
        """Return who is significantly ahead on average, a model or each other, adjusted for all (Holm)."""
        found = {other: self._compare(other, base) for other in others}
        adjusted = holm([one.p for one in found.values()]).tolist()
        return {
            other: (other if one.average.mean > 0 else base) if p < LEVEL else None
            for (other, one), p in zip(found.items(), adjusted, strict=True)
        }

    def best_fields_ahead(self, fields: Sequence[int]) -> list[bool]:
        """Return whether the best field of each kind and size is significantly ahead of the next ones."""
        kinds = sorted({label.split()[0] for label in self.records["label"]})
        found: list[bool] = []
        for kind, size in product(kinds, self.sizes):
            place = fields.index(int(self.best_field(kind, size)))
            for other in (place - 1, place + 1):
                if 0 <= other < len(fields):
                    names = [f"{kind} {fields[one]}" for one in (place, other)]
                    found.append(self.leader(names[0], names[1], size) is not None)
        return found

    def lead_over_mean(self, label: str, first: str, second: str) -> str:
        """Return the average lead of a model over the mean of two others, with its interval."""
        return _lead_text(self._over_mean(label, first, second))

    def is_above_mean(self, label: str, first: str, second: str) -> bool:
        """Return whether a model is on average significantly ahead of the mean of two others."""
        lead = self._over_mean(label, first, second)
        return lead.p < LEVEL and lead.mean > 0

    def _over_mean(self, label: str, first: str, second: str) -> Lead:
        pairs = self._pairs(label, first, second)
        return mean_lead((pairs[label] - (pairs[first] + pairs[second]) / 2).unstack("train_size"))

    def answer(self, first: str, second: str) -> str:
        """Return the answer of the page of this sweep, in its words."""
        return " ".join(lead(self._compare(first, second)))

    def short_answer(self, first: str, second: str) -> str:
        """Return the answer in at most three sentences."""
        return " ".join(short_answer(self._compare(first, second)))

    def crossing(self, first: str, second: str) -> str:
        """Return where the lead changes, in the words of the page."""
        return " ".join(crossing_sentences(self._compare(first, second)))

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
        return _lead_text(self._change(first, second, start, end))

    def change_is_significant(self, first: str, second: str, start: int, end: int) -> bool:
        """Return whether a lead changes significantly from one size to another."""
        return self._change(first, second, start, end).p < LEVEL

    def _change(self, first: str, second: str, start: int, end: int) -> Lead:
        pairs = self._pairs(first, second)
        leads = (pairs[first] - pairs[second]).unstack("train_size")
        return mean_lead(pd.DataFrame({end: leads[end] - leads[start]}))

    def _pairs(self, *labels: str) -> pd.DataFrame:
        table = self.records.pivot_table(
            index=["train_size", "seed"], columns="label", values="test_accuracy"
        )
        return table[list(labels)].dropna()

    def _comparison(self, first: str, second: str) -> Comparison:
        return compare_models(self.records, first, second)

    def _lead(self, first: str, second: str, size: int | None) -> tuple[float, float, float]:
        found = self._compare(first, second)
        if size is None:
            return found.average
        return next(one.lead for one in found.by_size if one.train_size == size)


def _lead_text(lead: Lead) -> str:
    mean, low, high = map(points, lead.estimate)
    return f"{mean} points (95% interval {low} to {high})"
